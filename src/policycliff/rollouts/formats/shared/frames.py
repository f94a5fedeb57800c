"""Rows that are read one by one, as one frame: in blocks, so that a large file never stands as Python objects."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.shared.values import REMEDY, Row, Value, as_number, json_text_or_none, valid_text
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.json_lines import json_objects
from policycliff.rollouts.table import SkippedRows

MAX_COLUMNS = 1_000
"""More columns than this are no table of rollouts: every row has names of its own."""
# A row may hold a long transcript.
_ROWS_AT_A_TIME = 5_000

Item = Mapping[str, Value] | SkippedRows
"""A row, or something to count."""


def items_of_files(paths: Sequence[Path], items_of: Callable[[Path], Iterable[Item]]) -> Iterator[Item]:
    """The items of some files, one file after the other; a file without any is counted."""
    for path in paths:
        empty = True
        for item in items_of(path):
            empty = False
            yield item
        if empty:
            yield SkippedRows("no rows in the file", 1, "files")


def items_of_lines(
    path: Path,
    items_of: Callable[[Row, str], Iterable[Item]],
    objects: Callable[[Path], Iterator[tuple[int, Row]]] = json_objects,
) -> Iterator[Item]:
    """What the objects of a JSON Lines file become; `items_of` is told where an object stands, for errors.

    Raises:
        TableError: A line is no JSON object, or is nested too deeply; the message names it.
    """
    for number, row in objects(path):
        where = f"{path}, line {number}"
        try:
            yield from items_of(row, where)
        except RecursionError as error:
            raise TableError(f"{where}: nested too deeply. {REMEDY}") from error


def frame_of_items(
    items: Iterable[Item], types: Mapping[str, DataType], *, path: Path, what: str, other: DataType | None = None
) -> tuple[pl.DataFrame, tuple[SkippedRows, ...]]:
    """The rows as one frame and what was counted, equal reasons as one.

    >>> rows = [{"prompt": "p", "fit": 1.0}, SkippedRows("failed", 1), {"prompt": "p"}]
    >>> frame, skipped = frame_of_items(rows, {"prompt": pl.String()}, path=Path("a.jsonl"), what="sample")
    >>> frame["fit"].to_list(), skipped
    ([1.0, None], (SkippedRows(reason='failed', count=1, unit='rows'),))

    Args:
        items: Rows may have different columns: the frame has all, null where a row has none.
        types: Types of columns.
        path: The first file, for errors.
        what: What a row is, for errors.
        other: Type of the other columns; without it Float64 where every value of a block is a number, else text.

    Raises:
        TableError: There is no row, or there are more than `MAX_COLUMNS` columns.
    """
    counts: Counter[tuple[str, str]] = Counter()
    frames: list[pl.DataFrame] = []
    names: dict[str, None] = {}
    rest = iter(items)
    while block := list(islice(rest, _ROWS_AT_A_TIME)):
        for item in block:
            if isinstance(item, SkippedRows):
                counts[item.reason, item.unit] += item.count
        rows = [item for item in block if not isinstance(item, SkippedRows)]
        for row in rows:
            names |= dict.fromkeys(row)
        if len(names) > MAX_COLUMNS:
            raise TableError(f"{path}: more than {MAX_COLUMNS} different columns, so its rows are not alike. {REMEDY}")
        if rows:
            frames.append(_frame_of_rows(rows, types, other))
    skipped = tuple(SkippedRows(reason, count, unit) for (reason, unit), count in counts.items())
    if not frames:
        raise nothing_left(path, what, skipped)
    return pl.concat(frames, how="diagonal_relaxed"), skipped


def nothing_left(path: Path, what: str, skipped: Iterable[SkippedRows]) -> TableError:
    """The error of files without a row to audit: why there is none."""
    reasons = "; ".join(f"{item.count} {item.unit}: {item.reason}" for item in skipped) or "the file has no rows"
    return TableError(f"{path}: no {what} is left to audit. {reasons}. Give files that have some.")


def _frame_of_rows(
    rows: Sequence[Mapping[str, Value]], types: Mapping[str, DataType], other: DataType | None
) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    if any(valid_text(name) != name for name in names):
        rows = [{valid_text(name): value for name, value in row.items()} for row in rows]
        names = dict.fromkeys(map(valid_text, names))
    return pl.DataFrame([_column(name, [row.get(name) for row in rows], types.get(name, other)) for name in names])


def _column(name: str, values: list[Value], dtype: DataType | None) -> pl.Series:
    if dtype is None:
        numbers = [as_number(value) for value in values]
        if all(number is not None or value is None for number, value in zip(numbers, values, strict=True)):
            return pl.Series(name, numbers, dtype=pl.Null if values.count(None) == len(values) else pl.Float64)
        values, dtype = [json_text_or_none(value) for value in values], pl.String()
    try:
        return pl.Series(name, values, dtype=dtype)
    except UnicodeEncodeError:
        return pl.Series(name, [valid_text(value) if isinstance(value, str) else value for value in values], dtype)
