"""Files that are ordinary tables in another layout: as one lazy frame, and what their columns hold, as text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.reading.delimited import TEXT_PREFIX
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.files import first_line
from policycliff.rollouts.reading.scan import scan_file

Schema = Mapping[str, DataType]
_CONTAINERS = ("Parquet", "JSON Lines", "CSV", "TSV")


def scan_tables(paths: Sequence[Path]) -> tuple[pl.LazyFrame, tuple[str, ...]]:
    """Files below each other with the union of their columns, and a note where they differ.

    Raises:
        TableError: A file cannot be read, or a column's types in two files do not fit together.
    """
    frames = [scan_file(path) for path in paths]
    if len(frames) == 1:
        return frames[0], ()
    schemas = [frame.collect_schema() for frame in frames]
    hidden = {name for schema in schemas for name in schema if name.startswith(TEXT_PREFIX)}
    # A CSV column of numbers has its text beside it; where another file's is text at once, it is that text.
    filled = [
        frame.with_columns(
            pl.col(name.removeprefix(TEXT_PREFIX)).cast(pl.String).alias(name)
            for name in sorted(hidden)
            if name not in schema and name.removeprefix(TEXT_PREFIX) in schema
        )
        for frame, schema in zip(frames, schemas, strict=True)
    ]
    frame = pl.concat(filled, how="diagonal_relaxed")
    try:
        union = [name for name in frame.collect_schema() if not name.startswith(TEXT_PREFIX)]
    except (PolarsError, PanicException) as error:
        raise TableError(
            f"{paths[0]} to {paths[-1].name} do not fit together: {first_line(error)}. Give files of one kind."
        ) from error
    partial = [name for name in union if not all(name in schema for schema in schemas)]
    note = f"not in every file, and null where absent: {', '.join(partial)}."
    return frame, (note,) if partial else ()


def visible(schema: Schema) -> dict[str, DataType]:
    """The columns without the hidden texts of a CSV file."""
    return {name: dtype for name, dtype in schema.items() if not name.startswith(TEXT_PREFIX)}


def sampled_columns(sample: FileSample) -> tuple[str, ...]:
    """Names of a sample's columns: from its schema, or from all its rows."""
    if sample.container not in _CONTAINERS:
        return ()
    return tuple(sample.columns or dict.fromkeys(key for row in sample.rows for key in row))


def holds_text(sample: FileSample, name: str) -> bool:
    """Whether a column's first values may be text or messages; nothing is known of a CSV file's."""
    values = [row.get(name) for row in sample.rows if row.get(name) is not None]
    return not sample.rows or (bool(values) and all(_is_text(value) for value in values))


def has_text(name: str, schema: Schema) -> bool:
    """Whether a column is of text or messages, or of a CSV file, where a short answer such as 42 reads as a number."""
    dtype = schema[name]
    return dtype == pl.String or dtype.is_nested() or TEXT_PREFIX + name in schema


def original(name: str, schema: Schema) -> pl.Expr:
    """A column as it stands in the file: a CSV column of numbers as its text."""
    hidden = TEXT_PREFIX + name
    return pl.col(hidden).alias(name) if hidden in schema else pl.col(name)


def has_messages(dtype: DataType) -> bool:
    """Whether a column holds lists of chat messages, of whatever kind their contents are."""
    return isinstance(dtype, pl.List) and _fields(dtype.inner).get("role") == pl.String


def is_plain_chat(dtype: DataType) -> bool:
    """Whether messages have a role and a content, both text, and nothing else: the report shows these as they are."""
    return isinstance(dtype, pl.List) and _fields(dtype.inner) == {"role": pl.String, "content": pl.String}


def as_text(value: pl.Expr, dtype: DataType, *, keep_chat: bool = True) -> pl.Expr:
    """A column as text; plain chat messages may stay lists.

    Messages become "role: content" lines, with whatever else they hold (calls of tools, parts of a content) as JSON
    behind it, so that messages that differ stay different.
    """
    if keep_chat and is_plain_chat(dtype):
        # One order of the fields, so that two columns of messages are of one type.
        return value.list.eval(pl.struct(pl.element().struct.field("role"), pl.element().struct.field("content")))
    if isinstance(dtype, pl.List) and has_messages(dtype):
        return value.list.eval(_line(_fields(dtype.inner))).list.join("\n")
    if dtype.is_nested():
        encoded = pl.struct(value.alias("value")).struct.json_encode()
        text = encoded.str.strip_prefix('{"value":').str.strip_suffix("}")
        return pl.when(value.is_not_null()).then(text)
    return value.cast(pl.String)


def _line(fields: Mapping[str, Any]) -> pl.Expr:
    pieces = [pl.element().struct.field("role").fill_null(""), pl.lit(": ")]
    known = ("role", "content") if fields.get("content") == pl.String else ("role",)
    others = [name for name in fields if name not in known]
    pieces += [pl.element().struct.field("content").fill_null("")] if "content" in known else []
    if others:
        held = pl.any_horizontal(pl.element().struct.field(name).is_not_null() for name in others)
        encoded = pl.struct(pl.element().struct.field(name) for name in others).struct.json_encode()
        pieces.append(pl.when(held).then(encoded).otherwise(pl.lit("")))
    return pl.concat_str(pieces)


def _fields(dtype: object) -> dict[str, Any]:
    return {field.name: field.dtype for field in dtype.fields} if isinstance(dtype, pl.Struct) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "role" in item for item in value)
    )
