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
from policycliff.values.sweep_kernels import EVALUATION_SHARE

# Pairs handled together: their weights under eight rewards, 32 bytes a pair, stay in the nearest cache.
BLOCK = 512


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
    # Normalised before they are stored in single precision, which small ones would underflow.
    shares = np.empty(max(BLOCK, (offsets[1:] - offsets[:-1]).max()))
    first = 0
    while first < new_v.shape[1]:
        last = first + 1
        while last < new_v.shape[1] and offsets[last + 1] - offsets[first] <= shares.size:
            last += 1
        states = offsets[first : last + 1]
        for row in range(q.shape[0]):
            tops = new_v[row, first:last]
            _exponents(states, q[row], base, temperature, tops, shares)
            exponentials(shares, states[-1] - states[0])
            _normalise(states, base, temperature, shares, tops, weights[:, row])
            for state in range(first, last):
                change = new_v[row, state] - v[row, state]
                low[row] = min(low[row], change)
                high[row] = max(high[row], change)
        first = last


@compiled
def _exponents(offsets: Integers, q: Floats, base: Floats, temperature: float, tops: Floats, exponents: Floats) -> None:
    """Set tops = the largest q of the pairs with base > 0 of each state, exponents = (q - top) / temperature."""
    for state in range(tops.size):
        top = -np.inf
        for pair in range(offsets[state], offsets[state + 1]):
            if base[pair] > 0.0:
                top = max(top, q[pair])
        tops[state] = top
        for pair in range(offsets[state], offsets[state + 1]):
            exponents[pair - offsets[0]] = (q[pair] - top) / temperature


@compiled
def _normalise(
    offsets: Integers, base: Floats, temperature: float, shares: Floats, tops: Floats, weights: Singles
) -> None:
    """Set weights = base * shares, normalised in each state, and turn tops into soft maxima."""
    for state in range(tops.size):
        total = 0.0
        for pair in range(offsets[state], offsets[state + 1]):
            shares[pair - offsets[0]] *= base[pair]
            total += shares[pair - offsets[0]]
        tops[state] += temperature * math.log(total)
        for pair in range(offsets[state], offsets[state + 1]):
            weights[pair] = shares[pair - offsets[0]] / total


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
    while True:
        next_q_values(*kernel, rewards, constants.gamma, guess, v, interleaved, q)
        soft_columns(offsets, q, base, constants.temperature, v, values, weights, low, high)
        last, guessed = sweeps.max() + 1 >= limit, guess.size > 0
        outcome = (shifts, bounds, best, stalled, codes, sweeps, targets)
        judge_rows(low, high, largest_sizes(v), sizes, constants, tolerance, last, guessed, *outcome)
        if (codes != RUNNING).all():
            break
        guess = guess[:0]
        if shifted:
            steps[:] = shifts
        running, changes = codes == RUNNING, (low, high, targets)
        newton_step(
            offsets, *kernel, constants.gamma, weights, running, *changes, EVALUATION_SHARE, shifted, steps, values, v
        )
