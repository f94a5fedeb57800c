"""The tables of the answer."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.questions.answer import answer_table, column, line_plot

Figures = Mapping[str, Any]


def tables_of(figures: Figures) -> list[dict[str, Any]]:
    """What the terminal and the page show."""
    return [_chosen(figures), _ties(figures), _sizes(figures), _stretches(figures), _pairs(figures)]


def _names(figures: Figures) -> dict[str, str]:
    """Key to title of the shares."""
    names = {"tied_share": "tied"}
    if figures["chosen"]["consequential_share"] is not None:
        names["consequential_share"] = "tied, and it matters"
    return names | {"mixed_share": "rewards mixed"}


def _chosen(figures: Figures) -> dict[str, Any]:
    chosen, text = figures["chosen"], figures["by_text"]
    rows = [
        ("behaviours a prompt", "behaviours"),
        ("best behaviours a prompt", "best_set_size"),
        ("prompts with a tie for the best", "tied_share"),
        ("prompts with a tie that matters", "consequential_share"),
        ("prompts with all behaviours tied", "all_behaviours_tied_share"),
        ("prompts with one behaviour only", "one_behaviour_share"),
        ("prompts with different rewards in a behaviour", "mixed_share"),
        ("agreement with the behaviour column (F1)", "agreement"),
    ]
    shown = [
        {"figure": name, "joined": chosen[key], "texts": text[key]} for name, key in rows if chosen[key] is not None
    ]
    return answer_table(
        "chosen",
        f"At a similarity of {chosen['threshold']:g}, and as texts",
        [
            column("figure", "figure", "name"),
            column("joined", "behaviours joined", "mean"),
            column("texts", "every text its own", "mean"),
        ],
        shown,
        meaning=(
            f"{figures['prompts']:,} prompts, {figures['completions']:,} completions, compared by {figures['method']}. "
            "Shares are of all prompts, between 0 and 1."
        ),
    )


def _ties(figures: Figures) -> dict[str, Any]:
    names = _names(figures)
    return answer_table(
        "ties",
        "Ties as the threshold moves",
        [column("threshold", "similarity from", "number"), *(column(key, names[key], "share") for key in names)],
        figures["points"],
        meaning="Shares of prompts. At 1 only texts of the same vector, or the same words, are one.",
        statement="Prop 2.10",
        plot=line_plot(
            "threshold", list(names), x_title="one behaviour from this similarity", y_title="share of prompts"
        ),
    )


def _sizes(figures: Figures) -> dict[str, Any]:
    known = [column("agreement", f"agreement with {figures['known']}", "mean")] if figures["known"] else []
    return answer_table(
        "sizes",
        "Behaviours as the threshold moves",
        [
            column("threshold", "similarity from", "number"),
            column("behaviours", "behaviours a prompt", "mean"),
            column("best_set_size", "best behaviours", "mean"),
            column("one_behaviour_share", "one behaviour only", "share"),
            column("merged_share", "joins made", "share"),
            *known,
        ],
        figures["points"],
        meaning="Joins made: of those that would leave every prompt one behaviour.",
        plot=line_plot(
            "threshold",
            ["behaviours", "best_set_size"],
            x_title="one behaviour from this similarity",
            y_title="behaviours a prompt, mean",
        ),
    )


def _stretches(figures: Figures) -> dict[str, Any]:
    return answer_table(
        "verdicts",
        "The verdict on ties, by threshold",
        [
            column("verdict", "verdict", "name"),
            column("from", "from", "number"),
            column("to", "to", "number"),
            column("least", "tied, least", "share"),
            column("greatest", "tied, greatest", "share"),
        ],
        figures["stretches"],
        meaning="Critical: more than a fifth of the prompts are tied; warning: more than a twentieth. By convention.",
    )


def _pairs(figures: Figures) -> dict[str, Any]:
    return answer_table(
        "pairs",
        "Pairs at the threshold: judge them yourself",
        [
            column("similarity", "similarity", "number"),
            column("joined", "counted as", "name"),
            column("prompt", "prompt", "text"),
            column("one", "one completion", "text"),
            column("other", "the other", "text"),
            column("reward", "its reward", "number"),
            column("other_reward", "the other's", "number"),
        ],
        figures["pairs"],
        meaning=(
            "The links nearest to the threshold on either side, from where the two texts part. If those above it mean "
            "different things, raise it; if those below mean the same, lower it."
        ),
    )
