"""Compiled Bellman backups on the native layout: hard and soft, full sweeps and policy sweeps.

Arrays as in `policycliff.mdp.model`. A full sweep costs O(nonzeros); a policy sweep O(nonzeros of the chosen rows),
which are copied next to each other first, because gathering scattered rows costs ten times as much.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import math

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled

UNIT_ROUNDOFF = 2.0**-53
BLOCK = 64
# Unsigned indices spare the test for negative ones that would count from the end: a third of the time of a sweep.
ONE = np.uint64(1)


@compiled
def _first_best(first: int, last: int, q: Floats) -> int:
    """The first maximiser of q among first:last."""
    top = q[first]
    for pair in range(first + 1, last):
        top = max(top, q[pair])
    while first < last - 1 and q[first] != top:
        first += 1
    return first


@compiled
def _back_up(
    first: int,
    last: int,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    q: Floats,
) -> None:
    """Set q = R + gamma P v for the pairs first:last."""
    end = np.uint64(indptr[first])
    for pair in range(np.uint64(first), np.uint64(last)):
        total = 0.0
        k = end
        end = np.uint64(indptr[pair + ONE])
        while k < end:
            total += probabilities[k] * v[np.uint32(successors[k])]
            k += ONE
        q[pair] = rewards[pair] + gamma * total


@compiled
def _choose(
    start: int,
    stop: int,
    slack: float,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    v: Floats,
    q: Floats,
    new_v: Floats,
    kept_offsets: Integers,
    kept_indptr: Integers,
    kept_successors: Indices,
    kept_probabilities: Floats,
    kept_rewards: Floats,
) -> tuple[float, float]:
    """For the states start:stop set new_v = max q and append the rows worth keeping; returns the range of new_v - v."""
    low, high = np.inf, -np.inf
    kept = kept_offsets[start]
    end = np.uint64(kept_indptr[kept])
    for state in range(start, stop):
        first, last = offsets[state], offsets[state + 1]
        best = _first_best(first, last, q)
        new_v[state] = q[best]
        low = min(low, q[best] - v[state])
        high = max(high, q[best] - v[state])
        bar = q[best] - max(slack, 0.0)
        if slack < 0.0:
            first, last = best, best + 1
        for pair in range(np.uint64(first), np.uint64(last)):
            if q[pair] >= bar:
                for k in range(np.uint64(indptr[pair]), np.uint64(indptr[pair + ONE])):
                    kept_successors[end] = successors[k]
                    kept_probabilities[end] = probabilities[k]
                    end += ONE
                kept_rewards[kept] = rewards[pair]
                kept += 1
                kept_indptr[kept] = end
        kept_offsets[state + 1] = kept
    return low, high


@compiled
def hard_sweep(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    slack: float,
    v: Floats,
    q: Floats,
    new_v: Floats,
    kept_offsets: Integers,
    kept_indptr: Integers,
    kept_successors: Indices,
    kept_probabilities: Floats,
    kept_rewards: Floats,
) -> tuple[float, float]:
    """Set q = R + gamma P v and new_v = max q; returns the range of new_v - v.

    Rows within `slack` of the best of their state are kept, copied while they are in the cache; with a slack below 0
    only that of the first maximiser. States are taken in blocks: the sums of a block first, so that they stay free of
    branches that are hard to predict.
    """
    low, high = np.inf, -np.inf
    kept_offsets[0], kept_indptr[0] = 0, 0
    kernel = (indptr, successors, probabilities, rewards)
    for block in range(0, new_v.size, BLOCK):
        stop = min(block + BLOCK, new_v.size)
        _back_up(offsets[block], offsets[stop], *kernel, gamma, v, q)
        least, most = _choose(
            block,
            stop,
            slack,
            offsets,
            *kernel,
            v,
            q,
            new_v,
            kept_offsets,
            kept_indptr,
            kept_successors,
            kept_probabilities,
            kept_rewards,
        )
        low, high = min(low, least), max(high, most)
    return low, high


@compiled
def hard_start(offsets: Integers, rewards: Floats, new_v: Floats) -> tuple[float, float]:
    """The hard sweep from v = 0, which needs no kernel: new_v = max R."""
    low, high = np.inf, -np.inf
    for state in range(new_v.size):
        new_v[state] = rewards[_first_best(offsets[state], offsets[state + 1], rewards)]
        low = min(low, new_v[state])
        high = max(high, new_v[state])
    return low, high


@compiled
def soft_value(q: Floats, base: Floats, start: int, end: int, temperature: float) -> float:
    """The soft maximum temperature * log sum of base * exp(q / temperature) over pairs start:end, without overflow."""
    top = -np.inf
    for pair in range(start, end):
        if base[pair] > 0.0 and q[pair] > top:
            top = q[pair]
    total = 0.0
    for pair in range(start, end):
        if base[pair] > 0.0:
            total += base[pair] * math.exp((q[pair] - top) / temperature)
    return top + temperature * math.log(total)


@compiled
def soft_sweep(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    base: Floats,
    temperature: float,
    v: Floats,
    q: Floats,
    new_v: Floats,
) -> tuple[float, float]:
    """Set q = R + gamma P v and new_v = soft maximum of q; returns the range of new_v - v."""
    low, high = np.inf, -np.inf
    _back_up(0, q.size, indptr, successors, probabilities, rewards, gamma, v, q)
    for state in range(new_v.size):
        new_v[state] = soft_value(q, base, offsets[state], offsets[state + 1], temperature)
        change = new_v[state] - v[state]
        low = min(low, change)
        high = max(high, change)
    return low, high


@compiled
def soft_weights(offsets: Integers, q: Floats, base: Floats, temperature: float, policy: Floats) -> None:
    """Set policy = base * exp(q / temperature), normalised in each state."""
    for state in range(offsets.size - 1):
        top = -np.inf
        for pair in range(offsets[state], offsets[state + 1]):
            if base[pair] > 0.0 and q[pair] > top:
                top = q[pair]
        total = 0.0
        for pair in range(offsets[state], offsets[state + 1]):
            weight = 0.0
            if base[pair] > 0.0:
                weight = base[pair] * math.exp((q[pair] - top) / temperature)
            policy[pair] = weight
            total += weight
        for pair in range(offsets[state], offsets[state + 1]):
            policy[pair] /= total


@compiled
def greedy_weights(offsets: Integers, q: Floats, policy: Floats) -> None:
    """Set policy = 1 on the first maximiser of q in each state, 0 elsewhere."""
    policy[:] = 0.0
    for state in range(offsets.size - 1):
        policy[_first_best(offsets[state], offsets[state + 1], q)] = 1.0


@compiled
def shift_and_choose(
    offsets: Integers, q: Floats, terminal: Flags, shift: float, values: Floats, policy: Floats
) -> None:
    """Add the shift to q outside terminal states; values = max q, policy = 1 on its first maximiser."""
    policy[:] = 0.0
    for state in range(values.size):
        if not terminal[state]:
            for pair in range(offsets[state], offsets[state + 1]):
                q[pair] += shift
        best = _first_best(offsets[state], offsets[state + 1], q)
        policy[best] = 1.0
        values[state] = q[best]


@compiled
def chosen_rows(
    pairs: Integers, indptr: Integers, successors: Indices, probabilities: Floats
) -> tuple[Integers, Indices, Floats]:
    """The rows of the chosen pairs, one a state, copied next to each other (CSR)."""
    out_indptr = np.empty(pairs.size + 1, np.int64)
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
def _restricted_back_up(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    new_v: Floats,
) -> None:
    """Set new_v = max (R + gamma P v) over few pairs a state."""
    end = np.uint64(0)
    for state in range(v.size):
        top = -np.inf
        for pair in range(np.uint64(offsets[state]), np.uint64(offsets[state + 1])):
            total = 0.0
            k = end
            end = np.uint64(indptr[pair + ONE])
            while k < end:
                total += probabilities[k] * v[np.uint32(successors[k])]
                k += ONE
            top = max(top, rewards[pair] + gamma * total)
        new_v[state] = top


@compiled
def chain_sweeps(
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
) -> tuple[int, bool]:
    """Repeat v = max (r + gamma P v) until the range of its change is below `span`.

    Returns (sweeps, whether the result is in `other`). Stops too when the span has not shrunk for a hundred sweeps:
    that is where rounding ends it.
    """
    best, stalled = np.inf, 0
    kernel = (indptr, successors, probabilities, rewards)
    for sweep in range(n_sweeps):
        if offsets[v.size] == v.size:
            _back_up(0, v.size, *kernel, gamma, v, other)
        else:
            _restricted_back_up(offsets, *kernel, gamma, v, other)
        low, high = np.inf, -np.inf
        for state in range(v.size):
            change = other[state] - v[state]
            low = min(low, change)
            high = max(high, change)
        stalled = stalled + 1 if high - low >= best else 0
        best = min(best, high - low)
        if high - low <= span or stalled >= 100:
            return sweep + 1, sweep % 2 == 0
        v, other = other, v
    return n_sweeps, n_sweeps % 2 == 1


@compiled
def soft_value_all(offsets: Integers, q: Floats, base: Floats, temperature: float, values: Floats) -> None:
    """The soft maximum of q in every state."""
    for state in range(values.size):
        values[state] = soft_value(q, base, offsets[state], offsets[state + 1], temperature)
