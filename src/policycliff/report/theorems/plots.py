"""Plots of the statements: the cliff, the optimal set along a line, soft policies, bounds beside measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.format import Number, number
from policycliff.report.plots.layout import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SERIES,
    SKY,
    Plot,
    Trace,
    axis,
    plot,
    rows_height,
)
from policycliff.report.text import plot_label, tick_label

_SOFT = (SKY, GREEN, PURPLE)
_BOUNDS = {"linear": RED, "sharp": ORANGE, "mixing": BLUE, "certified": PURPLE, "measured": GREEN}


def line(
    xs: Sequence[Number | None], ys: Sequence[Number | None], *, name: str, colour: str, dash: str = "solid"
) -> Trace:
    """A line, broken where a value is None."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(xs),
        "y": list(ys),
        "name": name,
        "line": {"color": colour, "width": 2.5, "dash": dash},
        "hovertemplate": f"{plot_label(name)}: %{{y:.3g}} at %{{x:.3g}}<extra></extra>",
    }


def cliff_plot(figure: Mapping[str, Any]) -> Plot:
    """Probability of the raised action on the line: hard, uniform, and soft at three temperatures."""
    raised, middle = figure["raised"], len(figure["t"]) // 2
    hard = [point[raised] for point in figure["deterministic"]]
    uniform = [point[raised] for point in figure["uniform"]]
    traces = [
        line(
            figure["t"],
            [point[position][raised] for point in figure["soft"]],
            name=f"soft, temperature {number(temperature)}",
            colour=colour,
            dash="dot",
        )
        for position, (temperature, colour) in enumerate(zip(figure["temperatures"], _SOFT, strict=True))
    ]
    traces += _jump(figure["t"], hard, middle, name="deterministic choice", colour=RED)
    at_tie = {
        "type": "scatter",
        "mode": "markers",
        "x": [figure["tie"]],
        "y": [uniform[middle]],
        "name": "uniform choice, at the tie",
        "marker": {"color": ORANGE, "size": 11, "symbol": "diamond"},
        "hovertemplate": "uniform: %{y:.3g} at the tie<extra></extra>",
    }
    return plot(
        [*traces, at_tie],
        height=360,
        xaxis=axis("t, along the line of rewards"),
        yaxis=axis("probability of the raised action", range=[-0.04, 1.04]),
        shapes=[_tie_line(figure)],
    )


def _jump(ts: Sequence[Number], ys: Sequence[Number], middle: int, *, name: str, colour: str) -> list[Trace]:
    """A line with a gap at the tie, where the choice is arbitrary."""
    xs: list[Number | None] = [*ts[:middle], ts[middle], None, ts[middle], *ts[middle + 1 :]]
    values: list[Number | None] = [*ys[:middle], ys[middle - 1], None, ys[middle + 1], *ys[middle + 1 :]]
    return [line(xs, values, name=name, colour=colour)]


def set_plot(figure: Mapping[str, Any]) -> Plot:
    """Which actions are optimal along the line: a bar for each action where it is in the set."""
    actions, middle = range(len(figure["actions"])), len(figure["t"]) // 2
    traces = [_presence(figure, position) for position in actions]
    at_tie = [position for position in actions if figure["optimal"][middle][position]]
    return plot(
        [*traces, *(_dot(figure, position) for position in at_tie)],
        height=rows_height(len(figure["actions"])),
        xaxis=axis("t, along the line of rewards", range=[figure["t"][0], figure["t"][-1]]),
        yaxis={
            "tickvals": list(range(len(figure["actions"]))),
            "ticktext": [tick_label(name, 28) for name in figure["actions"]],
            "range": [len(figure["actions"]) - 0.5, -0.5],
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
        },
        shapes=[_tie_line(figure)],
    )


