"""Modified policy iteration for several rewards on one kernel, compiled as a whole.

Where the rewards agree on most best actions, they share the rows of these for Newton's steps; elsewhere each sweeps
over its own rows near the best.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, Singles, compiled
from policycliff.values.backup_kernels import ONE, first_best, keep_rows, maxima
from policycliff.values.certificate_kernels import Constants
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.many_kernels import RUNNING, judge_rows, largest_sizes, next_q_values, set_out
from policycliff.values.newton_kernels import LOOK, newton_step
from policycliff.values.sweep_kernels import (
    EVALUATION_LIMIT,
    EVALUATION_SHARE,
    SLACK_DECAY,
    SLACK_SHARE,
    kept_sweeps,
)

# Rewards share sweeps where they have at most so many best rows a state together.
SHARED_ROWS = 2
# How far the range of the change shrinks in their sweeps, but for the first: more digits than elsewhere, for they cost
# little beside a backup.
LATER_SHARE = 1e-5


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
def _keep_shared_rows(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    codes: Integers,
    q: Floats,
    weights: Singles,
    kept_offsets: Integers,
    kept_indptr: Integers,
    kept_successors: Indices,
    kept_probabilities: Floats,
) -> bool:
    """Copy the rows that are best under some running reward next to each other; weights say under which, (rows, 8).

    Returns whether few are enough: what does not pay is not finished.
    """
    kept, end, n_states = 0, np.uint64(0), offsets.size - 1
    kept_offsets[0], kept_indptr[0] = 0, 0
    pairs = np.empty(COLUMNS, np.int64)
    for state in range(n_states):
        found = 0
        for row in range(codes.size):
            if codes[row] != RUNNING:
                continue
            pair = first_best(offsets[state], offsets[state + 1], q[row])
            place = 0
            while place < found and pairs[place] != pair:
                place += 1
            if place == found:
                pairs[found] = pair
                found += 1
                weights[kept + place] = 0.0
            weights[kept + place, row] = 1.0
        for place in range(found):
            for k in range(np.uint64(indptr[pairs[place]]), np.uint64(indptr[pairs[place] + 1])):
                kept_successors[end] = successors[k]
                kept_probabilities[end] = probabilities[k]
                end += ONE
            kept += 1
            kept_indptr[kept] = end
        kept_offsets[state + 1] = kept
        if kept > SHARED_ROWS * n_states:
            return False
    return True


@compiled
def _sweep_alone(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    gamma: float,
    rewards: Floats,
    q: Floats,
    low: Floats,
    high: Floats,
    targets: Floats,
    bounds: Floats,
    steps: Floats,
    codes: Integers,
    first: Floats,
    slack: Floats,
    values: Floats,
    v: Floats,
    kept: tuple[Integers, Integers, Indices, Floats, Floats],
) -> None:
    """Sweeps of each running reward over its rows within the slack: see `policycliff.values.iteration.Slack`."""
    for row in range(codes.size):
        if codes[row] != RUNNING:
            continue
        span = max(EVALUATION_SHARE * (high[row] - low[row]), targets[row])
        slack[row] *= SLACK_DECAY
        if np.isnan(first[row]):
            first[row] = slack[row] = SLACK_SHARE * (high[row] - low[row])
        if 2.0 * bounds[row] <= first[row]:
            slack[row], span = 2.0 * bounds[row], targets[row]
        kernel, vectors = (offsets, indptr, successors, probabilities), (rewards[row], q[row], values[row], v[row])
        _evaluate_kept(*kernel, *vectors, gamma, slack[row], span, steps[row], kept)


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
    guess: Floats,
    rewards: Floats,
    q: Floats,
    values: Floats,
    shifts: Floats,
    bounds: Floats,
    codes: Integers,
    sweeps: Integers,
) -> None:
    """Solve at most eight rewards (rows, pairs); fills what follows.

    `start` (states,) are values to start from and `guess` (pairs,) their gamma P v, nearly; if they are empty, max R.
    `q` and `values`, its maxima, are those of the last backup: `shifts` is to be added, see `shift_rows`. `shifted`
    adds it after each backup: right where no state is terminal. `together` backs eight rows up at once.
    """
    n_states, n_rows = offsets.size - 1, rewards.shape[0]
    v = np.empty((n_rows, n_states))
    interleaved = np.empty((n_states if together and n_rows == COLUMNS else 0, COLUMNS))
    low, high, targets, steps = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows), np.zeros(n_rows)
    first, slack = np.full(n_rows, np.nan), np.zeros(n_rows)
    best, stalled = np.full(n_rows, np.inf), np.zeros(n_rows, np.int64)
    sizes = largest_sizes(rewards)
    weights = np.empty((SHARED_ROWS * n_states + COLUMNS, COLUMNS), np.float32)
    kept = (
        np.zeros(n_states + 1, np.int64),
        np.zeros(indptr.size, indptr.dtype),
        np.empty(successors.size, np.int32),
        np.empty(successors.size),
        np.empty(indptr.size - 1),
    )
    kernel, shared = (offsets, indptr, successors, probabilities), kept[:4]
    codes[:], bounds[:], sweeps[:] = RUNNING, np.inf, 0
    set_out(offsets, start, rewards, v)
    while True:
        next_q_values(indptr, successors, probabilities, rewards, constants.gamma, guess, v, interleaved, q)
        for row in range(n_rows):
            low[row], high[row] = maxima(0, n_states, offsets, q[row], v[row], values[row])
        last, guessed = sweeps.max() + 1 >= limit, guess.size > 0
        outcome = (shifts, bounds, best, stalled, codes, sweeps, targets)
        judge_rows(low, high, largest_sizes(v), sizes, constants, tolerance, last, guessed, *outcome)
        if (codes != RUNNING).all():
            break
        guess = guess[:0]
        if shifted:
            steps[:] = shifts
        if _keep_shared_rows(*kernel, codes, q, weights, *shared):
            running, changes = codes == RUNNING, (low, high, targets)
            # The first best actions are rarely the last ones.
            share = EVALUATION_SHARE if guessed else LATER_SHARE
            newton_step(*shared, constants.gamma, weights, running, *changes, share, LOOK, shifted, steps, values, v)
        else:
            ranges, states = (low, high, targets, bounds, steps), (first, slack, values, v)
            _sweep_alone(*kernel, constants.gamma, rewards, q, *ranges, codes, *states, kept)
