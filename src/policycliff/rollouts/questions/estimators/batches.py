"""Batches: the rows over which some estimators take a mean and a standard deviation. A group lies in one batch."""

from dataclasses import dataclass

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.segments import segment_max, segment_min
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Int64


@dataclass(frozen=True, slots=True)
class Batches:
    """The batch of each row of a layout, counted from 0, and what a batch is, for people."""

    number: Int64[np.ndarray, " rows"]
    origin: str


def batches_by_label(label: Int64[np.ndarray, " rows"], layout: Layout, name: str) -> Int64[np.ndarray, " rows"]:
    """Batches by the label of each row of the layout.

    Raises:
        TableError: A group has rows of two batches.
    """
    if (label < 0).any():
        raise TableError(
            f"{int((label < 0).sum())} rows have no value in the batch column {name!r}. Fill it, or drop the rows."
        )
    torn = segment_min(label, layout.row_offsets) != segment_max(label, layout.row_offsets)
    if torn.any():
        raise TableError(
            f"{int(torn.sum())} of {layout.n_prompts} groups have rows in several batches of {name!r}, but a trainer "
            f"sees a group in one batch. If it is the training step, name it with --step {name}, and groups are cut."
        )
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def batches_of_size(size: int, step: Int64[np.ndarray, " rows"], layout: Layout) -> Int64[np.ndarray, " rows"]:
    """Whole groups in order of appearance, `size` completions a batch; a batch never spans steps.

    A group belongs to the batch in which its first completion falls.
    """
    if size < 2:
        raise InvalidInputError(f"the batch size is a number of completions, at least 2; got {size}.")
    first = layout.row_offsets[:-1]
    step_of_group = step[first]
    order = np.argsort(step_of_group, kind="stable")
    sizes = layout.group_sizes[order]
    before = np.cumsum(sizes) - sizes
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = step_of_group[order][1:] != step_of_group[order][:-1]
    within_step = before - np.maximum.accumulate(np.where(starts, before, 0))
    key = np.empty((len(order), 2), dtype=np.int64)
    key[order] = np.stack([step_of_group[order], within_step // size], axis=1)
    batch_of_group = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return batch_of_group[layout.prompt_of_row]


def step_of_rows(table: RolloutTable, layout: Layout) -> Int64[np.ndarray, " rows"]:
    """Number of the training step of each row of the layout; 0 for all without a step column."""
    if "__step" not in table.frame.columns:
        return np.zeros(len(layout.rows), dtype=np.int64)
    # Groups never span steps, and ranks keep the steps in order.
    rank = table.frame["__step"].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return rank[layout.rows]
