"""The behaviours as a column of a canonical Parquet file, for `policycliff audit --behaviour`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from policycliff.rollouts.questions.behaviours.sweep import Ordered, behaviours_at
from policycliff.rollouts.reading.convert import write_canonical
from policycliff.rollouts.reading.derive import with_derived
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.segments import segment_min, segment_of
from policycliff.shapes import Int64


def numbers_in_prompt(ordered: Ordered, threshold: float) -> Int64[np.ndarray, " rows"]:
    """Number of each row's behaviour within its prompt, from 1, in the order in which the file shows them first."""
    behaviour = behaviours_at(ordered, threshold)
    first = np.flatnonzero(np.diff(behaviour, prepend=-1))
    prompt = segment_of(ordered.table.offsets)[first]
    shown = segment_min(ordered.table.row_index, np.append(first, len(behaviour)))
    order = np.lexsort((shown, prompt))
    number = np.empty(len(first), dtype=np.int64)
    starts = np.searchsorted(prompt, prompt)
    number[order] = np.arange(len(first)) - starts + 1
    return number[behaviour]


def write_behaviours(table: object, loaded: LoadedRollouts, ordered: Ordered, threshold: float, path: Path) -> str:
    """Write the whole table with a behaviour column beside the others; null in rows that were left out.

    Returns:
        The column's name: `behaviour` where that is free.

    Raises:
        InvalidInputError: The path cannot be written, or does not end in `.parquet`.
    """
    source = with_derived(open_table(table, loaded.settings), loaded.settings.derive)
    name = _free_name(set(source.schema()))
    values = np.zeros(loaded.rows_read, dtype=np.int64)
    values[ordered.table.row_index] = numbers_in_prompt(ordered, threshold)
    column = pl.Series(name, values).replace(0, None)
    settings = replace(loaded.settings, format=None, derive=(), rewards=loaded.rewards, behaviour=name)
    write_canonical(source.frame.with_columns(column), path, settings)
    return name


def _free_name(taken: set[str]) -> str:
    names = ("behaviour", *(f"behaviour_{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
