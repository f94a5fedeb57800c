"""JSON Lines rows as frames with a type a column: what the readers of flat JSON Lines share.

A file is turned into columns block by block, so that its Python objects are never all in memory.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.json_lines import json_objects
from policycliff.rollouts.settings import EFFECTIVE, LARGEST_NUMBER
from policycliff.rollouts.table import SkippedRows

MAX_COLUMNS = 1000
"""More columns than this are no table of rollouts: every row has keys of its own."""
MAX_WATCHED = 8
"""At most this many numeric columns beside the reward become rewards of weight 0; each is compared with every other."""
_ROWS_AT_A_TIME = 20_000
_LARGEST_WHOLE = 2**63 - 1

Row = dict[str, Any]


def frame_of_files(
    paths: Sequence[Path],
    row_of: Callable[[Row, str, Path], Row],
    schema: Mapping[str, DataType],
    objects: Callable[[Path], Iterator[tuple[int, Row]]] = json_objects,
) -> tuple[pl.DataFrame, tuple[SkippedRows, ...]]:
    """The rows of some files below each other, and how many of the files have none.

    Args:
        paths: JSON Lines files.
        row_of: Turns an object into a flat row; told where the object stands, for errors, and in which file.
        schema: Types of the columns that are always there; any other column is Float64 where every value of a block
            is a number, else text.
        objects: How a file is read: line numbers and objects.

    Raises:
        TableError: A file cannot be read, or no file has rows; the message names the file, and the line.
    """
    frames: list[pl.DataFrame] = []
    empty = 0
    for path in paths:
        rows = (row_of(row, f"{path}, line {number}", path) for number, row in objects(path))
        before = len(frames)
        while block := list(islice(rows, _ROWS_AT_A_TIME)):
            frames.append(_frame_of_block(path, block, schema))
        empty += len(frames) == before
    if not frames:
        raise TableError(f"{paths[0]} has no rows. Is it cut off? Give the files that have some.")
    skipped = (SkippedRows("no rows in the file", empty, "files"),) if empty else ()
    return pl.concat(frames, how="diagonal_relaxed"), skipped


def text_of(row: Row, key: str, where: str) -> str | None:
    """A text of a row; None where it is null or absent.

    Raises:
        TableError: It is something else.
    """
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value
    raise TableError(f"{where}: {key!r} must be text, got {shown(value)}. Write the file again.")


def number_of(row: Row, key: str, where: str) -> float | None:
    """A number of a row; booleans are 1 and 0; None where it is null or absent.

    >>> number_of({"score": True}, "score", "a.jsonl, line 1")
    1.0

    Raises:
        TableError: It is something else.
    """
    value = row.get(key)
    if value is None:
        return None
    number = as_number(value)
    if number is None:
        raise TableError(f"{where}: {key!r} must be a number, got {shown(value)}. Write the file again.")
    return number


def whole_of(row: Row, key: str, where: str) -> int:
    """A whole number of a row.

    Raises:
        TableError: It is something else, or absent.
    """
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_WHOLE:
        raise TableError(f"{where}: {key!r} must be a whole number, got {shown(value)}. Write the file again.")
    return value


def as_number(value: object) -> float | None:
    """A number or a boolean as a float, None for anything else.

    >>> as_number(3), as_number("3"), as_number(10**400)
    (3.0, None, None)
    """
    if not isinstance(value, bool | int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def as_text(value: object) -> str | None:
    """A value as text: text as it is, null as null, all else as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shown(value: object) -> str:
    """A value for an error message, short."""
    text = type(value).__name__ if isinstance(value, dict | list) else _short_text(value)
    return text if len(text) <= 60 else text[:59] + "…"


def watched(frame: pl.DataFrame, beside: str, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Of the named columns those worth comparing with the reward, each of weight 0: numbers that vary.

    A column that equals the reward in every row says nothing new, and one with a number that no figure can be computed
    with cannot be a reward. At most `MAX_WATCHED` are taken.
    """
    found = [name for name in names if name != EFFECTIVE and _is_varied(frame[name], frame[beside])]
    return tuple((name, 0.0) for name in found[:MAX_WATCHED])


def _is_varied(column: pl.Series, reward: pl.Series) -> bool:
    if column.dtype != pl.Float64 or column.n_unique() < 2 or column.eq_missing(reward).all():
        return False
    finite = column.filter(column.is_finite().fill_null(value=False))
    return finite.n_unique() > 1 and not bool((finite.abs() > LARGEST_NUMBER).any())


def _short_text(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python refuses to print whole numbers of more than 4300 digits
        return f"a {type(value).__name__} too long to print"


def _frame_of_block(path: Path, rows: list[Row], schema: Mapping[str, DataType]) -> pl.DataFrame:
    names = dict.fromkeys(schema) | dict.fromkeys(name for row in rows for name in row)
    if len(names) > MAX_COLUMNS:
        raise TableError(
            f"{path} has more than {MAX_COLUMNS} different keys, so its rows are not alike. Name another format with "
            "--format, or plain."
        )
    try:
        return pl.DataFrame([_column(name, [row.get(name) for row in rows], schema.get(name)) for name in names])
    except RecursionError as error:
        raise TableError(f"{path} has values that are nested too deep. Write the file again.") from error


def _column(name: str, values: list[Any], dtype: DataType | None) -> pl.Series:
    name = _valid_text(name)
    if dtype is not None and dtype != pl.String:
        return pl.Series(name, values, dtype=dtype)
    if dtype is None:
        numbers = [as_number(value) for value in values]
        if all(number is not None or value is None for number, value in zip(numbers, values, strict=True)):
            return pl.Series(name, numbers, dtype=pl.Null if values.count(None) == len(values) else pl.Float64)
    texts = [as_text(value) for value in values]
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series(name, [None if text is None else _valid_text(text) for text in texts], dtype=pl.String)


def _valid_text(text: str) -> str:
    """Text without lone surrogates, which JSON can escape but no encoding has: written out as they were escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
