"""Tables of the comparison of two tables."""

from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = dict[str, Any]

TITLES = {
    "tied": "tied best",
    "zero_spread": "no spread",
    "mean": "mean reward",
    "best": "best reward of the group",
    "lead": "lead of the best over the mean",
    "behaviours": "different behaviours",
    "radius": "radius (half the winning margin; 0 if tied)",
    "spread": "standard deviation of the reward",
    "truth": "mean truth",
    "truth_of_best": "truth of the reward's choice",
}


def table_tables(figures: Figures) -> list[dict[str, Any]]:
    """All tables, the figures first."""
    main = _removal(figures) if figures["relation"] == "removal" else _samples(figures)
    return [main, *filter(None, [_drivers(figures), _growth(figures)]), _matching(figures)]


def _samples(figures: Figures) -> dict[str, Any]:
    paired = figures["matching"]["by"] != "nothing"
    how = "the same prompts, paired" if paired else "other prompts, not paired"
    rows = [row | {"title": TITLES[row["name"]], "prompts": row["prompts_b"]} for row in figures["figures"]]
    return answer_table(
        "figures",
        f"Figures in groups of {figures['common_size']}",
        [
            column("title", "figure", "name"),
            column("prompts", "prompts", "count"),
            column("a", "A", "mean"),
            column("b", "B", "mean"),
            column("change", "B less A", "mean"),
            column("p", "p", "number"),
            column("p_holm", "p, Holm", "number"),
            column("monte_carlo_error", "Monte-Carlo error", "number"),
        ],
        rows,
        meaning=f"Means over {how}; p by permutation. A Monte-Carlo error of 0 is a figure in closed form.",
    )


def _removal(figures: Figures) -> dict[str, Any]:
    sides = ("all", "kept", "removed", "after")
    rows = [
        row | {"title": TITLES[row["name"]]} | {side: row[side]["value"] for side in sides}
        for row in figures["figures"]
    ]
    whole, part = figures["whole"], figures["part"]
    return answer_table(
        "figures",
        f"Figures in groups of {figures['common_size']}",
        [
            column("title", "figure", "name"),
            column("all", f"{whole}", "number"),
            column("removed", f"{whole}, removed", "number"),
            column("kept", f"{whole}, kept", "number"),
            column("after", part, "number"),
            column("by_prompts", "by prompts gone", "number"),
            column("by_rows", "by rows gone", "number"),
            column("p_holm", "p, Holm", "number"),
        ],
        rows,
        meaning="Means over prompts: all, those removed, those kept. The rows that stay are the same, so the changes are facts; "
        "p asks whether removing as many prompts at random does as much.",
    )


def _drivers(figures: Figures) -> dict[str, Any] | None:
    found = figures["drivers"]
    if not found["prompts"]:
        return None
    whole, part = figures["whole"], figures["part"]
    keys = [key.removesuffix("_whole") for key in found["prompts"][0] if key.endswith("_whole")]
    columns = [column("prompt", "prompt", "name")]
    for key in keys:
        columns.append(column(f"{key}_whole", f"{TITLES[key]}, {whole}", "number"))
        if any(row[f"{key}_part"] is not None for row in found["prompts"]):
            columns.append(column(f"{key}_part", f"{TITLES[key]}, {part}", "number"))
    if any(row["prompt_text"] is not None for row in found["prompts"]):
        columns.append(column("prompt_text", "its text", "text"))
    removed = figures["relation"] == "removal" and found["prompts"][0][f"{keys[0]}_part"] is None
    which = "Removed prompts" if removed else "Prompts"
    return answer_table(
        "drivers",
        f"{which} that move “{TITLES[found['figure']]}” most",
        columns,
        found["prompts"],
        meaning="In the direction in which the mean moves, the greatest contribution first.",
    )


def _growth(figures: Figures) -> dict[str, Any] | None:
    whole, part = figures["whole"], figures["part"]
    if len(figures["growth"]) < 2:
        return None
    return answer_table(
        "group-sizes",
        "At other group sizes",
        [
            column("k", "group size", "count"),
            column("tied_whole", f"tied, {whole}", "share"),
            column("tied_part", f"tied, {part}", "share"),
            column("best_whole", f"best reward, {whole}", "mean"),
            column("best_part", f"best reward, {part}", "mean"),
        ],
        figures["growth"],
        meaning="Expected over all subsets of the completions, in closed form; no other group size is needed to tell.",
        plot=line_plot("k", ["tied_whole", "tied_part"], x_title="group size", y_title="prompts with a tied best"),
    )


def _matching(figures: Figures) -> dict[str, Any]:
    found = figures["matching"]
    rows = [{"name": f"prompts matched by {found['by']}", "a": found["matched"], "b": found["matched"]}]
    told = {
        "prompts": "prompts",
        "rows": "completions",
        "unmatched": "prompts without a match",
        "too_small": f"prompts with fewer than {figures['common_size']} scored completions",
    }
    rows += [{"name": text, "a": found[f"{key}_a"], "b": found[f"{key}_b"]} for key, text in told.items()]
    return answer_table(
        "matching",
        "What was compared",
        [column("name", "what", "name"), column("a", "A", "count"), column("b", "B", "count")],
        rows,
        meaning="Prompts without a match, and prompts with too few completions, are in no difference above.",
    )
