"""How a table is understood, without a figure: what `--dry-run` shows."""

from typing import Any

import numpy as np

from policycliff.rollouts.reading.glance import glance
from policycliff.rollouts.reading.load import LoadedRollouts, load_opened
from policycliff.rollouts.reading.size import size_of
from policycliff.rollouts.reading.understand import opened
from policycliff.rollouts.settings import AuditSettings


def recognise(table: object, settings: AuditSettings) -> dict[str, Any]:
    """Columns with the reason for each, groups with their sizes, what is left out and why; as JSON types.

    Of a table larger than memory, what needs all its texts and scores is None.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "b"], "reward": [1.0, 0.0]})
    >>> found = recognise(frame, AuditSettings())
    >>> found["prompts"], found["columns"]["completion"]
    (1, {'column': 'completion', 'origin': 'guessed'})

    Raises:
        PolicyCliffError: As `load_rollouts`.
    """
    found = opened(table, settings)
    return _recognised(load_opened(found)) if size_of(found.source).fits_in_memory else glance(found)


def _recognised(loaded: LoadedRollouts) -> dict[str, Any]:
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
        "notes": list(loaded.notes),
    }
