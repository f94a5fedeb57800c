"""How a table is understood, without a figure: what `--dry-run` shows."""

from dataclasses import replace
from typing import Any

import numpy as np

from policycliff.rollouts.reading.load import load_opened
from policycliff.rollouts.reading.size import MOST_ROWS_IN_MEMORY, size_of
from policycliff.rollouts.reading.understand import opened
from policycliff.rollouts.settings import AuditSettings


def recognise(table: object, settings: AuditSettings) -> dict[str, Any]:
    """Columns with the reason for each, groups with their sizes, what is left out and why; as JSON types.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "b"], "reward": [1.0, 0.0]})
    >>> found = recognise(frame, AuditSettings())
    >>> found["prompts"], found["columns"]["completion"]
    (1, {'column': 'completion', 'origin': 'guessed'})

    Raises:
        PolicyCliffError: As `load_rollouts`.
    """
    found = opened(table, settings)
    shown = found
    notes: list[str] = []
    if not size_of(found.source).fits_in_memory:
        beginning = replace(found.source, frame=found.source.frame.head(MOST_ROWS_IN_MEMORY))
        original = replace(found.original, frame=found.original.frame.head(MOST_ROWS_IN_MEMORY))
        shown = replace(found, source=beginning, original=original)
        notes = [f"a large table: only its first {MOST_ROWS_IN_MEMORY:,} rows were looked at."]
    loaded = load_opened(shown)
    rollouts = loaded.table
    sizes = np.diff(rollouts.offsets)
    scored = (*rollouts.rewards, *([] if rollouts.truth is None else [rollouts.truth]))
    return {
        "source": loaded.source,
        "format": loaded.format,
        "recognised_by": loaded.recognised_by,
        "rows_read": loaded.rows_read,
        "columns": loaded.columns,
        "prompts": rollouts.n_groups,
        "completions": rollouts.n_rows,
        "behaviours": int(rollouts.behaviour[-1]) + 1,
        "group_sizes": {"min": int(sizes.min()), "median": float(np.median(sizes)), "max": int(sizes.max())},
        "single_completion_prompts": int((sizes == 1).sum()),
        "duplicate_rows": rollouts.duplicate_rows,
        "unusable_scores": {
            column.name: {"missing": column.missing, "nan": column.nan, "infinite": column.infinite}
            for column in scored
        },
        "skipped": [{"reason": item.reason, "count": item.count, "unit": item.unit} for item in rollouts.skipped],
        "notes": [*notes, *loaded.notes],
    }
