"""A table in parts on disk, one of which is in memory at a time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.parts.deal import Deal
from policycliff.rollouts.parts.parts import THREADS, Task, drawn_groups, first_rows_of
from policycliff.rollouts.parts.scatter import PART, dealt_batches, table_of_part, unusable_of_part
from policycliff.rollouts.parts.spill import spilled, temporary_folder
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.reading.score_columns import require_complete, together
from policycliff.rollouts.reading.size import TableSize
from policycliff.rollouts.reading.understand import Opened
from policycliff.rollouts.rewards import rewards_of
from policycliff.rollouts.table import RolloutTable, SkippedRows
from policycliff.shapes import Bool


@dataclass(frozen=True, slots=True)
class PartsOnDisk:
    """A table dealt to the folders of a temporary folder.

    Attributes:
        folder: Where they are.
        deal: How the table was dealt.
        empty: No rows, with the columns of all parts.
        skipped: What the format's reader left out.
        rows: Number of rows read.
        drawn: For each part, which of its groups belong to the sample; None without a sample.
        executor: `disk`.
    """

    folder: Path
    deal: Deal
    empty: pl.DataFrame
    skipped: tuple[SkippedRows, ...]
    rows: int
    drawn: tuple[Bool[np.ndarray, " groups"], ...] | None = None
    executor: str = "disk"

    @property
    def count(self) -> int:
        """Number of parts."""
        return self.deal.parts

    def each(self, task: Task, arguments: Sequence[Any]) -> Iterator[Any]:
        """The task's result for every part, in their order."""
        weights = dict(self.deal.columns.rewards)

        def done(index: int) -> Any:
            table = self.table(index)
            return task(table, rewards_of(table, weights, self.deal.settings), arguments[index])

        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            yield from pool.map(done, range(self.count))

    def table(self, index: int) -> RolloutTable:
        """The canonical table of one part."""
        drawn = None if self.drawn is None else self.drawn[index]
        table = table_of_part(self.frame(index), self.deal, index, drawn)
        return replace(table, skipped=(*self.skipped, *table.skipped)) if index == 0 else table

    def frame(self, index: int) -> pl.DataFrame:
        """The rows of one part as they were dealt."""
        files = sorted(self.folder.glob(f"part-{index}/*.ipc"))
        return pl.concat([pl.read_ipc(path) for path in files]).rechunk() if files else self.empty

    def keep(self, tree: Any, name: str) -> Any:
        """A part's figures, their long lists on disk."""
        return spilled(tree, self.folder / name)


@contextmanager
def parts_on_disk(
    table: Opened, deal: Deal, size: TableSize, folder: Path | None, report: Progress
) -> Iterator[PartsOnDisk]:
    """Deal a table to parts, which are deleted at the end, whatever happens.

    Raises:
        TableError: The table has no rows, or a file is broken.
        InvalidInputError: The temporary folder cannot be written.
    """
    with temporary_folder(folder) as place:
        parts = _dealt(table, deal, size, place, report)
        if deal.settings.missing == "error":
            # A part would count its own only.
            require_complete(together(unusable_of_part(parts.frame(index), deal) for index in range(deal.parts)))
        yield parts if deal.settings.sample is None else _sampled(parts, deal.settings.sample)


def _dealt(table: Opened, deal: Deal, size: TableSize, folder: Path, report: Progress) -> PartsOnDisk:
    rows, empty = 0, pl.DataFrame()
    for index in range(deal.parts):
        (folder / f"part-{index}").mkdir()
    for number, batch in enumerate(dealt_batches(table, deal, size.rows_a_batch)):
        empty = batch.drop(PART).clear()
        dealt = batch.partition_by(PART, as_dict=True, include_key=False, maintain_order=True)
        for (part,), rows_of_part in dealt.items():
            rows_of_part.write_ipc(folder / f"part-{part}" / f"{number:06}.ipc", compression="lz4")
        rows += len(batch)
        report("reading", min(rows / max(size.rows, 1), 1.0))
    return PartsOnDisk(folder, deal, empty, table.source.skipped, rows)


def _sampled(parts: PartsOnDisk, size: int) -> PartsOnDisk:
    """The parts with the sample's groups, which are drawn as from a table in memory."""
    settings = parts.deal.settings
    every = replace(parts, deal=replace(parts.deal, settings=replace(settings, sample=None)))
    first_rows = [first_rows_of(every.table(index)) for index in range(parts.count)]
    return replace(parts, drawn=drawn_groups(first_rows, size, settings.seed))
