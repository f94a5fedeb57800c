"""Group normalisation (Result 8): gain, noise, phantom advantages, group size."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.cells import name_cell, share_cell
from policycliff.report.elements import Html, join, paragraph, table
from policycliff.report.format import count, number, percent, percent_interval
from policycliff.report.plots.layout import Plot
from policycliff.report.plots.normalisation import gain_boxes, size_curves
from policycliff.report.sections.section import Section, beside, plot_box, tile, tiles
from policycliff.report.summary import Result, main_figures, shown_rewards
from policycliff.report.text import one_line

_HEAD = ("reward", "gain: 5, 25, 50, 75, 95 %", "spread no greater than the noise")


def normalisation_section(result: Result) -> Section:
    """Gains, the share of phantom advantages, and the curves over group size."""
    rewards = {name: figures for name, figures in shown_rewards(result).items() if figures["prompts"]}
    with_gain = {name: figures for name, figures in rewards.items() if figures["gain"]}
    main = main_figures(result)
    plots: dict[str, Plot] = {}
    if with_gain:
        plots["gains"] = gain_boxes(with_gain)
    if len(main["group_size"]["points"]) > 1:
        plots["group-size"] = size_curves(main["group_size"])
    body = join(
        _tiles(result),
        beside(
            plot_box(
                "gains",
                "Gain: what a reward difference is multiplied by",
                plots.get("gains"),
                label="Box plots of the gain",
            ),
            plot_box(
                "group-size",
                "Ties in smaller groups (effective reward)",
                plots.get("group-size"),
                label=_curve_label(main),
            ),
        ),
        table(_HEAD, [_row(name, figures) for name, figures in rewards.items()], label="Gain by reward"),
        _on_group_size(main),
    )
    meaning = (
        f"GRPO divides by the group's standard deviation plus {number(result['normalisation']['epsilon'])}: the "
        "smaller the spread, the larger the gain, whether the spread is signal or not. A group without spread has "
        "advantage 0."
    )
    return Section("normalisation", "Group normalisation", meaning, "Result 8", body, plots)


def _tiles(result: Result) -> Html:
    figures, main = result["normalisation"], main_figures(result)
    noisy, phantom = main["noise_spread_share"], figures["phantom_share"]
    return tiles(
        _share_tile("prompts without spread: advantage 0", main["zero_spread_share"], ""),
        _share_tile("prompts whose spread is no greater than the noise", noisy, "the noise is not known"),
        None if figures["main_reward"] is None else _share_tile(_phantom(figures), phantom, "no prompt to count"),
    )


def _phantom(figures: Mapping[str, Any]) -> str:
    return f"prompts with phantom advantages: all fail {one_line(figures['main_reward'])}, other terms rank them"


def _share_tile(label: str, figure: Mapping[str, Any] | None, reason: str) -> Html:
    if figure is None or figure["value"] is None:
        return tile(label, "not estimable", reason)
    return tile(label, percent(figure["value"]), f"{percent_interval(figure)} %")


def _row(name: str, figures: Mapping[str, Any]) -> list[str]:
    gain = figures["gain"]
    values = "no spread" if gain is None else ", ".join(number(value) for value in gain.values())
    return [name_cell(name), values, share_cell(figures["noise_spread_share"], unknown="unknown: noise not estimable")]


def _curve_label(main: Mapping[str, Any]) -> str:
    points = main["group_size"]["points"]
    if not points:
        return ""
    last = points[-1]
    tied, flat = percent(last["tied_share"]["value"]), percent(last["zero_spread_share"]["value"])
    return f"Curves over group size; at {last['k']} completions {tied} of prompts are tied and {flat} have no spread."


def _on_group_size(main: Mapping[str, Any]) -> Html:
    figures = main["group_size"]
    common = figures["common_group_size"]
    return paragraph(
        f"Counted exactly over all subsets of the {count(figures['prompts'])} prompts with at least {count(common)} "
        "completions. More completions make more ties, so tables with groups of different size are to be compared at "
        "a common k on these curves, not by their shares of tied prompts. Nothing can be said of more than "
        f"{count(common)} completions."
    )
