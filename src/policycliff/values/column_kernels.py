"""Compiled backups of eight rewards at once.

Values stand interleaved, one column a reward, so that each successor is fetched once for all eight; Q-values and
rewards have one row a reward. Eight sums written out stay in registers; a loop over an array of sums costs half as
much again.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, compiled
from policycliff.values.backup_kernels import ONE, back_up

COLUMNS = 8


@compiled
def back_up_columns(
    indptr: Integers, successors: Indices, probabilities: Floats, rewards: Floats, gamma: float, v: Floats, q: Floats
) -> None:
    """Set q = R + gamma P v, (8, pairs), from v (states, 8)."""
    end = np.uint64(0)
    for pair in range(np.uint64(q.shape[1])):
        k = end
        end = np.uint64(indptr[pair + ONE])
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
        q[0, pair] = rewards[0, pair] + gamma * t0
        q[1, pair] = rewards[1, pair] + gamma * t1
        q[2, pair] = rewards[2, pair] + gamma * t2
        q[3, pair] = rewards[3, pair] + gamma * t3
        q[4, pair] = rewards[4, pair] + gamma * t4
        q[5, pair] = rewards[5, pair] + gamma * t5
        q[6, pair] = rewards[6, pair] + gamma * t6
        q[7, pair] = rewards[7, pair] + gamma * t7


@compiled
def back_up_rows(
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    v: Floats,
    interleaved: Floats,
    q: Floats,
) -> None:
    """Set q = R + gamma P v, (rows, pairs), from v (rows, states); eight rows at once, where there is room to."""
    if interleaved.shape[0] > 0:
        for row in range(COLUMNS):
            interleaved[:, row] = v[row]
        back_up_columns(indptr, successors, probabilities, rewards, gamma, interleaved, q)
        return
    for row in range(q.shape[0]):
        back_up(0, q.shape[1], indptr, successors, probabilities, rewards[row], gamma, v[row], q[row])
