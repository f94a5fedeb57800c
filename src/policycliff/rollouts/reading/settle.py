"""Guesses by name, put to the test of the values.

A column named `uid` may number the rows, one named `task_id` may name a whole benchmark, one named `step` may count the
turns of one conversation. Each such guess is dropped with a note; what the user gives is never second-guessed.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.reading.columns import Columns, Role
from policycliff.rollouts.reading.groups import first_equal
from policycliff.rollouts.reading.rows import RowsRead


def settle(columns: Columns, read: RowsRead) -> Columns:
    """The columns, once the values have had their say on the guesses."""
    return _settle_step(_settle_group(_without_empty(columns, read), read), read)


def _without_empty(columns: Columns, read: RowsRead) -> Columns:
    """Drop guessed text columns that hold nothing."""
    empty: dict[str, Any] = {
        role: Role()
        for role in ("prompt", "completion", "source")
        if getattr(columns, role).origin == "guessed"
        and read.labels[getattr(columns, role).column].null_count() == read.n_rows
    }
    return replace(columns, **empty)


def _settle_group(columns: Columns, read: RowsRead) -> Columns:
    """The first guess that repeats, and whose groups do not mix prompts."""
    if columns.group.origin != "guessed":
        return columns
    notes = list(columns.notes)
    for name in columns.group_guesses:
        fault = _fault_of_group(read.labels[name], read.label(columns.prompt), read.n_rows)
        if fault is None:
            return replace(columns, group=Role(name, "guessed"), notes=tuple(notes))
        notes.append(f"{name!r} {fault}, so it is not taken for the group.")
    return replace(columns, group=Role(), notes=tuple(notes))


def _fault_of_group(group: pl.Series, prompt: pl.Series | None, n_rows: int) -> str | None:
    n_groups = _distinct([group], n_rows)
    if group.null_count() == n_rows:
        return "is empty"
    if n_groups == n_rows and n_rows > 1:
        return "differs in every row"
    if prompt is None or n_groups == n_rows:
        return None
    n_prompts = _distinct([group, prompt], n_rows)
    mixes = n_prompts > n_groups and 2 * n_prompts <= n_rows
    return "holds several prompts a value" if mixes else None


def _settle_step(columns: Columns, read: RowsRead) -> Columns:
    step = read.label(columns.step)
    if step is None or columns.step.origin != "guessed":
        return columns
    if _distinct([step], read.n_rows) == 1:
        return replace(columns, step=Role())
    name = read.label(columns.group)
    name = read.label(columns.prompt) if name is None else name
    splits_all = name is not None and _distinct([step, name], read.n_rows) == read.n_rows
    if name is None or not splits_all or _distinct([name], read.n_rows) == read.n_rows:
        return columns
    note = f"{columns.step.column!r} would leave one completion a group, so it is not taken for the training step."
    return replace(columns, step=Role(), notes=(*columns.notes, note))


def _distinct(labels: list[pl.Series], n_rows: int) -> int:
    return int((first_equal(labels, n_rows) == np.arange(n_rows)).sum())
