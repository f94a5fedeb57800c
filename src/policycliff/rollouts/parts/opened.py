"""A table, opened where it is to be audited: in memory, in parts on disk, or in parts on a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.rollouts.parts.deal import Deal, deal_of
from policycliff.rollouts.parts.on_disk import parts_on_disk
from policycliff.rollouts.parts.on_ray import parts_on_ray
from policycliff.rollouts.parts.parts import Parts, parts_in_memory
from policycliff.rollouts.parts.shared_files import anywhere, require_files
from policycliff.rollouts.progress import Progress, within
from policycliff.rollouts.reading.about import AboutTable, column_notes
from policycliff.rollouts.reading.load import described_columns, load_opened
from policycliff.rollouts.reading.size import size_of
from policycliff.rollouts.reading.understand import Opened, opened
from policycliff.rollouts.settings import AuditSettings

EXECUTORS = ("memory", "disk", "ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Where an audit is done.

    Attributes:
        executor: `memory`, `disk` or `ray`; None chooses between the first two by the table's size.
        folder: Where parts are put meanwhile; None for the system's folder of temporary files.
        parts: Number of parts; None to go by the table's size.
    """

    executor: str | None = None
    folder: Path | None = None
    parts: int | None = None

    def __post_init__(self) -> None:
        if self.executor is not None and self.executor not in EXECUTORS:
            raise InvalidInputError(f"executor must be one of {', '.join(EXECUTORS)}, or None; got {self.executor!r}.")
        if self.parts is not None and self.parts < 1:
            raise InvalidInputError(f"parts must be a positive number, got {self.parts}.")


@contextmanager
def opened_parts(
    table: Any, settings: AuditSettings, work: Work, report: Progress
) -> Iterator[tuple[Parts, AboutTable]]:
    """The parts of a table while they are needed.

    Raises:
        PolicyCliffError: The table cannot be read, as in `policycliff.audit`.
    """
    _require_folder(work.folder)
    found = opened(anywhere(table) if work.executor == "ray" else table, settings)
    if work.executor == "ray":
        require_files(found)
    size = size_of(found.source)
    if work.executor == "memory" or (work.executor is None and size.fits_in_memory):
        loaded = load_opened(found)
        yield parts_in_memory(loaded.table, dict(loaded.rewards), loaded.settings), loaded
        return
    deal = deal_of(found, work.parts or size.parts)
    parts_where = parts_on_ray if work.executor == "ray" else parts_on_disk
    with parts_where(found, deal, size, work.folder, within(report, 0.0, 0.35)) as parts:
        yield parts, _about(found, deal, parts.rows)


def _require_folder(folder: Path | None) -> None:
    if folder is not None and not folder.is_dir():
        raise InvalidInputError(f"the temporary folder {folder} is no folder. Create it first, or name another.")


def _about(found: Opened, deal: Deal, rows: int) -> AboutTable:
    columns, source = deal.columns, found.source
    return AboutTable(
        columns=described_columns(columns, found.settings, found.fixed),
        rewards=columns.rewards,
        settings=found.settings,
        source=source.description,
        format=source.format,
        recognised_by=source.recognised_by,
        rows_read=rows,
        column_notes=(*source.notes, *columns.notes, *column_notes(columns)),
    )
