"""Score columns as float64 arrays in which NaN marks every score that is not usable.

A Float32 score was meant as the decimal it was printed from: 0.1f becomes 0.1, not 0.10000000149. Ties and thresholds
are then those of the numbers that the user sees. Cost: linear in rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.columns import is_numeric
from policycliff.rollouts.settings import LARGEST_NUMBER
from policycliff.rollouts.table import ScoreColumn
from policycliff.shapes import Float64, Int64


@dataclass(frozen=True, slots=True)
class RawScores:
    """A numeric column as read: `values` with NaN for nulls, and where the nulls are."""

    name: str
    values: Float64[np.ndarray, " rows"]
    nulls: np.ndarray | None

    def usable(self) -> np.ndarray:
        """Mask of the finite scores."""
        return np.isfinite(self.values)

    def take(self, rows: Int64[np.ndarray, " kept"]) -> ScoreColumn:
        """The scores of some rows in the order given; what is not usable is counted over all rows read."""
        missing = 0 if self.nulls is None else int(self.nulls.sum())
        not_a_number = int(np.isnan(self.values).sum()) - missing
        infinite = int(np.isinf(self.values).sum())
        values = self.values[rows]
        values[np.isinf(values)] = np.nan
        values.flags.writeable = False
        return ScoreColumn(self.name, values, missing=missing, nan=not_a_number, infinite=infinite)


def read_scores(column: pl.Series, *, role: str, positions: Int64[np.ndarray, " rows"] | None = None) -> RawScores:
    """A column as scores; `positions` are the rows' places in the table, where the column is a part of it.

    Raises:
        TableError: The column holds no numbers, or one too large to compute with; the message names the first such row.
    """
    if column.null_count() == len(column):
        column = pl.Series(column.name, [None] * len(column), dtype=pl.Float64)
    if not is_numeric(column.dtype):
        raise _not_numeric(column, role, positions)
    nulls = column.is_null().to_numpy() if column.null_count() else None
    values = _exact_decimal(column).to_numpy().astype(np.float64, copy=False)
    huge = np.isfinite(values) & (np.abs(values) > LARGEST_NUMBER)
    if huge.any() and role != "numeric":
        row = int(np.argmax(huge))
        raise TableError(
            f"{role} column {column.name!r} has {values[row]:g} in row {_place(row, positions)} (counted from 1); "
            f"figures cannot be computed beyond {LARGEST_NUMBER:g}. If it stands for a missing score, derive a column "
            "that says null."
        )
    return RawScores(column.name, np.where(huge, np.nan, values) if huge.any() else values, nulls)


@dataclass(frozen=True, slots=True)
class Unusable:
    """How many scores of a column are missing, NaN or infinite, and the row of the first, counted from 1 (else 0)."""

    name: str
    count: int
    first: int


def unusable_scores(
    columns: tuple[RawScores, ...], kept: np.ndarray, positions: Int64[np.ndarray, " rows"] | None = None
) -> list[Unusable]:
    """Such scores of every column in the rows kept."""
    found = {column.name: np.flatnonzero(kept & ~column.usable()) for column in columns}
    return [Unusable(name, len(bad), _place(int(bad[0]), positions) if len(bad) else 0) for name, bad in found.items()]


def together(parts: Iterable[list[Unusable]]) -> list[Unusable]:
    """What parts of a table say, as of the whole."""
    found: dict[str, list[Unusable]] = {}
    for item in chain.from_iterable(parts):
        found.setdefault(item.name, []).append(item)
    return [
        Unusable(name, sum(item.count for item in items), min((item.first for item in items if item.count), default=0))
        for name, items in found.items()
    ]


def require_complete(found: list[Unusable]) -> None:
    """Refuse scores that are missing, NaN or infinite (the setting `missing="error"`).

    Raises:
        TableError: Names the first column, how many of its scores are not usable, and the first row.
    """
    for column in found:
        if column.count:
            raise TableError(
                f"column {column.name!r} has {column.count} missing, NaN or infinite scores, first in row "
                f"{column.first} (counted from 1). missing='error' forbids them; 'omit' leaves such rows out, 'zero' "
                "counts them as 0."
            )


def _exact_decimal(column: pl.Series) -> pl.Series:
    """The column as Float64; narrow floats by way of their shortest decimal."""
    if column.dtype == pl.Float32:
        return column.cast(pl.String).cast(pl.Float64)
    if column.dtype == pl.Float16:
        values, inverse = np.unique(column.fill_null(np.nan).to_numpy(), return_inverse=True)
        return pl.Series(column.name, np.array([float(str(value)) for value in values])[inverse])
    return column.cast(pl.Float64)


def _place(row: int, positions: Int64[np.ndarray, " rows"] | None) -> int:
    """The number of a row for people."""
    return (row if positions is None else int(positions[row])) + 1


def _not_numeric(column: pl.Series, role: str, positions: Int64[np.ndarray, " rows"] | None) -> TableError:
    what = f"{role} column {column.name!r}"
    if column.dtype != pl.String:
        return TableError(
            f"{what} holds {column.dtype}, not numbers. Derive a numeric column from it, or give another."
        )
    bad = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    cast = f"derive a column with 'number=TRY_CAST(\"{column.name}\" AS DOUBLE)' and give that one"
    if not bad.any():
        return TableError(f"{what} holds numbers written as text; {cast}.")
    row = int(bad.arg_true()[0])
    return TableError(
        f"{what} is not numeric: row {_place(row, positions)} (counted from 1) is {_short(str(column[row]))!r}. "
        f"Give a numeric column, or {cast}."
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
