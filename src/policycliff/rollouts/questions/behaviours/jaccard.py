"""Likeness of texts by the runs of words that they share: no model, and nothing of meaning."""

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from policycliff.rollouts.questions.behaviours.likeness import LARGEST_MATRIX, Batch, Likeness, RowsOf
from policycliff.shapes import Int64

_WORD = r"\w+|[^\w\s]"
"""A word, or one mark: in a program the marks say what it does."""


def jaccard(texts: pl.Series, n: int) -> Likeness:
    """Share of the distinct runs of `n` words of two texts that both have, case aside.

    A text of fewer than `n` words is one run. Texts without any word are like each other; a missing text is like
    nothing.

    >>> batch = Batch(np.array([[0, 1, 2]]), np.ones((1, 3), dtype=bool))
    >>> jaccard(pl.Series(["a b c", "A b c d", "x"]), 2)(batch)(np.array([0]))
    array([[1.        , 0.66666667, 0.        ]])
    """

    def of(batch: Batch) -> RowsOf:
        count, width = batch.members.shape
        every = np.arange(count)
        runs = _runs(texts.gather(batch.members.ravel()), batch, n)
        sizes = np.asarray(runs.sum(axis=1)).reshape(count, width)
        across = runs.T.tocsr()
        if count * width * width > LARGEST_MATRIX:
            return lambda chosen: _ratio((runs[[int(chosen[0])]] @ across).toarray(), sizes, sizes[every, chosen])
        shared = (runs @ across).tocoo()
        both = np.zeros((count, width, width))
        first, second = shared.coords
        both[first // width, first % width, second % width] = shared.data
        return lambda chosen: _ratio(both[every, chosen], sizes, sizes[every, chosen])

    return of


def _ratio(both: np.ndarray, sizes: np.ndarray, size: np.ndarray) -> np.ndarray:
    union = sizes + size[:, None] - both
    return np.divide(both, union, out=np.zeros(both.shape), where=union > 0)


def _runs(texts: pl.Series, batch: Batch, n: int) -> csr_array:
    """Which text has which run of words, a row a place of the batch; prompts have no run in common."""
    words = pl.DataFrame({"words": texts.str.to_lowercase().str.extract_all(_WORD)}).with_row_index("place")
    padded = pl.col("words").list.concat(pl.lit([""] * n, dtype=pl.List(pl.String))).list.head(n)
    full = pl.when(pl.col("words").list.len() < n).then(padded).otherwise("words")
    real = words.filter(pl.Series(batch.real.ravel()) & pl.col("words").is_not_null())
    flat = real.with_columns(full).explode("words").with_columns(pl.col("words").rank("dense"))
    place, code = flat["place"].to_numpy().astype(np.int64), flat["words"].to_numpy().astype(np.int64)
    if len(place) == 0:
        return csr_array((batch.members.size, 1))
    ends = np.flatnonzero(place[: len(place) - n + 1] == place[n - 1 :])
    run, place = code[ends], place[ends]
    for step in range(1, n):
        run = _paired(run, code[ends + step])
    run = _paired(place // batch.members.shape[1], run)
    pairs = np.unique(place * (int(run.max()) + 1) + run)
    rows, columns = np.divmod(pairs, int(run.max()) + 1)
    shape = (batch.members.size, int(run.max()) + 1)
    return csr_array((np.ones(len(pairs)), (rows, columns)), shape=shape)


def _paired(first: Int64[np.ndarray, " n"], second: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """A number of each pair, from 0 without gaps: products of such numbers stay within 64 bits."""
    return np.unique(first * (int(second.max()) + 1) + second, return_inverse=True)[1]
