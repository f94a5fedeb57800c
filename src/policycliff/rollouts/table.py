"""Rollouts in canonical form: rows sorted by group, scores as arrays, behaviours numbered.

A prompt with its completions is one state of a bandit (gamma = 0): its behaviours are the actions. The rows of one
group stand next to each other; `offsets` marks where groups begin (as in CSR), so that every figure of the audit is a
segment reduction, linear in the number of rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.shapes import Float64, Int64


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """Rows or prompts left out of the audit, or worth knowing of, with the reason in plain words."""

    reason: str
    count: int
    unit: str = "rows"


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """One numeric column of the table, aligned with the sorted rows; NaN marks a score that is not usable.

    `missing` counts nulls, `nan` NaNs and `infinite` infinities over all rows read, also those left out.
    """

    name: str
    scores: Float64[np.ndarray, " rows"]
    missing: int = 0
    nan: int = 0
    infinite: int = 0


@dataclass(frozen=True, slots=True)
class RolloutTable:
    """A validated table of rollouts.

    Attributes:
        offsets: (groups + 1,) first row of each group, groups in order of appearance.
        row_index: (rows,) position of each row in the table as read, counted from 0.
        behaviour: (rows,) number of the row's behaviour, counted from 0 over the whole table; rows of one group with
            equal behaviours share it, rows of different groups never do, and it never decreases along the rows.
        text: (rows,) number of the row's text under the same rules; None without a completion column. Only the
            equality of numbers within a group means anything, and the numbers need not be sorted.
        rewards: Reward columns in the order of the settings.
        truth: The column that is not trained on, or None.
        reruns: Second scores, by reward name.
        candidates: Other numeric columns of the table: possible tie-breakers.
        source: (rows,) number of the row's source model (-1 for null), or None without a source column.
        frame: The rows in sorted order with the text columns that the report shows; columns `__prompt_id` (String,
            the name of the group), and, where the table has them, `__prompt`, `__completion`, `__behaviour`,
            `__source`, `__step`.
        duplicate_rows: Rows that repeat another row in every column (kept: they are draws).
        skipped: What was left out, with reasons.
    """

    offsets: Int64[np.ndarray, " groups_plus_1"]
    row_index: Int64[np.ndarray, " rows"]
    behaviour: Int64[np.ndarray, " rows"]
    text: Int64[np.ndarray, " rows"] | None
    rewards: tuple[ScoreColumn, ...]
    truth: ScoreColumn | None
    reruns: dict[str, ScoreColumn]
    candidates: tuple[ScoreColumn, ...]
    source: Int64[np.ndarray, " rows"] | None
    frame: pl.DataFrame
    duplicate_rows: int
    skipped: tuple[SkippedRows, ...]

    @property
    def n_groups(self) -> int:
        """Number of prompts (groups)."""
        return len(self.offsets) - 1

    @property
    def n_rows(self) -> int:
        """Number of completions kept."""
        return len(self.row_index)
