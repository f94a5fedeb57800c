"""Wide tables: a prompt a row with several completions, in columns of their own or in lists; each becomes a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import ROW_COLUMNS, FileSample, Format, Reading
from policycliff.rollouts.formats.shared.rewards import weighted
from policycliff.rollouts.formats.shared.tables import (
    Schema,
    as_text,
    has_text,
    holds_text,
    is_plain_chat,
    original,
    sampled_columns,
    scan_tables,
    visible,
)
from policycliff.rollouts.formats.wide.column_names import Layout, kept_columns, layout_of, wide_notes
from policycliff.rollouts.formats.wide.lists import expand_lists, recognise_lists
from policycliff.rollouts.reading.columns import SOURCE_NAMES, is_numeric
from policycliff.rollouts.settings import AuditSettings


def expand(frame: pl.LazyFrame, where: str, notes: tuple[str, ...] = ()) -> Reading | None:
    """A wide table as rows, None where it is none; `where` names it in errors."""
    schema = frame.collect_schema()
    layout = _text_layout(schema)
    if layout is not None:
        return _expand_columns(frame, schema, layout, notes)
    return expand_lists(frame, where, notes)


def _text_layout(schema: Schema) -> Layout | None:
    layout = layout_of(tuple(visible(schema)))
    if layout is None or not all(has_text(name, schema) for name in layout.completions.values()):
        return None
    return layout


def _expand_columns(frame: pl.LazyFrame, schema: Schema, layout: Layout, notes: tuple[str, ...]) -> Reading:
    kept = kept_columns(schema)
    rewards = weighted(layout.scores)
    rows = (
        frame.with_row_index("__group")
        .select(
            pl.col("__group").alias("group"),
            *(column.alias(name) for name, column in kept.items()),
            pl.concat_list(_structs(schema, layout)).alias("__row"),
        )
        .explode("__row")
        .unnest("__row")
    )
    fixed = {name: name for name in (*kept, "group", "completion", "source")}
    return Reading(
        frame=rows,
        fixed={**fixed, "rewards": rewards},
        notes=(*notes, *wide_notes(schema, layout.columns(), rewards)),
    )


def _structs(schema: Schema, layout: Layout) -> list[pl.Expr]:
    """A struct a completion, all of one type."""
    plain = all(is_plain_chat(schema[name]) for name in layout.completions.values())
    named = next((layout.values[name] for name in SOURCE_NAMES if name in layout.values), {})
    structs = []
    for label, name in layout.completions.items():
        source = original(named[label], schema).cast(pl.String) if label in named else pl.lit(label)
        fields = [as_text(original(name, schema), schema[name], keep_chat=plain).alias("completion")]
        fields.append(source.alias("source"))
        fields += [_value(schema, columns, label).alias(stem) for stem, columns in _kept_values(schema, layout)]
        structs.append(pl.struct(fields))
    return structs


def _kept_values(schema: Schema, layout: Layout) -> list[tuple[str, dict[str, str]]]:
    """Scores, and what else is numeric for every completion that has it."""
    return [
        (stem, columns)
        for stem, columns in layout.values.items()
        if stem not in ROW_COLUMNS and (stem in layout.scores or all(is_numeric(schema[n]) for n in columns.values()))
    ]


def _value(schema: Schema, columns: dict[str, str], label: str) -> pl.Expr:
    numeric = all(is_numeric(schema[name]) for name in columns.values())
    dtype: Any = pl.Float64 if numeric else pl.String
    return pl.col(columns[label]).cast(dtype) if label in columns else pl.lit(None, dtype=dtype)


def _recognise(sample: FileSample) -> str | None:
    layout = layout_of(sampled_columns(sample))
    if layout is not None and all(holds_text(sample, name) for name in layout.completions.values()):
        names = ", ".join(layout.completions.values())
        return f"columns {names} with {' and '.join(layout.scores)} of each"
    return recognise_lists(sample)


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:  # noqa: ARG001 - the reader protocol
    frame, notes = scan_tables(paths)
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"
    reading = expand(frame, where, notes)
    if reading is None:
        raise TableError(
            f"{where}: no two columns of completions with scores of the same endings (response_a and score_a), and no "
            "lists of both. Give --format plain, or rename the columns."
        )
    return reading


WIDE = Format(name="wide", title="wide table, several completions a row", recognise=_recognise, read=_read)
