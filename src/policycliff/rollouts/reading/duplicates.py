"""Rows that repeat whole, counted without reading the whole table: hashes first, then an exact comparison."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from policycliff.rollouts.reading.groups import first_equal
from policycliff.rollouts.reading.read import TableSource, collect


def count_repeated_rows(source: TableSource, read: pl.DataFrame) -> int:
    """How many rows equal an earlier row in every column of the source.

    Args:
        source: The table, for the columns that were not read.
        read: Columns of the same rows; only rows that agree in all of them are looked at closer.
    """
    if not read.width:
        return 0
    suspects = np.flatnonzero(read.hash_rows().is_duplicated().to_numpy())
    if not len(suspects):
        return 0
    columns = _all_columns(source, suspects)
    first = first_equal(columns, len(suspects))
    return len(suspects) - len(np.unique(first))


def _all_columns(source: TableSource, rows: np.ndarray) -> Sequence[pl.Series]:
    names = list(source.schema())
    wanted = pl.Series(rows.astype(np.uint32), dtype=pl.UInt32).implode()
    numbered = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(wanted)
    return collect(source, [pl.col(names).filter(numbered)]).get_columns()
