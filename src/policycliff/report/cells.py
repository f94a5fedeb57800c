"""Cells of the page's tables: a figure above its interval, a name that may break where a person would break it."""

import re
from typing import Any

from policycliff.report.elements import Html, escape, tag
from policycliff.report.format import UNKNOWN, Figure, interval, number, percent, percent_interval
from policycliff.report.text import one_line

_AFTER = re.compile(r"(?<=[_./:-])(?=[^_./:-])")


def name_cell(name: str) -> Html:
    """A column's name, with the places where it may break.

    >>> name_cell("pass_rate<b>")
    'pass_<wbr>rate&lt;b&gt;'
    """
    return Html("<wbr>".join(escape(piece) for piece in _AFTER.split(one_line(name))))


def share_cell(figure: Figure | None, *, unknown: str = UNKNOWN) -> Html:
    """A share in percent, its interval below.

    >>> share_cell({"value": 0.5, "low": 0.25, "high": 0.75})
    '<span class="figure">50 %</span> <span class="sure">25 to 75</span>'
    """
    if figure is None or figure["value"] is None:
        return escape(unknown)
    return _cell(percent(figure["value"]), percent_interval(figure))


def mean_cell(figure: Figure | None, *, unknown: str = UNKNOWN) -> Html:
    """A mean in its own units, its interval below."""
    if figure is None or figure["value"] is None:
        return escape(unknown)
    return _cell(number(figure["value"]), interval(figure))


def noted_cell(value: str, note: Any) -> Html:
    """A value with a note below."""
    return Html(f"{escape(value)} {tag('span', str(note), class_='sure')}")


def _cell(value: str, sure: str) -> Html:
    return Html(f"{tag('span', value, class_='figure')} {tag('span', sure, class_='sure')}")
