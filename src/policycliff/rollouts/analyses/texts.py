"""Texts of the table as a result holds them: long ones are cut, and say by how much."""

from collections.abc import Iterable
from typing import Any

import polars as pl


def cut(value: Any, limit: int) -> str | None:
    """A value as text of at most `limit` characters and a mark; None stays None.

    >>> cut("abcdef", 4), cut(7, 4)
    ('abcd [... 2 more characters]', '7')
    """
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]} [... {len(text) - limit} more characters]"


def text_at(frame: pl.DataFrame, column: str, row: int, limit: int) -> str | None:
    """The text in a cell; None where the table has no such column."""
    return cut(frame[column][row], limit) if column in frame.columns else None


def named_together(sources: Iterable[Any]) -> str | None:
    """All models that wrote a behaviour.

    >>> named_together(["b", None, "a", "b"]), named_together([None])
    ('a, b', None)
    """
    names = {str(source) for source in sources if source is not None}
    return ", ".join(sorted(names)) or None
