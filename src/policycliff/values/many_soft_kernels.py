"""Modified policy iteration for soft policies under eight rewards at once, compiled as a whole.

A backup gives the residual d = T v - v and the soft policies w. Their values are v + e with e = d + gamma P_w e:
Newton's step for the soft Bellman equation. Only three digits of e are needed between two backups, so its sweeps run in
single precision, on residuals scaled to at most 1: half the memory to fetch. Certificates rest on the backups, which
are in double precision.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import math

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, Singles, compiled
from policycliff.values.backup_kernels import ONE
from policycliff.values.certificate_kernels import Constants
from policycliff.values.column_kernels import COLUMNS, back_up_rows
from policycliff.values.many_kernels import RUNNING, certify_row, largest_size, set_out
from policycliff.values.sweep_kernels import EVALUATION_LIMIT, EVALUATION_SHARE

NOTHING = np.float32(0.0)
# Sweeps in a row that bring no reward nearer, after which single precision is exhausted.
WITHOUT_PROGRESS = 10


@compiled
def soft_columns(
    offsets: Integers,
    q: Floats,
    base: Floats,
    temperature: float,
    v: Floats,
    new_v: Floats,
    weights: Singles,
    low: Floats,
    high: Floats,
) -> None:
    """Set new_v = soft maxima of q, (rows, states), weights = soft policies, (pairs, 8), and the range of new_v - v."""
    low[:], high[:] = np.inf, -np.inf
    for state in range(new_v.shape[1]):
        start, end = offsets[state], offsets[state + 1]
        for row in range(q.shape[0]):
            top = -np.inf
            for pair in range(start, end):
                if base[pair] > 0.0:
                    top = max(top, q[row, pair])
            total = 0.0
            for pair in range(start, end):
                weight = base[pair] * math.exp((q[row, pair] - top) / temperature) if base[pair] > 0.0 else 0.0
                weights[pair, row] = weight
                total += weight
            new_v[row, state] = top + temperature * math.log(total)
            share = np.float32(1.0 / total)
            for pair in range(start, end):
                weights[pair, row] *= share
            change = new_v[row, state] - v[row, state]
            low[row] = min(low[row], change)
            high[row] = max(high[row], change)


@compiled
def sweep_columns(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: np.float32,
    weights: Singles,
    residuals: Singles,
    e: Singles,
    other: Singles,
) -> None:
    """Set other = residuals + gamma P_w e, (states, 8); sums that are written out stay in registers."""
    last, end = np.uint64(0), np.uint64(0)
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
        other[state, 0] = residuals[state, 0] + gamma * a0
        other[state, 1] = residuals[state, 1] + gamma * a1
        other[state, 2] = residuals[state, 2] + gamma * a2
        other[state, 3] = residuals[state, 3] + gamma * a3
        other[state, 4] = residuals[state, 4] + gamma * a4
        other[state, 5] = residuals[state, 5] + gamma * a5
        other[state, 6] = residuals[state, 6] + gamma * a6
        other[state, 7] = residuals[state, 7] + gamma * a7


@compiled
def _spreads(e: Singles, other: Singles, out: Singles) -> None:
    """Set out to the length of the range of other - e in each column."""
    low, high = np.full(COLUMNS, np.inf, np.float32), np.full(COLUMNS, -np.inf, np.float32)
    for state in range(e.shape[0]):
        for column in range(COLUMNS):
            change = other[state, column] - e[state, column]
            low[column] = min(low[column], change)
            high[column] = max(high[column], change)
    out[:] = high - low


@compiled
def _newton_steps(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: float,
    weights: Singles,
    bars: Floats,
    residuals: Singles,
) -> Singles:
    """The fixed points of e = residuals + gamma P_w e, until each column changes by a range below its bar."""
    e, other = residuals.copy(), np.empty_like(residuals)
    spreads, best, idle = np.empty(COLUMNS, np.float32), np.full(COLUMNS, np.inf), 0
    for _ in range(EVALUATION_LIMIT):
        sweep_columns(offsets, indptr, successors, probabilities, np.float32(gamma), weights, residuals, e, other)
        _spreads(e, other, spreads)
        e, other = other, e
        left = spreads > bars
        idle = 0 if (left & (spreads < best)).any() else idle + 1
        best = np.minimum(best, spreads)
        if not left.any() or idle >= WITHOUT_PROGRESS:
            break
    return e


@compiled
def _evaluate_soft(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: float,
    weights: Singles,
    low: Floats,
    high: Floats,
    spans: Floats,
    shifts: Floats,
    shifted: bool,
    new_v: Floats,
    v: Floats,
) -> None:
    """Set v to the values of the soft policies, nearly, where a span is finite."""
    n_rows, n_states = v.shape
    residuals, bars = np.zeros((n_states, COLUMNS), np.float32), np.full(COLUMNS, np.inf)
    middles, scales = np.zeros(n_rows), np.zeros(n_rows)
    for row in range(n_rows):
        if not np.isfinite(spans[row]):
            continue
        middles[row] = 0.5 * (low[row] + high[row]) if shifted else 0.0
        scale = max(high[row] - middles[row], middles[row] - low[row])
        # Beyond these there is nothing to gain, or no number to scale.
        if 1e-290 < scale < 1e290:
            scales[row], bars[row] = scale, spans[row] / scale
            for state in range(n_states):
                residuals[state, row] = (new_v[row, state] - v[row, state] - middles[row]) / scale
    e = _newton_steps(offsets, indptr, successors, probabilities, gamma, weights, bars, residuals)
    for row in range(n_rows):
        shift = shifts[row] if shifted else 0.0
        if scales[row] > 0.0:
            for state in range(n_states):
                v[row, state] += middles[row] + shift + scales[row] * e[state, row]
        elif np.isfinite(spans[row]):
            v[row] = new_v[row] + shift


@compiled
def solve_soft_rows(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    base: Floats,
    constants: Constants,
    tolerance: float,
    limit: int,
    shifted: bool,
    together: bool,
    start: Floats,
    rewards: Floats,
    q: Floats,
    values: Floats,
    shifts: Floats,
    bounds: Floats,
    codes: Integers,
    sweeps: Integers,
) -> None:
    """As `solve_hard_rows`, for at most eight rewards; also fills `values` with the soft maxima of q."""
    n_states, n_rows = offsets.size - 1, rewards.shape[0]
    v, weights = np.empty((n_rows, n_states)), np.zeros((indptr.size - 1, COLUMNS), np.float32)
    interleaved = np.empty((n_states if together and n_rows == COLUMNS else 0, COLUMNS))
    low, high, spans = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    stalled, sizes = np.zeros(n_rows, np.int64), np.array([largest_size(reward) for reward in rewards])
    codes[:], bounds[:] = RUNNING, np.inf
    set_out(offsets, start, rewards, v)
    for sweep in range(limit):
        back_up_rows(indptr, successors, probabilities, rewards, constants.gamma, v, interleaved, q)
        soft_columns(offsets, q, base, constants.temperature, v, values, weights, low, high)
        spans[:] = np.inf
        for row in range(n_rows):
            if codes[row] != RUNNING:
                continue
            given = (low[row], high[row], v[row], sizes[row], constants, tolerance, sweep + 1 == limit)
            codes[row], target = certify_row(row, *given, shifts, bounds, stalled)
            sweeps[row] = sweep + 1
            if codes[row] == RUNNING:
                spans[row] = max(EVALUATION_SHARE * (high[row] - low[row]), target)
        if (codes != RUNNING).all():
            break
        policies = (weights, low, high, spans, shifts, shifted, values, v)
        _evaluate_soft(offsets, indptr, successors, probabilities, constants.gamma, *policies)
