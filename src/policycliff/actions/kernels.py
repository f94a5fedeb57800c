"""Compiled classification of states: the set within the error, the gap, and what is proven about it."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, SmallIntegers, compiled
from policycliff.mdp.kernels import same_row

UNIQUE, TIED, UNRESOLVED = 0, 1, 2


@compiled
def _ends(pair: int, indptr: Integers, successors: Indices, terminal: Flags) -> bool:
    """Whether all successors of a pair are terminal."""
    count = 0
    for k in range(indptr[pair], indptr[pair + 1]):
        count += terminal[successors[k]]
    return bool(count == indptr[pair + 1] - indptr[pair])


@compiled
def _rank(q: Floats, start: int, end: int, width: float, members: Flags) -> tuple[float, int]:
    """Mark the pairs within `width` of the best; returns the gap to the second best and their number."""
    top, second = q[start], -np.inf
    for pair in range(start + 1, end):
        if q[pair] > top:
            second = top
            top = q[pair]
        elif q[pair] > second:
            second = q[pair]
    count = 0
    for pair in range(start, end):
        members[pair] = top - q[pair] <= width
        count += members[pair]
    return top - second, count


@compiled
def _comparable(
    start: int,
    end: int,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    terminal: Flags,
    gamma: float,
    members: Flags,
) -> bool:
    """Whether all members surely continue alike: gamma = 0, equal rows, or nothing but terminal successors."""
    if gamma == 0.0:
        return True
    first = start
    while not members[first]:
        first += 1
    ends = _ends(first, indptr, successors, terminal)
    for pair in range(first + 1, end):
        both_end = ends and _ends(pair, indptr, successors, terminal)
        if members[pair] and not both_end and not same_row(first, pair, indptr, successors, probabilities):
            return False
    return True


@compiled
def _keep_best(start: int, end: int, rewards: Floats, members: Flags) -> int:
    """Keep the members of largest reward; returns their number."""
    most = -np.inf
    for pair in range(start, end):
        if members[pair]:
            most = max(most, rewards[pair])
    count = 0
    for pair in range(start, end):
        members[pair] = members[pair] and rewards[pair] == most
        count += members[pair]
    return count


@compiled
def classify(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    terminal: Flags,
    gamma: float,
    q: Floats,
    error: float,
    members: Flags,
    gaps: Floats,
    codes: SmallIntegers,
) -> None:
    """Fill members (pairs), gaps and codes (states); see `policycliff.actions.optimal` for the rules."""
    width = 2.0 * error * (1.0 + 1e-15)
    for state in range(codes.size):
        start, end = offsets[state], offsets[state + 1]
        gaps[state], count = _rank(q, start, end, width, members)
        codes[state] = UNIQUE
        if count == 1:
            continue
        codes[state] = UNRESOLVED
        if error == 0.0:
            codes[state] = TIED
        elif _comparable(start, end, indptr, successors, probabilities, terminal, gamma, members):
            codes[state] = TIED if _keep_best(start, end, rewards, members) > 1 else UNIQUE
        if codes[state] == TIED:
            gaps[state] = 0.0
