"""How the rewards are tied (Prop 2.9, Prop 2.10)."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.cells import mean_cell, name_cell, share_cell
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
    sizes, hard = tied_sizes(main["tied_size_histogram"]), difficulty(main["difficulty"])
    plots = {"ties": tie_bars(rewards), "tied-sizes": sizes, "difficulty": hard}
    body = join(
        plot_box("ties", "Prompts by what their best completions are", plots["ties"], label=_bars_label(rewards)),
        beside(
            plot_box("tied-sizes", "Size of the best set (effective reward)", sizes, label=_sizes_label(main)),
            plot_box("difficulty", "How hard the prompts are", hard, label="Histogram of mean reward"),
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
        return [name_cell(name), "0", *[figures["note"]], *[""] * 6]
    return [
        name_cell(name),
        count(figures["prompts"]),
        share_cell(figures["tied_share"]),
        share_cell(figures["tied_within_noise_share"], unknown="noise unknown"),
        share_cell(figures["consequential_share"], unknown="nothing to differ in"),
        mean_cell(figures["tied_size_mean"], unknown="no ties"),
        share_cell(figures["zero_spread_share"]),
        _solved(figures),
        share_cell(figures["uniform_jump_mean"]),
    ]


def _solved(figures: Mapping[str, Any]) -> str | Html:
    if "zero_spread_solved_share" not in figures:
        return "greatest reward not given"
    solved, unsolved = (figures[f"zero_spread_{kind}_share"] for kind in ("solved", "unsolved"))
    return join(share_cell(solved), " / ", share_cell(unsolved))


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
