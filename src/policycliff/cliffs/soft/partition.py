"""The subset of rows whose sum is largest: max over B of ||sum of the rows in B||_1, for rows that sum to 0.

For a matrix J whose rows sum to 0, max over |D| <= 1 of half the L1 norm of J D is this maximum: half the L1 norm of a
vector that sums to 0 is the sum of its positive part, the best D for a given set B of positive rows is the sign of
their sum. It is a partition problem. Up to 12 rows all subsets are tried; beyond, the subsets of the 11 largest rows
are, the others are added greedily for the lower end, and their norms added for the upper end.

Cost: 2^11 sums of rows.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.shapes import Bool, Float64

ENUMERATED = 12
CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class LargestSubset:
    """The maximum lies in [low, high]; `members` attains `low`."""

    low: float
    high: float
    members: Bool[np.ndarray, " rows"]


def largest_subset(matrix: Float64[np.ndarray, "rows columns"]) -> LargestSubset:
    """The subset of rows whose sum has the largest 1-norm; exact up to 12 rows that are not zero."""
    norms = np.abs(matrix).sum(axis=1)
    order = np.argsort(-norms, kind="stable")
    order = order[norms[order] > 0.0]
    members = np.zeros(len(matrix), dtype=bool)
    if order.size <= ENUMERATED:
        # A set and its complement have the same norm: the last row can stay outside.
        low, chosen = _enumerate(matrix[order[:-1]])
        members[order[:-1][chosen]] = True
        return LargestSubset(low, low, members)
    heavy, light = order[: ENUMERATED - 1], order[ENUMERATED - 1 :]
    top, chosen = _enumerate(matrix[heavy])
    members[heavy[chosen]] = True
    members = _improved(matrix, members)
    low = float(np.abs(matrix[members].sum(axis=0)).sum())
    high = min(0.5 * float(norms.sum()), top + float(norms[light].sum()))
    return LargestSubset(low, max(low, high), members)


def _enumerate(matrix: Float64[np.ndarray, "rows columns"]) -> tuple[float, Bool[np.ndarray, " rows"]]:
    """The best of all subsets, in chunks."""
    n = len(matrix)
    codes = np.arange(2**n)
    best, chosen = 0.0, np.zeros(n, dtype=bool)
    for part in np.array_split(codes, max(1, codes.size * matrix.shape[1] // CHUNK)):
        sets = (part[:, None] >> np.arange(n)) & 1
        sums = np.abs(sets.astype(np.float64) @ matrix).sum(axis=1)
        if sums.max() > best:
            best, chosen = float(sums.max()), sets[int(sums.argmax())].astype(bool)
    return best, chosen


def _improved(
    matrix: Float64[np.ndarray, "rows columns"], members: Bool[np.ndarray, " rows"]
) -> Bool[np.ndarray, " rows"]:
    """Alternate: the best signs for the set, then the best set for the signs, while the norm grows."""
    size = -1.0
    while True:
        total = matrix[members].sum(axis=0)
        norm = float(np.abs(total).sum())
        if norm <= size:
            return members
        size, members = norm, matrix @ np.sign(total) > 0.0
