"""Table files: which ones a path means, and each as a lazy frame.

Parquet and JSON Lines carry types. CSV does not, so here is the rule: a column is numeric where every value that is not
empty (or NA, N/A, null, None) is a number, boolean where every one is true or false, and text otherwise. The text of a
numeric CSV column stays at hand under `TEXT_PREFIX` for use as a name or a completion, so that "007" is not 7 there.

Cost: Parquet reads its footer only, JSON Lines and CSV are passed over once to learn the columns.
"""

import glob
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from policycliff.errors import SourceNotFoundError, TableError
from policycliff.rollouts.dtypes import DataType

TEXT_PREFIX = "__text_"
"""Prefix of the hidden columns that hold the original text of numeric CSV columns."""

FORMATS = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".json": "JSON Lines",
    ".csv": "CSV",
    ".tsv": "TSV",
}
_NO_VALUE = ("", "NA", "N/A", "null", "None")
_LINES_AT_A_TIME = 20_000
READ_ERRORS = (PolarsError, PanicException, OSError, EOFError, zlib.error, UnicodeError)
"""What reading a file may raise; every one becomes a `TableError`."""


def find_tables(table: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """The files that a path, a directory, a pattern or several of them mean, sorted by name with numbers by value.

    Raises:
        SourceNotFoundError: Nothing matches.
        TableError: A directory without tables, an unknown suffix, or several formats at once.
    """
    tables = [table] if isinstance(table, str | Path) else list(table)
    found = list(dict.fromkeys(path for item in tables for path in _files_of(Path(item).expanduser())))
    kinds = sorted({format_of(item) for item in found})
    if len(kinds) > 1:
        described = " ".join(str(item) for item in tables)
        raise TableError(
            f"{described} means files of several formats ({', '.join(kinds)}). Give a pattern of one suffix."
        )
    return tuple(sorted(found, key=_natural_key))


def format_of(path: Path) -> str:
    """The format that a file's name says: `Parquet`, `JSON Lines`, `CSV` or `TSV`.

    >>> format_of(Path("run/completions.jsonl.gz"))
    'JSON Lines'

    Raises:
        TableError: The suffix is not one of a table.
    """
    found = _format_or_none(path)
    if found is None:
        raise TableError(f"{path} has a suffix that is not a table's: expected {_suffixes()} (text formats also .gz).")
    return found


def scan_file(path: Path) -> pl.LazyFrame:
    """One file as a lazy frame.

    Raises:
        TableError: Empty, broken or cut off; the message names the file and, where known, the line.
    """
    kind = format_of(path)
    try:
        if path.stat().st_size == 0:
            raise TableError(f"{path} is empty (0 bytes). Write the table again.")
        frame = _SCANNERS[kind](path)
        if not frame.collect_schema().names():
            raise TableError(f"{path} has no columns.")
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    return frame


def unreadable(path: Path, error: BaseException) -> TableError:
    """The error of a file that cannot be read, in one line with the remedy."""
    if isinstance(error, PermissionError):
        return TableError(f"{path} cannot be read: permission denied.")
    reason = first_line(error) or type(error).__name__
    return TableError(
        f"{path} cannot be read as {format_of(path)}: {reason}. Is it cut off or damaged? Write it again."
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message without its full stop."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0].strip().rstrip(".")


def _scan_parquet(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _scan_json(path: Path) -> pl.LazyFrame:
    if _starts_with_bracket(path):
        return _read_json_array(path)
    try:
        frame = pl.scan_ndjson(path, infer_schema_length=None)
        schema = frame.collect_schema()
    except READ_ERRORS:
        return _read_lines(path)
    return pl.scan_ndjson(path, schema=schema)


def _read_lines(path: Path) -> pl.LazyFrame:
    """The slow way, for what Python's `json` accepts and Polars does not (NaN, Infinity); names the first bad line."""
    frames = []
    with _open_text(path) as lines:
        parsed = _parsed_lines(path, lines)
        while rows := list(islice(parsed, _LINES_AT_A_TIME)):
            frames.append(pl.from_dicts(rows, infer_schema_length=None, strict=False))
    if not frames:
        raise TableError(f"{path} has no rows. Write the table again.")
    return pl.concat(frames, how="diagonal_relaxed").lazy()


def _parsed_lines(path: Path, lines: TextIO) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TableError(
                f"{path}, line {number}: not valid JSON ({first_line(error)}). JSON Lines has one object a line; "
                "is the file cut off?"
            ) from error
        if not isinstance(row, dict):
            raise TableError(f"{path}, line {number}: expected a JSON object, got {type(row).__name__}.")
        yield row


def _read_json_array(path: Path) -> pl.LazyFrame:
    with _open_text(path) as file:
        try:
            rows = json.load(file)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TableError(f"{path}: not valid JSON ({first_line(error)}). Is the file cut off?") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise TableError(f"{path}: expected a JSON array of objects with at least one row, or JSON Lines.")
    return pl.from_dicts(rows, infer_schema_length=None, strict=False).lazy()


def _scan_delimited(path: Path, separator: str) -> pl.LazyFrame:
    raw = pl.scan_csv(path, separator=separator, infer_schema=False, glob=False)
    names = raw.collect_schema().names()
    doubled = [name for name in names if re.sub(r"_duplicated_\d+$", "", name) in set(names) - {name}]
    if doubled:
        name = re.sub(r"_duplicated_\d+$", "", doubled[0])
        raise TableError(f"{path} has two columns named {name!r}; column names must differ.")
    types = _column_types(raw, names)
    kept = [pl.col(name).alias(TEXT_PREFIX + name) for name in types]
    return raw.with_columns(*kept, *[_typed(name, dtype) for name, dtype in types.items()])


def _column_types(raw: pl.LazyFrame, names: list[str]) -> dict[str, DataType]:
    """Types of the columns that are not text, by one pass over the values; the narrowest type wins."""
    valued = pl.all().is_not_null() & ~pl.all().is_in(_NO_VALUE)
    fits: dict[str, tuple[DataType, pl.Expr]] = {
        "b:": (pl.Boolean(), pl.all().str.to_lowercase().is_in(["true", "false"])),
        "i:": (pl.Int64(), pl.all().cast(pl.Int64, strict=False).is_not_null()),
        "f:": (pl.Float64(), pl.all().cast(pl.Float64, strict=False).is_not_null()),
    }
    tests = [(~valued | fit).all().name.prefix(prefix) for prefix, (_, fit) in fits.items()]
    flags = raw.select(valued.any(), *tests).collect(engine="streaming").row(0, named=True)
    found = {name: [dtype for prefix, (dtype, _) in fits.items() if flags[prefix + name]] for name in names}
    return {name: dtypes[0] for name, dtypes in found.items() if dtypes and flags[name]}


def _typed(name: str, dtype: DataType) -> pl.Expr:
    value = pl.when(~pl.col(name).is_in(_NO_VALUE)).then(pl.col(name))
    typed = value.str.to_lowercase() == "true" if dtype == pl.Boolean else value.cast(dtype, strict=False)
    return typed.alias(name)


_SCANNERS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    "Parquet": _scan_parquet,
    "JSON Lines": _scan_json,
    "CSV": lambda path: _scan_delimited(path, ","),
    "TSV": lambda path: _scan_delimited(path, "\t"),
}


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _starts_with_bracket(path: Path) -> bool:
    with _open_text(path) as file:
        return file.read(64).lstrip().startswith("[")


def _format_or_none(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    last = suffixes[-2:-1] if zipped else suffixes[-1:]
    kind = FORMATS.get(last[0]) if last else None
    return None if zipped and kind == "Parquet" else kind


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        found = [item for item in path.iterdir() if item.is_file() and _format_or_none(item) and _is_visible(item)]
        if not found:
            raise TableError(f"directory {path} holds no table: expected files ending in {_suffixes()}.")
    elif path.exists():
        found = [path]
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - absolute patterns
        found = [item for item in found if item.is_file()]
        if not found:
            raise SourceNotFoundError(f"{path} does not exist. Give a file, a directory or a quoted pattern.")
    return found


def _natural_key(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _is_visible(path: Path) -> bool:
    return not path.name.startswith((".", "_"))


def _suffixes() -> str:
    return ", ".join(FORMATS)
