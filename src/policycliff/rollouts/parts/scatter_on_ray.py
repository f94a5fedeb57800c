"""The rows of a table, dealt to parts by Ray Data.

Workers read pieces of the table and pack the rows that a piece gives to a part into one blob of bytes. The shuffle
brings the blobs of a part together and makes one row of them, so that nothing takes a part to pieces again. It moves
blobs alone: types that only Polars knows survive it.

The shuffle is the one made of tasks: what a lost node held is computed again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.ray_cluster import RETRIES, processors, require_ray, result_of, task_of
from policycliff.rollouts.parts.deal import ROW, Deal
from policycliff.rollouts.parts.ray_data import REMEDY, errors_as_they_were, errors_carried, our_context
from policycliff.rollouts.parts.scatter import PART, dealt_batches
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.reading.files import format_of
from policycliff.rollouts.reading.size import TableSize
from policycliff.rollouts.reading.understand import Opened, opened
from policycliff.rollouts.settings import AuditSettings

BATCHES_A_BLOB = 8
"""Batches whose rows are packed together; a piece of a table that can be cut has at most as many."""
_MOST_ROUNDS = 20
_PIECES_A_WORKER = 4


@dataclass(frozen=True, slots=True)
class PackedPart:
    """Where the cluster keeps the rows of a part.

    Attributes:
        block: Reference of an Arrow table.
        row: Number of the row in it that holds the part's blobs.
        rows: Number of rows of the part.
    """

    block: Any
    row: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a worker must know to read a piece."""

    files: tuple[Path, ...]
    settings: AuditSettings
    deal: Deal
    rows: int


def packed_parts(ray: Any, found: Opened, deal: Deal, size: TableSize, report: Progress) -> dict[int, PackedPart]:
    """Every part that has rows.

    Raises:
        TableError: A file is broken.
        WorkerLostError: Every worker that took a piece died, or none could start.
    """
    data = require_ray("ray.data")
    reading = _Reading(found.source.files, found.settings, deal, size.rows_a_batch)
    with our_context(data), errors_as_they_were(ray, data):
        read = []
        workers = processors(ray)
        rounds = _rounds(_pieces(found, size, workers), workers)
        for number, pieces in enumerate(rounds):
            read.append(_blobs(data, pieces, reading))
            report("reading", 0.9 * (number + 1) / len(rounds))
        blobs = read[0].union(*read[1:]) if read[1:] else read[0]
        groups = blobs.groupby(PART, num_partitions=deal.parts)
        blocks = groups.map_groups(_one_row, batch_format="pyarrow").to_arrow_refs()
    indices = [task_of(_index_of, RETRIES).remote(block) for block in blocks]
    found_parts: dict[int, PackedPart] = {}
    for block, index in zip(blocks, indices, strict=True):
        parts = result_of(ray, index, "the index of the parts", tries=RETRIES + 1, remedy=REMEDY)
        found_parts |= {part: PackedPart(block, row, rows) for row, (part, rows) in enumerate(parts)}
    report("reading", 1.0)
    return found_parts


def unpacked(block: Any, row: int) -> list[pl.DataFrame]:
    """The frames of a part, in the order of the table."""
    blobs = block["blobs"][row].values
    return [pl.read_ipc(BytesIO(blob.as_buffer())) for blob in blobs]


def _pieces(found: Opened, size: TableSize, workers: int) -> list[dict[str, int | None]]:
    """Ranges of rows, some for each worker; one that covers everything where slices are not cheap, as Parquet's are."""
    if any(format_of(path) != "Parquet" for path in found.source.files):
        return [{"start": 0, "length": None}]
    fair = ceil(size.rows / (_PIECES_A_WORKER * workers * size.rows_a_batch))
    length = size.rows_a_batch * min(max(fair, 1), BATCHES_A_BLOB)
    starts = range(0, max(size.rows, 1), length)
    # The number of rows may be a guess: the last piece goes on to the end.
    return [{"start": start, "length": None if start == starts[-1] else length} for start in starts]


def _rounds(pieces: list[dict[str, int | None]], workers: int) -> list[list[dict[str, int | None]]]:
    """The pieces in rounds, after each of which progress is reported; no worker is to wait for long."""
    length = max(ceil(len(pieces) / _MOST_ROUNDS), _PIECES_A_WORKER * workers)
    return [pieces[start : start + length] for start in range(0, len(pieces), length)]


def _blobs(data: Any, pieces: list[dict[str, int | None]], reading: _Reading) -> Any:
    """The data set of the blobs of some pieces, read."""
    places = data.from_items(pieces, override_num_blocks=len(pieces))
    read = places.map_batches(_read, batch_size=1, batch_format="pyarrow", fn_kwargs={"reading": reading})
    return read.materialize()


def _read(pieces: Any, reading: _Reading) -> Iterator[Any]:
    """On a worker: the blobs of the pieces."""
    with errors_carried():
        found = opened(list(reading.files), reading.settings)
        for piece in pieces.to_pylist():
            batches = dealt_batches(found, reading.deal, reading.rows, **piece)
            while several := list(islice(batches, BATCHES_A_BLOB)):
                yield _packed(pl.concat(several))


def _packed(rows: pl.DataFrame) -> Any:
    """A row a part: its number, the number of its first row and of its rows, and the rows as bytes."""
    arrow = require_ray("pyarrow")
    dealt = rows.partition_by(PART, as_dict=True, include_key=False, maintain_order=True)
    return arrow.table(
        {
            PART: arrow.array([part for (part,) in dealt], arrow.int64()),
            "first": arrow.array([frame[ROW][0] for frame in dealt.values()], arrow.int64()),
            "rows": arrow.array([len(frame) for frame in dealt.values()], arrow.int64()),
            # All blobs of a part may be larger than the 2 GiB of Arrow's plain binary.
            "blob": arrow.array([_bytes_of(frame) for frame in dealt.values()], arrow.large_binary()),
        }
    )


def _bytes_of(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def _one_row(part: Any) -> Any:
    """On a worker: the blobs of a part as one row."""
    arrow = require_ray("pyarrow")
    ordered = part.sort_by("first")
    blobs = arrow.concat_arrays(ordered["blob"].chunks)
    return arrow.table(
        {
            PART: ordered[PART].slice(0, 1),
            "rows": arrow.array([sum(ordered["rows"].to_pylist())], arrow.int64()),
            "blobs": arrow.LargeListArray.from_arrays(arrow.array([0, len(blobs)], arrow.int64()), blobs),
        }
    )


def _index_of(block: Any) -> list[tuple[int, int]]:
    """On a worker: the parts in a block, with their numbers of rows."""
    if not block.num_rows:  # Ray gives it no columns
        return []
    return list(zip(block[PART].to_pylist(), block["rows"].to_pylist(), strict=True))
