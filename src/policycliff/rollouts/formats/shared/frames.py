"""Rows that are read one by one, as one frame: in blocks, so that a large file never stands as Python objects."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from itertools import islice

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import ROW_COLUMNS
from policycliff.rollouts.reading.delimited import TEXT_PREFIX
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.settings import EFFECTIVE
from policycliff.rollouts.table import SkippedRows

MAX_COLUMNS = 1_000
"""More columns than this are no table: every row has names of its own."""
MAX_WATCHED = 8
"""At most this many scores become rewards of weight 0, for each is compared with every other; the rest stay columns."""
_ROWS_AT_A_TIME = 5_000
_LARGEST_WHOLE = 2**62

Value = str | float | int | None
Item = Mapping[str, Value] | SkippedRows
"""A row, or something to count."""


def frame_of_items(
    items: Iterable[Item], types: Mapping[str, DataType]
) -> tuple[pl.DataFrame, tuple[SkippedRows, ...]]:
    """The rows as one frame and what was counted, equal reasons as one.

    >>> rows = [{"prompt": "p", "fit": 1.0}, SkippedRows("failed", 1), {"prompt": "p"}]
    >>> frame, skipped = frame_of_items(rows, {"prompt": pl.String()})
    >>> frame["fit"].to_list(), skipped
    ([1.0, None], (SkippedRows(reason='failed', count=1, unit='rows'),))

    Args:
        items: Rows may have different columns: the frame has all, null where a row has none.
        types: Types of columns; the others are Float64.

    Raises:
        TableError: There are more than `MAX_COLUMNS` columns.
    """
    counts: Counter[tuple[str, str]] = Counter()
    frames = []
    rest = iter(items)
    names: dict[str, None] = {}
    while block := list(islice(rest, _ROWS_AT_A_TIME)):
        for item in block:
            if isinstance(item, SkippedRows):
                counts[item.reason, item.unit] += item.count
        rows = [item for item in block if not isinstance(item, SkippedRows)]
        for row in rows:
            names |= dict.fromkeys(row)
        if len(names) > MAX_COLUMNS:
            raise TableError(f"the rows have more than {MAX_COLUMNS} different scores; is every name used once?")
        columns = [
            pl.Series(name, [row.get(name) for row in rows], dtype=types.get(name, pl.Float64())) for name in names
        ]
        frames.append(pl.DataFrame(columns))
    frame = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
    return frame, tuple(SkippedRows(reason, count, unit) for (reason, unit), count in counts.items())


def number_or_none(value: object, where: str) -> float | None:
    """A JSON value as a number; booleans are 0 and 1.

    Raises:
        TableError: Another type, or a whole number beyond what a float holds; `where` says which value it is.
    """
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise TableError(f"{where} must be a number, got {type(value).__name__}.")
    try:
        return float(value)
    except OverflowError as error:
        raise TableError(f"{where} is too large a number.") from error


def whole_or_none(value: object, where: str) -> int | None:
    """A JSON value as a whole number, for steps.

    Raises:
        TableError: It is not one, or is too large; `where` says which value it is.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_WHOLE:
        raise TableError(f"{where} must be a whole number below 2**62, got {type(value).__name__}.")
    return value


def score_column(name: str, prefix: str, taken: Container[str]) -> str:
    """The column of a score: its name in the file, with a prefix where that is another part's.

    >>> score_column("correct", "reward", ()), score_column("prompt", "reward", ())
    ('correct', 'reward.prompt')
    """
    plain = without_surrogates(name)
    other = plain in {*ROW_COLUMNS, EFFECTIVE, ""} or plain in taken or plain.startswith(TEXT_PREFIX)
    return f"{prefix}.{plain}" if other else plain


def text_or_empty(value: object) -> str:
    """A JSON value if it is text, else nothing."""
    return without_surrogates(value) if isinstance(value, str) else ""


def without_surrogates(text: str) -> str:
    r"""Text that can be written as UTF-8: a half of a surrogate pair, from a cut JSON escape, becomes U+FFFD.

    >>> without_surrogates("ok"), without_surrogates("cut \ud83d")
    ('ok', 'cut \ufffd')
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
