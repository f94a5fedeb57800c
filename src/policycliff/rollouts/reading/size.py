"""How large a table is, before it is read: whether it fits in memory, and into how many parts it is cut.

Only orders of magnitude matter: twice too many parts cost some time, half as many some memory.
"""

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.files import READ_ERRORS, format_of, open_text
from policycliff.rollouts.reading.read import TableSource, collect

MOST_ROWS_IN_MEMORY = 1_000_000
MOST_BYTES_IN_MEMORY = 500_000_000
ROWS_A_PART = 400_000
BYTES_A_PART = 200_000_000
_BATCH_BYTES = 64_000_000
_SAMPLE_BYTES = 1_000_000
_MOST_ROWS_A_BATCH, _FEWEST_ROWS_A_BATCH = 200_000, 1_000
_USUAL_WIDTH = 1_000
_UNPACKED = 4
"""How much larger text is than the compressed file that holds it, at a guess."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows and bytes of a table, at a guess."""

    rows: int
    bytes: int

    @property
    def fits_in_memory(self) -> bool:
        """Whether the table is audited whole: that takes a gigabyte or so."""
        return self.rows <= MOST_ROWS_IN_MEMORY and self.bytes <= MOST_BYTES_IN_MEMORY

    @property
    def parts(self) -> int:
        """Into how many parts the table is cut."""
        return max(ceil(self.rows / ROWS_A_PART), ceil(self.bytes / BYTES_A_PART), 1)

    @property
    def rows_a_batch(self) -> int:
        """How many rows are read at a time."""
        width = self.bytes / max(self.rows, 1)
        return int(min(max(_BATCH_BYTES / max(width, 1), _FEWEST_ROWS_A_BATCH), _MOST_ROWS_A_BATCH))


def size_of(source: TableSource) -> TableSize:
    """The size of a table: exact rows of Parquet and of frames, guessed ones of text files."""
    if not source.files:
        rows = int(collect(source, [pl.len()]).item())
        try:
            sample = collect(replace(source, frame=source.frame.head(_FEWEST_ROWS_A_BATCH)), [pl.all()])
        except TableError:
            return TableSize(rows, rows * _USUAL_WIDTH)  # the reader will say what is wrong
        return TableSize(rows, int(sample.estimated_size() * rows / max(len(sample), 1)))
    bytes_on_disk = {path: _bytes_of(path) for path in source.files}
    unpacked = sum(size * _factor(path) for path, size in bytes_on_disk.items())
    if all(format_of(path) == "Parquet" for path in source.files):
        return TableSize(int(collect(source, [pl.len()]).item()), unpacked)
    first = source.files[0]
    return TableSize(int(_rows_a_byte(first) * unpacked), unpacked)


def _bytes_of(path: Path) -> int:
    files = [item for item in path.rglob("*") if item.is_file()] if path.is_dir() else [path]
    return sum(item.stat().st_size for item in files)


def _factor(path: Path) -> int:
    packed = path.suffix.lower() in {".gz", ".parquet", ".pq", ".eval"}
    return _UNPACKED if packed else 1


def _rows_a_byte(path: Path) -> float:
    """Lines a byte at the beginning of a text file; of others a row a thousand bytes."""
    if path.is_dir() or format_of(path) in {"Parquet", "Inspect log"}:
        return 1 / _USUAL_WIDTH
    try:
        with open_text(path) as lines:
            beginning = lines.read(_SAMPLE_BYTES)
    except READ_ERRORS:
        return 1 / _USUAL_WIDTH  # the reader will say what is wrong
    # Of JSON that is laid out over many lines, those of a row are indented.
    row = "\n{" if format_of(path) == "JSON Lines" else "\n"
    return (beginning.count(row) + 1) / max(len(beginning), 1)
