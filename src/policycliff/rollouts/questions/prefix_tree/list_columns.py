"""Columns of lists as one flat column with offsets: lists of tokens, steps, keys or step rewards, or JSON text of them.

A row is usable if it has a list and no element of it is missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.columns import missing_column
from policycliff.rollouts.reading.derive import with_derived
from policycliff.rollouts.reading.read import collect, open_table
from policycliff.rollouts.reading.texts import readable
from policycliff.rollouts.settings import AuditSettings
from policycliff.shapes import Int64


@dataclass(frozen=True, slots=True)
class Lists:
    """A list a row, laid end to end.

    Attributes:
        elements: All elements, row after row.
        starts: (rows,) first element of each row.
        lengths: (rows,) number of elements; -1 where a row has no usable list.
    """

    elements: pl.Series
    starts: Int64[np.ndarray, " rows"]
    lengths: Int64[np.ndarray, " rows"]


def read_columns(table: object, settings: AuditSettings, roles: Mapping[str, str]) -> dict[str, pl.Series]:
    """Some columns of the table as they were read, by role; `roles` says which column plays which.

    Raises:
        TableError: There is no such column; the message lists those there are.
    """
    if not roles:
        return {}
    source = with_derived(open_table(table, settings), settings.derive)
    schema = source.schema()
    for role, name in roles.items():
        if name not in schema:
            raise missing_column(name, role, schema)
    frame = collect(source, [pl.col(name).alias(role) for role, name in roles.items()])
    return {role: frame[role].alias(name) for role, name in roles.items()}


def lists_of(column: pl.Series, role: str) -> Lists:
    """A column of lists, or of JSON text of lists.

    >>> lists = lists_of(pl.Series("ids", [[3, 4], None, [], [5]]), "tokens")
    >>> lists.elements.to_list(), lists.lengths.tolist()
    ([3, 4, 5], [2, -1, 0, 1])

    Raises:
        TableError: The column holds something else.
    """
    column = _as_lists(column, role)
    length = column.list.len()
    whole = (column.is_not_null() & (column.list.drop_nulls().list.len() == length)).fill_null(value=False)
    lengths = length.fill_null(0).cast(pl.Int64).to_numpy()
    lengths = np.where(whole.to_numpy(), lengths, -1)
    counted = np.maximum(lengths, 0)
    # Without the empty lists, which `explode` would turn into a missing element.
    elements = column.filter(pl.Series(lengths > 0)).explode()
    if elements.dtype.is_nested():
        elements = readable(elements)
    return Lists(elements, np.cumsum(counted) - counted, lengths)


def _as_lists(column: pl.Series, role: str) -> pl.Series:
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=pl.List(pl.String))
    if column.dtype == pl.String:
        return _decoded(column, role)
    if isinstance(column.dtype, pl.Array):
        return column.arr.to_list()
    if not isinstance(column.dtype, pl.List):
        raise TableError(
            f"{role} column {column.name!r} holds {column.dtype}, not lists. Give a column of lists, or of their JSON "
            "text."
        )
    return column


def _decoded(column: pl.Series, role: str) -> pl.Series:
    values = [None if text is None else _list_in(text, column.name, role, row) for row, text in enumerate(column)]
    kinds = {type(item) for value in values if value is not None for item in value} - {type(None)}
    if not (kinds <= {int, float} or kinds <= {str}):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TableError(f"{role} column {column.name!r} mixes kinds in its lists ({names}). Write one kind only.")
    inner = pl.String if kinds <= {str} else pl.Float64 if float in kinds else pl.Int64
    try:
        return pl.Series(column.name, values, dtype=pl.List(inner))
    except (OverflowError, TypeError, pl.exceptions.PolarsError) as error:
        raise TableError(f"{role} column {column.name!r} holds a number that does not fit 64 bits.") from error


def _list_in(text: str, name: str, role: str, row: int) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        short = text if len(text) <= 40 else text[:39] + "…"
        raise TableError(
            f"{role} column {name!r} is no JSON list in row {row + 1} (counted from 1): {short!r}. Give a column of "
            "lists, or --split for text."
        )
    return [json.dumps(item, sort_keys=True) if isinstance(item, dict | list | bool) else item for item in value]
