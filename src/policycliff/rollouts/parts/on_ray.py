"""A table in parts on a Ray cluster: what one machine cannot hold.

The files are read by the workers: every node must reach them under the same path, and needs policycliff and Polars in
the same versions. What memory cannot hold, Ray spills to the disks of the nodes; a task whose worker dies is run again.
This process keeps the figures alone, whose long lists it puts on its own disk.

Guarantee: the figures are those of as many parts on disk, to the bit: parts are added up in their order.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from policycliff.ray_cluster import RETRIES, connected_ray, processors, result_of, task_of
from policycliff.rollouts.parts.deal import Deal
from policycliff.rollouts.parts.parts import Task, drawn_groups, first_rows_of
from policycliff.rollouts.parts.ray_data import REMEDY
from policycliff.rollouts.parts.scatter import PART, dealt_batches, table_of_part
from policycliff.rollouts.parts.scatter_on_ray import PackedPart, packed_parts, unpacked
from policycliff.rollouts.parts.spill import spilled, temporary_folder
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.reading.size import TableSize
from policycliff.rollouts.reading.understand import Opened
from policycliff.rollouts.rewards import rewards_of
from policycliff.rollouts.table import RolloutTable, SkippedRows
from policycliff.shapes import Bool

TASKS_A_PROCESSOR = 2
"""Tasks handed out for each processor: one that runs, one that waits."""

_Work = Callable[[RolloutTable, Any], Any]


@dataclass(frozen=True, slots=True)
class Dealt:
    """What is the same in all parts.

    Attributes:
        deal: How the table was dealt.
        empty: No rows, with the columns of all parts.
        skipped: What the format's reader left out.
    """

    deal: Deal
    empty: pl.DataFrame
    skipped: tuple[SkippedRows, ...]


@dataclass(frozen=True, slots=True)
class PartsOnRay:
    """A table dealt to blocks of a cluster.

    Attributes:
        ray: The package, connected.
        dealt: What is the same in all parts.
        packed: Where the rows of each part are; parts without rows are left out.
        folder: Where figures are kept, on this machine.
        drawn: For each part, which of its groups belong to the sample; None without a sample.
        executor: `ray`.
    """

    ray: Any
    dealt: Dealt
    packed: dict[int, PackedPart]
    folder: Path
    drawn: tuple[Bool[np.ndarray, " groups"], ...] | None = None
    executor: str = "ray"

    @property
    def count(self) -> int:
        """Number of parts."""
        return self.dealt.deal.parts

    @property
    def rows(self) -> int:
        """Number of rows read."""
        return sum(part.rows for part in self.packed.values())

    def each(self, task: Task, arguments: Sequence[Any]) -> Iterator[Any]:
        """The task's result for every part, in their order."""
        weights = dict(self.dealt.deal.columns.rewards)
        return self.each_table(partial(_with_rewards, task=task, weights=weights, deal=self.dealt.deal), arguments)

    def each_table(self, work: _Work, arguments: Sequence[Any]) -> Generator[Any, None, None]:
        """The result of `work(table, argument)` for every part, in their order; a few of them are under way.

        What is left after an error or an interrupt is cancelled.
        """
        shared = self.ray.put((self.dealt, work))
        left = iter(enumerate(arguments))
        waiting: deque[tuple[int, Any]] = deque()
        limit = TASKS_A_PROCESSOR * processors(self.ray)
        try:
            for index, argument in left:
                waiting.append((index, self._start(shared, index, argument)))
                if len(waiting) == limit:
                    yield self._oldest(waiting)
            while waiting:
                yield self._oldest(waiting)
        finally:
            for _, reference in waiting:
                self.ray.cancel(reference)

    def keep(self, tree: Any, name: str) -> Any:
        """A part's figures, their long lists on this machine's disk."""
        return spilled(tree, self.folder / name)

    def _start(self, shared: Any, index: int, argument: Any) -> Any:
        drawn = None if self.drawn is None else self.drawn[index]
        part = self.packed.get(index)
        block, row = (None, 0) if part is None else (part.block, part.row)
        return task_of(_on_part, RETRIES).remote(shared, block, index, argument, row=row, drawn=drawn)

    def _oldest(self, waiting: deque[tuple[int, Any]]) -> Any:
        index, reference = waiting[0]
        work = f"part {index + 1} of {self.count}"
        found = result_of(self.ray, reference, work, tries=RETRIES + 1, remedy=REMEDY)
        waiting.popleft()
        return found


@contextmanager
def parts_on_ray(
    found: Opened, deal: Deal, size: TableSize, folder: Path | None, report: Progress
) -> Iterator[PartsOnRay]:
    """Deal a table of files to parts on the cluster.

    Raises:
        TableError: A file is broken.
        InvalidInputError: The temporary folder cannot be written.
        WorkerLostError: Work was given up, as each worker that took it died.
    """
    ray = connected_ray()
    one_row = next(dealt_batches(found, deal, 1, start=0, length=1))
    dealt = Dealt(deal, one_row.drop(PART).clear(), found.source.skipped)
    packed = packed_parts(ray, found, deal, size, report)
    with temporary_folder(folder) as place:
        parts = PartsOnRay(ray, dealt, packed, place)
        yield parts if deal.settings.sample is None else _sampled(parts, deal.settings.sample)


def _sampled(parts: PartsOnRay, size: int) -> PartsOnRay:
    deal = parts.dealt.deal
    every = replace(deal, settings=replace(deal.settings, sample=None))
    whole = replace(parts, dealt=replace(parts.dealt, deal=every))
    first_rows = list(whole.each_table(_first_rows, [None] * parts.count))
    return replace(parts, drawn=drawn_groups(first_rows, size, deal.settings.seed))


def _on_part(
    shared: tuple[Dealt, _Work],
    block: Any,
    index: int,
    argument: Any,
    *,
    row: int,
    drawn: Bool[np.ndarray, " groups"] | None,
) -> Any:
    """On a worker: the table of a part, and the work on it."""
    dealt, work = shared
    frame = dealt.empty if block is None else pl.concat(unpacked(block, row))
    table = table_of_part(frame.rechunk(), dealt.deal, index, drawn)
    if index == 0:
        table = replace(table, skipped=(*dealt.skipped, *table.skipped))
    return work(table, argument)


def _with_rewards(table: RolloutTable, argument: Any, *, task: Task, weights: dict[str, float], deal: Deal) -> Any:
    return task(table, rewards_of(table, weights, deal.settings), argument)


def _first_rows(table: RolloutTable, _argument: None) -> np.ndarray:
    return first_rows_of(table)
