"""What all plots share: colours that colour-blind readers tell apart, a quiet layout, axes, intervals.

Text colours and grid lines come from the page's style sheet, so that plots follow the light and the dark scheme.
Labels that stem from the data go through `plot_label`; axes of names are numeric with `ticktext`, for Plotly would take
a column called "2024-01-01" for a date and join columns whose shortened names are equal.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from policycliff.report.format import Number, mean_text, number, share_text
from policycliff.report.text import plot_label, tick_label

Plot = dict[str, Any]
Trace = dict[str, Any]
Figure = Mapping[str, Any]

BLUE, ORANGE, GREEN, RED = "#3b7fc4", "#e0a030", "#2a9d7c", "#d1603d"
PURPLE, SKY, GREY = "#a86fb0", "#7fb8e0", "#9aa3ad"
SERIES = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY, "#6b6ecf", "#b8a13c", "#5f8f4e", "#c46a8c", "#7d6b5d")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

_BAR_HEIGHT = 34
_ROUND = (1, 2, 5)


def plot(traces: Sequence[Trace], *, height: int = 300, **layout: Any) -> Plot:
    """A figure with the page's common layout; keywords add to it or replace parts of it.

    `legend` holds the names of the traces for the page, which writes the legend itself: there it wraps, and follows the
    style sheet. What goes to Plotly is `data`, with names escaped, and `layout`.
    """
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 10, "r": 14, "t": 10, "b": 10},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif", "size": 13},
        "showlegend": False,
        "hoverlabel": {"font": {"size": 12}},
        "dragmode": False,
    }
    named = [trace for trace in traces if "name" in trace and trace.get("showlegend", True)]
    data = [{**trace, "name": plot_label(trace.get("name", ""))} for trace in traces]
    return {"data": data, "layout": base | layout, "legend": [_legend_entry(trace) for trace in named]}


def _legend_entry(trace: Trace) -> dict[str, str]:
    """Name, colour and sign of a trace; the sign of a line is its dash."""
    if "lines" in trace.get("mode", ""):
        line = trace["line"]
        sign = "area" if line["width"] > 8 else line.get("dash", "solid")
        return {"name": trace["name"], "colour": line["color"], "sign": sign}
    return {"name": trace["name"], "colour": trace["marker"]["color"], "sign": trace["marker"].get("symbol", "square")}


def share_limit(figures: Iterable[Figure | None]) -> Number:
    """Where an axis of these shares may end: beyond their intervals, at 10 % at least."""
    highs = [figure["high"] for figure in figures if figure is not None and figure["high"] is not None]
    return min(1.0, max(0.1, *highs, 0.0)) * 1.04


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """A numeric axis with a title."""
    base = {
        "title": {"text": title, "standoff": 10, "font": {"size": 13}},
        "ticklabelstandoff": 4,
        "automargin": True,
        "fixedrange": True,
        "zeroline": False,
    }
    return base | settings


def share_axis(title: str, **settings: Any) -> dict[str, Any]:
    """An axis of shares, from 0 to 100 %."""
    return axis(title, **{"tickformat": ".0%", "range": [0, 1.02], **settings})


def log_axis(title: str, low: Number, high: Number) -> dict[str, Any]:
    """A logarithmic axis with ticks at 1, 2 and 5 times powers of ten (only the powers over three decades or more)."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = _ROUND if last - first <= 3 else (1,)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return axis(title, type="log", tickvals=ticks, ticktext=[number(tick) for tick in ticks])


def name_axis(names: Sequence[str], *, limit: int = 28, **settings: Any) -> dict[str, Any]:
    """An axis of names from the data, at 0, 1, 2, ...; the first one on top."""
    base = {
        "tickvals": list(range(len(names))),
        "ticktext": [tick_label(name, limit) for name in names],
        "range": [len(names) - 0.5, -0.5],
        "automargin": True,
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 6,
    }
    return base | settings


def rows_height(rows: int, *, bars: int = 1, extra: int = 80) -> int:
    """Height of a plot with this many rows of names, in pixels."""
    return extra + rows * max(_BAR_HEIGHT, 16 * bars + 8)


def error_bars(figures: Sequence[Figure]) -> dict[str, Any]:
    """Asymmetric error bars from the figures' intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [_width(figure, "high", 1) for figure in figures],
        "arrayminus": [_width(figure, "low", -1) for figure in figures],
        "thickness": 1.2,
        "width": 3,
        "color": GREY,
    }


def hover_shares(figures: Sequence[Figure]) -> list[str]:
    """Shares with intervals, for hovering."""
    return [share_text(figure) for figure in figures]


def hover_means(figures: Sequence[Figure]) -> list[str]:
    """Means with intervals, for hovering."""
    return [mean_text(figure) for figure in figures]


def band(
    xs: Sequence[Number], figures: Sequence[Figure], *, colour: str, name: str, share: bool = False
) -> list[Trace]:
    """A line with its 95 % band."""
    values = [figure["value"] for figure in figures]
    low, high = [figure["low"] for figure in figures], [figure["high"] for figure in figures]
    area = {
        "type": "scatter",
        "x": [*xs, *reversed(xs)],
        "y": [*high, *reversed(low)],
        "fill": "toself",
        "fillcolor": faint(colour),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "mode": "lines",
    }
    line = {
        "type": "scatter",
        "x": list(xs),
        "y": values,
        "name": name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5, "color": colour},
        "text": hover_shares(figures) if share else hover_means(figures),
        "hovertemplate": f"{name}, %{{x}}: %{{text}}<extra></extra>",
    }
    return [area, line]


def faint(colour: str) -> str:
    """The colour of a band around a line of this colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _width(figure: Figure, bound: str, sign: int) -> Number:
    if figure["value"] is None or figure[bound] is None:
        return 0.0
    return max(0.0, sign * (figure[bound] - figure["value"]))
