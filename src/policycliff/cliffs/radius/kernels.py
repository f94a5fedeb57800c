"""Compiled passes for the stability radius on trees: is it one, and which other path is nearest."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled
from policycliff.mdp.kernels import same_row


@compiled
def is_tree(
    indptr: Integers, successors: Indices, probabilities: Floats, offsets: Integers, terminal: Flags, initial: Floats
) -> bool:
    """Whether all rows are certain, no state but terminal ones has two parents, and initial states have none."""
    parents = np.zeros(terminal.size, np.int64)
    for state in range(terminal.size):
        for pair in range(offsets[state], offsets[state + 1]):
            if terminal[state]:
                continue
            if indptr[pair + 1] - indptr[pair] != 1 or probabilities[indptr[pair]] != 1.0:
                return False
            parents[successors[indptr[pair]]] += 1
    for state in range(terminal.size):
        if not terminal[state] and (parents[state] > 1 or (initial[state] > 0.0 and parents[state] > 0)):
            return False
    return True


@compiled
def _leaves_below(
    pair: int,
    kept: float,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    gamma: float,
    gaps: Floats,
    half_widths: Floats,
    power: float,
    stack: Integers,
    carried: Floats,
) -> tuple[float, int]:
    """The least gap / norm over the leaves behind `pair`, and the last pair on the way to it.

    `kept` is what the followed path adds to the norm; `carried` holds (discount, gap, norm) for the stack.
    """
    least, final, top = np.inf, -1, 1
    stack[0] = pair
    carried[0, 0], carried[0, 1], carried[0, 2] = 1.0, 0.0, 0.0
    while top > 0:
        top -= 1
        here = stack[top]
        weight, gap, norm = carried[top, 0], carried[top, 1], carried[top, 2]
        gap += weight * gaps[here]
        norm += (weight * half_widths[here]) ** power
        child = successors[indptr[here]]
        first, last = offsets[child], offsets[child + 1]
        if indptr[first] == indptr[first + 1]:
            size = (kept + norm) ** (1.0 / power)
            if size > 0.0 and gap / size < least:
                least, final = gap / size, here
            continue
        for other in range(first, last):
            stack[top] = other
            carried[top, 0], carried[top, 1], carried[top, 2] = weight * gamma, gap, norm
            top += 1
    return least, final


@compiled
def tree_alternatives(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    gamma: float,
    best: Integers,
    gaps: Floats,
    half_widths: Floats,
    power: float,
    roots: Integers,
) -> tuple[float, int, int]:
    """On a tree: the least (return gap) / (norm of the change of occupancy) over the other leaves below the roots.

    The followed path is that of `best`; the return gap of a leaf is the discounted sum of the gaps on its way, counted
    like the norm from the state where it leaves the path. Returns (ratio, pair that leaves the path, last pair).
    """
    least, leaving, final = np.inf, -1, -1
    stack = np.empty(gaps.size, np.int64)
    carried = np.empty((gaps.size, 3))
    path = np.empty(best.size, np.int64)
    for root in roots:
        length, state = 0, root
        while indptr[best[state]] < indptr[best[state] + 1]:
            path[length] = state
            length += 1
            state = successors[indptr[best[state]]]
        kept = 0.0
        for i in range(length - 1, -1, -1):
            kept = half_widths[best[path[i]]] ** power + gamma**power * kept
            if gamma == 0.0 and i > 0:
                continue  # What comes after the first step counts for nothing.
            for pair in range(offsets[path[i]], offsets[path[i] + 1]):
                if pair != best[path[i]]:
                    ratio, last = _leaves_below(
                        pair,
                        kept,
                        offsets,
                        indptr,
                        successors,
                        gamma,
                        gaps,
                        half_widths,
                        power,
                        stack,
                        carried,
                    )
                    if ratio < least:
                        least, leaving, final = ratio, pair, last
    return least, leaving, final


@compiled
def continue_alike(
    offsets: Integers, indptr: Integers, successors: Indices, probabilities: Floats, gamma: float, best: Integers
) -> Flags:
    """(pairs,) whether a pair is followed by exactly what follows the best pair of its state."""
    alike = np.zeros(indptr.size - 1, np.bool_)
    for state in range(best.size):
        for pair in range(offsets[state], offsets[state + 1]):
            alike[pair] = gamma == 0.0 or same_row(pair, best[state], indptr, successors, probabilities)
    return alike


@compiled
def right_solve_acyclic(
    order: Integers, indptr: Integers, successors: Indices, probabilities: Floats, gamma: float, x: Floats
) -> None:
    """Replace the columns of x (states, columns) by (I - gamma P)^-1 x where `order` lists successors first."""
    for i in range(order.size):
        state = order[i]
        for k in range(indptr[state], indptr[state + 1]):
            weight = gamma * probabilities[k]
            for column in range(x.shape[1]):
                x[state, column] += weight * x[successors[k], column]
