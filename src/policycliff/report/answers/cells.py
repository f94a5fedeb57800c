"""Cells of an answer's tables, as text."""

from typing import Any

from policycliff.report.format import UNKNOWN, count, mean_text, number, percent, share_text
from policycliff.report.text import one_line

MOST_ROWS = 200
"""Rows that a page shows of a table; all are in the JSON."""


def cell_text(value: Any, kind: str, *, limit: int | None = None) -> str:
    """A value as a person reads it.

    >>> cell_text(0.25, "share"), cell_text({"value": 2.0, "low": 1.0, "high": 3.0}, "mean"), cell_text(None, "number")
    ('25 %', '2 (1 to 3)', 'unknown')
    """
    if value is None:
        return UNKNOWN
    if kind in {"name", "text"}:
        return one_line(str(value), limit)
    if kind == "count":
        return count(int(value))
    if isinstance(value, dict):
        if kind == "share" and (value["low"] is None or value["high"] is None):
            return percent(value["value"])
        return share_text(value) if kind == "share" else mean_text(value)
    return percent(value) if kind == "share" else number(value)
