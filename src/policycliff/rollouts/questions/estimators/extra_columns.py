"""Columns that only this question looks at: a batch, a logged scalar, logged advantages."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from policycliff.rollouts.reading.columns import missing_column
from policycliff.rollouts.reading.derive import with_derived
from policycliff.rollouts.reading.groups import first_equal, renumber
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.reading.read import collect, open_table
from policycliff.rollouts.reading.score_columns import read_scores
from policycliff.rollouts.settings import AuditSettings
from policycliff.shapes import Float64, Int64

SCALAR_NAMES = ("reward", "score", "total_reward")
ADVANTAGE_NAMES = ("advantage", "advantages")


def read_column(table: object, settings: AuditSettings, name: str, role: str) -> pl.Series:
    """A column of the table as it was read.

    Raises:
        TableError: There is no such column; the message lists those there are.
    """
    source = with_derived(open_table(table, settings), settings.derive)
    schema = source.schema()
    if name not in schema:
        raise missing_column(name, role, schema)
    return collect(source, [pl.col(name)]).to_series()


def labels_of(column: pl.Series, loaded: LoadedRollouts) -> Int64[np.ndarray, " rows"]:
    """Number of each distinct value along the sorted rows, -1 for null."""
    numbers = renumber(first_equal([column], len(column)), column.is_not_null().to_numpy())
    return numbers[loaded.table.row_index]


def numbers_of(column: pl.Series, loaded: LoadedRollouts, role: str) -> Float64[np.ndarray, " rows"]:
    """A column as numbers along the sorted rows, NaN where it is not usable."""
    return read_scores(column, role=role).take(loaded.table.row_index).scores


def found_by_name(loaded: LoadedRollouts, names: Sequence[str]) -> tuple[str, Float64[np.ndarray, " rows"]] | None:
    """The first column of one of these names among those read that are not rewards, whatever their case."""
    columns = {column.name.lower(): column for column in reversed(loaded.table.candidates)}
    for name in names:
        if name in columns:
            return columns[name].name, columns[name].scores
    return None
