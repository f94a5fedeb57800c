"""How far behaviours found by likeness are those of a column that says what the behaviours are."""

import numpy as np

from policycliff.rollouts.segments import segment_sum
from policycliff.shapes import Float64, Int64


def pair_agreement(
    found: Int64[np.ndarray, " rows"], known: Int64[np.ndarray, " rows"], offsets: Int64[np.ndarray, " prompts_plus_1"]
) -> Float64[np.ndarray, " prompts"]:
    """F1 over the pairs of completions of each prompt: a pair counts where both are of one behaviour.

    1 where both name the same pairs, 0 where they have none in common; 1 where neither names a pair.

    >>> pair_agreement(np.array([0, 0, 1]), np.array([5, 5, 5]), np.array([0, 3]))
    array([0.5])
    """
    both = found * (int(known.max()) + 1) + known
    shared, of_found, of_known = (_pairs(labels, offsets) for labels in (both, found, known))
    total = of_found + of_known
    return np.divide(2.0 * shared, total, out=np.ones(len(total)), where=total > 0)


def _pairs(
    labels: Int64[np.ndarray, " rows"], offsets: Int64[np.ndarray, " prompts_plus_1"]
) -> Float64[np.ndarray, " prompts"]:
    """Pairs of rows of one label, by prompt; no label is in two prompts."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    # Each row is in (count - 1) pairs, and each pair has two rows.
    return segment_sum((counts[inverse] - 1).astype(np.float64), offsets) / 2.0
