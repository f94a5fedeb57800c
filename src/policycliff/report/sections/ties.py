"""How the rewards are tied (Prop 2.9, Prop 2.10)."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.elements import Html, join, paragraph, table
from policycliff.report.format import count, mean_text, percent, share_text
from policycliff.report.plots.ties import difficulty, tie_bars, tied_sizes
from policycliff.report.sections.section import Section, beside, plot_box
from policycliff.report.summary import Result, main_figures, shown_rewards
from policycliff.report.text import one_line

_HEAD = (
    "reward",
    "prompts",
    "tied",
    "tied within noise",
    "consequential",
    "behaviours in a tie",
    "zero spread",
    "solved / unsolved",
    "jump of the even choice",
)


def ties_section(result: Result) -> Section:
    """Stacked shares, sizes of ties, difficulty, and the table with every interval."""
    rewards, main = shown_rewards(result), main_figures(result)
    bars = tie_bars(rewards)
    plots = {
        "ties": bars,
        "tied-sizes": tied_sizes(main["tied_size_histogram"]),
        "difficulty": difficulty(main["difficulty"]),
    }
    body = join(
        plot_box(
            "ties",
            "Prompts by what their best completions are",
            label=_bars_label(rewards),
            height=bars["layout"]["height"],
        ),
        beside(
            plot_box("tied-sizes", "Size of the best set (effective reward)", label=_sizes_label(main), height=300),
            plot_box("difficulty", "How hard the prompts are", label="Histogram of mean reward", height=300),
        ),
        table(_HEAD, [_row(name, figures) for name, figures in rewards.items()], label="Ties by reward"),
        _columns_that_differ(main),
    )
    meaning = (
        "A prompt is tied when several distinct behaviours share its best reward: the reward does not say which to "
        "learn. The tie is consequential when they differ in the truth, in another reward or in the behaviour column."
    )
    return Section("ties", "How the rewards are tied", meaning, "Prop 2.9, Prop 2.10", body, plots)


def _row(name: str, figures: Mapping[str, Any]) -> list[str]:
    if not figures["prompts"]:
        return [one_line(name), "0", *[figures["note"]] * 1, *[""] * 6]
    return [
        one_line(name),
        count(figures["prompts"]),
        share_text(figures["tied_share"]),
        share_text(figures["tied_within_noise_share"], unknown="noise unknown"),
        share_text(figures["consequential_share"], unknown="nothing to differ in"),
        mean_text(figures["tied_size_mean"], unknown="no ties"),
        share_text(figures["zero_spread_share"]),
        _solved(figures),
        share_text(figures["uniform_jump_mean"]),
    ]


def _solved(figures: Mapping[str, Any]) -> str:
    if "zero_spread_solved_share" not in figures:
        return "greatest reward not given"
    solved, unsolved = (figures[f"zero_spread_{kind}_share"] for kind in ("solved", "unsolved"))
    return f"{share_text(solved)} / {share_text(unsolved)}"


def _columns_that_differ(main: Mapping[str, Any]) -> Html | None:
    columns = [item for item in main["consequential_columns"] if item["share"]["value"]]
    if not columns:
        return None
    columns.sort(key=lambda item: -item["share"]["value"])
    named = "; ".join(f"{one_line(item['column'])} in {share_text(item['share'])} of prompts" for item in columns)
    return paragraph(f"Tied best behaviours of the effective reward differ in {named}.")


def _bars_label(rewards: Mapping[str, Any]) -> str:
    shares = [
        f"{one_line(name)} {percent(figures['tied_share']['value'])}"
        for name, figures in rewards.items()
        if figures["prompts"]
    ]
    return f"Stacked bars of tied and untied prompts by reward. Tied: {', '.join(shares)}."


def _sizes_label(main: Mapping[str, Any]) -> str:
    return f"Histogram of tied set sizes; mean size of a tie {mean_text(main['tied_size_mean'], unknown='none')}."
