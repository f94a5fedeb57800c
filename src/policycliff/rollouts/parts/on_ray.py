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
from policycliff.rollouts.parts.scatter import PART, dealt_batches, table_of_part, unusable_of_part
from policycliff.rollouts.parts.scatter_on_ray import PackedPart, packed_parts, unpacked
from policycliff.rollouts.parts.spill import spilled, temporary_folder
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.reading.score_columns import Unusable, require_complete, together
from policycliff.rollouts.reading.size import TableSize
from policycliff.rollouts.reading.understand import Opened
from policycliff.rollouts.rewards import rewards_of
from policycliff.rollouts.table import SkippedRows
from policycliff.shapes import Bool

TASKS_A_PROCESSOR = 2
"""Tasks handed out for each processor: one that runs, one that waits."""


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


_Work = Callable[[Dealt, int, pl.DataFrame, Any], Any]
"""Work on the rows of one part: `work(dealt, index, frame, argument)`."""


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
        drawn = self.drawn or [None] * self.count
        return self.each_frame(partial(_task_on_part, task=task), list(zip(arguments, drawn, strict=True)))

    def each_frame(self, work: _Work, arguments: Sequence[Any]) -> Generator[Any, None, None]:
        """The result of the work for every part, in their order; a few of them are under way.

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
        part = self.packed.get(index)
        block, row = (None, 0) if part is None else (part.block, part.row)
        return task_of(_on_part, RETRIES).remote(shared, block, index, argument, row=row)

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
        nothing = [None] * deal.parts
        if deal.settings.missing == "error":
            # A part would count its own only.
            require_complete(together(parts.each_frame(_unusable, nothing)))
        if deal.settings.sample is not None:
            first_rows = list(parts.each_frame(_first_rows, nothing))
            parts = replace(parts, drawn=drawn_groups(first_rows, deal.settings.sample, deal.settings.seed))
        yield parts


def _on_part(shared: tuple[Dealt, _Work], block: Any, index: int, argument: Any, *, row: int) -> Any:
    """On a worker: the rows of a part, and the work on them."""
    dealt, work = shared
    frame = dealt.empty if block is None else pl.concat(unpacked(block, row))
    return work(dealt, index, frame.rechunk(), argument)


def _task_on_part(
    dealt: Dealt,
    index: int,
    frame: pl.DataFrame,
    argument: tuple[Any, Bool[np.ndarray, " groups"] | None],
    *,
    task: Task,
) -> Any:
    given, drawn = argument
    table = table_of_part(frame, dealt.deal, index, drawn)
    if index == 0:
        table = replace(table, skipped=(*dealt.skipped, *table.skipped))
    return task(table, rewards_of(table, dict(dealt.deal.columns.rewards), dealt.deal.settings), given)


def _first_rows(dealt: Dealt, index: int, frame: pl.DataFrame, _argument: None) -> np.ndarray:
    """Of all groups: none is drawn yet."""
    every = replace(dealt.deal, settings=replace(dealt.deal.settings, sample=None))
    return first_rows_of(table_of_part(frame, every, index, None))


def _unusable(dealt: Dealt, _index: int, frame: pl.DataFrame, _argument: None) -> list[Unusable]:
    return unusable_of_part(frame, dealt.deal)
