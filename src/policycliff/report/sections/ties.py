"""How the rewards are tied (Prop 2.9, Prop 2.10)."""

from collections.abc import Mapping, Sequence
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
    "that with spread",
    "behaviours in a tie",
    "jump of the even choice",
    "zero spread",
)
_SOLVED = ("zero_spread_solved_share", "zero_spread_unsolved_share")


def ties_section(result: Result) -> Section:
    """Stacked shares, sizes of ties, difficulty, and the table with every interval."""
    rewards, main = shown_rewards(result), main_figures(result)
    plots = {"ties": tie_bars(rewards), "difficulty": difficulty(main["difficulty"])}
    if main["tied_share"]["count"]:
        plots["tied-sizes"] = tied_sizes(main["tied_size_histogram"])
    body = join(
        plot_box("ties", "Prompts by what their best completions are", plots["ties"], label=_bars_label(rewards)),
        beside(
            plot_box(
                "tied-sizes",
                "Size of the best set (effective reward)",
                plots.get("tied-sizes"),
                label=_sizes_label(main),
            ),
            plot_box("difficulty", "How hard the prompts are", plots["difficulty"], label="Histogram of mean reward"),
        ),
        _table(rewards),
        _columns_that_differ(main),
        _penalties(rewards),
    )
    meaning = (
        "A prompt is tied when several distinct behaviours share its best reward: the reward does not say which to "
        "learn. The tie is consequential when they differ in the truth, in another reward or in the behaviour column; "
        "where a prompt has no spread at all, training sees no difference to learn from."
    )
    return Section("ties", "How the rewards are tied", meaning, "Prop 2.9, Prop 2.10", body, plots)


def _table(rewards: Mapping[str, Mapping[str, Any]]) -> Html:
    """The figures by reward; solved and unsolved prompts without spread only where a greatest reward was given."""
    split = _SOLVED if any(_SOLVED[0] in figures for figures in rewards.values()) else ()
    head = [*_HEAD, *(("... solved", "... unsolved") if split else ())]
    rows = [_row(name, figures, split) for name, figures in rewards.items()]
    return table(head, rows, label="Ties by reward")


def _row(name: str, figures: Mapping[str, Any], split: Sequence[str]) -> list[str | Html]:
    if not figures["prompts"]:
        return [name_cell(name), "0", figures["note"], *[""] * (len(_HEAD) + len(split) - 3)]
    return [
        name_cell(name),
        count(figures["prompts"]),
        share_cell(figures["tied_share"]),
        share_cell(figures["tied_within_noise_share"], unknown="noise unknown"),
        share_cell(figures["consequential_share"], unknown="nothing to differ in"),
        share_cell(figures["consequential_with_spread_share"], unknown="nothing to differ in"),
        mean_cell(figures["tied_size_mean"], unknown="no ties"),
        share_cell(figures["uniform_jump_mean"]),
        share_cell(figures["zero_spread_share"]),
        *(share_cell(figures.get(key), unknown="greatest reward not given") for key in split),
    ]


def _columns_that_differ(main: Mapping[str, Any]) -> Html | None:
    columns = [item for item in main["consequential_columns"] if item["share"]["value"]]
    if not columns:
        return None
    columns.sort(key=lambda item: -item["share"]["value"])
    named = "; ".join(f"{one_line(item['column'])} in {share_text(item['share'])} of prompts" for item in columns)
    return paragraph(f"Tied best behaviours of the effective reward differ in {named}.")


def _penalties(rewards: Mapping[str, Mapping[str, Any]]) -> Html | None:
    names = [one_line(name) for name, figures in rewards.items() if figures["better"] == "smaller"]
    if not names:
        return None
    return paragraph(
        f"Smaller is better in {', '.join(names)}, for the weight is negative: figures are of the scores turned round."
    )


def _bars_label(rewards: Mapping[str, Any]) -> str:
    shares = [
        f"{one_line(name)} {percent(figures['tied_share']['value'])}"
        for name, figures in rewards.items()
        if figures["prompts"]
    ]
    return f"Stacked bars of tied and untied prompts by reward. Tied: {', '.join(shares)}."


def _sizes_label(main: Mapping[str, Any]) -> str:
    return f"Histogram of tied set sizes; mean size of a tie {mean_text(main['tied_size_mean'], unknown='none')}."
