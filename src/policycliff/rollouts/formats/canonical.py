"""The canonical Parquet that `policycliff convert` writes: its metadata says what its columns are."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import ROW_COLUMNS, FileSample, Format, Reading
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

METADATA_KEY = "policycliff"
SCHEMA = 1
_NAMES = (*ROW_COLUMNS, "behaviour", "truth")


def _recognise(sample: FileSample) -> str | None:
    return "metadata of policycliff" if METADATA_KEY in sample.metadata else None


def _read(paths: Sequence[Path], _settings: AuditSettings) -> Reading:
    described = [_described(path) for path in paths]
    fixed = [_fixed(path, item) for path, item in zip(paths, described, strict=True)]
    for path, other in zip(paths[1:], fixed[1:], strict=True):
        if other != fixed[0]:
            raise TableError(
                f"{paths[0]} and {path} say different things of their columns ({fixed[0]} and {other}). Audit them one "
                "by one, or convert them together."
            )
    frames = [pl.scan_parquet(path, glob=False, hive_partitioning=False) for path in paths]
    skipped: dict[tuple[str, str], int] = {}
    for path, item in zip(paths, described, strict=True):
        for reason, count, unit in _skipped(path, item):
            skipped[reason, unit] = skipped.get((reason, unit), 0) + count
    return Reading(
        frame=frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed"),
        fixed=fixed[0],
        notes=tuple(dict.fromkeys(note for item in described for note in _notes(item))),
        skipped=tuple(SkippedRows(reason, count, unit) for (reason, unit), count in skipped.items()),
    )


def _described(path: Path) -> dict[str, Any]:
    text = pl.read_parquet_metadata(path).get(METADATA_KEY)
    if text is None:
        raise TableError(f"{path} has no metadata of policycliff. Leave --format out, or convert it first.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(path, "not JSON") from error
    if not isinstance(found, dict):
        raise _bad(path, "no object")
    if found.get("schema") != SCHEMA:
        raise TableError(
            f"{path} was written for schema {found.get('schema')!r} of policycliff's metadata; this version reads "
            f"{SCHEMA}. Convert the original table again."
        )
    return found


def _fixed(path: Path, described: dict[str, Any]) -> dict[str, Any]:
    """The fields of `AuditSettings` that the metadata says; checked, for files are not to be trusted."""
    given = described.get("fixed")
    if not isinstance(given, dict):
        raise _bad(path, "no parts of the columns")
    fixed: dict[str, Any] = {}
    for name, value in given.items():
        if (name in _NAMES and isinstance(value, str)) or (name == "group_size" and type(value) is int):
            fixed[name] = value
        elif name == "rewards" and isinstance(value, list) and value and all(map(_is_reward, value)):
            fixed[name] = tuple((reward, float(weight)) for reward, weight in value)
        else:
            raise _bad(path, f"{name!r} cannot be {value!r}")
    return fixed


def _is_reward(value: Any) -> bool:
    return isinstance(value, list) and [type(item) for item in value] in ([str, float], [str, int])


def _skipped(path: Path, described: dict[str, Any]) -> list[tuple[str, int, str]]:
    items = described.get("skipped", [])
    if not isinstance(items, list) or any(
        not isinstance(item, list) or [type(part) for part in item] != [str, int, str] for item in items
    ):
        raise _bad(path, "what was left out is no list of reason, count, unit")
    return [(reason, count, unit) for reason, count, unit in items]


def _notes(described: dict[str, Any]) -> list[str]:
    notes = described.get("notes", [])
    return [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []


def _bad(path: Path, what: str) -> TableError:
    return TableError(f"{path}: its metadata of policycliff is damaged ({what}). Convert the original table again.")


CANONICAL = Format(name="canonical", title="canonical Parquet of policycliff", recognise=_recognise, read=_read)
