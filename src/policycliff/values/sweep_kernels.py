"""Compiled sweeps over few rows a state: the chain of one policy, or of the actions near the best.

Each costs O(nonzeros of these rows). Jacobi sweeps read one vector and write another; Gauss-Seidel sweeps work in place
and so use what they have just found, which pays where the states stand in the order in which values spread.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, Singles, compiled
from policycliff.values.backup_kernels import ONE

# Sweeps without progress after which rounding is all that is left.
STALLED = 100
# Every so many sweeps the rest of a geometric series is added, if what two changes are not in proportion is this share.
SERIES, FIT = 42, 0.1
# Sweeps under one policy between two backups: until the range of the change has shrunk to this share.
EVALUATION_SHARE = 1e-3
EVALUATION_LIMIT = 1000
# Actions within this share of the range of the first change take part in the first sweeps, later ones a fifth as far.
# A state whose best action is missing costs a backup; more rows cost time and memory.
SLACK_SHARE, SLACK_DECAY = 0.3, 0.2
# Backups in a row without a better bound after which rounding is all that is left: fewer near the floor, within this
# multiple of it. Further off a policy may be changing state by state while the bound stays.
PATIENCE, FAR_PATIENCE, NEAR = 50, 1000, 10.0


@compiled
def chosen_rows(
    pairs: Integers, indptr: Integers, successors: Indices, probabilities: Floats
) -> tuple[Integers, Indices, Floats]:
    """The rows of the chosen pairs, one a state, copied next to each other (CSR)."""
    out_indptr = np.empty(pairs.size + 1, indptr.dtype)
    out_indptr[0] = 0
    for state in range(pairs.size):
        out_indptr[state + 1] = out_indptr[state] + indptr[pairs[state] + 1] - indptr[pairs[state]]
    out_successors = np.empty(out_indptr[-1], np.int32)
    out_probabilities = np.empty(out_indptr[-1], np.float64)
    for state in range(pairs.size):
        shift = indptr[pairs[state]] - out_indptr[state]
        for k in range(out_indptr[state], out_indptr[state + 1]):
            out_successors[k] = successors[k + shift]
            out_probabilities[k] = probabilities[k + shift]
    return out_indptr, out_successors, out_probabilities


@compiled
def _one_row_sweep(
    first: int,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    other: Floats,
) -> tuple[float, float]:
    """`kept_sweep` for one row a state."""
    low, high, end, origin = np.inf, -np.inf, np.uint64(0), np.uint64(first)
    for state in range(np.uint64(indptr.size - 1)):
        total = 0.0
        k = end
        end = np.uint64(indptr[state + ONE])
        while k < end:
            total += probabilities[k] * v[np.uint32(successors[k])]
            k += ONE
        total = rewards[state] + gamma * total
        change = total - v[origin + state]
        low = min(low, change)
        high = max(high, change)
        other[origin + state] = total
    return low, high


@compiled
def _few_rows_sweep(
    first: int,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    other: Floats,
) -> tuple[float, float]:
    """`kept_sweep` for any number of rows a state."""
    low, high, end, origin = np.inf, -np.inf, np.uint64(0), np.uint64(first)
    stop = np.uint64(0)
    for state in range(np.uint64(offsets.size - 1)):
        top = -np.inf
        start, stop = stop, np.uint64(offsets[state + ONE])
        for pair in range(start, stop):
            total = 0.0
            k = end
            end = np.uint64(indptr[pair + ONE])
            while k < end:
                total += probabilities[k] * v[np.uint32(successors[k])]
                k += ONE
            top = max(top, rewards[pair] + gamma * total)
        change = top - v[origin + state]
        low = min(low, change)
        high = max(high, change)
        other[origin + state] = top
    return low, high


@compiled
def kept_sweep(
    first: int,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    other: Floats,
) -> tuple[float, float]:
    """Set other = max (r + gamma P v) for the states of these rows, which start at `first`; the range of the change."""
    size = offsets.size - 1
    rows = (successors, probabilities, rewards)
    if offsets[size] == size:
        return _one_row_sweep(first, indptr[: size + 1], *rows, gamma, v, other)
    return _few_rows_sweep(first, offsets, indptr, *rows, gamma, v, other)


@compiled
def kept_sweeps(
    starts: Integers,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    other: Floats,
    span: float,
    n_sweeps: int,
) -> bool:
    """Sweep over all ranges (see `policycliff.values.kept_rows`) until the range of the change is below `span`.

    Returns whether the result is in `other`. Stops too when the span has not shrunk for a hundred sweeps: that is where
    rounding ends it. Where values spread slowly, every now and then the rest of the series is added at once.
    """
    best, stalled = np.inf, 0
    before = np.empty(0)
    for sweep in range(n_sweeps):
        low, high = np.inf, -np.inf
        for j in range(starts.shape[0] - 1):
            state, row, entry = starts[j]
            last_state, last_row, last_entry = starts[j + 1]
            least, most = kept_sweep(
                state,
                offsets[state + j : last_state + j + 1],
                indptr[row + j : last_row + j + 1],
                successors[entry:last_entry],
                probabilities[entry:last_entry],
                rewards[row:last_row],
                gamma,
                v,
                other,
            )
            low, high = min(low, least), max(high, most)
        stalled = stalled + 1 if high - low >= best else 0
        best = min(best, high - low)
        if high - low <= span or stalled >= STALLED:
            return sweep % 2 == 0
        if sweep % SERIES == SERIES - 2:
            before = other - v
        elif sweep % SERIES == SERIES - 1 and sweep + 1 < n_sweeps:
            add_the_rest(before, v, other)
        v, other = other, v
    return n_sweeps % 2 == 1


@compiled
def add_the_rest(before: Floats | Singles, v: Floats | Singles, other: Floats | Singles) -> None:
    """Where the change other - v is a multiple of the one before, add the rest of the geometric series to other.

    The multiple is fitted by least squares, apart from a constant, unless some state stays as it is; what does not fit
    must be a small share of the change.
    """
    fixed = ((before == 0.0) & (other == v)).any()
    change = other - v
    centre = 0.0 if fixed else 0.5 * (before.min() + before.max())
    middle = 0.0 if fixed else 0.5 * (change.min() + change.max())
    before, change = before - centre, change - middle
    squares = (before * before).sum()
    ratio = (before * change).sum() / squares if squares > 0.0 else 0.0
    if 0.5 < ratio < 1.0 and np.abs(change - ratio * before).max() <= FIT * np.abs(change).max():
        other += ratio / (1.0 - ratio) * change


@compiled
def improve_in_place(
    order: Indices,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    best: Integers,
) -> float:
    """Set v = max (R + gamma P v) in place, states in this order, and best to its pairs; returns the largest change."""
    largest = 0.0
    for place in range(order.size):
        state = order[place]
        top, chosen = -np.inf, offsets[state]
        for pair in range(offsets[state], offsets[state + 1]):
            total = 0.0
            for k in range(np.uint64(indptr[pair]), np.uint64(indptr[pair + 1])):
                total += probabilities[k] * v[np.uint32(successors[k])]
            total = rewards[pair] + gamma * total
            chosen = pair if total > top else chosen
            top = max(top, total)
        largest = max(largest, abs(top - v[state]))
        v[state] = top
        best[state] = chosen
    return largest


@compiled
def keep_in_order(
    order: Indices,
    rank: Indices,
    best: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    kept_indptr: Integers,
    kept_successors: Indices,
    kept_probabilities: Floats,
    kept_rewards: Floats,
) -> None:
    """Copy the best rows next to each other with the states in this order, and called by their places in it."""
    end = np.uint64(0)
    kept_indptr[0] = 0
    for place in range(order.size):
        row = best[order[place]]
        for k in range(np.uint64(indptr[row]), np.uint64(indptr[row + 1])):
            kept_successors[end] = rank[np.uint32(successors[k])]
            kept_probabilities[end] = probabilities[k]
            end += ONE
        kept_rewards[place] = rewards[row]
        kept_indptr[place + 1] = end


@compiled
def gauss_seidel_sweeps(
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    change: float,
    n_sweeps: int,
) -> bool:
    """Repeat v = r + gamma P v in place until the largest change is at most `change`; whether that was reached."""
    for _ in range(n_sweeps):
        largest, end = 0.0, np.uint64(0)
        for state in range(np.uint64(v.size)):
            total = 0.0
            k = end
            end = np.uint64(indptr[state + ONE])
            while k < end:
                total += probabilities[k] * v[np.uint32(successors[k])]
                k += ONE
            total = rewards[state] + gamma * total
            largest = max(largest, abs(total - v[state]))
            v[state] = total
        if largest <= change:
            return True
    return False


@compiled
def recentre(
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    fixed: Flags,
    v: Floats,
) -> bool:
    """Add one constant to v where it is not `fixed`, so that the mean residual is 0, if the largest one shrinks.

    Where values mix for long before they reach a fixed state, sweeps are slow to find this constant.
    """
    residuals, weights = np.zeros(v.size), np.zeros(v.size)
    for state in range(v.size):
        if not fixed[state]:
            total, inside = 0.0, 0.0
            for k in range(indptr[state], indptr[state + 1]):
                total += probabilities[k] * v[successors[k]]
                inside += 0.0 if fixed[successors[k]] else probabilities[k]
            residuals[state] = rewards[state] + gamma * total - v[state]
            weights[state] = 1.0 - gamma * inside
    if not weights.sum() > 0.0:
        return False
    constant = residuals.sum() / weights.sum()
    if not np.abs(residuals - constant * weights).max() < np.abs(residuals).max():
        return False
    for state in range(v.size):
        if not fixed[state]:
            v[state] += constant
    return True
