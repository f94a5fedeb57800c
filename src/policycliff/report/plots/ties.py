"""Plots of degeneracy: how prompts are tied, how large the ties are, how hard the prompts are."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from policycliff.report.format import number
from policycliff.report.plots.layout import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
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

_TIED = (
    ("consequential_with_spread_share", "tied, consequential", RED),
    ("consequential_zero_spread_share", "the same, but no spread to learn from", PURPLE),
    ("harmless_share", "tied, harmless", ORANGE),
)
_NOTHING = {"value": None, "low": None, "high": None}
_EDGES = (1, 2, 3, 4, 6, 11, 21, 51, 101, 201, 501, 1001)


def tie_bars(rewards: Mapping[str, Mapping[str, Any]]) -> Plot:
    """How the prompts of each reward divide into tied (consequential, harmless), untied and single-behaviour ones."""
    known = {name: figures for name, figures in rewards.items() if figures["prompts"]}
    rows = list(known.values())
    parts = [
        *_tied_parts(rows),
        ("a unique best", SKY, [figures["radius"]["unique_share"] for figures in rows]),
        ("a single behaviour", GREY, [figures["radius"]["undefined_share"] for figures in rows]),
    ]
    shown = [part for part in parts if any(share and share["value"] for share in part[2])]
    return plot(
        [_part(name, colour, shares) for name, colour, shares in shown],
        height=rows_height(len(known)),
        barmode="stack",
        bargap=0.35,
        xaxis=share_axis("share of prompts"),
        yaxis=name_axis(list(known)),
    )


def _tied_parts(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[Any]]]:
    """Tied prompts by what the tie means; undivided where there is nothing in which behaviours could differ."""
    if all(figures["consequential_share"] is None for figures in rows):
        return [("tied", RED, [figures["tied_share"] for figures in rows])]
    return [(name, colour, [figures[key] for figures in rows]) for key, name, colour in _TIED]


def _part(name: str, colour: str, shares: Sequence[Mapping[str, Any] | None]) -> Trace:
    known = [share or _NOTHING for share in shares]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [share["value"] for share in known],
        "y": list(range(len(known))),
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
