"""The rows of a table, read once from beginning to end and dealt to parts, so that a group is in one part whole.

A row goes where a hash of its group's name says; the rows of a part stay in the order of the table. Where nothing names
the groups (blocks of `group_size` rows), blocks are dealt in turns. What a part needs to know of the rows that it does
not see comes with them: their place in the table, and two hashes of all columns, by which repeated rows are known.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.parts.deal import ROW, Deal, is_named
from policycliff.rollouts.reading.canonical import PartOfTable, canonical_table
from policycliff.rollouts.reading.derive import require_derivable
from policycliff.rollouts.reading.read import batches
from policycliff.rollouts.reading.rows import RowsRead, grouping_of, row_expressions, rows_of, unusable_in
from policycliff.rollouts.reading.score_columns import Unusable
from policycliff.rollouts.reading.understand import Opened
from policycliff.rollouts.settings import LARGEST_NUMBER
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool

PART = "part"
_HASHES = ("hash_1", "hash_2")


def dealt_batches(
    table: Opened, deal: Deal, rows: int, *, start: int = 0, length: int | None = None
) -> Iterator[pl.DataFrame]:
    """Rows of the table in order, so many at a time, with the part each belongs to.

    Args:
        table: The table.
        deal: How it is dealt.
        rows: About how many rows to give at a time.
        start: The first row to read.
        length: How many rows to read; None for all.

    Raises:
        TableError: A file is broken, a derived column's expression fails on the values, or a score is too large.
    """
    source = table.source
    visible = [pl.col(name) for name in table.original.schema()]
    frame = source.frame if start == 0 and length is None else source.frame.slice(start, length)
    chosen = [
        *row_expressions(source, deal.columns),
        *(pl.struct(visible).hash(position).alias(name) for position, name in enumerate(_HASHES)),
    ]
    numbered = frame.select(chosen).with_row_index(ROW, offset=start)
    try:
        for batch in batches(source, numbered.with_columns(_part(deal).alias(PART)), rows):
            _require_computable(batch, deal)
            yield batch
    except TableError:
        require_derivable(source, deal.settings.derive)
        raise


def table_of_part(
    frame: pl.DataFrame, deal: Deal, index: int, drawn: Bool[np.ndarray, " groups"] | None
) -> RolloutTable:
    """The canonical table of the rows of one part.

    Args:
        frame: The rows, in the order of the table.
        deal: How the table was dealt.
        index: Number of the part.
        drawn: Which of its groups belong to the sample; None for all (or without a sample).
    """
    if deal.repeated is None:
        repeated = len(frame) - frame.select(*_HASHES).n_unique() if len(frame) else 0
    else:
        repeated = deal.repeated if index == 0 else 0
    read = _rows_of_part(frame, deal, repeated=repeated)
    blocks = (1, 0) if is_named(deal.columns) or deal.columns.step.column is not None else (deal.parts, index)
    return canonical_table(deal.columns, read, deal.settings, PartOfTable(drawn, blocks))


def unusable_of_part(frame: pl.DataFrame, deal: Deal) -> list[Unusable]:
    """Scores of the reward columns and the truth that are not usable, in groups of the part."""
    read = _rows_of_part(frame, deal)
    return unusable_in(deal.columns, read, grouping_of(deal.columns, read, deal.settings))


def _rows_of_part(frame: pl.DataFrame, deal: Deal, *, repeated: int = 0) -> RowsRead:
    return rows_of(frame, deal.columns, repeated=repeated, positions=frame[ROW].to_numpy().astype(np.int64))


def _part(deal: Deal) -> pl.Expr:
    """The part of a row; rows without a name belong to no group and are spread, equal ones to the same part."""
    columns, row = deal.columns, pl.col(ROW).cast(pl.UInt64)
    name = columns.group.column or columns.prompt.column
    if name is None and columns.step.column is None:
        return row // (deal.settings.group_size or 1) % deal.parts
    key = pl.col(f"l:{name or columns.step.column}")
    # No step is a step like any other.
    nameless = pl.lit(0, dtype=pl.UInt64) if name is None else pl.col(_HASHES[0])
    return pl.when(key.is_null()).then(nameless).otherwise(key.hash(0)) % deal.parts


def _require_computable(batch: pl.DataFrame, deal: Deal) -> None:
    """Refuse a score that is too large, in the order of the table; no narrower type can hold one."""
    columns = [batch[f"s:{name}"] for name in deal.columns.score_names()]
    wide = [column for column in columns if column.dtype == pl.Float64]
    if any((column.is_finite() & (column.abs() > LARGEST_NUMBER)).any() for column in wide):
        _rows_of_part(batch, deal)
