"""Tables of the comparison of two rewards."""

from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = dict[str, Any]

TITLES = {
    "is_tied": "prompts with a tied best",
    "zero_spread": "prompts without any spread",
    "margin": "winning margin, in standard deviations of the prompt",
    "lead": "lead of the best over the mean, in standard deviations",
    "truth": "truth of the choice",
}


def reward_tables(figures: Figures) -> list[dict[str, Any]]:
    """All tables, the choices first."""
    optional = [_by_margin(figures), _sources(figures), _drivers(figures)]
    return [_choices(figures), _regret(figures), _tests(figures), _soft(figures), *filter(None, optional)]


def _choices(figures: Figures) -> dict[str, Any]:
    moves, top = figures["moves"], figures["top_pair"]
    noise = figures["noise"]
    rows = [
        ("best set differs", moves["changes"]),
        ("B may choose what is not best for A", moves["b_adds"]),
        ("A may choose what is not best for B", moves["a_adds"]),
        ("no completion is best for both", moves["disjoint"]),
        *((f"the same, expected of scoring {name.upper()} again", noise[name].get("expected_share")) for name in "ab"),
        ("tied under A, unique under B", moves["tied_to_unique"]),
        ("unique under A, tied under B", moves["unique_to_tied"]),
        ("tied under both", moves["tied_in_both"]),
        ("A's top pair swapped by B (where A's best is unique)", top["a"]["flipped"]),
        ("A's top pair tied by B", top["a"]["tied"]),
        ("B's top pair swapped by A (where B's best is unique)", top["b"]["flipped"]),
        ("B's top pair tied by A", top["b"]["tied"]),
    ]
    return answer_table(
        "choices",
        "Choices",
        [column("name", "what", "name"), column("share", "prompts", "share")],
        [{"name": name, "share": figure} for name, figure in rows if figure is not None],
        meaning="What happens to the best completions of a prompt when B replaces A.",
        statement="Prop 4.6",
    )


def _regret(figures: Figures) -> dict[str, Any]:
    rows = []
    for judge, chooser in (("a", "b"), ("b", "a")):
        found = figures["regret"][judge]
        for key, name in (
            ("chosen", f"choice of {chooser.upper()}"),
            ("worst", f"worst of {chooser.upper()}'s best"),
            ("random", "random completion"),
        ):
            row = {"name": f"{name}, judged by {judge.upper()}", "regret": found[key], "part": found[f"{key}_share"]}
            rows.append(row)
    return answer_table(
        "regret",
        "Regret",
        [
            column("name", "what is chosen", "name"),
            column("regret", "given up, in the judge's units", "mean"),
            column("part", "as a share of the prompt's range", "share"),
        ],
        rows,
        meaning="What the choice of one reward gives up in the other, beside a completion drawn at random.",
    )


def _tests(figures: Figures) -> dict[str, Any]:
    rows = [row | {"title": TITLES[row["name"]]} for row in figures["tests"]]
    return answer_table(
        "differences",
        "Paired differences",
        [
            column("title", "figure", "name"),
            column("a", "A", "mean"),
            column("b", "B", "mean"),
            column("change", "B less A", "mean"),
            column("p", "p", "number"),
            column("p_holm", "p, Holm", "number"),
        ],
        rows,
        meaning="Is it chance? A and B are swapped within prompts at random, which only figures without a unit allow.",
    )


def _soft(figures: Figures) -> dict[str, Any]:
    pair = figures["pair"]
    rows = [
        ("total variation on the sampled completions", figures["sampled_total_variation"]),
        ("sharp bound, from the range of B less A", pair["sharp_bound"]),
        ("the paper's bound, from the greatest |B less A|", pair["linear_bound"]),
        ("each reward standardised, temperature 1: bound", pair["scaled"]["sharp_bound"]),
    ]
    if pair["scaled"]["total_variation"] is not None:
        rows.append(("each reward standardised, temperature 1: total variation", pair["scaled"]["total_variation"]))
    return answer_table(
        "policies",
        "Soft policies",
        [column("name", "what", "name"), column("mean", "mean over prompts", "mean")],
        [{"name": name, "mean": figure} for name, figure in rows],
        meaning=f"How far the KL-regularised policy moves at beta = {figures['beta']:.3g}, in A's units of reward.",
        statement="Prop 4.7",
    )


def _by_margin(figures: Figures) -> dict[str, Any] | None:
    rows = figures["by_margin"]
    if not rows:
        return None
    lines = ["changed"] if rows[0]["expected"] is None else ["changed", "expected"]
    titles = {"changed": "choice changes", "expected": "scoring A again"}
    return answer_table(
        "margins",
        "By how sure A was",
        [
            column("margin", "A's margin (standard deviations)", "number"),
            column("prompts", "prompts", "count"),
            *(column(key, titles[key], "share") for key in lines),
        ],
        rows,
        meaning="Prompts with a unique best under A, sorted by its margin: noise can change narrow wins only.",
        plot=line_plot("margin", lines, x_title="A's winning margin (standard deviations)", y_title="prompts"),
    )


def _sources(figures: Figures) -> dict[str, Any] | None:
    found = figures["sources"]
    if found is None or len(found["rows"]) < 2:
        return None
    if not found["compete"]:
        return answer_table(
            "sources",
            "By source",
            [column("source", "source", "name"), column("prompts", "prompts", "count"),
             column("changes", "choice changes", "share")],
            found["rows"],
            meaning="Prompts whose choices under A and B have nothing in common, by the source of their completions.",
        )  # fmt: skip
    return answer_table(
        "sources",
        "Wins by source",
        [
            column("source", "source", "name"),
            column("completions", "completions", "share"),
            column("wins_a", "wins under A", "share"),
            column("wins_b", "wins under B", "share"),
            column("change", "B less A", "mean"),
            column("p_holm", "p, Holm", "number"),
        ],
        found["rows"],
        meaning="Who writes the best completion under each reward; tied bests share a win.",
    )


def _drivers(figures: Figures) -> dict[str, Any] | None:
    rows = figures["drivers"]["prompts"]
    if not rows:
        return None
    texts = [("prompt_text", "its text"), ("choice_a", "A's choice"), ("choice_b", "B's choice")]
    known = [item for item in texts if any(row[item[0]] is not None for row in rows)]
    numbers = [
        ("a_of_a", "A of A's"), ("a_of_b", "A of B's"), ("b_of_a", "B of A's"), ("b_of_b", "B of B's"),
    ]  # fmt: skip
    return answer_table(
        "drivers",
        "Prompts that drive it",
        [
            column("prompt", "prompt", "name"),
            *(column(key, title, "number") for key, title in numbers),
            *(column(key, title, "text") for key, title in known),
        ],
        rows,
        meaning="Ordered by what both choices give up together, each in units of its judge's usual range.",
    )
