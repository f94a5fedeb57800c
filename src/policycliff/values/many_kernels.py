"""What the solvers of many rewards share, compiled: the start, the outcome of each backup, the last step.

As `policycliff.values.iteration`, reward by reward; a reward that is done keeps its values, so that later backups
reproduce its Q-values.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled
from policycliff.values.backup_kernels import maxima, soft_value_all
from policycliff.values.certificate_kernels import Constants, span_certificate
from policycliff.values.column_kernels import back_up_rows
from policycliff.values.sweep_kernels import FAR_PATIENCE, NEAR, PATIENCE

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
    if bound <= 1.25 * floor or stalled >= (PATIENCE if bound <= NEAR * floor else FAR_PATIENCE):
        return AT_FLOOR
    return AT_LIMIT if last else RUNNING


@compiled
def largest_size(vector: Floats) -> float:
    """The largest absolute entry; inf where one is not a number, so that nothing is certified."""
    largest = 0.0
    for entry in vector:
        largest = max(largest, abs(entry))
        if np.isnan(entry):
            return np.inf
    return largest


@compiled
def largest_sizes(rows: Floats) -> Floats:
    """(rows,) the largest absolute entries."""
    return np.array([largest_size(row) for row in rows])


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
def next_q_values(
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    guess: Floats,
    v: Floats,
    interleaved: Floats,
    q: Floats,
) -> None:
    """Set q = R + gamma P v, or, if `guess` (pairs,) is not empty, R + guess, which needs no pass over the kernel."""
    if guess.size == 0:
        back_up_rows(indptr, successors, probabilities, rewards, gamma, v, interleaved, q)
        return
    for row in range(q.shape[0]):
        for pair in range(guess.size):
            q[row, pair] = rewards[row, pair] + guess[pair]


@compiled
def judge_rows(
    low: Floats,
    high: Floats,
    value_sizes: Floats,
    reward_sizes: Floats,
    constants: Constants,
    tolerance: float,
    last: bool,
    guessed: bool,
    shifts: Floats,
    bounds: Floats,
    best: Floats,
    stalled: Integers,
    codes: Integers,
    sweeps: Integers,
    targets: Floats,
) -> None:
    """Certify a backup of each running reward, from the range of its change; guessed Q-values certify nothing.

    The sizes are the largest absolute values and rewards. Fills what follows `guessed`; `targets` are the ranges of
    change that are small enough in an evaluation.
    """
    for row in range(codes.size):
        if codes[row] != RUNNING:
            continue
        shift, bound, floor = span_certificate(low[row], high[row], value_sizes[row], reward_sizes[row], constants)
        shifts[row] = shift
        targets[row] = 0.75 * max(tolerance, floor) / max(constants.amplification, 1.0)
        if not guessed:
            stalled[row] = 0 if bound < best[row] else stalled[row] + 1
            bounds[row], best[row] = bound, min(bound, best[row])
            sweeps[row] += 1
            codes[row] = _judge(bound, floor, tolerance, stalled[row], last)


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
def read_rows(offsets: Integers, base: Floats, temperature: float, q: Floats, values: Floats) -> None:
    """Set values to the maxima of q, or to its soft maxima where there is a temperature."""
    for row in range(q.shape[0]):
        if temperature > 0.0:
            soft_value_all(offsets, q[row], base, temperature, values[row])
        else:
            maxima(0, values.shape[1], offsets, q[row], values[row], values[row])
