"""Columns of the files of a TRL completion log: one type each over all files, and nested values as text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from policycliff.rollouts.formats.shared.messages import message_line
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.scan import scan_file
from policycliff.rollouts.reading.texts import readable

_CHAT = {"role": pl.String(), "content": pl.String()}


def common_schema(schemas: Sequence[Mapping[str, DataType]]) -> dict[str, DataType]:
    """The type that holds a column's values in all files; what has none becomes text."""
    names = dict.fromkeys(name for schema in schemas for name in schema)
    return {name: _common_type(name, [schema[name] for schema in schemas if name in schema]) for name in names}


def aligned(
    files: Sequence[Path], schemas: Sequence[Mapping[str, DataType]], types: Mapping[str, DataType]
) -> pl.LazyFrame:
    """The rows of all files below each other, with columns of the types given."""
    frames = [
        scan_file(path).select(_cast(name, schema.get(name), dtype) for name, dtype in types.items())
        for path, schema in zip(files, schemas, strict=True)
    ]
    return pl.concat(frames, how="vertical")


def as_text(name: str, dtype: DataType) -> pl.Expr:
    """Nested values as text, so that rows can be compared."""
    if not dtype.is_nested():
        return pl.col(name)
    return pl.col(name).map_batches(_message_text, return_dtype=pl.String)


def _common_type(name: str, types: list[DataType]) -> DataType:
    if name == "step":
        return pl.Int64()
    present = [dtype for dtype in types if dtype != pl.Null] or types
    if all(dtype.is_numeric() or dtype == pl.Boolean for dtype in present):
        return present[0] if len(set(present)) == 1 else pl.Float64()
    plain = not present[0].is_nested() or present[0] == pl.List(pl.Struct(_CHAT))
    return present[0] if len(set(present)) == 1 and plain else pl.String()


def _cast(name: str, found: DataType | None, wanted: DataType) -> pl.Expr:
    if found is None:
        return pl.lit(None, dtype=wanted).alias(name)
    column = as_text(name, found) if found.is_nested() and found != wanted else pl.col(name)
    return column if found == wanted else column.cast(wanted)


def _message_text(column: pl.Series) -> pl.Series:
    """Chat messages as "role: content" lines, with reasoning and tool calls; other values as `readable`."""
    if not isinstance(column.dtype, pl.List) or not isinstance(column.dtype.inner, pl.Struct):
        return readable(column)
    fields = {field.name for field in column.dtype.inner.fields}
    if fields == set(_CHAT) or "role" not in fields:
        return readable(column)
    lines = [None if value is None else "\n".join(map(message_line, value)) for value in column.to_list()]
    return pl.Series(column.name, lines, dtype=pl.String)
