"""How a table larger than memory is understood: its columns, and the sizes of its groups by a hash of their names."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.reading.about import column_notes, size_notes
from policycliff.rollouts.reading.columns import Columns
from policycliff.rollouts.reading.load import described_columns
from policycliff.rollouts.reading.read import TableSource, batches
from policycliff.rollouts.reading.rows import label_expression
from policycliff.rollouts.reading.settle import counts_of_source, settle
from policycliff.rollouts.reading.understand import Opened
from policycliff.shapes import Int64

_ROWS_A_BATCH = 500_000
_NOTE = "a large table: behaviours, repeated rows and missing scores are counted by the audit itself."


def glance(found: Opened) -> dict[str, Any]:
    """What `recognise` gives, without what needs more than the columns that name the groups: None for that.

    Raises:
        PolicyCliffError: As `policycliff.rollouts.reading.load.load_rollouts`.
    """
    source, settings = found.source, found.settings
    values = counts_of_source(source, found.columns)
    columns = settle(found.columns, values)
    described = described_columns(columns, settings, found.fixed)
    sizes = _group_sizes(source, columns, settings.group_size)
    tally = Counter(sizes.tolist())
    return {
        "source": source.description,
        "format": source.format,
        "recognised_by": source.recognised_by,
        "rows_read": values.n_rows,
        "columns": described,
        "prompts": len(sizes),
        "completions": int(sizes.sum()),
        "behaviours": None,
        "group_sizes": {
            "min": int(sizes.min(initial=values.n_rows)),
            "median": float(np.median(sizes)) if len(sizes) else 0.0,
            "max": int(sizes.max(initial=0)),
        },
        "single_completion_prompts": tally.get(1, 0),
        "duplicate_rows": None,
        "unusable_scores": None,
        "skipped": [{"reason": item.reason, "count": item.count, "unit": item.unit} for item in source.skipped],
        "notes": [_NOTE, *source.notes, *columns.notes, *column_notes(columns), *size_notes(tally, described)],
    }


def _group_sizes(source: TableSource, columns: Columns, group_size: int | None) -> Int64[np.ndarray, " groups"]:
    """Rows of every group; those in no group are left out."""
    name = columns.group.column or columns.prompt.column
    keys = [key for key in (columns.step.column, name) if key is not None]
    hashed = [label_expression(source, key, columns).hash(place).alias(str(place)) for place, key in enumerate(keys)]
    key = pl.struct(hashed).hash(0) if keys else pl.repeat(0, pl.len())
    rows = source.frame if name is None else source.frame.filter(pl.col(name).is_not_null())
    query = rows.select(key.alias("key"))
    found = [batch["key"].to_numpy() for batch in batches(source, query, _ROWS_A_BATCH)]
    sizes = np.unique(np.concatenate(found), return_counts=True)[1] if found else np.zeros(0, dtype=np.int64)
    if group_size is None:
        return sizes.astype(np.int64)
    return np.full(int((sizes // group_size).sum()), group_size, dtype=np.int64)
