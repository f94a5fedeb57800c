"""Scores that a trainer had as float32 and wrote as float64."""

import numpy as np
import polars as pl

from policycliff.rollouts.reading.dtypes import DataType


def is_float32(column: pl.Series) -> bool:
    """Whether all numbers of a Float64 column can be written as float32, as a trainer's scores can.

    >>> is_float32(pl.Series([0.5, None, 0.10000000149011612])), is_float32(pl.Series([0.1]))
    (True, False)
    """
    values = column.to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.array_equal(values.astype(np.float32).astype(np.float64), values, equal_nan=True))


def score_type(column: pl.Series) -> DataType:
    """Float32 where all scores can be written so: 0.1 is then read as 0.1 again, and ties are those of the trainer."""
    return pl.Float32() if is_float32(column) else pl.Float64()
