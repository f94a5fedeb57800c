"""JSON Lines as a lazy frame: the fast way by Polars, the slow way by Python's `json` where Polars refuses.

The whole file is passed over to learn the columns, because a column may first appear, or first hold a fraction, in the
last line.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from policycliff.errors import TableError
from policycliff.rollouts.reading.files import READ_ERRORS, first_line, open_text, unreadable

_LINES_AT_A_TIME = 20_000
_LONGEST_NUMBER = 400
_DEEPEST = 20


def scan_json(path: Path) -> pl.LazyFrame:
    """The objects in a file, one a line or in one array.

    Raises:
        TableError: A line that is not a JSON object; the message names it.
    """
    if starts_with_bracket(path):
        return _read_json_array(path)
    try:
        frame = pl.scan_ndjson(path, infer_schema_length=None)
        schema = frame.collect_schema()
    except READ_ERRORS:
        return _read_lines(path)
    return pl.scan_ndjson(path, schema=schema)


def json_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file or of one JSON array, one at a time, with line numbers (positions) from 1.

    Raises:
        TableError: The file cannot be read, or a line is not a JSON object; the message names it.
    """
    try:
        if starts_with_bracket(path):
            yield from enumerate(_array(path), start=1)
        else:
            with open_text(path) as lines:
                yield from _parsed_lines(path, lines)
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def _read_lines(path: Path) -> pl.LazyFrame:
    """The slow way, for what Python's `json` accepts and Polars does not (NaN, Infinity); names the first bad line."""
    frames = []
    with open_text(path) as lines:
        parsed = (row for _, row in _parsed_lines(path, lines))
        while rows := list(islice(parsed, _LINES_AT_A_TIME)):
            frames.append(frame_of_rows(rows))
    if not frames:
        raise TableError(f"{path} has no rows. Write the table again.")
    return pl.concat(frames, how="diagonal_relaxed").lazy()


def frame_of_rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a frame; values nested very deep, and those of a column that do not fit together, become JSON text."""
    shallow = [
        {key: _as_text(value) if _is_deep(value, _DEEPEST) else value for key, value in row.items()} for row in rows
    ]
    try:
        return pl.from_dicts(shallow, infer_schema_length=None)
    except (PolarsError, PanicException, TypeError, OverflowError):
        plain = [{key: _as_text(value) for key, value in row.items()} for row in shallow]
        return pl.from_dicts(plain, infer_schema_length=None, strict=False)


def _is_deep(value: Any, levels: int) -> bool:
    """Whether a value is nested more than so many levels: Polars' time to find its type grows with their cube."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deep(item, levels - 1) for item in inner)


def _as_text(value: Any) -> Any:
    """Nested values as JSON text, and whole numbers that no column holds as decimal ones, or as text."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return str(value)[:_LONGEST_NUMBER]
    return value


def _parsed_lines(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.strip())
        except (ValueError, RecursionError) as error:
            raise TableError(
                f"{path}, line {number}: not valid JSON ({_reason(error)}). JSON Lines has one object a line; is the "
                "file cut off?"
            ) from error
        if not isinstance(row, dict):
            raise TableError(f"{path}, line {number}: expected a JSON object, got {type(row).__name__}.")
        yield number, row


def _reason(error: BaseException) -> str:
    """What is wrong with the text; Python also refuses numbers of thousands of digits."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "too deep" if isinstance(error, RecursionError) else first_line(error)


def _read_json_array(path: Path) -> pl.LazyFrame:
    return frame_of_rows(_array(path)).lazy()


def _array(path: Path) -> list[dict[str, Any]]:
    with open_text(path) as file:
        try:
            rows = json.load(file)
        except (ValueError, RecursionError) as error:
            raise TableError(f"{path}: not valid JSON ({_reason(error)}). Is the file cut off?") from error
    if not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TableError(f"{path}: expected a JSON array of objects with at least one row, or JSON Lines.")
    return rows


def starts_with_bracket(path: Path) -> bool:
    """Whether a file is a JSON array."""
    with open_text(path) as file:
        return file.read(64).lstrip().startswith("[")
