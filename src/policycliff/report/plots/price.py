"""Plots of the price of degeneracy: truth that chance decides, and over-optimisation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policycliff.report.format import mean_text
from policycliff.report.plots.layout import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Plot,
    Trace,
    axis,
    band,
    error_bars,
    name_axis,
    plot,
    rows_height,
)
from policycliff.report.text import plot_label

_STRATA = (("all", "all prompts"), ("with_spread", "reward with spread"), ("zero_spread", "reward without spread"))


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level of the truth is drawn; `offset` keeps the levels of a stratum apart."""

    key: str
    name: str
    colour: str
    symbol: str
    offset: float


_LEVELS = (
    _Level("sampling_truth", "sampling policy", GREY, "diamond-open", -0.3),
    _Level("worst_truth", "worst tied", RED, "triangle-left", -0.15),
    _Level("mean_truth", "mean of tied", ORANGE, "circle", 0.0),
    _Level("best_truth", "best tied", GREEN, "triangle-right", 0.15),
    _Level("largest_truth", "best sampled", BLUE, "star", 0.3),
)


def strata_of(truth: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    """Strata that hold prompts, with their names; all prompts alone where all of them are of one kind."""
    filled = [(truth[key], name) for key, name in _STRATA if truth[key]["prompts"]]
    return filled if len(filled) == len(_STRATA) else filled[:1]


def truth_levels(truth: Mapping[str, Any]) -> Plot:
    """Truth of the worst, mean and best tied behaviour, of the sampling policy, and the best sampled, by stratum."""
    strata = strata_of(truth)
    names = [f"{name} ({stratum['prompts']:,})" for stratum, name in strata]
    traces = [_span(stratum, row) for row, (stratum, _) in enumerate(strata)]
    traces += [_level([stratum for stratum, _ in strata], level) for level in _LEVELS]
    return plot(
        traces,
        height=max(340, rows_height(len(names), bars=3, extra=80)),
        xaxis=axis(f"mean {plot_label(truth['column'])}"),
        yaxis=name_axis(names),
    )


def _span(stratum: Mapping[str, Any], row: int) -> Trace:
    """The part of the truth that is left to chance."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [stratum["worst_truth"]["value"], stratum["best_truth"]["value"]],
        "y": [row, row],
        "line": {"color": "rgba(209,96,61,0.25)", "width": 22},
        "hoverinfo": "skip",
        "name": "left to chance",
        "showlegend": row == 0,
    }


def _level(strata: list[Mapping[str, Any]], level: _Level) -> Trace:
    figures = [stratum[level.key] for stratum in strata]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [figure["value"] for figure in figures],
        "y": [row + level.offset for row in range(len(figures))],
        "error_x": error_bars(figures),
        "marker": {"color": level.colour, "size": 11, "symbol": level.symbol},
        "name": level.name,
        "text": [mean_text(figure) for figure in figures],
        "hovertemplate": f"{level.name}: %{{text}}<extra></extra>",
    }


def over_optimisation(truth: Mapping[str, Any]) -> Plot:
    """Truth of the best of k by the trained-on reward, beside the best that k samples hold."""
    points = truth["best_of_k"]["points"]
    sizes = [point["k"] for point in points]
    traces = band(sizes, [point["best_possible"] for point in points], colour=BLUE, name="best possible pick")
    traces += band(sizes, [point["truth"] for point in points], colour=RED, name="picked by the reward")
    return plot(
        traces,
        height=340,
        xaxis=size_axis("best of k completions", sizes),
        yaxis=axis(f"mean {plot_label(truth['column'])}"),
    )


def size_axis(title: str, sizes: list[int]) -> dict[str, Any]:
    """An axis of group sizes, logarithmic where they reach far."""
    if not sizes or sizes[-1] <= 20:
        return axis(title, dtick=1 if len(sizes) <= 12 else 2)
    ticks = [size for size in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000) if size <= sizes[-1]]
    return axis(title, type="log", tickvals=ticks, ticktext=[f"{size}" for size in ticks])
