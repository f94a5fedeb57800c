"""Compiled Bellman backups on the native layout: hard and soft.

Arrays as in `policycliff.mdp.model`. A backup costs O(nonzeros). The hard one copies the rows of the best actions next
to each other while they are in the cache, for the sweeps of `policycliff.values.sweep_kernels`.
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
    best, top = first, q[first]
    for pair in range(first + 1, last):
        best = pair if q[pair] > top else best
        top = max(top, q[pair])
    return best


@compiled
def back_up(
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
    origin: int,
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
    """For the states start:stop set new_v = max q and append the rows worth keeping; returns the range of new_v - v.

    Kept rows are counted from the state `origin`.
    """
    low, high = np.inf, -np.inf
    kept = kept_offsets[start - origin]
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
        kept_offsets[state - origin + 1] = kept
    return low, high


@compiled
def hard_sweep(
    first: int,
    last: int,
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
    """Set q = R + gamma P v and new_v = max q for the states first:last; returns the range of new_v - v.

    Rows within `slack` of the best of their state are kept, copied while they are in the cache; with a slack below 0
    only that of the first maximiser. States are taken in blocks: the sums of a block first, so that they stay free of
    branches that are hard to predict.
    """
    low, high = np.inf, -np.inf
    kept_offsets[0], kept_indptr[0] = 0, 0
    kernel = (indptr, successors, probabilities, rewards)
    for block in range(first, last, BLOCK):
        stop = min(block + BLOCK, last)
        back_up(offsets[block], offsets[stop], *kernel, gamma, v, q)
        least, most = _choose(
            first,
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
def soft_value(q: Floats, base: Floats, start: int | np.uint64, end: int | np.uint64, temperature: float) -> float:
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
    first: int,
    last: int,
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
    """Set q = R + gamma P v and new_v = soft maximum of q for the states first:last; returns the range of new_v - v."""
    low, high = np.inf, -np.inf
    back_up(offsets[first], offsets[last], indptr, successors, probabilities, rewards, gamma, v, q)
    for state in range(first, last):
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
    first: int, last: int, offsets: Integers, q: Floats, terminal: Flags, shift: float, values: Floats, policy: Floats
) -> None:
    """For states first:last add the shift to q unless terminal; values = max q, policy = 1 on its first maximiser."""
    policy[offsets[first] : offsets[last]] = 0.0
    for state in range(first, last):
        if not terminal[state]:
            for pair in range(offsets[state], offsets[state + 1]):
                q[pair] += shift
        best = _first_best(offsets[state], offsets[state + 1], q)
        policy[best] = 1.0
        values[state] = q[best]


@compiled
def soft_value_all(offsets: Integers, q: Floats, base: Floats, temperature: float, values: Floats) -> None:
    """The soft maximum of q in every state."""
    for state in range(values.size):
        values[state] = soft_value(q, base, offsets[state], offsets[state + 1], temperature)
