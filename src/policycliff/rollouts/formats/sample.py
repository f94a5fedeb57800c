"""The beginning of a file, enough to know its format; a file that cannot be read gives an empty sample."""

import csv
import json
import zipfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.reading.files import READ_ERRORS, format_or_none, open_text

SAMPLE_ROWS = 20
# A JSON file that is one object is read whole to know it; a longer line than this is not looked at.
_LONGEST = 200_000_000
_MOST_NAMES = 5_000
_DAMAGED = (*READ_ERRORS, ValueError, TypeError, RecursionError, zipfile.BadZipFile, NotImplementedError, csv.Error)


def sample_of(path: Path) -> FileSample:
    """The beginning of a file or folder; `container` is empty where it is not readable or of no known kind."""
    try:
        if path.is_dir():
            return FileSample(path=path, container="folder", names=_names(item.name for item in path.iterdir()))
        if path.suffix.lower() in {".eval", ".zip"}:
            with zipfile.ZipFile(path) as file:
                return FileSample(path=path, container="zip", names=_names(file.namelist()))
        return _SAMPLERS.get(format_or_none(path) or "", _nothing)(path)
    except (*_DAMAGED, TableError):
        return _nothing(path)


def _nothing(path: Path) -> FileSample:
    return FileSample(path=path, container="")


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(islice(names, _MOST_NAMES)))


def _sample_parquet(path: Path) -> FileSample:
    frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    rows = tuple(frame.head(SAMPLE_ROWS).collect().to_dicts())
    schema, metadata = dict(frame.collect_schema()), dict(pl.read_parquet_metadata(path))
    return FileSample(path=path, container="Parquet", columns=schema, rows=rows, metadata=metadata)


def _sample_json(path: Path) -> FileSample:
    with open_text(path) as file:
        first = file.readline(_LONGEST)
        if not first.lstrip().startswith("["):
            try:
                rows = [_object(line) for line in (first, *islice(file, SAMPLE_ROWS - 1)) if line.strip()]
                return FileSample(path=path, container="JSON Lines", rows=tuple(rows))
            except (ValueError, TypeError):
                pass
        file.seek(0)
        value: Any = json.loads(file.read(_LONGEST))
    if isinstance(value, list):
        objects = tuple(item for item in value[:SAMPLE_ROWS] if isinstance(item, dict))
        return FileSample(path=path, container="JSON Lines", rows=objects)
    return FileSample(path=path, container="JSON", rows=(value,) if isinstance(value, dict) else ())


def _object(line: str) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value


def _sample_delimited(path: Path) -> FileSample:
    separator, container = ("\t", "TSV") if ".tsv" in [suffix.lower() for suffix in path.suffixes] else (",", "CSV")
    with open_text(path) as file:
        header = next(csv.reader(file, delimiter=separator), [])
    return FileSample(path=path, container=container, columns=dict.fromkeys(header, pl.Null()))


_SAMPLERS: dict[str, Callable[[Path], FileSample]] = {
    "Parquet": _sample_parquet,
    "JSON Lines": _sample_json,
    "CSV": _sample_delimited,
    "TSV": _sample_delimited,
}
