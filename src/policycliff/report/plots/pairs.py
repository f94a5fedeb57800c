"""Plots of the map under another reward: the swap matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.format import mean_text, number, percent, share_text
from policycliff.report.plots.layout import Plot, name_axis, plot
from policycliff.report.text import plot_label

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
    values, texts, hovers = (_square(len(names), fill) for fill in (None, "", ""))
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
    return plot(
        [trace],
        height=120 + 36 * max(len(names), 4),
        xaxis=name_axis(names, range=[-0.5, len(names) - 0.5], tickangle=-40)
        | {"ticktext": [plot_label(name, 20) for name in names]},
        yaxis=name_axis(names),
    )


def _square(size: int, fill: str | None) -> list[list[Any]]:
    return [[fill] * size for _ in range(size)]


def _cell(figure: Mapping[str, Any], *, correlation: bool) -> str:
    value = figure["value"]
    if value is None:
        return "?"
    return number(round(value, 2)) if correlation else percent(round(value, 2))
