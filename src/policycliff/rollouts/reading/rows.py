"""The rows of a table, read once: labels as they are, scores as float64."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.columns import Columns, Role
from policycliff.rollouts.reading.delimited import TEXT_PREFIX
from policycliff.rollouts.reading.derive import require_derivable
from policycliff.rollouts.reading.duplicates import count_repeated_rows
from policycliff.rollouts.reading.groups import Grouping, group_rows
from policycliff.rollouts.reading.read import TableSource, collect
from policycliff.rollouts.reading.score_columns import RawScores, Unusable, read_scores, unusable_scores
from policycliff.rollouts.settings import AuditSettings
from policycliff.shapes import Int64


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The columns as read, by column name.

    Attributes:
        n_rows: Number of rows.
        positions: (rows,) place of each in the whole table, counted from 0; None for a table that is read whole.
        labels: Columns read as text or as names.
        scores: Columns read as numbers.
        repeated: Rows that equal an earlier row in every column of the table.
    """

    n_rows: int
    labels: dict[str, pl.Series]
    scores: dict[str, RawScores]
    repeated: int
    positions: Int64[np.ndarray, " rows"] | None = None

    def label(self, role: Role) -> pl.Series | None:
        """The column that plays a part, None where none does."""
        return None if role.column is None else self.labels[role.column]


def read_rows(original: TableSource, source: TableSource, columns: Columns, settings: AuditSettings) -> RowsRead:
    """Read the columns that play a part.

    Args:
        original: The table as opened.
        source: The table with its derived columns.
        columns: Which column plays which part.
        settings: For the derived columns' expressions.

    Raises:
        TableError: No rows, a broken file, an expression that fails, or a score column that holds no numbers.
    """
    try:
        frame = collect(source, row_expressions(source, columns))
    except TableError:
        require_derivable(source, settings.derive)
        raise
    if frame.is_empty():
        raise TableError(f"{source.description} has columns but no rows.")
    return rows_of(frame, columns, repeated=count_repeated_rows(original, frame))


def row_expressions(source: TableSource, columns: Columns) -> list[pl.Expr]:
    """The columns that play a part, under names that `rows_of` knows."""
    labels = [label_expression(source, name, columns).alias(f"l:{name}") for name in columns.label_names()]
    return [*labels, *(pl.col(name).alias(f"s:{name}") for name in columns.score_names())]


def rows_of(
    frame: pl.DataFrame, columns: Columns, *, repeated: int, positions: Int64[np.ndarray, " rows"] | None = None
) -> RowsRead:
    """The rows of a frame that `row_expressions` chose.

    Raises:
        TableError: A score column holds no numbers, or one too large to compute with.
    """
    labels = {name: frame[f"l:{name}"].alias(name) for name in columns.label_names()}
    scores = {
        name: read_scores(frame[f"s:{name}"].alias(name), role=role, positions=positions)
        for name, role in score_roles(columns).items()
    }
    return RowsRead(len(frame), labels, scores, repeated, positions)


def score_roles(columns: Columns) -> dict[str, str]:
    """What every column that is read as numbers is, in plain words."""
    roles = {name: "reward" for name, _ in columns.rewards}
    roles |= {name: "rerun" for _, name in columns.reruns}
    roles |= {} if columns.truth.column is None else {columns.truth.column: "truth"}
    return {name: roles.get(name, "numeric") for name in columns.score_names()}


def label_expression(source: TableSource, name: str, columns: Columns) -> pl.Expr:
    """A column as names: the original text of a CSV column, but for the step, which is a number; NaN is no step.

    Raises:
        TableError: The step column holds what no step can be.
    """
    if name == columns.step.column:
        dtype = source.schema()[name]
        if dtype.is_nested() or dtype in (pl.Binary, pl.Duration):
            raise TableError(f"step column {name!r} holds {dtype}. Give a column of numbers, dates or texts.")
        return pl.col(name).fill_nan(None) if dtype.is_float() else pl.col(name)
    return pl.col(TEXT_PREFIX + name) if source.has_text_of(name) else pl.col(name)


def grouping_of(columns: Columns, read: RowsRead, settings: AuditSettings) -> Grouping:
    """The group of every row.

    Raises:
        TableError: Nothing says which rows belong together.
    """
    name = read.label(columns.group)
    if name is None:
        name = read.label(columns.prompt)
    step = read.label(columns.step)
    if name is None and settings.group_size is None:
        raise TableError(
            "nothing says which rows belong together. Give the prompt column, a group column, or group_size if the "
            f"groups are consecutive blocks of rows. The columns read were: {', '.join([*read.labels, *read.scores])}."
        )
    keys = [column for column in (step, name) if column is not None]
    required = 0 if name is None else 1
    return group_rows(keys, n_rows=read.n_rows, required=required, group_size=settings.group_size)


def unusable_in(columns: Columns, read: RowsRead, grouping: Grouping) -> list[Unusable]:
    """Scores of the reward columns and the truth that are not usable, in rows of a group."""
    names = [name for name, _ in columns.rewards] + ([] if columns.truth.column is None else [columns.truth.column])
    return unusable_scores(tuple(read.scores[name] for name in names), grouping.group >= 0, read.positions)
