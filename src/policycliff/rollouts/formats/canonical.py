"""The canonical Parquet that `policycliff convert` and recorders write: its metadata says what its columns are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import ROW_COLUMNS, FileSample, Format, Reading
from policycliff.rollouts.settings import Aggregation, AuditSettings, Missing
from policycliff.rollouts.table import SkippedRows

METADATA_KEY = "policycliff"
SCHEMA = 1
SAID = ("rewards", "missing", "aggregation", "epsilon", "max_reward", "main_reward")
"""Settings that a recorder writes beside the parts of the columns: with them an audit gives the recorder's figures."""


def said_of(settings: AuditSettings) -> dict[str, Any]:
    """What the settings say of `SAID`, as the metadata has it."""
    found = {name: getattr(settings, name) for name in SAID}
    pairs = {name: [[key, float(value)] for key, value in found[name]] for name in _PAIRS}
    return {name: value for name, value in (found | pairs).items() if value not in (None, [])}


def _recognise(sample: FileSample) -> str | None:
    return "metadata of policycliff" if METADATA_KEY in sample.metadata else None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
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
        fixed=_of_known(fixed[0], settings),
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
    for name, value in given.items():
        if name not in _CAN_BE or not _CAN_BE[name](value):
            raise _bad(path, f"{name!r} cannot be {value!r}")
    pairs = {name: tuple((key, float(number)) for key, number in given[name]) for name in _PAIRS if name in given}
    return given | pairs


def _of_known(fixed: dict[str, Any], settings: AuditSettings) -> dict[str, Any]:
    """What is fixed, without what it says of rewards that the user leaves out."""
    known = {name for name, _ in settings.rewards or fixed.get("rewards", ())}
    kept = tuple((name, value) for name, value in fixed.get("max_reward", ()) if name in known)
    left = fixed | ({"max_reward": kept} if "max_reward" in fixed else {})
    return {name: value for name, value in left.items() if name != "main_reward" or value in known}


def _are_numbers(value: Any) -> bool:
    """Whether it is a list of pairs of a name and a number."""
    return isinstance(value, list) and bool(value) and all(map(_is_number_of, value))


def _is_number_of(value: Any) -> bool:
    return isinstance(value, list) and [type(part) for part in value] in ([str, float], [str, int])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_PAIRS = ("rewards", "max_reward")
_CAN_BE: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys((*ROW_COLUMNS, "behaviour", "truth", "main_reward"), _is_text),
    **dict.fromkeys(_PAIRS, _are_numbers),
    "group_size": lambda value: type(value) is int,
    "missing": lambda value: value in get_args(Missing),
    "aggregation": lambda value: value in get_args(Aggregation),
    "epsilon": lambda value: type(value) in (int, float) and value > 0,
}
"""What each field of the metadata can be."""


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
