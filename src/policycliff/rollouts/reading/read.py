"""Any table a user may have, as one lazy frame: files, folders, patterns, and frames of other libraries.

Nothing is read here beyond what the columns' names and types need; `collect` reads the chosen columns at last. Frames
of pandas, Arrow and Hugging Face are known by the module of their type: none of these libraries is imported for asking.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.formats.registry import PLAIN, format_named, recognise_format
from policycliff.rollouts.reading.delimited import TEXT_PREFIX
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.files import READ_ERRORS, find_tables, first_line, unreadable
from policycliff.rollouts.reading.foreign import frame_of_library
from policycliff.rollouts.reading.scan import scan_file
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table not yet read.

    Attributes:
        frame: The rows; may have hidden columns named with `TEXT_PREFIX`.
        description: What it is, for people.
        files: The files behind it, if any.
        format: Name of the format by whose reader it was read, or `plain`.
        recognised_by: Why it was taken for this format, in a few words; empty where that was said, or nothing to ask.
        fixed: Fields of `AuditSettings` that the format fixes; what the user gives beats them.
        notes: What its reader decided, in plain words.
        skipped: What its reader left out.
    """

    frame: pl.LazyFrame
    description: str
    files: tuple[Path, ...] = ()
    format: str = PLAIN
    recognised_by: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedRows, ...] = ()

    def schema(self) -> dict[str, DataType]:
        """Names and types of the visible columns; Python objects are left out."""
        found = self.frame.collect_schema()
        return {name: dtype for name, dtype in found.items() if not name.startswith(TEXT_PREFIX) and dtype != pl.Object}

    def has_text_of(self, name: str) -> bool:
        """Whether the original text of a numeric column is at hand."""
        return TEXT_PREFIX + name in self.frame.collect_schema()


def open_table(table: object, settings: AuditSettings | None = None) -> TableSource:
    """Open a table: a path, a directory, a pattern, a list of them, or a Polars, pandas, Arrow or Hugging Face table.

    >>> open_table(pl.DataFrame({"prompt": ["a"], "reward": [1.0]})).schema()
    {'prompt': String, 'reward': Float64}

    Args:
        table: What to open; files may be of any format in `docs/reference/formats.md`.
        settings: For the format, if the user names it, and what its reader wants to know.

    Raises:
        SourceNotFoundError: A path that matches nothing.
        TableError: A file that is empty, broken or of an unknown kind; files whose columns differ.
        MissingExtraError: A pandas or Arrow table without the libraries to read it.
        InvalidInputError: An object of another type.
    """
    chosen = settings or AuditSettings()
    if isinstance(table, str | Path):
        return _open_files(find_tables(table), chosen)
    if isinstance(table, list | tuple) and table and all(isinstance(item, str | Path) for item in table):
        return _open_files(find_tables(table), chosen)
    if chosen.format not in {None, PLAIN}:
        raise InvalidInputError(f"format {chosen.format!r} is of files, but the table is {type(table).__name__}.")
    if isinstance(table, pl.LazyFrame):
        return _checked(TableSource(table, "a Polars lazy frame"))
    if isinstance(table, pl.DataFrame):
        return TableSource(table.lazy(), "a Polars data frame")
    frame, described = frame_of_library(table)
    return TableSource(frame.lazy(), described)


def collect(source: TableSource, columns: Iterable[pl.Expr]) -> pl.DataFrame:
    """Read some columns.

    Raises:
        TableError: A file turned out to be broken, or an expression failed on the values.
    """
    with _readable(source):
        return source.frame.select(list(columns)).collect(engine="streaming")


def batches(source: TableSource, frame: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    """What a query on the source gives, in the order of the rows, so many rows at a time.

    Raises:
        TableError: As `collect`.
    """
    with _readable(source):
        yield from frame.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")


@contextmanager
def _readable(source: TableSource) -> Iterator[None]:
    """Say which file is broken."""
    try:
        yield
    except READ_ERRORS as error:
        if source.format == PLAIN:
            _raise_for_broken_file(source.files)
        raise TableError(f"{source.description} cannot be read: {first_line(error)}.") from error


def _raise_for_broken_file(files: Sequence[Path]) -> None:
    """Name the file that cannot be read to its end, if one is to blame."""
    for path in files:
        try:
            scan_file(path).select(pl.all().count()).collect(engine="streaming")
        except READ_ERRORS as error:
            raise unreadable(path, error) from error


def _open_files(files: tuple[Path, ...], settings: AuditSettings) -> TableSource:
    """Files by the reader of their format, named or found out, or as they stand."""
    named = None if settings.format is None else format_named(settings.format)
    found = recognise_format(files) if settings.format is None else None
    chosen, reason = (named, "") if found is None else found
    if chosen is None:
        return _open_plain(files)
    described = str(files[0]) if len(files) == 1 else f"{len(files)} files, {files[0]} to {files[-1].name}"
    try:
        reading = chosen.read(files, settings)
    except READ_ERRORS as error:
        raise unreadable(files[0], error) from error
    return _checked(
        TableSource(
            reading.frame,
            f"{described} ({chosen.title})",
            files,
            format=chosen.name,
            recognised_by=reason,
            fixed=reading.fixed,
            notes=reading.notes,
            skipped=reading.skipped,
        )
    )


def _open_plain(files: tuple[Path, ...]) -> TableSource:
    frames = [scan_file(path) for path in files]
    if len(frames) == 1:
        return TableSource(frames[0], str(files[0]), files)
    names = frames[0].collect_schema().names()
    for path, frame in zip(files[1:], frames[1:], strict=True):
        _require_same_columns(files[0], _visible(names), path, _visible(frame.collect_schema().names()))
    visible = [name for name in names if not name.startswith(TEXT_PREFIX)]
    described = f"{len(files)} files, {files[0]} to {files[-1].name}"
    return _checked(TableSource(_stack(frames, visible), described, files))


def _stack(frames: list[pl.LazyFrame], visible: list[str]) -> pl.LazyFrame:
    """The frames below each other; numeric CSV columns that are text in another file become text everywhere."""
    schemas = [frame.collect_schema() for frame in frames]
    texts = [name for name in visible if any(TEXT_PREFIX + name in schema for schema in schemas)]
    mixed = [name for name in texts if any(schema[name] == pl.String for schema in schemas)]
    return pl.concat(
        [
            frame.select(
                *[_original(name, schema) if name in mixed else pl.col(name) for name in visible],
                *[_original(name, schema).alias(TEXT_PREFIX + name) for name in texts if name not in mixed],
            )
            for frame, schema in zip(frames, schemas, strict=True)
        ],
        how="vertical_relaxed",
    )


def _original(name: str, schema: Mapping[str, DataType]) -> pl.Expr:
    hidden = TEXT_PREFIX + name
    return pl.col(hidden).alias(name) if hidden in schema else pl.col(name).cast(pl.String)


def _visible(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith(TEXT_PREFIX)}


def _require_same_columns(first: Path, expected: set[str], second: Path, got: set[str]) -> None:
    if expected == got:
        return
    differences = [
        f"only {path.name} has {', '.join(repr(name) for name in sorted(names))}"
        for path, names in ((first, expected - got), (second, got - expected))
        if names
    ]
    raise TableError(
        f"{first} and {second} have different columns: {'; '.join(differences)}. "
        "Give a pattern that matches only files of one kind."
    )


def _checked(source: TableSource) -> TableSource:
    """The source, once its column names and types are known to fit together."""
    try:
        source.frame.collect_schema()
    except (PolarsError, PanicException, OSError) as error:
        raise TableError(f"{source.description}: {first_line(error)}.") from error
    return source
