"""Plots of the distance to the cliff: what flips at which error, and noise beside the winning margins."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.format import Number, mean_text, number
from policycliff.report.plots.layout import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    SKY,
    Plot,
    Trace,
    axis,
    error_bars,
    hover_shares,
    name_axis,
    plot,
    rows_height,
    share_axis,
    share_limit,
)

_ERROR_COLOURS = (SKY, BLUE, RED)


def flip_bars(rewards: Mapping[str, Mapping[str, Any]]) -> Plot:
    """Share of prompts whose best behaviour some reward error of each size can flip, apart from ties."""
    names = [name for name, figures in rewards.items() if "flip_shares" in figures]
    count = max(len(rewards[name]["flip_shares"]) for name in names)
    shares = [item["untied_share"] for name in names for item in rewards[name]["flip_shares"]]
    traces = [_flip_bar(rewards, names, position) for position in range(count)]
    return plot(
        traces,
        height=rows_height(len(names), bars=count),
        barmode="group",
        bargap=0.3,
        xaxis=share_axis("share of prompts", range=[0, share_limit(shares)]),
        yaxis=name_axis(names),
    )


def _flip_bar(rewards: Mapping[str, Mapping[str, Any]], names: list[str], position: int) -> Trace:
    items = [rewards[name]["flip_shares"][position] for name in names]
    shares = [item["untied_share"] for item in items]
    fraction = items[0]["fraction_of_scale"]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [share["value"] for share in shares],
        "y": list(range(len(names))),
        "error_x": error_bars(shares),
        "name": f"error of {fraction:g} × scale",
        "marker": {"color": _ERROR_COLOURS[position % len(_ERROR_COLOURS)]},
        "text": [
            f"{share} at a reward error of {number(item['reward_error'])}"
            for share, item in zip(hover_shares(shares), items, strict=True)
        ],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }


_MOST_SCALES = 1e9


def has_margins(figures: Mapping[str, Any]) -> bool:
    """Whether a reward has a unique best somewhere, and a scale that its lead can be drawn in."""
    quantiles = figures.get("radius", {}).get("unique_quantiles")
    if not quantiles or figures["scale"]["value"] <= 0:
        return False
    sigma = (figures["noise"]["sigma"] or {}).get("high") or 0.0
    return max(quantiles["p95"], sigma) < _MOST_SCALES * figures["scale"]["value"]


def margins(rewards: Mapping[str, Mapping[str, Any]], *, height: int) -> Plot:
    """Winning margins (twice the radius of a unique best) in units of the reward's scale, and the noise beside them."""
    names = [name for name, figures in rewards.items() if has_margins(figures)]
    known = [position for position, name in enumerate(names) if rewards[name]["noise"]["sigma"] is not None]
    traces = [_margin_boxes([rewards[name] for name in names])]
    if known:
        traces.append(_noise_marks([rewards[names[position]] for position in known], known))
    return plot(
        traces,
        height=height,
        xaxis=axis("in within-prompt scales", rangemode="tozero"),
        yaxis=name_axis(names),
    )


def _margin_boxes(rewards: list[Mapping[str, Any]]) -> Trace:
    quantiles = [
        {key: 2 * value / figures["scale"]["value"] for key, value in figures["radius"]["unique_quantiles"].items()}
        for figures in rewards
    ]
    return {
        "type": "box",
        "orientation": "h",
        "y": list(range(len(rewards))),
        "lowerfence": [item["p05"] for item in quantiles],
        "q1": [item["p25"] for item in quantiles],
        "median": [item["p50"] for item in quantiles],
        "q3": [item["p75"] for item in quantiles],
        "upperfence": [item["p95"] for item in quantiles],
        "name": "winning margin (5, 25, 50, 75, 95 %)",
        "marker": {"color": BLUE},
        "line": {"width": 1.5},
        "hoverinfo": "x",
    }


def _noise_marks(rewards: list[Mapping[str, Any]], rows: list[int]) -> Trace:
    scales = [figures["scale"]["value"] for figures in rewards]
    sigmas = [figures["noise"]["sigma"] for figures in rewards]
    in_scale = [_scaled(sigma, scale) for sigma, scale in zip(sigmas, scales, strict=True)]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [sigma["value"] for sigma in in_scale],
        "y": rows,
        "error_x": error_bars(in_scale),
        "marker": {"color": ORANGE, "size": 11, "symbol": "diamond", "line": {"color": GREY, "width": 1}},
        "name": "noise of one score (σ)",
        "text": [mean_text(sigma) for sigma in sigmas],
        "hovertemplate": "noise %{text} in reward units<extra></extra>",
    }


def _scaled(figure: Mapping[str, Any], scale: Number) -> dict[str, Number | None]:
    return {key: None if figure[key] is None else figure[key] / scale for key in ("value", "low", "high")}