def _presence(figure: Mapping[str, Any], position: int) -> Trace:
    present = [point[position] for point in figure["optimal"]]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": figure["t"],
        "y": [position if inside else None for inside in present],
        "name": figure["actions"][position],
        "line": {"color": SERIES[position % len(SERIES)], "width": 7},
        "showlegend": False,
        "hovertemplate": "optimal at %{x:.3g}<extra></extra>",
    }


def _dot(figure: Mapping[str, Any], position: int) -> Trace:
    """The action is optimal at the tie itself."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [figure["tie"]],
        "y": [position],
        "marker": {"color": SERIES[position % len(SERIES)], "size": 15},
        "showlegend": False,
        "hovertemplate": "optimal at the tie<extra></extra>",
    }


def smoothing_plot(figure: Mapping[str, Any]) -> Plot:
    """The continuous action set: values before and after a small tilt, hard choices, soft densities."""
    top = max(*figure["soft_before"], *figure["soft_after"])
    traces = [
        line(figure["actions"], figure["soft_before"], name="soft policy, before", colour=BLUE),
        line(figure["actions"], figure["soft_after"], name="soft policy, after the tilt", colour=SKY, dash="dash"),
        *(
            _spikes(figure[key], top, name=name, colour=colour, symbol=symbol)
            for key, name, colour, symbol in (
                ("hard_before", "best actions, before", GREY, "circle"),
                ("hard_after", "best action, after", RED, "diamond"),
            )
        ),
    ]
    return plot(traces, height=360, xaxis=axis("action"), yaxis=axis("density", rangemode="tozero"))


def _spikes(places: Sequence[Number], top: Number, *, name: str, colour: str, symbol: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(places),
        "y": [1.08 * top] * len(places),
        "name": name,
        "marker": {"color": colour, "size": 12, "symbol": symbol},
        "hovertemplate": "%{x:.3g}<extra></extra>",
    }


def bounds_plot(figure: Mapping[str, Any]) -> Plot:
    """Total variation against the reward error: the bounds, and the worst case that a search found."""
    names = {
        "linear": "Prop 4.7, linear",
        "sharp": "Result 4, tanh",
        "mixing": "Result 4, with mixing",
        "certified": "certified, for this reward",
        "measured": "measured worst case",
    }
    traces = [
        line(figure["epsilon"], figure[key], name=names[key], colour=colour, dash=DASHES[position])
        for position, (key, colour) in enumerate(_BOUNDS.items())
        if key in figure
    ]
    return plot(
        traces,
        height=360,
        xaxis=axis("reward error (sup norm)", rangemode="tozero"),
        yaxis=axis("total variation of the policy", range=[0, 1.1]),
    )


def tightness_plot(rows: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Measured over claimed, for each statement that is an upper bound: one is a bound that was attained."""
    shares = [(row["number"], _shares(row["points"])) for row in rows]
    drawn = [(name, values) for name, values in shares if values]
    if not drawn:
        return None
    traces: list[Trace] = [
        {
            "type": "box",
            "orientation": "h",
            "x": values,
            "y": [position] * len(values),
            "name": name,
            "boxpoints": False,
            "marker": {"color": BLUE},
            "line": {"width": 1.5},
            "showlegend": False,
            "hoverinfo": "x",
        }
        for position, (name, values) in enumerate(drawn)
    ]
    names = [name for name, _ in drawn]
    return plot(
        traces,
        height=rows_height(len(drawn)),
        xaxis=axis("measured / claimed", range=[-0.02, 1.05]),
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [len(names) - 0.5, -0.5],
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
        shapes=[_vertical(1.0)],
    )


def _shares(points: Sequence[Sequence[Number]]) -> list[float]:
    """Measured over claimed where both are upper bounds of something positive."""
    return [min(measured / claimed, 1.05) for claimed, measured in points if claimed > 0.0 and measured >= 0.0]


def _tie_line(figure: Mapping[str, Any]) -> dict[str, Any]:
    return _vertical(figure["tie"])


def _vertical(place: Number) -> dict[str, Any]:
    style = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "yref": "paper", "line": style}
