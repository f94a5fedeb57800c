"""Similarity of the distinct completions of a prompt, for many prompts of like size at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from policycliff.shapes import Bool, Float64, Int64

APART = -3.0
"""Less than any similarity: what padding has to everything."""

LARGEST_MATRIX = 4_000_000
"""Entries of a similarity matrix, or of the vectors of a batch, that are held at once."""

RowsOf = Callable[[Int64[np.ndarray, " prompts"]], Float64[np.ndarray, "prompts width"]]
"""Given one text of each prompt (counted from 0 within it), its similarity to every text of that prompt."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Prompts whose texts are compared together, padded to the size of the greatest.

    Attributes:
        members: (prompts, width) numbers of the texts; padding repeats the first of the prompt.
        real: (prompts, width) False for padding.
    """

    members: Int64[np.ndarray, "prompts width"]
    real: Bool[np.ndarray, "prompts width"]


Likeness = Callable[[Batch], RowsOf]
"""What is known of the texts, ready to compare those of a batch."""


def batches(offsets: Int64[np.ndarray, " groups_plus_1"], *, depth: int = 1) -> Iterator[Batch]:
    """Prompts of like size together; every prompt is in one batch.

    Args:
        offsets: First text of each prompt.
        depth: Numbers that describe one text, so that a batch fits in memory.

    >>> [batch.members.shape for batch in batches(np.array([0, 2, 5, 6, 8]))]
    [(1, 1), (2, 2), (1, 3)]
    """
    sizes = np.diff(offsets)
    # Classes that double, so that padding is at most half, and small prompts are not padded at all.
    classes = np.where(sizes <= 4, sizes, 2 ** np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64))
    for size_class in np.unique(classes).tolist():
        chosen = np.flatnonzero(classes == size_class)
        width = int(sizes[chosen].max())
        count = max(1, LARGEST_MATRIX // (width * max(width, depth)))
        for start in range(0, len(chosen), count):
            first, size = offsets[chosen[start : start + count]], sizes[chosen[start : start + count]]
            place = np.arange(width)
            real = place < size[:, None]
            yield Batch(np.where(real, first[:, None] + place, first[:, None]), real)


def cosine(vectors: np.ndarray) -> Likeness:
    """Cosine of vectors, a row a text; a vector that is not finite or zero is like nothing.

    >>> same = cosine(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
    >>> same(Batch(np.array([[0, 1, 2]]), np.ones((1, 3), dtype=bool)))(np.array([0]))
    array([[1., 1., 0.]])
    """

    def of(batch: Batch) -> RowsOf:
        unit = unit_vectors(vectors[batch.members])
        every = np.arange(len(batch.members))
        if batch.members.size * batch.members.shape[1] <= LARGEST_MATRIX:
            product = unit @ unit.transpose(0, 2, 1)
            return lambda chosen: product[every, chosen]
        return lambda chosen: np.matmul(unit, unit[every, chosen][:, :, None])[:, :, 0]

    return of


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length 1 in double precision; 0 where they have no direction."""
    wide = np.asarray(vectors, dtype=np.float64)
    usable = np.isfinite(wide).all(axis=-1, keepdims=True)
    wide = np.where(usable, wide, 0.0)
    # Scaled first: the square of a large or a small number must not leave the range.
    size = np.abs(wide).max(axis=-1, keepdims=True)
    wide = np.divide(wide, size, out=np.zeros_like(wide), where=size > 0)
    length = np.sqrt((wide * wide).sum(axis=-1, keepdims=True))
    return np.divide(wide, length, out=wide, where=length > 0)
