"""Compiled Bellman backups on the native layout: hard and soft.

Arrays as in `policycliff.mdp.model`. A backup costs O(nonzeros). The rows of the best actions are then copied next to
each other for the sweeps of `policycliff.values.sweep_kernels`: gathering scattered rows costs ten times as much.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import math

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled

BLOCK = 64
# Unsigned indices spare the test for negative ones that would count from the end: a third of the time of a sweep.
ONE = np.uint64(1)


@compiled
def first_best(first: int, last: int, q: Floats) -> int:
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
def hard_sweep(
    first: int,
    last: int,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    q: Floats,
    new_v: Floats,
) -> tuple[float, float]:
    """Set q = R + gamma P v and new_v = max q for the states first:last; returns the range of new_v - v.

    States are taken in blocks, so that the maxima find their Q-values in the cache.
    """
    low, high = np.inf, -np.inf
    for block in range(first, last, BLOCK):
        stop = min(block + BLOCK, last)
        back_up(offsets[block], offsets[stop], indptr, successors, probabilities, rewards, gamma, v, q)
        least, most = maxima(block, stop, offsets, q, v, new_v)
        low, high = min(low, least), max(high, most)
    return low, high


@compiled
def maxima(first: int, last: int, offsets: Integers, q: Floats, v: Floats, new_v: Floats) -> tuple[float, float]:
    """Set new_v = max q for the states first:last; returns the range of new_v - v."""
    low, high = np.inf, -np.inf
    end = np.uint64(offsets[first])
    for state in range(np.uint64(first), np.uint64(last)):
        start, end = end, np.uint64(offsets[state + ONE])
        top = q[start]
        for pair in range(start + ONE, end):
            top = max(top, q[pair])
        new_v[state] = top
        change = top - v[state]
        low = min(low, change)
        high = max(high, change)
    return low, high


@compiled
def keep_rows(
    first: int,
    last: int,
    slack: float,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    q: Floats,
    top: Floats,
    kept_offsets: Integers,
    kept_indptr: Integers,
    kept_successors: Indices,
    kept_probabilities: Floats,
    kept_rewards: Floats,
) -> None:
    """Copy the rows of all actions within `slack` of the best, of the states first:last, next to each other.

    With a slack below 0 only that of the first maximiser. `top` is max q; kept rows are counted from `first`.
    """
    kept, end = 0, np.uint64(0)
    kept_offsets[0], kept_indptr[0] = 0, 0
    widest = 0
    for state in range(first, last):
        widest = max(widest, offsets[state + 1] - offsets[state])
    near = np.empty(widest + 1, np.int64)
    for state in range(first, last):
        bar, count = top[state] - max(slack, 0.0), 0
        # Listed without a branch: which actions are near is hard to predict.
        for pair in range(np.uint64(offsets[state]), np.uint64(offsets[state + 1])):
            near[np.uint64(count)] = pair
            count += q[pair] >= bar
        for i in range(np.uint64(1 if slack < 0.0 else count)):
            row = np.uint64(near[i])
            for k in range(np.uint64(indptr[row]), np.uint64(indptr[row + ONE])):
                kept_successors[end] = successors[k]
                kept_probabilities[end] = probabilities[k]
                end += ONE
            kept_rewards[kept] = rewards[row]
            kept += 1
            kept_indptr[kept] = end
        kept_offsets[state - first + 1] = kept


@compiled
def hard_start(offsets: Integers, rewards: Floats, new_v: Floats) -> tuple[float, float]:
    """The hard sweep from v = 0, which needs no kernel: new_v = max R."""
    low, high = np.inf, -np.inf
    for state in range(new_v.size):
        new_v[state] = rewards[first_best(offsets[state], offsets[state + 1], rewards)]
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
def soft_state(q: Floats, base: Floats, start: int, end: int, temperature: float, policy: Floats) -> float:
    """Set policy = base * exp(q / temperature) over pairs start:end, normalised; returns the soft maximum."""
    top = -np.inf
    for pair in range(start, end):
        if base[pair] > 0.0 and q[pair] > top:
            top = q[pair]
    total = 0.0
    for pair in range(start, end):
        policy[pair] = base[pair] * math.exp((q[pair] - top) / temperature) if base[pair] > 0.0 else 0.0
        total += policy[pair]
    for pair in range(start, end):
        policy[pair] /= total
    return top + temperature * math.log(total)


@compiled
def soft_weights(offsets: Integers, q: Floats, base: Floats, temperature: float, policy: Floats) -> None:
    """Set policy = base * exp(q / temperature), normalised in each state."""
    for state in range(offsets.size - 1):
        soft_state(q, base, offsets[state], offsets[state + 1], temperature, policy)


@compiled
def greedy_weights(offsets: Integers, q: Floats, policy: Floats) -> None:
    """Set policy = 1 on the first maximiser of q in each state, 0 elsewhere."""
    policy[:] = 0.0
    for state in range(offsets.size - 1):
        policy[first_best(offsets[state], offsets[state + 1], q)] = 1.0


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
        best = first_best(offsets[state], offsets[state + 1], q)
        policy[best] = 1.0
        values[state] = q[best]


@compiled
def soft_value_all(offsets: Integers, q: Floats, base: Floats, temperature: float, values: Floats) -> None:
    """The soft maximum of q in every state."""
    for state in range(values.size):
        values[state] = soft_value(q, base, offsets[state], offsets[state + 1], temperature)
