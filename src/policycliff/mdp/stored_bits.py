"""Keep the bits of numbers that a file holds where the builders would divide them by a sum that is 1 up to rounding."""

from dataclasses import replace

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64

UNIT_ROUNDOFF = 2.0**-53


def keep_bits(
    mdp: MDP, probabilities: Float64[np.ndarray, " entries"], initial: Float64[np.ndarray, " start"] | None
) -> MDP:
    """The MDP with the given probabilities (in its order) and start, where they are right up to rounding.

    Rows that sum to 1 only within the builders' tolerance stay normalised; so do kernels whose zeros were dropped.
    """
    if initial is not None and mdp.initial is not None and _sums_to_one(initial.sum(), initial.size):
        mdp = replace(mdp, initial=frozen(initial.copy()))
    if probabilities.size != mdp.probabilities.size or np.array_equal(probabilities, mdp.probabilities):
        return mdp
    lengths = np.diff(mdp.indptr)
    filled = np.flatnonzero(lengths)
    sums = np.add.reduceat(probabilities, mdp.indptr[:-1][filled])
    near = np.abs(sums - 1.0) <= 4.0 * lengths[filled] * UNIT_ROUNDOFF
    kept = np.where(np.repeat(near, lengths[filled]), probabilities, mdp.probabilities)
    deviation = np.abs(sums - 1.0) + 1.01 * lengths[filled] * UNIT_ROUNDOFF
    error = max(mdp.row_sum_error, float(deviation[near].max(initial=0.0)))
    return replace(mdp, probabilities=frozen(kept), row_sum_error=error)


def _sums_to_one(total: float, size: int) -> bool:
    return bool(abs(total - 1.0) <= 4.0 * size * UNIT_ROUNDOFF)
