"""By what completions are compared: a model, a column of vectors, a function, or the words themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.behaviours.embedded import Embed, Embedded, each_distinct, of_column
from policycliff.rollouts.questions.behaviours.jaccard import jaccard
from policycliff.rollouts.questions.behaviours.likeness import Likeness, cosine
from policycliff.rollouts.questions.behaviours.texts import Texts
from policycliff.rollouts.questions.estimators.extra_columns import read_column
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.table import RolloutTable

METHODS = ("jaccard",)

_USUAL_WORDS = 64
"""Words of a text, for the size of a batch: more take more memory, and nothing else changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How completions are compared and grouped; exactly one of the first four is given.

    Attributes:
        model: Folder of a sentence embedding model.
        embedding: Column with a vector a row.
        embed: Function from texts to vectors.
        method: `jaccard`.
        ngram: Words a run, for Jaccard.
        threshold: Least similarity within a behaviour's links; None for one where the verdict is stable.
        grid: Least and greatest threshold to try, and how many; None to choose.
    """

    model: Path | None = None
    embedding: str | None = None
    embed: Embed | None = None
    method: str | None = None
    ngram: int = 2
    threshold: float | None = None
    grid: tuple[float, float, int] | None = None

    def __post_init__(self) -> None:
        given = [item for item in (self.model, self.embedding, self.embed, self.method) if item is not None]
        if len(given) != 1:
            raise InvalidInputError(
                f"completions can be compared in one way, but {len(given) or 'none'} is given. Give a model folder "
                "(--model), a column of vectors (--embedding), or --method jaccard, which needs neither."
            )
        if self.method is not None and self.method not in METHODS:
            raise InvalidInputError(f"there is no method {self.method!r}. Methods: {', '.join(METHODS)}.")
        if not 1 <= self.ngram <= 20:
            raise InvalidInputError(f"ngram must be between 1 and 20 words, got {self.ngram}.")
        if self.threshold is not None and not 0.0 < self.threshold <= 1.0:
            raise InvalidInputError(f"threshold must be above 0 and at most 1, got {self.threshold}.")
        if self.grid is not None:
            _require_grid(*self.grid)


def _require_grid(low: float, high: float, points: int) -> None:
    if not 0.0 < low < high <= 1.0 or not 2 <= points <= 200:
        raise InvalidInputError(
            f"grid must be LOW:HIGH:POINTS with 0 < LOW < HIGH <= 1 and 2 to 200 points, got {low:g}:{high:g}:{points}."
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """The texts, ready to compare.

    Attributes:
        likeness: How like they are.
        depth: Numbers that describe one text.
        method: How they are compared, for people.
        embedded: What is worth knowing of the vectors; None without vectors.
    """

    likeness: Likeness
    depth: int
    method: str
    embedded: Embedded | None


def compared(
    table: object, loaded: LoadedRollouts, texts: Texts, way: Way, report: Callable[[float], None]
) -> Compared:
    """The texts of a loaded table, made ready to compare.

    Raises:
        PolicyCliffError: No completion column, or vectors that cannot be had; the message says why.
    """
    if way.embedding is not None:
        column = read_column(table, loaded.settings, way.embedding, "embedding")
        return _of_vectors(of_column(column, loaded.table.row_index, texts))
    words = completions(loaded.table, texts)
    if way.method is not None:
        return Compared(jaccard(words, way.ngram), _USUAL_WORDS, f"Jaccard of {way.ngram}-word runs", None)
    if way.model is not None:
        from policycliff.rollouts.questions.behaviours.model import embed_texts  # noqa: PLC0415 - of an extra

        return _of_vectors(embed_texts(words, way.model, report))
    assert way.embed is not None  # noqa: S101 - one of the four is given
    return _of_vectors(Embedded(each_distinct(words, way.embed), "a function"))


def completions(table: RolloutTable, texts: Texts) -> pl.Series:
    """The distinct texts.

    Raises:
        TableError: The table has no completion column.
    """
    if "__completion" not in table.frame.columns:
        raise TableError("there is no completion column, so there are no texts to compare. Name it with --completion.")
    return table.frame["__completion"].gather(texts.first_row)


def _of_vectors(embedded: Embedded) -> Compared:
    width = embedded.vectors.shape[1]
    method = f"cosine of {width:,} numbers a text, {embedded.method}"
    return Compared(cosine(embedded.vectors), width, method, embedded)
