"""From any table of rollouts to the canonical `RolloutTable`: read, name the columns, group, number the behaviours.

Only the columns that play a part are read. Cost: linear in rows; about three times the text's size in memory at most.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policycliff.errors import TableError
from policycliff.rollouts.reading.about import AboutTable, column_notes, size_notes
from policycliff.rollouts.reading.canonical import canonical_table
from policycliff.rollouts.reading.columns import Columns
from policycliff.rollouts.reading.understand import Opened, opened, read_opened
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable, SkippedRows


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRollouts(AboutTable):
    """A table of rollouts, ready to audit, and how it was understood.

    Attributes:
        table: The rows in canonical form.
        size_notes: What the sizes of the groups suggest.
    """

    table: RolloutTable
    size_notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """All that is worth knowing."""
        return (*self.column_notes, *self.size_notes)


def load_rollouts(table: object, settings: AuditSettings) -> LoadedRollouts:
    """Load a table for the audit.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "b"], "reward": [1.0, 0.0]})
    >>> loaded = load_rollouts(frame, AuditSettings())
    >>> loaded.table.n_groups, loaded.rewards
    (1, (('reward', 1.0),))

    Args:
        table: A path, directory or pattern, or a Polars, pandas, Arrow or Hugging Face table.
        settings: What the audit is asked.

    Raises:
        SourceNotFoundError: The path matches nothing.
        TableError: The table is empty or broken, lacks a column, or leaves no row to audit.
        InvalidInputError: The settings contradict each other or the table.
        MissingExtraError: A pandas or Arrow table without the libraries to read it.
    """
    return load_opened(opened(table, settings))


def load_opened(table: Opened) -> LoadedRollouts:
    """As `load_rollouts`, of a table that is open."""
    found = read_opened(table)
    columns, settings = found.columns, found.settings
    rollouts = canonical_table(columns, found.read, settings)
    rollouts = replace(rollouts, skipped=(*found.source.skipped, *rollouts.skipped))
    if not rollouts.n_rows:
        raise nothing_left(found.read.n_rows, rollouts.skipped)
    described = described_columns(columns, settings, found.fixed)
    sizes = dict(enumerate(np.bincount(np.diff(rollouts.offsets)).tolist()))
    notes = (*found.source.notes, *columns.notes, *column_notes(columns))
    return LoadedRollouts(
        table=rollouts,
        columns=described,
        rewards=columns.rewards,
        settings=settings,
        source=found.source.description,
        format=found.source.format,
        recognised_by=found.source.recognised_by,
        rows_read=found.read.n_rows,
        column_notes=notes,
        size_notes=size_notes({size: prompts for size, prompts in sizes.items() if prompts}, described),
    )


def nothing_left(rows: int, skipped: Iterable[SkippedRows]) -> TableError:
    """The error of a table that has rows, but none to audit."""
    ordered = sorted(skipped, key=lambda item: (-item.count, item.reason))
    reasons = "; ".join(f"{item.count} {item.unit}: {item.reason}" for item in ordered)
    return TableError(f"no row is left to audit of {rows}. {reasons}.")


def _size_origin(settings: AuditSettings, fixed: Mapping[str, Any]) -> str:
    if settings.group_size is None:
        return "absent"
    return "format" if "group_size" in fixed else "given"


def described_columns(columns: Columns, settings: AuditSettings, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Every role with its column, and whether the user gave it, the format fixes it, or it was guessed."""
    roles = ("prompt", "group", "step", "completion", "source", "behaviour", "truth")
    described: dict[str, Any] = {role: getattr(columns, role).to_dict() for role in roles}
    for role in set(roles) & set(fixed):
        described[role]["origin"] = "format"
    described["group"]["size"] = settings.group_size
    described["group"]["size_origin"] = _size_origin(settings, fixed)
    origin = "format" if "rewards" in fixed else columns.rewards_origin
    described["rewards"] = [{"column": name, "origin": origin, "weight": weight} for name, weight in columns.rewards]
    described["reruns"] = [{"column": name, "origin": "given", "reward": reward} for reward, name in columns.reruns]
    described["candidates"] = list(columns.candidates)
    described["derived"] = dict(settings.derive)
    return described
