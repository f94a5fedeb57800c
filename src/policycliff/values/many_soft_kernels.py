"""Modified policy iteration for soft policies under eight rewards at once, compiled as a whole."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import math

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, Singles, compiled
from policycliff.values.certificate_kernels import Constants
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.exponential_kernels import exponentials
from policycliff.values.many_kernels import RUNNING, judge_rows, largest_sizes, next_q_values, set_out
from policycliff.values.newton_kernels import newton_step

# Shares of the residual that the sweeps of the first Newton steps leave, and those of all later ones: the first
# policies are far from the best, and each step squares the distance.
SHARES = np.array([0.05, 0.003, 3e-4, 1e-4])
# A sweep goes over the rows of all actions, so a look at the range after each costs little.
LOOK = 1
# Weights guide Newton's steps and certify nothing: a sum below this, of tiny reference probabilities, counts as this.
SMALLEST = 1e-290
# States handled together: a few thousand numbers, which stay in the nearest cache.
BLOCK = 256


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
    size = max(BLOCK, (offsets[1:] - offsets[:-1]).max())
    shares, tops, totals = np.zeros((size, COLUMNS)), np.zeros((size, COLUMNS)), np.zeros((size, COLUMNS))
    first = 0
    while first < new_v.shape[1]:
        last = first + 1
        while last < min(first + size, new_v.shape[1]) and offsets[last + 1] - offsets[first] <= size:
            last += 1
        states = offsets[first : last + 1]
        for row in range(q.shape[0]):
            for pair in range(states[0], states[-1]):
                shares[pair - states[0], row] = q[row, pair]
        _below_tops(states, base, shares, tops)
        exponentials(shares.reshape(-1), COLUMNS * (states[-1] - states[0]), temperature)
        _normalise(states, base, shares, totals, weights)
        for row in range(q.shape[0]):
            for state in range(first, last):
                value = tops[state - first, row] + temperature * math.log(totals[state - first, row])
                new_v[row, state] = value
                low[row] = min(low[row], value - v[row, state])
                high[row] = max(high[row], value - v[row, state])
        first = last


@compiled
def _below_tops(offsets: Integers, base: Floats, q: Floats, tops: Floats) -> None:
    """Set tops = the largest q of the pairs with base > 0 of each state, and subtract it from q, (pairs, 8)."""
    for state in range(offsets.size - 1):
        start, end = offsets[state] - offsets[0], offsets[state + 1] - offsets[0]
        t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = -np.inf
        for i in range(start, end):
            if base[offsets[0] + i] > 0.0:
                t0 = q[i, 0] if q[i, 0] > t0 else t0
                t1 = q[i, 1] if q[i, 1] > t1 else t1
                t2 = q[i, 2] if q[i, 2] > t2 else t2
                t3 = q[i, 3] if q[i, 3] > t3 else t3
                t4 = q[i, 4] if q[i, 4] > t4 else t4
                t5 = q[i, 5] if q[i, 5] > t5 else t5
                t6 = q[i, 6] if q[i, 6] > t6 else t6
                t7 = q[i, 7] if q[i, 7] > t7 else t7
        for i in range(start, end):
            q[i, 0] -= t0
            q[i, 1] -= t1
            q[i, 2] -= t2
            q[i, 3] -= t3
            q[i, 4] -= t4
            q[i, 5] -= t5
            q[i, 6] -= t6
            q[i, 7] -= t7
        tops[state, 0] = t0
        tops[state, 1] = t1
        tops[state, 2] = t2
        tops[state, 3] = t3
        tops[state, 4] = t4
        tops[state, 5] = t5
        tops[state, 6] = t6
        tops[state, 7] = t7


@compiled
def _normalise(offsets: Integers, base: Floats, shares: Floats, totals: Floats, weights: Singles) -> None:
    """Set totals = the sums of base * shares in each state, (states, 8), and weights = base * shares / total."""
    for state in range(offsets.size - 1):
        start, end = offsets[state] - offsets[0], offsets[state + 1] - offsets[0]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
        for i in range(start, end):
            mass = base[offsets[0] + i]
            a0 += mass * shares[i, 0]
            a1 += mass * shares[i, 1]
            a2 += mass * shares[i, 2]
            a3 += mass * shares[i, 3]
            a4 += mass * shares[i, 4]
            a5 += mass * shares[i, 5]
            a6 += mass * shares[i, 6]
            a7 += mass * shares[i, 7]
        totals[state, 0] = a0
        totals[state, 1] = a1
        totals[state, 2] = a2
        totals[state, 3] = a3
        totals[state, 4] = a4
        totals[state, 5] = a5
        totals[state, 6] = a6
        totals[state, 7] = a7
        a0 = 1.0 / max(a0, SMALLEST)
        a1 = 1.0 / max(a1, SMALLEST)
        a2 = 1.0 / max(a2, SMALLEST)
        a3 = 1.0 / max(a3, SMALLEST)
        a4 = 1.0 / max(a4, SMALLEST)
        a5 = 1.0 / max(a5, SMALLEST)
        a6 = 1.0 / max(a6, SMALLEST)
        a7 = 1.0 / max(a7, SMALLEST)
        for i in range(start, end):
            mass, pair = base[offsets[0] + i], offsets[0] + i
            weights[pair, 0] = mass * shares[i, 0] * a0
            weights[pair, 1] = mass * shares[i, 1] * a1
            weights[pair, 2] = mass * shares[i, 2] * a2
            weights[pair, 3] = mass * shares[i, 3] * a3
            weights[pair, 4] = mass * shares[i, 4] * a4
            weights[pair, 5] = mass * shares[i, 5] * a5
            weights[pair, 6] = mass * shares[i, 6] * a6
            weights[pair, 7] = mass * shares[i, 7] * a7


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
    guess: Floats,
    rewards: Floats,
    q: Floats,
    values: Floats,
    shifts: Floats,
    bounds: Floats,
    codes: Integers,
    sweeps: Integers,
) -> None:
    """As `solve_hard_rows`; `values` are the soft maxima of q."""
    n_states, n_rows = offsets.size - 1, rewards.shape[0]
    v, weights = np.empty((n_rows, n_states)), np.zeros((indptr.size - 1, COLUMNS), np.float32)
    interleaved = np.empty((n_states if together and n_rows == COLUMNS else 0, COLUMNS))
    low, high, targets, steps = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows), np.zeros(n_rows)
    best, stalled = np.full(n_rows, np.inf), np.zeros(n_rows, np.int64)
    sizes = largest_sizes(rewards)
    codes[:], bounds[:], sweeps[:] = RUNNING, np.inf, 0
    kernel = (indptr, successors, probabilities)
    set_out(offsets, start, rewards, v)
    step = 0 if start.size == 0 else SHARES.size - 1
    while True:
        next_q_values(*kernel, rewards, constants.gamma, guess, v, interleaved, q)
        soft_columns(offsets, q, base, constants.temperature, v, values, weights, low, high)
        last, guessed = sweeps.max() + 1 >= limit, guess.size > 0
        outcome = (shifts, bounds, best, stalled, codes, sweeps, targets)
        judge_rows(low, high, largest_sizes(v), sizes, constants, tolerance, last, guessed, *outcome)
        if (codes != RUNNING).all():
            break
        guess = guess[:0]
        share = SHARES[step]
        step = min(step + 1, SHARES.size - 1)
        if shifted:
            steps[:] = shifts
        running, changes = codes == RUNNING, (low, high, targets)
        newton_step(
            offsets, *kernel, constants.gamma, weights, running, *changes, share, LOOK, shifted, steps, values, v
        )
