"""Plots of group normalisation: the gain, and what other group sizes would do."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.plots.layout import (
    BLUE,
    GREY,
    RED,
    Plot,
    band,
    log_axis,
    name_axis,
    plot,
    rows_height,
    share_axis,
    share_limit,
)
from policycliff.report.plots.price import size_axis


def gain_boxes(rewards: Mapping[str, Mapping[str, Any]]) -> Plot:
    """Quantiles of 1/(std + epsilon) over the prompts with spread."""
    names = list(rewards)
    gains = [rewards[name]["gain"] for name in names]
    low, high = min(gain["p05"] for gain in gains), max(gain["p95"] for gain in gains)
    trace = {
        "type": "box",
        "orientation": "h",
        "y": list(range(len(names))),
        "lowerfence": [gain["p05"] for gain in gains],
        "q1": [gain["p25"] for gain in gains],
        "median": [gain["p50"] for gain in gains],
        "q3": [gain["p75"] for gain in gains],
        "upperfence": [gain["p95"] for gain in gains],
        "marker": {"color": BLUE},
        "line": {"width": 1.5},
        "hoverinfo": "x",
        "showlegend": False,
    }
    return plot(
        [trace],
        height=max(320, rows_height(len(names), bars=2)),
        xaxis=log_axis("advantage per unit of reward", low, high),
        yaxis=name_axis(names),
    )


def size_curves(figures: Mapping[str, Any]) -> Plot:
    """Ties and groups without spread at every group size up to the common one."""
    points = figures["points"]
    sizes = [point["k"] for point in points]
    limit = share_limit(point[key] for point in points for key in ("tied_share", "zero_spread_share"))
    traces = band(sizes, [point["tied_share"] for point in points], colour=RED, name="tied at the top", share=True)
    traces += band(
        sizes, [point["zero_spread_share"] for point in points], colour=GREY, name="no spread at all", share=True
    )
    return plot(
        traces,
        height=320,
        xaxis=size_axis("completions a prompt", sizes),
        yaxis=share_axis("probability", range=[-0.02 * limit, limit]),
    )
