"""Newton's step for eight rewards at once: from a backup to the values of its policies, nearly.

A backup gives the residual d = T v - v and policies w, greedy or soft. Their values are v + e with e = d + gamma P_w e.
Only some digits of e are needed between two backups, so its sweeps run in single precision, on residuals scaled to at
most 1: half the memory to fetch. Certificates rest on the backups, which are in double precision.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, Singles, compiled
from policycliff.values.backup_kernels import ONE
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.sweep_kernels import EVALUATION_LIMIT, SERIES, add_the_rest

NOTHING = np.float32(0.0)
# Every so many sweeps, a divisor of SERIES, a look at the ranges: it costs as much as a sweep over one row a state.
LOOK = 3
# Changes of so many units in the last place of single precision are its rounding.
FEW_UNITS = 16.0 * 2.0**-23


@compiled
def sweep_columns(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: np.float32,
    weights: Singles,
    residuals: Singles,
    constants: Singles,
    e: Singles,
    other: Singles,
) -> None:
    """Set other = residuals - constants + gamma P_w e, (states, 8); sums that are written out stay in registers."""
    last, end = np.uint64(0), np.uint64(0)
    c0, c1, c2, c3 = constants[0], constants[1], constants[2], constants[3]
    c4, c5, c6, c7 = constants[4], constants[5], constants[6], constants[7]
    for state in range(np.uint64(e.shape[0])):
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = NOTHING
        first, last = last, np.uint64(offsets[state + ONE])
        for pair in range(first, last):
            k = end
            end = np.uint64(indptr[pair + ONE])
            t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = NOTHING
            while k < end:
                mass, ahead = np.float32(probabilities[k]), np.uint32(successors[k])
                t0 += mass * e[ahead, 0]
                t1 += mass * e[ahead, 1]
                t2 += mass * e[ahead, 2]
                t3 += mass * e[ahead, 3]
                t4 += mass * e[ahead, 4]
                t5 += mass * e[ahead, 5]
                t6 += mass * e[ahead, 6]
                t7 += mass * e[ahead, 7]
                k += ONE
            a0 += weights[pair, 0] * t0
            a1 += weights[pair, 1] * t1
            a2 += weights[pair, 2] * t2
            a3 += weights[pair, 3] * t3
            a4 += weights[pair, 4] * t4
            a5 += weights[pair, 5] * t5
            a6 += weights[pair, 6] * t6
            a7 += weights[pair, 7] * t7
        other[state, 0] = residuals[state, 0] - c0 + gamma * a0
        other[state, 1] = residuals[state, 1] - c1 + gamma * a1
        other[state, 2] = residuals[state, 2] - c2 + gamma * a2
        other[state, 3] = residuals[state, 3] - c3 + gamma * a3
        other[state, 4] = residuals[state, 4] - c4 + gamma * a4
        other[state, 5] = residuals[state, 5] - c5 + gamma * a5
        other[state, 6] = residuals[state, 6] - c6 + gamma * a6
        other[state, 7] = residuals[state, 7] - c7 + gamma * a7


@compiled
def _ranges(e: Singles, other: Singles, low: Singles, high: Singles, sizes: Singles) -> None:
    """Set low and high to the range of other - e in each column, sizes to the largest absolute entries of other."""
    low[:], high[:], sizes[:] = np.inf, -np.inf, 0.0
    for state in range(e.shape[0]):
        for column in range(COLUMNS):
            change = other[state, column] - e[state, column]
            low[column] = min(low[column], change)
            high[column] = max(high[column], change)
            sizes[column] = max(sizes[column], abs(other[state, column]))


@compiled
def _newton_steps(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: float,
    weights: Singles,
    look: int,
    shifted: bool,
    bars: Floats,
    residuals: Singles,
) -> Singles:
    """The fixed points of e = residuals + gamma P_w e, until each column changes by a range below its bar.

    `shifted`: up to constants. They are taken out on the way, for they would grow and drown what is sought in rounding.
    """
    e, other = residuals.copy(), np.empty_like(residuals)
    low, high, sizes = np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32)
    constants, single = np.zeros(COLUMNS, np.float32), np.float32(gamma)
    for sweep in range(1, EVALUATION_LIMIT + 1):
        sweep_columns(offsets, indptr, successors, probabilities, single, weights, residuals, constants, e, other)
        e, other = other, e
        if sweep % look:
            continue
        _ranges(other, e, low, high, sizes)
        if shifted:
            constants += np.float32(0.5) * (low + high)
        if (high - low <= np.maximum(bars, FEW_UNITS * sizes)).all():
            break
        if sweep % SERIES == 0 and sweep < EVALUATION_LIMIT:
            # One more sweep shows how the change changes.
            before = e - other
            sweep_columns(offsets, indptr, successors, probabilities, single, weights, residuals, constants, e, other)
            for column in range(COLUMNS):
                add_the_rest(before[:, column], e[:, column], other[:, column])
            e, other = other, e
    return e


@compiled
def newton_step(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: float,
    weights: Singles,
    running: Flags,
    low: Floats,
    high: Floats,
    targets: Floats,
    share: float,
    look: int,
    shifted: bool,
    steps: Floats,
    new_v: Floats,
    v: Floats,
) -> None:
    """Set v to the values of the policies, nearly, plus the steps, where rewards are running.

    `offsets`, `indptr`, `successors` and `probabilities` are those of the rows with weights, (rows, 8), in each column.
    `shifted` says that a constant in the residuals plays no part. Sweeps end where the range of the change has shrunk
    to this share of the residuals', or is below its target.
    """
    n_rows, n_states = v.shape
    residuals, bars = np.zeros((n_states, COLUMNS), np.float32), np.full(COLUMNS, np.inf)
    middles, scales = np.zeros(n_rows), np.zeros(n_rows)
    for row in range(n_rows):
        middle = 0.5 * (low[row] + high[row]) if shifted else 0.0
        scale = max(high[row] - middle, middle - low[row])
        if running[row] and 0.0 < scale < np.inf:
            span = max(share * (high[row] - low[row]), targets[row])
            middles[row], scales[row], bars[row] = middle, scale, span / scale
            for state in range(n_states):
                residuals[state, row] = (new_v[row, state] - v[row, state] - middle) / scale
    e = _newton_steps(offsets, indptr, successors, probabilities, gamma, weights, look, shifted, bars, residuals)
    for row in range(n_rows):
        if scales[row] > 0.0:
            for state in range(n_states):
                v[row, state] += middles[row] + steps[row] + scales[row] * e[state, row]
        elif running[row]:
            v[row] = new_v[row] + steps[row]
