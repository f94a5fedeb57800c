"""How a table is dealt to parts: what must be asked of all its rows before."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.columns import Columns, is_numeric
from policycliff.rollouts.reading.derive import require_derivable
from policycliff.rollouts.reading.read import TableSource, batches
from policycliff.rollouts.reading.rows import score_roles
from policycliff.rollouts.reading.score_columns import read_scores
from policycliff.rollouts.reading.settle import counts_of_source, settle
from policycliff.rollouts.reading.understand import Opened
from policycliff.rollouts.settings import AuditSettings

ROW = "row"


@dataclass(frozen=True, slots=True)
class Deal:
    """How a table is dealt.

    Attributes:
        columns: Which column plays which part, the values having had their say.
        settings: What the audit is asked.
        parts: Number of parts.
        repeated: Rows that repeat another one, where equal rows may be in different parts; None where they are not.
    """

    columns: Columns
    settings: AuditSettings
    parts: int
    repeated: int | None = None


def deal_of(table: Opened, parts: int) -> Deal:
    """How a table is dealt.

    Raises:
        TableError: The table has no rows, a file is broken, or a score column holds no numbers.
    """
    values = counts_of_source(table.source, table.columns)
    if not values.n_rows:
        raise TableError(f"{table.source.description} has columns but no rows.")
    columns = settle(table.columns, values)
    require_numbers(table.source, columns, table.settings)
    repeated = None
    if not is_named(columns) and columns.step.column is None:
        repeated = values.n_rows - values.distinct(tuple(table.original.schema()))
    return Deal(columns, table.settings, parts, repeated)


def is_named(columns: Columns) -> bool:
    """Whether a column names the groups."""
    return columns.group.column is not None or columns.prompt.column is not None


def require_numbers(source: TableSource, columns: Columns, settings: AuditSettings) -> None:
    """Refuse a score column of another type by the first row of the table that is no number.

    Raises:
        TableError: There is one.
    """
    schema = source.schema()
    for name, role in score_roles(columns).items():
        if is_numeric(schema[name]):
            continue
        told = pl.col(name).is_not_null()
        odd = told & pl.col(name).cast(pl.Float64, strict=False).is_null() if schema[name] == pl.String else told
        for condition in (odd, told):
            found = source.frame.select(name).with_row_index(ROW).filter(condition).head(1)
            for first in _read(source, found, settings):
                read_scores(first[name], role=role, positions=first[ROW].to_numpy().astype(np.int64))


def _read(source: TableSource, frame: pl.LazyFrame, settings: AuditSettings) -> list[pl.DataFrame]:
    try:
        return list(batches(source, frame, 1))
    except TableError:
        require_derivable(source, settings.derive)
        raise
