"""Any table of rollouts as one canonical Parquet file, which says itself what its columns are.

The columns that play a part are named `prompt`, `group`, `step`, `completion` and `source` where that name is free;
rewards and all other columns keep theirs. What a format or the user says of them (weights, the group's size, the truth)
is in the file's metadata, so that `policycliff audit` of the file needs no option.
"""

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import InvalidInputError
from policycliff.rollouts.formats.canonical import METADATA_KEY, SCHEMA, said_of
from policycliff.rollouts.formats.format import ROW_COLUMNS
from policycliff.rollouts.reading.columns import Columns
from policycliff.rollouts.reading.files import READ_ERRORS, first_line
from policycliff.rollouts.reading.read import TableSource
from policycliff.rollouts.reading.rows import label_expression
from policycliff.rollouts.reading.settle import counts_of_source, settle
from policycliff.rollouts.reading.size import size_of
from policycliff.rollouts.reading.understand import Opened, opened, read_opened
from policycliff.rollouts.settings import AuditSettings

_KEPT_NAMES = ("behaviour", "truth")


@dataclass(frozen=True, slots=True)
class _Found:
    source: TableSource
    columns: Columns
    settings: AuditSettings
    rows: int


def write_canonical(table: object, path: Path, settings: AuditSettings) -> dict[str, Any]:
    """Write a table as canonical Parquet; the file appears whole or not at all.

    Args:
        table: As for `policycliff.audit`.
        path: Where to write; must end in `.parquet`.
        settings: What is said of the table.

    Returns:
        What was written: `rows`, `columns`, `fixed` (the parts of the columns), `format`, `notes`, `skipped`.

    Raises:
        InvalidInputError: The path cannot be written.
        PolicyCliffError: The table cannot be read, as in `policycliff.audit`.
    """
    if path.suffix.lower() != ".parquet":
        raise InvalidInputError(f"{path}: the canonical form is Parquet; give a name that ends in .parquet.")
    found = _understood(opened(table, settings))
    names, fixed = _names(found)
    described = {
        "schema": SCHEMA,
        "policycliff": version("policycliff"),
        "format": found.source.format,
        "fixed": fixed,
        "notes": [*found.source.notes, *found.columns.notes],
        "skipped": [[item.reason, item.count, item.unit] for item in found.source.skipped],
    }
    labels = found.columns.label_names()
    chosen = [
        (label_expression(found.source, name, found.columns) if name in labels else pl.col(name)).alias(new)
        for name, new in names.items()
    ]
    _write(found.source.frame.select(chosen), path, {METADATA_KEY: json.dumps(described, ensure_ascii=False)})
    return {"rows": found.rows, "columns": list(names.values()), **described}


def _understood(table: Opened) -> _Found:
    """The columns' parts, and the number of rows; a table that fits in memory is read, and its scores checked."""
    if size_of(table.source).fits_in_memory:
        read = read_opened(table)
        return _Found(read.source, read.columns, table.settings, read.read.n_rows)
    values = counts_of_source(table.source, table.columns)
    return _Found(table.source, settle(table.columns, values), table.settings, values.n_rows)


def _names(found: _Found) -> tuple[dict[str, str], dict[str, Any]]:
    """New name by old name of every column, in order, and what there is to say of them."""
    columns, schema = found.columns, found.source.schema()
    parts = {role: getattr(columns, role).column for role in (*ROW_COLUMNS, *_KEPT_NAMES)}
    renamed = {
        column: role
        for role, column in parts.items()
        if column is not None and role in ROW_COLUMNS and (role == column or role not in schema)
    }
    names = {name: renamed.get(name, name) for name in schema if schema[name] != pl.Object}
    fixed: dict[str, Any] = {role: names[column] for role, column in parts.items() if column is not None}
    fixed |= {name: value for name, value in said_of(found.settings).items() if found.settings.says(name)}
    fixed["rewards"] = [[names[name], weight] for name, weight in columns.rewards]
    if found.settings.group_size is not None:
        fixed["group_size"] = found.settings.group_size
    first = [name for name in schema if name in renamed]
    return {name: names[name] for name in (*first, *(name for name in names if name not in first))}, fixed


def _write(frame: pl.LazyFrame, path: Path, metadata: dict[str, str]) -> None:
    place = path.resolve()
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.", suffix=".part") as folder:
            staged = Path(folder) / "table.parquet"
            frame.sink_parquet(staged, metadata=metadata, sync_on_close="data")
            staged.replace(place)
    except READ_ERRORS as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InvalidInputError(f"cannot write {path}: {reason}. Nothing was written.") from error
