"""Modified policy iteration for several rewards on one kernel, compiled as a whole.

As `policycliff.values.iteration`, reward by reward; a reward that is done keeps its values, so that later backups
reproduce its Q-values.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled
from policycliff.values.backup_kernels import keep_rows, maxima, soft_value_all
from policycliff.values.certificate_kernels import Constants, span_certificate
from policycliff.values.column_kernels import COLUMNS, back_up_rows
from policycliff.values.sweep_kernels import (
    EVALUATION_LIMIT,
    EVALUATION_SHARE,
    PATIENCE,
    SLACK_DECAY,
    SLACK_SHARE,
    kept_sweeps,
)

# Outcomes of a reward.
RUNNING, DONE, AT_FLOOR, AT_LIMIT = -1, 0, 1, 2


@compiled
def first_wrong(offsets: Integers, terminal: Flags, rewards: Floats) -> tuple[int, int]:
    """Row and pair of the first reward that is not finite, or not 0 at a terminal state; (-1, -1) if there is none."""
    for row in range(rewards.shape[0]):
        for state in range(terminal.size):
            for pair in range(offsets[state], offsets[state + 1]):
                reward = rewards[row, pair]
                if not np.isfinite(reward) or (terminal[state] and reward != 0.0):
                    return row, pair
    return -1, -1


@compiled
def _judge(bound: float, floor: float, tolerance: float, stalled: int, last: bool) -> int:
    """What a certificate means for a reward."""
    if bound <= tolerance:
        return DONE
    if bound <= 1.25 * floor or stalled >= PATIENCE:
        return AT_FLOOR
    return AT_LIMIT if last else RUNNING


@compiled
def _evaluate_kept(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    q: Floats,
    new_v: Floats,
    v: Floats,
    gamma: float,
    slack: float,
    span: float,
    shift: float,
    kept: tuple[Integers, Integers, Indices, Floats, Floats],
) -> None:
    """Set v to the values of the actions within the slack, nearly; `new_v` is overwritten."""
    n_states = v.size
    keep_rows(0, n_states, slack, offsets, indptr, successors, probabilities, rewards, q, new_v, *kept)
    for state in range(n_states):
        new_v[state] += shift
    whole = np.array([[0, 0, 0], [n_states, indptr.size - 1, successors.size]])
    if not kept_sweeps(whole, *kept, gamma, new_v, v, span, EVALUATION_LIMIT):
        v[:] = new_v


@compiled
def set_out(offsets: Integers, start: Floats, rewards: Floats, v: Floats) -> None:
    """Set v to the start, or to max R: a backup of 0 that needs no pass over the kernel."""
    for row in range(v.shape[0]):
        if start.size > 0:
            v[row] = start
        else:
            v[row] = 0.0
            maxima(0, v.shape[1], offsets, rewards[row], v[row], v[row])


@compiled
def largest_size(vector: Floats) -> float:
    """The largest absolute entry."""
    largest = 0.0
    for entry in vector:
        largest = max(largest, abs(entry))
    return largest


@compiled
def certify_row(
    row: int,
    low: float,
    high: float,
    v: Floats,
    reward_size: float,
    constants: Constants,
    tolerance: float,
    last: bool,
    shifts: Floats,
    bounds: Floats,
    stalled: Integers,
) -> tuple[int, float]:
    """The outcome of a backup of one reward, and the range of changes that is small enough in its evaluation."""
    shift, bound, floor = span_certificate(low, high, largest_size(v), reward_size, constants)
    stalled[row] = 0 if bound < bounds[row] else stalled[row] + 1
    bounds[row], shifts[row] = bound, shift
    target = 0.75 * max(tolerance, floor) / max(constants.amplification, 1.0)
    return _judge(bound, floor, tolerance, stalled[row], last), target


@compiled
def solve_hard_rows(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
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
    """Solve the rewards (rows, pairs) from `start` (states,), or if that is empty from max R; fills what follows.

    `q` and `values`, its maxima, are those of the last backup: `shifts` is to be added, see `shift_rows`.

    `shifted` adds the middle of the certified interval after each backup: right where no state is absorbing. `together`
    backs eight rows up at once.
    """
    n_states, n_rows = offsets.size - 1, rewards.shape[0]
    v = np.empty((n_rows, n_states))
    interleaved = np.empty((n_states if together and n_rows == COLUMNS else 0, COLUMNS))
    first, slack, stalled = np.full(n_rows, np.nan), np.zeros(n_rows), np.zeros(n_rows, np.int64)
    sizes = np.array([largest_size(reward) for reward in rewards])
    kept = (
        np.zeros(n_states + 1, np.int64),
        np.zeros(indptr.size, indptr.dtype),
        np.empty(successors.size, np.int32),
        np.empty(successors.size),
        np.empty(indptr.size - 1),
    )
    kernel = (offsets, indptr, successors, probabilities)
    codes[:], bounds[:] = RUNNING, np.inf
    set_out(offsets, start, rewards, v)
    for sweep in range(limit):
        back_up_rows(indptr, successors, probabilities, rewards, constants.gamma, v, interleaved, q)
        for row in range(n_rows):
            if codes[row] != RUNNING:
                continue
            low, high = maxima(0, n_states, offsets, q[row], v[row], values[row])
            given = (low, high, v[row], sizes[row], constants, tolerance, sweep + 1 == limit)
            codes[row], target = certify_row(row, *given, shifts, bounds, stalled)
            sweeps[row] = sweep + 1
            if codes[row] != RUNNING:
                continue
            span = max(EVALUATION_SHARE * (high - low), target)
            slack[row] *= SLACK_DECAY
            if np.isnan(first[row]):
                first[row] = slack[row] = SLACK_SHARE * (high - low)
            if 2.0 * bounds[row] <= first[row]:
                slack[row], span = 2.0 * bounds[row], target
            shift = shifts[row] if shifted else 0.0
            vectors = (rewards[row], q[row], values[row], v[row])
            _evaluate_kept(*kernel, *vectors, constants.gamma, slack[row], span, shift, kept)
        if (codes != RUNNING).all():
            break


@compiled
def shift_rows(offsets: Integers, terminal: Flags, shifts: Floats, bounds: Floats, q: Floats, values: Floats) -> None:
    """Move Q-values and values to the middle of their certified intervals, outside terminal states."""
    for row in range(q.shape[0]):
        shift = shifts[row] if np.isfinite(bounds[row]) else 0.0
        for state in range(terminal.size):
            if not terminal[state]:
                values[row, state] += shift
                for pair in range(offsets[state], offsets[state + 1]):
                    q[row, pair] += shift


@compiled
def settle_rows(
    offsets: Integers,
    terminal: Flags,
    base: Floats,
    temperature: float,
    shifts: Floats,
    bounds: Floats,
    q: Floats,
    values: Floats,
) -> None:
    """Move Q-values to the middle of their certified intervals, and read the values off."""
    for row in range(q.shape[0]):
        shift = shifts[row] if np.isfinite(bounds[row]) else 0.0
        for state in range(terminal.size):
            top = -np.inf
            for pair in range(offsets[state], offsets[state + 1]):
                q[row, pair] += 0.0 if terminal[state] else shift
                top = max(top, q[row, pair])
            values[row, state] = top
        if temperature > 0.0:
            soft_value_all(offsets, q[row], base, temperature, values[row])
