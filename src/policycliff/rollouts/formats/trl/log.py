"""The files of a TRL completion log: what they hold, batch by batch, and one lazy frame over them.

Every file is read once here, one at a time, for its numbers and for where the prompt changes; the frame reads the texts
again when the audit asks for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.trl.columns import as_text, common_schema
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.files import READ_ERRORS, unreadable
from policycliff.rollouts.reading.scan import scan_file
from policycliff.shapes import Int64

FIRST_COLUMNS = ("step", "prompt", "completion")
REPEATED = "the same generation batch as in the log of the step before (num_iterations or steps_per_generation)"
BEFORE_TRAINING = "of step 0: an evaluation before training (eval_on_start); give that file alone to audit it"

_IS_IT = "Is it a TRL completion log? Give a pattern that matches only completions_*.parquet, or --format plain."


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The rows of one step in one file.

    Attributes:
        path: The file.
        rows: How many.
        runs: Lengths of the runs of equal prompts.
        left_out: Why none of the rows is used, empty where they are.
    """

    path: Path
    rows: int
    runs: Int64[np.ndarray, " runs"]
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """All files of a log.

    Attributes:
        files: In the order given.
        schemas: Columns of each file.
        schema: Columns of all files together: their types, in the order of appearance.
        chunks: In the order of the rows.
        numbers: The numeric columns of all rows as Float64.
        notes: What is worth knowing.
    """

    files: tuple[Path, ...]
    schemas: tuple[dict[str, DataType], ...]
    schema: dict[str, DataType]
    chunks: tuple[Chunk, ...]
    numbers: pl.DataFrame
    notes: tuple[str, ...] = ()

    def chunk_of_row(self) -> Int64[np.ndarray, " rows"]:
        """Number of the chunk that a row stands in."""
        return np.repeat(np.arange(len(self.chunks)), [chunk.rows for chunk in self.chunks])


def read_log(paths: Sequence[Path]) -> Log:
    """Look through all files.

    Raises:
        TableError: A file cannot be read, has no rows, lacks a column or holds text where a number belongs.
    """
    schemas, chunks, numbers = [], [], []
    previous: tuple[Path, pl.DataFrame] | None = None
    for path in paths:
        frame = _collected(path)
        schemas.append(dict(frame.schema))
        numeric = [name for name, dtype in frame.schema.items() if dtype.is_numeric() or dtype == pl.Null]
        numbers.append(frame.select(pl.col(numeric).cast(pl.Float64)))
        frame = frame.select(as_text(name, dtype) for name, dtype in frame.schema.items())
        for part in _by_step(frame):
            same = previous is not None and previous[0].parent == path.parent and _same_rows(previous[1], part)
            chunks.append(_chunk(path, part, left_out=REPEATED if same else ""))
            previous = (path, part)
    return Log(
        files=tuple(paths),
        schemas=tuple(schemas),
        schema=common_schema(schemas),
        chunks=_without_step_zero(chunks, numbers),
        numbers=pl.concat(numbers, how="diagonal"),
        notes=_missing_columns(paths, schemas),
    )


def logged_numbers(log: Log) -> pl.DataFrame:
    """The numeric columns between `completion` and `advantage`, and `advantage` where there is one.

    Of an extra column that holds numbers in some files and text in others the numbers count for nothing.
    """
    return log.numbers.select(name for name in log.numbers.columns if name not in FIRST_COLUMNS)


def _collected(path: Path) -> pl.DataFrame:
    try:
        frame = scan_file(path).collect()
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    missing = [name for name in FIRST_COLUMNS if name not in frame.columns]
    if missing:
        raise TableError(f"{path} has no column {missing[0]!r}, of step, prompt and completion. {_IS_IT}")
    if not (frame["step"].dtype.is_integer() or frame["step"].dtype == pl.Null):
        raise TableError(f"{path}: column 'step' holds {frame['step'].dtype}, not whole numbers. {_IS_IT}")
    advantage = frame.schema.get("advantage", pl.Null())
    if not (advantage.is_numeric() or advantage == pl.Null):
        raise TableError(f"{path}: column 'advantage' holds {advantage}, not numbers. {_IS_IT}")
    if frame.is_empty():
        raise TableError(f"{path} has columns but no rows. Leave it out.")
    return frame


def _by_step(frame: pl.DataFrame) -> list[pl.DataFrame]:
    starts = np.flatnonzero(_changes(frame["step"]))
    lengths = np.diff(starts, append=len(frame))
    return [frame.slice(int(start), int(length)) for start, length in zip(starts, lengths, strict=True)]


def _changes(column: pl.Series) -> np.ndarray:
    """Where a column differs from the row above; true in the first row."""
    changed = column.ne_missing(column.shift()).to_numpy().copy()
    changed[:1] = True
    return changed


def _same_rows(first: pl.DataFrame, second: pl.DataFrame) -> bool:
    return first.columns == second.columns and first.drop("step").equals(second.drop("step"))


def _chunk(path: Path, frame: pl.DataFrame, *, left_out: str) -> Chunk:
    starts = np.flatnonzero(_changes(frame["prompt"]))
    return Chunk(path=path, rows=len(frame), runs=np.diff(starts, append=len(frame)), left_out=left_out)


def _without_step_zero(chunks: list[Chunk], numbers: list[pl.DataFrame]) -> tuple[Chunk, ...]:
    """Training logs from step 1 on; step 0 is an evaluation, unless it is all there is."""
    steps = np.concatenate([frame["step"].to_numpy() for frame in numbers])
    first = np.cumsum([0, *(chunk.rows for chunk in chunks[:-1])])
    if not (steps > 0).any():
        return tuple(chunks)
    return tuple(
        Chunk(path=chunk.path, rows=chunk.rows, runs=chunk.runs, left_out=BEFORE_TRAINING) if steps[row] == 0 else chunk
        for chunk, row in zip(chunks, first, strict=True)
    )


def _missing_columns(paths: Sequence[Path], schemas: list[dict[str, DataType]]) -> tuple[str, ...]:
    names = dict.fromkeys(name for schema in schemas for name in schema)
    lacking = {
        name: [path for path, schema in zip(paths, schemas, strict=True) if name not in schema] for name in names
    }
    return tuple(
        f"{name!r} is not in {len(files)} of {len(paths)} files, first {files[0].name}; it is missing in their rows."
        for name, files in lacking.items()
        if files
    )
