"""Which rows compete with each other, and which of them are the same behaviour.

Equality is exact everywhere: rows are keyed by the first row that equals them, found by Polars' own comparison, so no
hash can merge two texts. Nulls equal each other unless said otherwise. Cost: linear in rows, no loop over them.

Groups, in order of precedence: the group column; blocks of `group_size` rows within each (step, prompt); the prompt;
blocks of `group_size` rows within each step. Groups never span steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.rollouts.table import SkippedRows
from policycliff.shapes import Bool, Int64


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of every row as read.

    Attributes:
        group: (rows,) number of the group in order of appearance, -1 for a row in none.
        block: (rows,) number of the block within its (step, prompt), counted from 0; None without `group_size`.
        skipped: Rows in no group, with reasons.
    """

    group: Int64[np.ndarray, " rows"]
    block: Int64[np.ndarray, " rows"] | None
    skipped: tuple[SkippedRows, ...]


def first_equal(columns: Iterable[pl.Series], n_rows: int) -> Int64[np.ndarray, " rows"]:
    """For every row the first row that equals it in every column; nulls are equal, and so are NaNs.

    >>> first_equal([pl.Series(["a", None, "a", None]), pl.Series([1, 2, 3, 2])], 4)
    array([0, 1, 2, 1])
    """
    first = np.zeros(n_rows, dtype=np.int64)
    for position, column in enumerate(columns):
        of_column = _first_of(column)
        first = of_column if position == 0 else _first_of(pl.Series(first * n_rows + of_column))
    return first


def group_rows(keys: list[pl.Series], *, n_rows: int, required: int = 0, group_size: int | None = None) -> Grouping:
    """Group rows that agree in all keys, then cut each into blocks of `group_size` if that is given.

    Args:
        keys: Columns that a group shares (step, then prompt or group); none for one group of all rows.
        n_rows: Number of rows.
        required: How many of the last keys must not be null.
        group_size: Rows a block; a remainder belongs to no group.
    """
    key = first_equal(keys, n_rows)
    keyed = np.ones(n_rows, dtype=bool)
    for column in keys[len(keys) - required :]:
        keyed &= column.is_not_null().to_numpy()
    skipped = [SkippedRows("no group: the column that names the group is empty", int((~keyed).sum()))]
    block = None
    if group_size is not None:
        block, complete = _blocks(np.where(keyed, key, -1), group_size)
        remainder = keyed & ~complete
        skipped.append(SkippedRows(f"left over after blocks of {group_size} rows", int(remainder.sum())))
        keyed &= complete
        key = _first_of(pl.Series(key * n_rows + block))
    return Grouping(renumber(key, keyed), block, tuple(item for item in skipped if item.count))


def renumber(key: Int64[np.ndarray, " rows"], kept: Bool[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """Number the distinct keys of the rows kept 0, 1, ... in order of appearance; -1 for the other rows.

    >>> renumber(np.array([7, 5, 7, 9]), np.array([True, False, True, True]))
    array([ 0, -1,  0,  1])
    """
    numbers = np.full(len(key), -1, dtype=np.int64)
    rows = np.flatnonzero(kept)
    first = _first_of(pl.Series(key[rows]))
    starts = first == np.arange(len(rows))
    numbers[rows] = (np.cumsum(starts) - 1)[first]
    return numbers


def draw_groups(n_groups: int, size: int, seed: int) -> Bool[np.ndarray, " groups"]:
    """Which of the groups belong to a sample of `size` whole groups, drawn without replacement.

    >>> int(draw_groups(10, 3, seed=0).sum())
    3
    """
    drawn = np.ones(n_groups, dtype=bool)
    if size < n_groups:
        drawn[:] = False
        drawn[np.random.default_rng(seed).choice(n_groups, size=size, replace=False)] = True
    return drawn


def sort_rows(
    group: Int64[np.ndarray, " rows"], behaviour: Int64[np.ndarray, " rows"]
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " groups_plus_1"], Int64[np.ndarray, " kept"]]:
    """Order the grouped rows by group, behaviour and position.

    Returns:
        The rows in order, the offsets of the groups, and the behaviour numbers along the rows: counted over the whole
        table, by first appearance within the group.
    """
    rows = np.flatnonzero(group >= 0)
    rows = rows[np.lexsort((rows, behaviour[rows], group[rows]))]
    groups = group[rows]
    n_groups = int(groups[-1]) + 1 if len(rows) else 0
    offsets = np.searchsorted(groups, np.arange(n_groups + 1)).astype(np.int64)
    changes = np.ones(len(rows), dtype=bool)
    changes[1:] = (np.diff(groups) != 0) | (np.diff(behaviour[rows]) != 0)
    return rows, offsets, np.cumsum(changes, dtype=np.int64) - 1


def within_groups(
    group: Int64[np.ndarray, " rows"], column: pl.Series | None, *, nulls_equal: bool
) -> Int64[np.ndarray, " rows"]:
    """Number the values of a column within each group by the first row that has them; without a column, every row.

    Rows in no group get numbers of their own kind, of no meaning.
    """
    rows = np.arange(len(group), dtype=np.int64)
    if column is None:
        return rows
    first = _first_of(column)
    if not nulls_equal and column.null_count():
        first = np.where(column.is_null().to_numpy(), rows, first)
    return _first_of(pl.Series((group + 1) * len(group) + first))


def _first_of(column: pl.Series) -> Int64[np.ndarray, " rows"]:
    frame = pl.DataFrame({"value": column, "row": pl.Series(np.arange(len(column), dtype=np.int64))})
    return frame.select(pl.col("row").min().over("value"))["row"].to_numpy()


def _blocks(key: Int64[np.ndarray, " rows"], size: int) -> tuple[Int64[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """Block of every row within its key, and whether the block is full."""
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=key[order][:1] - 1))
    lengths = np.diff(starts, append=len(key))
    position = np.empty_like(key)
    position[order] = np.arange(len(key)) - np.repeat(starts, lengths)
    length = np.empty_like(key)
    length[order] = np.repeat(lengths, lengths)
    block = position // size
    return block, (block + 1) * size <= length
