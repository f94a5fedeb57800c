"""Which rows a figure is computed from: the prompts that have at least two usable completions, and their behaviours."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from policycliff.rollouts.segments import segment_of, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Int64


@dataclass(frozen=True)
class Layout:
    """Rows, behaviours and prompts as nested segments.

    Without slots, so that what is derived from them is computed once and kept.

    Attributes:
        rows: (rows,) row numbers in the table.
        prompts: (prompts,) group numbers in the table.
        row_offsets: (prompts + 1,) first row of each prompt.
        behaviour_offsets: (prompts + 1,) first behaviour of each prompt.
        draw_offsets: (behaviours + 1,) first row of each behaviour.
        prompt_of_row: (rows,) position of the row's prompt in `prompts`.
        prompt_of_behaviour: (behaviours,) position of the behaviour's prompt in `prompts`.
    """

    rows: Int64[np.ndarray, " rows"]
    prompts: Int64[np.ndarray, " prompts"]
    row_offsets: Int64[np.ndarray, " prompts_plus_1"]
    behaviour_offsets: Int64[np.ndarray, " prompts_plus_1"]
    draw_offsets: Int64[np.ndarray, " behaviours_plus_1"]
    prompt_of_row: Int64[np.ndarray, " rows"]
    prompt_of_behaviour: Int64[np.ndarray, " behaviours"]

    @property
    def n_prompts(self) -> int:
        """Number of prompts with at least two usable completions."""
        return len(self.prompts)

    @cached_property
    def draws(self) -> Int64[np.ndarray, " behaviours"]:
        """How many completions show each behaviour."""
        return np.diff(self.draw_offsets)

    @cached_property
    def group_sizes(self) -> Int64[np.ndarray, " prompts"]:
        """Usable completions of each prompt."""
        return np.diff(self.row_offsets)

    @cached_property
    def n_behaviours(self) -> Int64[np.ndarray, " prompts"]:
        """Distinct behaviours of each prompt."""
        return np.diff(self.behaviour_offsets)


def layout_of(table: RolloutTable, usable: Bool[np.ndarray, " rows"]) -> Layout:
    """Layout of the usable rows; prompts with fewer than two of them are left out (a bandit of one arm has no gap)."""
    group_of_row = segment_of(table.offsets)
    usable_per_group = segment_sum(usable, table.offsets) if table.n_rows else np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(usable & (usable_per_group >= 2)[group_of_row])
    group, behaviour = group_of_row[rows], table.behaviour[rows]
    new_prompt = _changes(group)
    new_behaviour = _changes(behaviour)
    draw_starts = np.flatnonzero(new_behaviour)
    prompt_of_row = np.cumsum(new_prompt) - 1
    prompt_of_behaviour = prompt_of_row[draw_starts]
    return Layout(
        rows=rows,
        prompts=group[new_prompt],
        row_offsets=np.append(np.flatnonzero(new_prompt), len(rows)),
        behaviour_offsets=np.append(np.flatnonzero(_changes(prompt_of_behaviour)), len(draw_starts)),
        draw_offsets=np.append(draw_starts, len(rows)),
        prompt_of_row=prompt_of_row,
        prompt_of_behaviour=prompt_of_behaviour,
    )


def _changes(values: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """True at the first value and wherever a value differs from the one before."""
    changes = np.ones(len(values), dtype=bool)
    changes[1:] = values[1:] != values[:-1]
    return changes
