"""Plots of degeneracy: how prompts are tied, how large the ties are, how hard the prompts are."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from policycliff.report.format import number
from policycliff.report.plots.layout import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    SKY,
    Plot,
    Trace,
    axis,
    hover_shares,
    name_axis,
    plot,
    rows_height,
    share_axis,
)

_UNDIVIDED = (("tied_share", "tied", RED),)
_DIVIDED = (("consequential_share", "tied, consequential", RED), ("harmless_share", "tied, harmless", ORANGE))
_EDGES = (1, 2, 3, 4, 6, 11, 21, 51, 101, 201, 501, 1001)


def tie_bars(rewards: Mapping[str, Mapping[str, Any]]) -> Plot:
    """How the prompts of each reward divide into tied (consequential, harmless), untied and single-behaviour ones."""
    names = list(rewards)
    divided = any(figures.get("consequential_share") for figures in rewards.values())
    parts = [*(_DIVIDED if divided else _UNDIVIDED)]
    traces = [_part(rewards, [figures.get(key) for figures in rewards.values()], name, c) for key, name, c in parts]
    radii = [figures.get("radius", {}) for figures in rewards.values()]
    traces.append(_part(rewards, [radius.get("unique_share") for radius in radii], "a unique best", SKY))
    alone = [radius.get("undefined_share") for radius in radii]
    if any(share and share["value"] for share in alone):
        traces.append(_part(rewards, alone, "a single behaviour", GREY))
    return plot(
        traces,
        height=rows_height(len(names)),
        barmode="stack",
        bargap=0.35,
        xaxis=share_axis("share of prompts"),
        yaxis=name_axis(names),
    )


def _part(rewards: Mapping[str, Any], shares: list[Any], name: str, colour: str) -> Trace:
    known = [share or {"value": None, "low": None, "high": None} for share in shares]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [share["value"] for share in known],
        "y": list(range(len(rewards))),
        "name": name,
        "marker": {"color": colour},
        "text": hover_shares(known),
        "textposition": "none",
        "hovertemplate": f"{name}: %{{text}}<extra></extra>",
    }


def size_bins(histogram: Mapping[str, int]) -> list[tuple[str, int]]:
    """Prompts by the number of behaviours that share the best reward, large sizes pooled.

    >>> size_bins({"1": 5, "2": 3, "7": 1})
    [('1', 5), ('2', 3), ('3', 0), ('4–5', 0), ('6–10', 1)]
    """
    sizes = {int(size): times for size, times in histogram.items()}
    largest = max(sizes, default=1)
    bins = []
    for low, following in zip(_EDGES, (*_EDGES[1:], None), strict=True):
        if low > largest:
            break
        inside = [times for size, times in sizes.items() if size >= low and (following is None or size < following)]
        bins.append((_span(low, following), sum(inside)))
    return bins


def tied_sizes(histogram: Mapping[str, int]) -> Plot:
    """How many behaviours share the best reward."""
    bins = size_bins(histogram)
    colours = [SKY if name == "1" else RED for name, _ in bins]
    trace = {
        "type": "bar",
        "x": list(range(len(bins))),
        "y": [times for _, times in bins],
        "marker": {"color": colours},
        "text": [f"{times:,} prompts with {name} best" for name, times in bins],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
    ticks = {"tickvals": list(range(len(bins))), "ticktext": [name for name, _ in bins], "showgrid": False}
    return plot([trace], xaxis=axis("behaviours in the best set", **ticks), yaxis=axis("prompts"))


def difficulty(figures: Mapping[str, Any]) -> Plot:
    """Prompts by the mean reward of their completions."""
    edges, prompts = figures["edges"], figures["prompts"]
    centres = [(low + high) / 2 for low, high in pairwise(edges)]
    labels = [f"{number(low)} to {number(high)}" for low, high in pairwise(edges)]
    trace = {
        "type": "bar",
        "x": centres,
        "y": prompts,
        "width": [0.94 * (high - low) for low, high in pairwise(edges)],
        "marker": {"color": BLUE},
        "text": [f"{times:,} prompts from {label}" for label, times in zip(labels, prompts, strict=True)],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
    span = [edges[0], edges[-1]]
    return plot(
        [trace],
        xaxis=axis("mean reward of a prompt", range=span, showgrid=False),
        yaxis=axis("prompts"),
    )


def _span(low: int, following: int | None) -> str:
    if following is None:
        return f"{low}+"
    return str(low) if following == low + 1 else f"{low}–{following - 1}"
