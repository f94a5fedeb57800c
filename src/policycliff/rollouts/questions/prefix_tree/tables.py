"""The tables of the answer."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = Mapping[str, Any]


def tables_of(figures: Figures) -> list[dict[str, Any]]:
    """What the terminal and the page show."""
    tree, unit = figures["tree"], figures["unit"]
    merged = [] if figures["quotient"] is None else [_quotient(figures["quotient"], tree, unit)]
    tied = [_tied(figures["tied_examples"], unit)] if figures["tied_examples"] else []
    losing = [_losing(figures["losing_examples"], unit)] if figures["losing_examples"] else []
    return [_shares(tree), _counts(figures), *merged, _curve(tree), *tied, *losing]


def _shares(tree: Figures) -> dict[str, Any]:
    rows = [
        ("prompts with several best texts", tree["several_share"]),
        ("of these: they part at the very beginning", tree["parted_at_start_share"]),
        ("of these: where they part, one of them ends", tree["parted_by_ending_share"]),
        ("of these: some way on from there was sampled twice", tree["first_parting_seen_again_share"]),
        ("of these: share of the text that all best ones begin with", tree["first_parting_relative"]),
        ("of these: best completions on the commonest way on", tree["commonest_way_share"]),
        ("prompts with one best text among several", tree["unique_share"]),
        ("prompts in which all texts are tied", tree["all_tied_share"]),
        ("prompts with one text only", tree["one_trace_share"]),
    ]
    return answer_table(
        "prompts",
        "Prompts by how their best texts part",
        [column("figure", "figure", "name"), column("value", "value", "share")],
        [{"figure": name, "value": value} for name, value in rows],
        meaning="Shares of a text are by the mean length of its prompt's best texts.",
        statement="Prop 2.9",
    )


def _counts(figures: Figures) -> dict[str, Any]:
    tree, unit, steps = figures["tree"], figures["unit"], figures["steps"]
    radius = tree["radius"]
    rows = [
        ("best texts a prompt", tree["optimal_traces"]),
        (f"common beginning of tied best texts, in {unit}s", tree["first_parting_depth"]),
        ("places a prompt where best texts part", tree["partings"]),
        ("places a prompt where a worse text leaves a best one", tree["decisions"]),
        ("radius at the ends, median (one best text)", _median(radius["unique_quantiles"])),
        ("radius at the ends, least (one best text)", radius["unique_min"]),
        ("half the gap below the best texts, median", _median(radius["set_quantiles"])),
    ]
    if steps is not None:
        rows += [
            ("radius in the reward of every step, median (one best text)", _median(steps["radius_unique_quantiles"])),
            ("radius in the reward of every step, least", steps["radius_min"]),
        ]
    return answer_table(
        "tree",
        "The tree of a prompt",
        [column("figure", "figure", "name"), column("value", "value", "mean")],
        [{"figure": name, "value": value} for name, value in rows],
        meaning="The radius is the reward error, the same at most at every end, that makes another text as good.",
        statement="Result 1",
    )


def _quotient(quotient: Figures, tree: Figures, unit: str) -> dict[str, Any]:
    radius = quotient["radius_unique_quantiles"]
    several = quotient["several_share"], tree["several_share"]
    rows = [
        ("states (texts: prefixes)", quotient["states"], tree["prefixes"]),
        ("prompts with several best ends (texts: several best)", *several),
        ("best ends a prompt (texts: best texts)", quotient["optimal_ends"], tree["optimal_traces"]),
        ("optimal ways, median prompt", quotient["optimal_ways_median"], None),
        ("places a prompt where best ways part", quotient["partings"], tree["partings"]),
        ("places a prompt where a worse way leaves a best one", quotient["decisions"], tree["decisions"]),
        ("radius, median (one best)", _median(radius), _median(tree["radius"]["unique_quantiles"])),
        ("ends that several texts share", quotient["shared_ends"], None),
        ("of these: their rewards disagree", quotient["disputed_ends"], None),
        (f"one {unit} in one state, several states next", quotient["ambiguous_steps"], None),
        ("prompts whose keys return to an earlier state", quotient["cyclic_prompts"], None),
    ]
    return answer_table(
        "merged",
        "With equal keys as one state",
        [column("figure", "figure", "name"), column("merged", "merged", "mean"), column("texts", "as texts", "mean")],
        [{"figure": name, "merged": merged, "texts": texts} for name, merged, texts in rows],
        meaning="Ways may cross where states are merged, so an optimal way need not be a text that was sampled.",
    )


def _curve(tree: Figures) -> dict[str, Any]:
    return answer_table(
        "depth",
        "Where in the text it is decided",
        [
            column("depth", "share of the text behind", "number"),
            column("parted", "tied best texts have parted", "share"),
            column("lost", "lost reward, lost by then", "share"),
        ],
        tree["curve"],
        meaning=(
            "First line: of the prompts with several best texts. Second: best reward minus mean reward, counted where "
            "each completion leaves the last best text that it follows, by its own length; mean over prompts."
        ),
        plot=line_plot("depth", ["parted", "lost"], x_title="share of the text behind", y_title="share decided"),
    )


def _tied(examples: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    return answer_table(
        "tied-examples",
        "Where tied best texts part first",
        [
            *_place(unit),
            column("one", "one goes on", "text"),
            column("other", "as good, another", "text"),
            column("sampled", "sampled", "text"),
            *_truth(examples),
        ],
        [_shown(item) for item in examples],
        meaning=(
            f"After so many {unit}s, which end so: the two commonest ways on, with the mean truth of their best "
            "completions if there is one. Prompts that differ in the truth first, then those with most best "
            "completions. Sampled: completions that take the one way and the other, of all of the prompt."
        ),
    )


def _losing(examples: list[dict[str, Any]], unit: str) -> dict[str, Any]:
    return answer_table(
        "losing-examples",
        "Where most reward is lost",
        [
            *_place(unit),
            column("one", "a best text goes on", "text"),
            column("other", "a worse way", "text"),
            column("gap", "gap", "number"),
            column("lost", "lost here", "number"),
            column("sampled", "sampled", "text"),
            *_truth(examples),
        ],
        [_shown(item) for item in examples],
        meaning=(
            "The costliest place of each prompt, and the costliest way on. Gap: what the best completion on that way "
            "is short of. Lost here: what all that leave the best texts here take off the prompt's mean reward."
        ),
    )


def _place(unit: str) -> list[dict[str, str]]:
    return [
        column("prompt", "prompt", "name"),
        column("place", f"after, in {unit}s", "text"),
    ]


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    sampled = f"{item['completions_one']}, {item['completions_other']} of {item['completions']}"
    truth = ", ".join("unknown" if item[key] is None else f"{item[key]:.3g}" for key in ("truth_one", "truth_other"))
    return {**item, "place": f"{item['depth']}: {item['after']}", "sampled": sampled, "truth": truth}


def _truth(examples: list[dict[str, Any]]) -> list[dict[str, str]]:
    known = any(item[key] is not None for item in examples for key in ("truth_one", "truth_other"))
    return [column("truth", "truth", "text")] if known else []


def _median(quantiles: Figures | None) -> float | None:
    return None if quantiles is None else quantiles["p50"]
