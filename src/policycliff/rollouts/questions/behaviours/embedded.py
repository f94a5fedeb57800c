"""Texts as vectors, from wherever they come."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.behaviours.likeness import unit_vectors
from policycliff.rollouts.questions.behaviours.texts import Texts
from policycliff.shapes import Int64

Embed = Callable[[list[str]], np.ndarray]
"""Vectors of texts, a row a text."""

_SAME = 1.0 - 1e-3


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector for each text, and what is worth knowing of them.

    Attributes:
        vectors: (texts, numbers) a row a text, not finite where there is none.
        method: How they were made, for people.
        cut: Texts of which the model read only the beginning.
        most_tokens: How many tokens the model reads; None where that is not known.
        differing: Texts whose rows have vectors that differ; the first is taken.
    """

    vectors: np.ndarray
    method: str
    cut: int = 0
    most_tokens: int | None = None
    differing: int = 0

    @property
    def missing(self) -> int:
        """Texts without a vector that has a direction."""
        return int((~_usable(self.vectors)).sum())


def each_distinct(texts: pl.Series, embed: Embed) -> np.ndarray:
    """Vectors of the texts, a row a text, NaN for a missing one; equal texts are embedded once.

    Raises:
        InvalidInputError: The function gives something else than one row of numbers a text.
    """
    distinct = texts.drop_nulls().unique(maintain_order=True)
    if distinct.is_empty():
        raise TableError("no completion has a text, so there is nothing to embed.")
    found = np.asarray(embed(distinct.to_list()))
    if found.ndim != 2 or len(found) != len(distinct) or found.dtype.kind not in "fiu" or found.shape[1] == 0:
        raise InvalidInputError(
            f"embed must give one row of numbers for each of {len(distinct)} texts; it gave an array of shape "
            f"{found.shape} of {found.dtype}."
        )
    numbers = pl.DataFrame({"text": distinct}).with_row_index("number")
    where = pl.DataFrame({"text": texts}).join(numbers, on="text", how="left", maintain_order="left")["number"]
    vectors = np.full((len(texts), found.shape[1]), np.nan, dtype=np.float32)
    known = where.is_not_null().to_numpy()
    vectors[known] = found[where.drop_nulls().to_numpy()]
    return vectors


def of_column(column: pl.Series, row_index: Int64[np.ndarray, " rows"], texts: Texts) -> Embedded:
    """The vectors of a list column; of rows of one text the first that has a vector counts.

    Args:
        column: The column as read.
        row_index: Position in it of each row of the sorted table.
        texts: The distinct texts of the sorted table.

    Raises:
        TableError: No numbers, no vector at all, or vectors of different lengths.
    """
    rows = _matrix(column)[row_index]
    usable = _usable(rows)
    if not usable.any():
        raise TableError(f"embedding column {column.name!r} has no usable vector: all are missing, zero or not finite.")
    order = np.lexsort((np.arange(len(rows)), ~usable, texts.of_row))
    chosen = order[np.unique(texts.of_row[order], return_index=True)[1]]
    return Embedded(
        rows[chosen],
        f"column {column.name}",
        differing=_differing(rows, usable, chosen, texts),
    )


def _usable(vectors: np.ndarray) -> np.ndarray:
    return np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)


def _differing(rows: np.ndarray, usable: np.ndarray, chosen: np.ndarray, texts: Texts) -> int:
    """Texts with a row whose vector points elsewhere than the one taken."""
    repeats = np.flatnonzero(usable & (chosen[texts.of_row] != np.arange(len(rows))))
    cosines = (unit_vectors(rows[repeats]) * unit_vectors(rows[chosen[texts.of_row[repeats]]])).sum(axis=1)
    return len(np.unique(texts.of_row[repeats[cosines < _SAME]]))


def _matrix(column: pl.Series) -> np.ndarray:
    dtype = column.dtype
    if not isinstance(dtype, pl.List | pl.Array) or not dtype.inner.is_numeric():
        raise TableError(
            f"embedding column {column.name!r} holds {dtype}, not lists of numbers. Give a column with one list of "
            "numbers a row (Parquet or JSON Lines)."
        )
    lists = column.cast(pl.List(pl.Float32))
    lengths = lists.list.len()
    expected = lengths.drop_nulls().mode().sort()
    if expected.is_empty():
        raise TableError(f"embedding column {column.name!r} is empty.")
    odd = (lengths.is_not_null() & (lengths != expected[0])).arg_true()
    if len(odd):
        raise TableError(
            f"embedding column {column.name!r}: row {odd[0] + 1} (counted from 1) has {lengths[int(odd[0])]} numbers, "
            f"others have {expected[0]}. Embed all rows with one model."
        )
    if expected[0] == 0:
        raise TableError(f"embedding column {column.name!r} holds empty lists.")
    vectors = np.full((len(lists), int(expected[0])), np.nan, dtype=np.float32)
    known = lists.is_not_null().to_numpy()
    flat = lists.drop_nulls().explode().to_numpy()
    vectors[known] = flat.reshape(-1, int(expected[0]))
    return vectors
