"""Plots of the map under another reward: the swap matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.format import mean_text, number, percent, share_text
from policycliff.report.plots.layout import Plot, name_axis, plot

Pair = Mapping[str, Any]

SHARES = (
    [0.0, "#f3efe6"],
    [0.25, "#f2cf9b"],
    [0.5, "#e59a5f"],
    [0.75, "#c55a3b"],
    [1.0, "#8d2b24"],
)
CORRELATIONS = (
    [0.0, "#a4432f"],
    [0.25, "#e0a17c"],
    [0.5, "#f1ede6"],
    [0.75, "#8fb7d6"],
    [1.0, "#2f6da4"],
)


def names_of(pairs: Sequence[Pair]) -> list[str]:
    """Rewards that the pairs compare, in order of appearance.

    >>> names_of([{"first": "a", "second": "b"}, {"first": "a", "second": "c"}])
    ['a', 'b', 'c']
    """
    return list(dict.fromkeys(name for pair in pairs for name in (pair["first"], pair["second"])))


def swap_matrix(pairs: Sequence[Pair], key: str) -> Plot:
    """A share (or the rank correlation) of every pair, as a symmetric heat map with an empty diagonal."""
    names = names_of(pairs)
    correlation = key == "rank_correlation"
    values, texts, hovers = (_empty(len(names)) for _ in range(3))
    for pair in pairs:
        figure = pair.get(key)
        if figure is None:
            continue
        one, two = names.index(pair["first"]), names.index(pair["second"])
        for row, column in ((one, two), (two, one)):
            values[row][column] = figure["value"]
            texts[row][column] = _cell(figure, correlation=correlation)
            hovers[row][column] = mean_text(figure) if correlation else share_text(figure)
    trace = {
        "type": "heatmap",
        "z": values,
        "x": list(range(len(names))),
        "y": list(range(len(names))),
        "zmin": -1 if correlation else 0,
        "zmax": 1,
        "colorscale": list(CORRELATIONS if correlation else SHARES),
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "text": texts,
        "texttemplate": "%{text}",
        "customdata": hovers,
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
    }
    limit = 18 if len(names) > 4 else 22
    return plot(
        [trace],
        height=110 + 34 * max(len(names), 4),
        xaxis=name_axis(names, limit=limit, range=[-0.5, len(names) - 0.5], tickangle=-40),
        yaxis=name_axis(names, limit=limit),
    )


def _empty(size: int) -> list[list[Any]]:
    return [[None] * size for _ in range(size)]


def _cell(figure: Mapping[str, Any], *, correlation: bool) -> str:
    value = figure["value"]
    if value is None:
        return "?"
    return number(round(value, 2)) if correlation else percent(round(value, 2))
