"""Compiled passes over a kernel in CSR form: copy and check its rows, order its states, find trees.

All of them cost one pass over the stored probabilities, O(nonzeros). None allocates states x states.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, GivenIntegers, Indices, Integers, compiled

# What `copy_rows` found wrong in the first bad row (0: nothing).
BAD_NUMBER, BAD_NEGATIVE, BAD_SUM, BAD_INDEX = 1, 2, 3, 4
UNIT_ROUNDOFF = 2.0**-53


@compiled
def same_row(first: int, second: int, indptr: Integers, successors: Indices, probabilities: Floats) -> bool:
    """Whether two kernel rows are stored alike."""
    start, other = indptr[first], indptr[second]
    length = indptr[first + 1] - start
    if indptr[second + 1] - other != length:
        return False
    for k in range(length):
        if successors[start + k] != successors[other + k] or probabilities[start + k] != probabilities[other + k]:
            return False
    return True


@compiled
def _copy_row(
    start: int,
    end: int,
    indices: GivenIntegers,
    data: Floats,
    n_states: int,
    to: int,
    out_indices: Indices,
    out_data: Floats,
) -> tuple[int, float, int]:
    """Copy the positive entries of one row to position `to`; returns where they end, their sum and an error code."""
    mass = 0.0
    for k in range(np.uint64(start), np.uint64(end)):
        p = data[k]
        if not p > 0.0:
            if p == 0.0:
                continue
            return to, mass, BAD_NEGATIVE if p < 0.0 else BAD_NUMBER
        if indices[k] < 0 or indices[k] >= n_states:
            return to, mass, BAD_INDEX
        out_indices[np.uint64(to)] = indices[k]
        out_data[np.uint64(to)] = p
        to += 1
        mass += p
    return to, mass, 0


@compiled
def _renormalise(start: int, end: int, mass: float, out_data: Floats) -> float:
    """Divide a row by its sum unless the sum is 1 up to rounding; returns a bound on what its exact sum is off by."""
    rounding = (end - start - 1) * UNIT_ROUNDOFF
    if abs(mass - 1.0) > 2.0 * rounding:
        total = mass
        mass = 0.0
        for k in range(start, end):
            out_data[k] /= total
            mass += out_data[k]
    return abs(mass - 1.0) + 1.001 * rounding


@compiled
def copy_rows(
    indptr: GivenIntegers,
    indices: GivenIntegers,
    data: Floats,
    rows: Integers,
    n_states: int,
    tolerance: float,
    out_indptr: Integers,
    out_indices: Indices,
    out_data: Floats,
) -> tuple[float, int, int]:
    """Copy the chosen rows (-1: an empty row), drop stored zeros, check and renormalise each row.

    A row whose sum is off 1 by more than its own rounding is divided by its sum. Returns the largest deviation of an
    exact row sum from 1 (an upper bound), and (code, position in `rows`) of the first bad row.
    """
    out_indptr[0] = 0
    end, deviation = 0, 0.0
    for i in range(rows.size):
        start = end
        if rows[i] >= 0:
            first, last = indptr[rows[i]], indptr[rows[i] + 1]
            end, mass, code = _copy_row(first, last, indices, data, n_states, start, out_indices, out_data)
            if code == 0 and not abs(mass - 1.0) <= tolerance:
                code = BAD_SUM if mass < np.inf else BAD_NUMBER
            if code != 0:
                return deviation, code, i
            deviation = max(deviation, _renormalise(start, end, mass, out_data))
        out_indptr[i + 1] = end
    return deviation, 0, -1


@compiled
def rows_are_fine(indptr: GivenIntegers, indices: GivenIntegers, data: Floats, n_states: int) -> tuple[bool, float]:
    """Whether `copy_rows` would change nothing and refuse nothing, and the largest deviation of an exact row sum."""
    deviation, end, states = 0.0, np.uint64(indptr[0]), np.uint64(n_states)
    for i in range(np.uint64(indptr.size - 1)):
        start, end = end, np.uint64(indptr[i + np.uint64(1)])
        mass, fine = 0.0, True
        for k in range(start, end):
            mass += data[k]
            # A negative index is a huge unsigned one.
            fine &= (data[k] > 0.0) & (np.uint64(np.int64(indices[k])) < states)
        rounding = (np.int64(end) - np.int64(start) - 1) * UNIT_ROUNDOFF
        off = abs(mass - 1.0)
        if not (fine and off <= 2.0 * rounding):
            return False, deviation
        deviation = max(deviation, off + 1.001 * rounding)
    return True, deviation


@compiled
def row_sums(indptr: GivenIntegers, data: Floats, row: int) -> float:
    """Sum of one row in floating point."""
    mass = 0.0
    for k in range(indptr[row], indptr[row + 1]):
        mass += data[k]
    return mass


@compiled
def stays(indptr: GivenIntegers, indices: GivenIntegers, data: Floats, rows: Integers, state_of_row: Integers) -> int:
    """Position of the first row that is neither empty nor a certain return to its own state; -1 if none."""
    for i in range(rows.size):
        mass = 0.0
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            if data[k] != 0.0 and indices[k] != state_of_row[i]:
                return i
            mass += data[k]
        if not (mass == 0.0 or abs(mass - 1.0) <= 1e-9):
            return i
    return -1


@compiled
def _is_forward(first: Integers, successors: Indices) -> bool:
    """Whether all successors of a state have larger numbers."""
    for state in range(first.size - 1):
        for k in range(first[state], first[state + 1]):
            if successors[k] <= state:
                return False
    return True


@compiled
def backward_order(first: Integers, successors: Indices) -> tuple[Integers, int]:
    """States ordered so that successors come first, or (order, a state on a cycle) where there is no such order.

    Where all successors come after their states, as in trees written from the root, that is the reverse order. Else
    depth-first search over the successors `successors[first[s]:first[s + 1]]` of each state s; it stops at the first
    cycle, which in a well-connected MDP is found after few steps.
    """
    n_states = first.size - 1
    if _is_forward(first, successors):
        return np.arange(n_states - 1, -1, -1), -1
    colour = np.zeros(n_states, np.int8)
    order = np.empty(n_states, np.int64)
    stack = np.empty(n_states, np.int64)
    cursor = first[:-1].copy()
    done = 0
    for root in range(n_states):
        if colour[root] != 0:
            continue
        depth = 1
        stack[0] = root
        colour[root] = 1
        while depth > 0:
            state = stack[depth - 1]
            if cursor[state] < first[state + 1]:
                target = successors[cursor[state]]
                cursor[state] += 1
                if colour[target] == 1:
                    return order, target
                if colour[target] == 0:
                    colour[target] = 1
                    stack[depth] = target
                    depth += 1
            else:
                colour[state] = 2
                order[done] = state
                done += 1
                depth -= 1
    return order, -1


@compiled
def longest_path(order: Integers, first: Integers, successors: Indices, discount: float) -> Floats:
    """Per state the sum of discount^t over the steps of its longest path to the end (acyclic MDPs)."""
    length = np.zeros(order.size)
    for i in range(order.size):
        state = order[i]
        if first[state] == first[state + 1]:
            continue
        longest = 0.0
        for k in range(first[state], first[state + 1]):
            longest = max(longest, length[successors[k]])
        length[state] = 1.0 + discount * longest
    return length


@compiled
def reached_states(first: Integers, successors: Indices, seeds: Flags) -> Flags:
    """Which states can be reached from the seeds (a mask) along stored successors."""
    n_states = first.size - 1
    reached = seeds.copy()
    stack = np.empty(n_states, np.int64)
    depth = 0
    for state in range(n_states):
        if seeds[state]:
            stack[depth] = state
            depth += 1
    while depth > 0:
        depth -= 1
        state = stack[depth]
        for k in range(first[state], first[state + 1]):
            target = successors[k]
            if not reached[target]:
                reached[target] = True
                stack[depth] = target
                depth += 1
    return reached
