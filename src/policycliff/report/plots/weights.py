"""Plot of the map under other weights: prompts whose best set has changed, against the factor on each weight."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.plots.layout import DASHES, GREY, SERIES, Plot, Trace, axis, plot, share_axis
from policycliff.report.text import plot_label


def wall_curves(weights: Sequence[Mapping[str, Any]]) -> Plot:
    """One curve a weight; the weights in use are at factor 1."""
    many = len(weights) > 4
    return plot(
        [_curve(weight, position) for position, weight in enumerate(weights)],
        height=420 if many else 360,
        xaxis=axis("factor on the weight", range=[-1.05, 3.05]),
        yaxis=share_axis("prompts whose best set changes", range=[-0.02, 1.02]),
        shapes=[_line_at(1.0), _line_at(0.0)],
    )


def _curve(weight: Mapping[str, Any], position: int) -> Trace:
    label = plot_label(weight["name"])
    return {
        "type": "scatter",
        "mode": "lines",
        "x": weight["curve"]["factor"],
        "y": weight["curve"]["changed_share"],
        "name": weight["name"],
        "line": {
            "color": SERIES[position % len(SERIES)],
            "width": 2.2,
            "dash": DASHES[position % len(DASHES)],
            "shape": "linear",
        },
        "text": [label] * len(weight["curve"]["factor"]),
        "hovertemplate": "%{text} × %{x:.3g}: %{y:.1%} of prompts<extra></extra>",
    }


def _line_at(x: float) -> dict[str, Any]:
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}
