"""A prompt a row with a list of completions and lists of their scores; each item becomes a row."""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Reading
from policycliff.rollouts.formats.shared.rewards import SCORE_NAME, score_column, weighted
from policycliff.rollouts.formats.shared.tables import Schema, as_text, has_messages, visible
from policycliff.rollouts.formats.wide.column_names import kept_columns, wide_notes
from policycliff.rollouts.reading.columns import COMPLETION_NAMES, SOURCE_NAMES, is_numeric
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.table import SkippedRows

_LISTS = (*COMPLETION_NAMES, "outputs", "generations", "answers", "candidates", "samples")
_SOURCES = (*SOURCE_NAMES, *(f"{name}s" for name in SOURCE_NAMES))


@dataclass(frozen=True, slots=True)
class _Lists:
    """Columns with an item a completion; the numbers beside the scores and the sources only where lengths fit."""

    texts: str
    scores: tuple[str, ...]
    numbers: tuple[str, ...]
    sources: tuple[str, ...]

    def columns(self) -> tuple[str, ...]:
        return (self.texts, *self.scores, *self.numbers, *self.sources)


def expand_lists(frame: pl.LazyFrame, where: str, notes: tuple[str, ...]) -> Reading | None:
    """The items of the lists as rows, None where there are no such lists; `where` names the table in errors.

    Raises:
        TableError: A list of scores is not as long as its row's list of completions.
    """
    schema = frame.collect_schema()
    lists = _lists_of(visible(schema))
    if lists is None:
        return None
    usable = pl.col(lists.texts).list.len().fill_null(0) > 0
    usable &= pl.any_horizontal(pl.col(name).is_not_null() for name in lists.scores)
    lists, n_unusable = _checked(frame, lists, usable, where)
    kept = kept_columns(schema)
    items = _items(lists, schema)
    numbers = [_safe(name) for name in (*lists.scores, *lists.numbers)]
    rows = (
        frame.with_row_index("__group")
        .filter(usable)
        .select(pl.col("__group").alias("group"), *_named(kept), *_named(items))
        .explode(list(items))
        .with_columns(pl.col(numbers).cast(pl.Float64))
    )
    rewards = weighted([_safe(name) for name in lists.scores])
    fixed: dict[str, Any] = {name: name for name in ("group", *kept, "completion")}
    fixed |= {"source": "source"} if lists.sources else {}
    return Reading(
        frame=rows,
        fixed={**fixed, "rewards": rewards},
        notes=(*notes, *wide_notes(schema, lists.columns(), rewards)),
        skipped=(SkippedRows("no list of completions, or none of scores", n_unusable),) if n_unusable else (),
    )


def recognise_lists(sample: FileSample) -> str | None:
    """Why a sample's rows hold lists of completions with scores, or None."""
    for texts in _LISTS:
        for name in dict.fromkeys(key for row in sample.rows for key in row):
            if SCORE_NAME.search(_singular(name)) and any(_fits(row.get(texts), row.get(name)) for row in sample.rows):
                return f"lists {texts} and {name} of equal length"
    return None


def _lists_of(schema: Schema) -> _Lists | None:
    texts = next((name for name in _LISTS if name in schema and _is_list_of_texts(schema[name])), None)
    numbers = [name for name, dtype in schema.items() if isinstance(dtype, pl.List) and _is_number(dtype.inner)]
    scores = tuple(name for name in numbers if SCORE_NAME.search(_singular(name)))
    if texts is None or not scores:
        return None
    sources = tuple(name for name in _SOURCES if schema.get(name) == pl.List(pl.String))[:1]
    return _Lists(texts, scores, tuple(name for name in numbers if name not in scores), sources)


def _checked(frame: pl.LazyFrame, lists: _Lists, usable: pl.Expr, where: str) -> tuple[_Lists, int]:
    """The lists that have an item a completion in every row, and how many rows are not usable; one pass."""
    n_texts = pl.col(lists.texts).list.len()
    unlike = {name: usable & pl.col(name).list.len().ne(n_texts).fill_null(value=False) for name in lists.columns()}
    first = [pl.when(bad.any()).then(bad.arg_max()).alias(name) for name, bad in unlike.items()]
    found = frame.select(*first, (~usable).sum().alias("__unusable")).collect(engine="streaming").row(0, named=True)
    for name in lists.scores:
        if found[name] is not None:
            row = found[name]
            lengths = frame.slice(row, 1).select(pl.col(name).list.len(), n_texts).collect().row(0)
            raise TableError(
                f"{where}: {name!r} has {lengths[0]} items in row {row + 1} (counted from 1), but {lists.texts!r} has "
                f"{lengths[1]}. Write a score for every completion, null where there is none."
            )
    numbers, sources = (
        tuple(name for name in names if found[name] is None) for names in (lists.numbers, lists.sources)
    )
    return replace(lists, numbers=numbers, sources=sources), int(found["__unusable"])


def _items(lists: _Lists, schema: Schema) -> dict[str, pl.Expr]:
    """Lists of equal length to explode, by the name of the row's column."""
    n_texts = pl.col(lists.texts).list.len()
    inner = schema[lists.texts].inner  # type: ignore[attr-defined]
    texts = pl.col(lists.texts)
    found = {"completion": texts if inner == pl.String else texts.list.eval(as_text(pl.element(), inner))}
    named = [(_safe(name), name) for name in (*lists.scores, *lists.numbers)]
    for label, name in [*named, *(("source", name) for name in lists.sources)]:
        empty = pl.lit(None, dtype=schema[name].inner).repeat_by(n_texts)  # type: ignore[attr-defined]
        found[label] = pl.when(pl.col(name).is_null()).then(empty).otherwise(name)
    return found


def _named(columns: dict[str, pl.Expr]) -> list[pl.Expr]:
    return [column.alias(name) for name, column in columns.items()]


def _safe(name: str) -> str:
    """A name that no column of another part has."""
    return score_column(name, "score", ("__group",))


def _singular(name: str) -> str:
    return name if name.endswith("ss") else name.removesuffix("s")


def _is_list_of_texts(dtype: DataType) -> bool:
    return isinstance(dtype, pl.List) and (dtype.inner == pl.String or has_messages(dtype.inner))  # type: ignore[arg-type]


def _is_number(dtype: Any) -> bool:
    return is_numeric(dtype) and dtype != pl.Null


def _fits(texts: object, scores: object) -> bool:
    return (
        isinstance(texts, list)
        and isinstance(scores, list)
        and len(texts) == len(scores) > 1
        and all(isinstance(item, str | list | None) for item in texts)
        and any(isinstance(item, int | float) for item in scores)
        and all(isinstance(item, int | float | None) for item in scores)
    )
