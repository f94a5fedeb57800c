"""The trace of every completion: its tokens, its steps, or pieces of its text, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.prefix_tree.list_columns import Lists, lists_of
from policycliff.rollouts.reading.groups import first_equal
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64

# Each piece of a text takes the blanks before it, so that the pieces make up the text: equal traces are equal texts.
_PATTERNS = {"words": r"\s*\S+|\s+", "lines": r"[^\n]*\n|[^\n]+", "characters": r"(?s:.)"}
_UNITS = {"words": "word", "lines": "line", "characters": "character"}
DEFAULT_SPLIT = "words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """What a trace is made of: a column of tokens, a column of steps, or the completion's text split.

    Attributes:
        tokens: Column with a list of tokens.
        steps: Column with a list of steps.
        split: `words`, `lines`, `characters` or a regular expression of what separates pieces.
    """

    tokens: str | None = None
    steps: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("tokens", "steps", "split") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidInputError(
                f"{' and '.join(given)} cannot be given together: a trace is made of one. Drop one."
            )

    @property
    def roles(self) -> dict[str, str]:
        """Columns to read, by role."""
        return {role: name for role in ("tokens", "steps") if (name := getattr(self, role)) is not None}

    @property
    def unit(self) -> str:
        """What one piece is called."""
        if self.tokens is not None:
            return "token"
        return "step" if self.steps is not None else _UNITS.get(self.split or DEFAULT_SPLIT, "piece")


@dataclass(frozen=True, slots=True)
class Traces:
    """Traces of the table's sorted rows.

    Attributes:
        lists: The pieces of each row; length -1 for a row without a usable trace.
        codes: (pieces,) equal numbers for equal pieces, none negative.
        unit: What one piece is called.
        joint: What stands between pieces when they are shown.
    """

    lists: Lists
    codes: Int64[np.ndarray, " pieces"]
    unit: str
    joint: str

    def text(self, row: int, start: int, end: int) -> str:
        """Pieces `start` to `end` of a row, for people."""
        first = int(self.lists.starts[row])
        shown = self.lists.elements.slice(first + start, max(end - start, 0))
        return self.joint.join(shown.cast(pl.String).to_list())


def traces_of(table: RolloutTable, pieces: Pieces, columns: Mapping[str, pl.Series]) -> Traces:
    """The trace of every row of the table; `columns` are those of `pieces.roles` as read.

    Raises:
        TableError: The column holds no lists, or there is no text to split.
        InvalidInputError: The regular expression is none, or matches the empty text.
    """
    if not columns:
        lists = lists_of(_split(table, pieces.split or DEFAULT_SPLIT), "completion")
        return Traces(lists, codes_of(lists.elements), pieces.unit, "")
    role, column = next(iter(columns.items()))
    lists = lists_of(column.gather(table.row_index), role)
    is_text = role == "tokens" and lists.elements.dtype == pl.String
    return Traces(lists, codes_of(lists.elements), pieces.unit, "" if is_text else " ")


def codes_of(elements: pl.Series) -> Int64[np.ndarray, " pieces"]:
    """A number for each distinct element.

    >>> codes_of(pl.Series(["b", "a", "b"])).tolist()
    [0, 1, 0]
    """
    return np.ascontiguousarray(first_equal([elements], len(elements)), dtype=np.int64)


def _split(table: RolloutTable, split: str) -> pl.Series:
    if "__completion" not in table.frame.columns:
        raise TableError(
            "the table has no completion column to split. Name one with --completion, or give --tokens or --steps."
        )
    text = table.frame["__completion"]
    if split in _PATTERNS:
        return text.str.extract_all(_PATTERNS[split])
    try:
        empty = pl.Series([""]).str.contains(split)[0]
    except PolarsError as error:
        raise InvalidInputError(
            f"split {split!r} is no regular expression ({str(error).splitlines()[0]}). Give words, lines, characters "
            "or an expression in Rust's syntax."
        ) from error
    if empty:
        raise InvalidInputError(f"split {split!r} matches the empty text, so it separates nothing. Use + for *.")
    return text.str.extract_all(f"(?s:.*?)(?:{split})|(?s:.+)")
