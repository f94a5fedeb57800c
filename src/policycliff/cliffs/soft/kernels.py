"""Compiled comparison of kernel rows: the largest total variation between any two, overall or state by state."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, compiled


@compiled
def _add(pair: int, sign: float, owner: int, indptr: Integers, successors: Indices, p: Floats, scratch: Floats) -> None:
    """Add a row to the scratch vector; an empty row returns to its owner."""
    if indptr[pair] == indptr[pair + 1]:
        scratch[owner] += sign
    for k in range(indptr[pair], indptr[pair + 1]):
        scratch[successors[k]] += sign * p[k]


@compiled
def _drain(pair: int, owner: int, indptr: Integers, successors: Indices, scratch: Floats) -> float:
    """The sum of absolute values of the scratch vector where this row has entries, which are set to 0."""
    total = abs(scratch[owner])
    scratch[owner] = 0.0
    for k in range(indptr[pair], indptr[pair + 1]):
        total += abs(scratch[successors[k]])
        scratch[successors[k]] = 0.0
    return total


@compiled
def largest_variation(
    first: int, last: int, owners: Integers, indptr: Integers, successors: Indices, p: Floats, scratch: Floats
) -> float:
    """The largest total variation between two of the rows first to last - 1; `scratch` is zero before and after."""
    largest = 0.0
    for a in range(first, last):
        for b in range(a + 1, last):
            _add(a, 1.0, owners[a], indptr, successors, p, scratch)
            _add(b, -1.0, owners[b], indptr, successors, p, scratch)
            distance = _drain(a, owners[a], indptr, successors, scratch)
            distance += _drain(b, owners[b], indptr, successors, scratch)
            largest = max(largest, 0.5 * distance)
            if largest >= 1.0:
                return largest
    return largest


@compiled
def state_variations(offsets: Integers, owners: Integers, indptr: Integers, successors: Indices, p: Floats) -> Floats:
    """(states,) the largest total variation between the rows of two actions of each state."""
    scratch, result = np.zeros(offsets.size - 1), np.zeros(offsets.size - 1)
    for state in range(offsets.size - 1):
        result[state] = largest_variation(offsets[state], offsets[state + 1], owners, indptr, successors, p, scratch)
    return result
