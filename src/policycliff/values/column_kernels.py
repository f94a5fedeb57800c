"""Compiled passes for several rewards on one kernel: vectors have eight columns, one a reward.

A pass reads the kernel once for all columns. Eight sums written out stay in registers; a loop over an array of sums
costs half as much again.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import math

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, compiled
from policycliff.values.backup_kernels import ONE

COLUMNS = 8


@compiled
def back_up_columns(
    indptr: Integers, successors: Indices, probabilities: Floats, rewards: Floats, gamma: float, v: Floats, q: Floats
) -> None:
    """Set q = R + gamma P v, (pairs, 8)."""
    end = np.uint64(0)
    for pair in range(q.shape[0]):
        k = end
        end = np.uint64(indptr[np.uint64(pair) + ONE])
        t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = 0.0
        while k < end:
            mass, ahead = probabilities[k], np.uint32(successors[k])
            t0 += mass * v[ahead, 0]
            t1 += mass * v[ahead, 1]
            t2 += mass * v[ahead, 2]
            t3 += mass * v[ahead, 3]
            t4 += mass * v[ahead, 4]
            t5 += mass * v[ahead, 5]
            t6 += mass * v[ahead, 6]
            t7 += mass * v[ahead, 7]
            k += ONE
        q[pair, 0] = rewards[pair, 0] + gamma * t0
        q[pair, 1] = rewards[pair, 1] + gamma * t1
        q[pair, 2] = rewards[pair, 2] + gamma * t2
        q[pair, 3] = rewards[pair, 3] + gamma * t3
        q[pair, 4] = rewards[pair, 4] + gamma * t4
        q[pair, 5] = rewards[pair, 5] + gamma * t5
        q[pair, 6] = rewards[pair, 6] + gamma * t6
        q[pair, 7] = rewards[pair, 7] + gamma * t7


@compiled
def choose_columns(offsets: Integers, q: Floats, new_v: Floats, best: Integers) -> None:
    """Set new_v = max q and best = its first maximiser, (states, 8)."""
    for state in range(new_v.shape[0]):
        first = offsets[state]
        for column in range(COLUMNS):
            new_v[state, column] = q[first, column]
            best[state, column] = first
        for pair in range(first + 1, offsets[state + 1]):
            for column in range(COLUMNS):
                better = q[pair, column] > new_v[state, column]
                new_v[state, column] = q[pair, column] if better else new_v[state, column]
                best[state, column] = pair if better else best[state, column]


@compiled
def soft_columns(
    offsets: Integers,
    q: Floats,
    rewards: Floats,
    base: Floats,
    temperature: float,
    new_v: Floats,
    weights: Floats,
    paid: Floats,
) -> None:
    """Set new_v = soft maximum of q, weights = the soft policy, paid = its reward, with the regularizer's share."""
    for state in range(new_v.shape[0]):
        for column in range(COLUMNS):
            top = -np.inf
            for pair in range(offsets[state], offsets[state + 1]):
                if base[pair] > 0.0 and q[pair, column] > top:
                    top = q[pair, column]
            total = 0.0
            for pair in range(offsets[state], offsets[state + 1]):
                weight = 0.0
                if base[pair] > 0.0:
                    weight = base[pair] * math.exp((q[pair, column] - top) / temperature)
                weights[pair, column] = weight
                total += weight
            new_v[state, column] = top + temperature * math.log(total)
            earned, expected = 0.0, 0.0
            for pair in range(offsets[state], offsets[state + 1]):
                weights[pair, column] /= total
                earned += weights[pair, column] * rewards[pair, column]
                expected += weights[pair, column] * q[pair, column]
            # The value is expected Q plus the regularizer's share.
            paid[state, column] = earned + new_v[state, column] - expected


@compiled
def change_of_columns(v: Floats, new_v: Floats, ends: Floats) -> None:
    """Set ends (2, 8) to the range of new_v - v in each column."""
    ends[0, :] = np.inf
    ends[1, :] = -np.inf
    for state in range(v.shape[0]):
        for column in range(COLUMNS):
            change = new_v[state, column] - v[state, column]
            ends[0, column] = min(ends[0, column], change)
            ends[1, column] = max(ends[1, column], change)


@compiled
def average_columns(offsets: Integers, weights: Floats, paid: Floats, ahead: Floats, new_v: Floats) -> None:
    """Set new_v = paid + the mean of `ahead` (pairs, 8) under the weights."""
    for state in range(new_v.shape[0]):
        for column in range(COLUMNS):
            new_v[state, column] = paid[state, column]
        for pair in range(offsets[state], offsets[state + 1]):
            for column in range(COLUMNS):
                new_v[state, column] += weights[pair, column] * ahead[pair, column]


@compiled
def copy_chain(
    best: Integers,
    column: int,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    kept_indptr: Integers,
    kept_successors: Indices,
    kept_probabilities: Floats,
    kept_rewards: Floats,
) -> None:
    """Copy the rows of one column's policy next to each other."""
    end = np.uint64(0)
    for state in range(best.shape[0]):
        pair = best[state, column]
        for k in range(np.uint64(indptr[pair]), np.uint64(indptr[pair + 1])):
            kept_successors[end] = successors[k]
            kept_probabilities[end] = probabilities[k]
            end += ONE
        kept_rewards[state] = rewards[pair, column]
        kept_indptr[state + 1] = end


@compiled
def room_for_chain(offsets: Integers, indptr: Integers) -> int:
    """The most probabilities that one row of each state can have."""
    room = 0
    for state in range(offsets.size - 1):
        longest = 0
        for pair in range(offsets[state], offsets[state + 1]):
            longest = max(longest, indptr[pair + 1] - indptr[pair])
        room += longest
    return room
