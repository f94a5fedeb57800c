"""Columns that the user derives by an SQL expression over the table's columns: evaluated by Polars, never as Python.

Arithmetic is that of numbers, not of machine words: in an expression every whole number is a signed 64-bit one and
every narrow float the decimal it was printed from. (Polars' LENGTH is unsigned: `100 - LENGTH(text)` would wrap around
to four billion for a long text.)
"""

import re
from dataclasses import replace

import polars as pl
from polars.exceptions import PanicException, PolarsError

from policycliff.errors import TableError
from policycliff.rollouts.reading.delimited import TEXT_PREFIX
from policycliff.rollouts.reading.files import first_line
from policycliff.rollouts.reading.read import TableSource

_NARROW_WHOLE = (pl.UInt8, pl.UInt16, pl.UInt32, pl.Int8, pl.Int16, pl.Int32)
_TOKEN = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | [A-Za-z_]\w*\s*\( | . """, re.VERBOSE | re.DOTALL)
_UNSIGNED = re.compile(r"((CHAR_|CHARACTER_|OCTET_|BIT_|ARRAY_)?LENGTH|LEN|STRPOS)\s*\(", re.IGNORECASE)


def with_derived(source: TableSource, derive: tuple[tuple[str, str], ...]) -> TableSource:
    """The table with the derived columns; a later expression may use an earlier column.

    >>> from policycliff.rollouts.reading.read import open_table
    >>> table = open_table(pl.DataFrame({"completion": ["ab", "abc"]}))
    >>> with_derived(table, (("brevity", "-LENGTH(completion)"),)).frame.collect()["brevity"].to_list()
    [-2, -3]

    Raises:
        TableError: The name is taken, or the expression does not parse, names a column that is not there, or does not
            give one value a row.
    """
    if derive:
        source = replace(source, frame=_widened(source.frame))
    for name, expression in derive:
        if name in source.schema() or name.startswith(TEXT_PREFIX):
            raise TableError(f"derive {name!r}: the table already has a column of that name. Choose another name.")
        try:
            frame = source.frame.with_columns(pl.sql_expr(signed_lengths(expression)).alias(name))
            frame.collect_schema()
        except (PolarsError, PanicException) as error:
            raise _failed(name, expression, error) from error
        source = replace(source, frame=frame)
    return source


def require_derivable(source: TableSource, derive: tuple[tuple[str, str], ...]) -> None:
    """Name the derived column whose expression fails on the values, if there is one; for use after a failed read.

    Raises:
        TableError: An expression fails.
    """
    for name, expression in derive:
        try:
            source.frame.select(name).collect(engine="streaming")
        except (PolarsError, PanicException) as error:
            raise _failed(name, expression, error) from error


def signed_lengths(expression: str) -> str:
    r"""The expression with every call that returns an unsigned length cast to a signed integer.

    >>> signed_lengths("1 - length(TRIM(\"a(\")) / 2")
    '1 - CAST(length(TRIM("a(")) AS BIGINT) / 2'
    """
    pieces: list[str] = []
    endings: list[str] = []
    for piece in _TOKEN.findall(expression):
        if piece.endswith("(") and piece[0] not in "'\"":
            unsigned = _UNSIGNED.fullmatch(piece) is not None
            pieces.append(f"CAST({piece}" if unsigned else piece)
            endings.append(") AS BIGINT)" if unsigned else ")")
        elif piece == ")" and endings:
            pieces.append(endings.pop())
        else:
            pieces.append(piece)
    return "".join(pieces)


def _widened(frame: pl.LazyFrame) -> pl.LazyFrame:
    schema = frame.collect_schema()
    whole = [pl.col(name).cast(pl.Int64) for name, dtype in schema.items() if dtype in _NARROW_WHOLE]
    floats = [pl.col(name).cast(pl.String).cast(pl.Float64) for name, dtype in schema.items() if dtype == pl.Float32]
    return frame.with_columns(*whole, *floats)


def _failed(name: str, expression: str, error: BaseException) -> TableError:
    return TableError(
        f"derive {name!r}: the expression {expression!r} fails: {first_line(error)}. It is SQL over the table's "
        'columns, such as "reward - 0.1 * LENGTH(completion)"; TRY_CAST(x AS DOUBLE) turns text into numbers.'
    )
