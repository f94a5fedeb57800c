"""Guesses by name, put to the test of the values.

A column named `uid` may number the rows, one named `task_id` may name a whole benchmark, one named `step` may count the
turns of one conversation. Each such guess is dropped with a note; what the user gives is never second-guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.reading.columns import Columns, Role
from policycliff.rollouts.reading.groups import first_equal
from policycliff.rollouts.reading.read import TableSource, batches, collect
from policycliff.rollouts.reading.rows import RowsRead, label_expression

_ROWS_A_BATCH = 500_000


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """What the guesses are put to the test of.

    Attributes:
        n_rows: Number of rows.
        nulls: Rows without a value in a column.
        distinct: Distinct values of some columns taken together.
    """

    n_rows: int
    nulls: Callable[[str], int]
    distinct: Callable[[tuple[str, ...]], int]


def counts_of_rows(read: RowsRead) -> ValueCounts:
    """Counts of rows that have been read."""

    def distinct(names: tuple[str, ...]) -> int:
        first = first_equal([read.labels[name] for name in names], read.n_rows)
        return int((first == np.arange(read.n_rows)).sum())

    return ValueCounts(read.n_rows, lambda name: read.labels[name].null_count(), distinct)


def counts_of_source(source: TableSource, columns: Columns) -> ValueCounts:
    """Counts without holding the rows, a pass over the table each; values are told apart by a 64-bit hash.

    Raises:
        TableError: A file is broken.
    """

    def ask(question: pl.Expr) -> int:
        return int(collect(source, [question]).item())

    def distinct(names: tuple[str, ...]) -> int:
        values_of = [label_expression(source, name, columns) for name in names]
        hashed = pl.struct(item.hash(place).alias(str(place)) for place, item in enumerate(values_of)).hash(0)
        found = batches(source, source.frame.select(hashed.alias("hash")), _ROWS_A_BATCH)
        values = np.concatenate([batch["hash"].to_numpy() for batch in found])
        values.sort()
        return int((np.diff(values) != 0).sum()) + 1

    return ValueCounts(ask(pl.len()), lambda name: ask(pl.col(name).null_count()), distinct)


def settle(columns: Columns, values: ValueCounts) -> Columns:
    """The columns, once the values have had their say on the guesses."""
    return _settle_step(_settle_group(_without_empty(columns, values), values), values)


def _without_empty(columns: Columns, values: ValueCounts) -> Columns:
    """Drop guessed text columns that hold nothing."""
    guessed = {role: getattr(columns, role) for role in ("prompt", "completion", "source")}
    empty: dict[str, Any] = {
        role: Role()
        for role, column in guessed.items()
        if column.origin == "guessed" and values.nulls(column.column) == values.n_rows
    }
    return replace(columns, **empty)


def _settle_group(columns: Columns, values: ValueCounts) -> Columns:
    """The first guess that repeats, and whose groups do not mix prompts."""
    if columns.group.origin != "guessed":
        return columns
    notes = list(columns.notes)
    for name in columns.group_guesses:
        fault = _fault_of_group(name, columns.prompt.column, values)
        if fault is None:
            return replace(columns, group=Role(name, "guessed"), notes=tuple(notes))
        notes.append(f"{name!r} {fault}, so it is not taken for the group.")
    return replace(columns, group=Role(), notes=tuple(notes))


def _fault_of_group(group: str, prompt: str | None, values: ValueCounts) -> str | None:
    n_groups = values.distinct((group,))
    if values.nulls(group) == values.n_rows:
        return "is empty"
    if n_groups == values.n_rows and values.n_rows > 1:
        return "differs in every row"
    if prompt is None or n_groups == values.n_rows:
        return None
    n_prompts = values.distinct((group, prompt))
    mixes = n_prompts > n_groups and 2 * n_prompts <= values.n_rows
    return "holds several prompts a value" if mixes else None


def _settle_step(columns: Columns, values: ValueCounts) -> Columns:
    step = columns.step.column
    if step is None or columns.step.origin != "guessed":
        return columns
    if values.distinct((step,)) == 1:
        return replace(columns, step=Role())
    name = columns.group.column or columns.prompt.column
    splits_all = name is not None and values.distinct((step, name)) == values.n_rows
    if name is None or not splits_all or values.distinct((name,)) == values.n_rows:
        return columns
    note = f"{step!r} would leave one completion a group, so it is not taken for the training step."
    return replace(columns, step=Role(), notes=(*columns.notes, note))
