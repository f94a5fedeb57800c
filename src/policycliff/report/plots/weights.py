"""Plot of the map under other weights: prompts whose best set has changed, against the factor on each weight."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.format import Number, number
from policycliff.report.plots.layout import (
    DASHES,
    GREY,
    SERIES,
    Plot,
    Trace,
    axis,
    faint,
    hover_shares,
    plot,
    share_axis,
    share_limit,
)
from policycliff.report.text import plot_label


def wall_curves(weights: Sequence[Mapping[str, Any]]) -> Plot:
    """One curve a weight; the weights in use are at factor 1."""
    many = len(weights) > 4
    limit = share_limit({"high": max(weight["curve"]["high"])} for weight in weights)
    curves = [_curve(weight, position) for position, weight in enumerate(weights)]
    bands = [] if many else [_band(weight, position) for position, weight in enumerate(weights)]
    return plot(
        [*bands, *curves],
        height=420 if many else 360,
        xaxis=axis("factor on the weight", range=[-1.05, 3.05]),
        yaxis=share_axis("prompts whose best set changes", range=[-0.02 * limit, limit]),
        shapes=[_line_at(1.0), _line_at(0.0)],
    )


def _band(weight: Mapping[str, Any], position: int) -> Trace:
    curve = weight["curve"]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*curve["factor"], *reversed(curve["factor"])],
        "y": [*curve["high"], *reversed(curve["low"])],
        "fill": "toself",
        "fillcolor": faint(SERIES[position % len(SERIES)]),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _curve(weight: Mapping[str, Any], position: int) -> Trace:
    name, curve = weight["name"], weight["curve"]
    figures = [
        {"value": value, "low": low, "high": high}
        for value, low, high in zip(curve["changed_share"], curve["low"], curve["high"], strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": curve["factor"],
        "y": curve["changed_share"],
        "name": name,
        "line": {
            "color": SERIES[position % len(SERIES)],
            "width": 2.2,
            "dash": DASHES[position % len(DASHES)],
        },
        "text": [
            f"{plot_label(name)} × {number(x)}: {y}"
            for x, y in zip(curve["factor"], hover_shares(figures), strict=True)
        ],
        "hovertemplate": "%{text} of prompts<extra></extra>",
    }


def _line_at(x: Number) -> dict[str, Any]:
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}
