"""Modified policy iteration for eight rewards on one kernel, compiled as a whole, hard or soft.

As `policycliff.values.iteration`, column by column; a column that is done keeps its values, so that later backups
reproduce its Q-values. In the hard form each column is evaluated on its own chain, in the soft form all together.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917, FBT001

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled
from policycliff.values.certificate_kernels import Constants, span_certificate
from policycliff.values.column_kernels import (
    COLUMNS,
    average_columns,
    back_up_columns,
    change_of_columns,
    choose_columns,
    copy_chain,
    room_for_chain,
    soft_columns,
)
from policycliff.values.sweep_kernels import kept_sweeps

# Outcomes of a column.
RUNNING, DONE, AT_FLOOR, AT_LIMIT = -1, 0, 1, 2
# As in `policycliff.values.iteration`.
EVALUATION_SHARE, EVALUATION_LIMIT, PATIENCE = 1e-3, 1000, 50


@compiled
def _judge(
    ends: Floats,
    v: Floats,
    reward_sizes: Floats,
    constants: Constants,
    tolerance: float,
    last: bool,
    found: Floats,
    codes: Integers,
    stalled: Integers,
) -> int:
    """Certify the columns that run; `found` (3, 8) holds shift, bound and floor. Returns how many go on."""
    running = 0
    for column in range(COLUMNS):
        if codes[column] != RUNNING:
            continue
        size = 0.0
        for state in range(v.shape[0]):
            size = max(size, abs(v[state, column]))
        best = found[1, column]
        shift, bound, floor = span_certificate(ends[0, column], ends[1, column], size, reward_sizes[column], constants)
        found[0, column], found[1, column], found[2, column] = shift, bound, floor
        stalled[column] = 0 if bound < best else stalled[column] + 1
        if bound <= tolerance:
            codes[column] = DONE
        elif bound <= 1.25 * floor or stalled[column] >= PATIENCE:
            codes[column] = AT_FLOOR
        elif last:
            codes[column] = AT_LIMIT
        else:
            running += 1
    return running


@compiled
def _span(column: int, ends: Floats, found: Floats, constants: Constants, tolerance: float) -> float:
    """The range of changes at which evaluating a column's policy ends."""
    target = 0.75 * max(tolerance, found[2, column]) / max(constants.amplification, 1.0)
    return max(EVALUATION_SHARE * (ends[1, column] - ends[0, column]), target)


@compiled
def _evaluate_chains(
    best: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    constants: Constants,
    tolerance: float,
    ends: Floats,
    found: Floats,
    codes: Integers,
    shifted: bool,
    new_v: Floats,
    v: Floats,
    chain: tuple[Integers, Integers, Integers, Indices, Floats, Floats, Floats, Floats],
) -> None:
    """Set v to the values of each running column's policy, nearly."""
    whole, one_row, kept_indptr, kept_successors, kept_probabilities, kept_rewards, here, spare = chain
    kept = (kept_indptr, kept_successors, kept_probabilities, kept_rewards)
    for column in range(COLUMNS):
        if codes[column] != RUNNING:
            continue
        copy_chain(best, column, indptr, successors, probabilities, rewards, *kept)
        here[:] = new_v[:, column] + (found[0, column] if shifted else 0.0)
        span = _span(column, ends, found, constants, tolerance)
        swapped = kept_sweeps(whole, one_row, *kept, constants.gamma, here, spare, span, EVALUATION_LIMIT)
        v[:, column] = spare if swapped else here


@compiled
def _evaluate_weighted(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    constants: Constants,
    tolerance: float,
    ends: Floats,
    found: Floats,
    codes: Integers,
    shifted: bool,
    weights: Floats,
    paid: Floats,
    none: Floats,
    ahead: Floats,
    new_v: Floats,
    v: Floats,
) -> None:
    """Set v to the values of each running column's soft policy, nearly; other columns stay."""
    spans, changes = np.full(COLUMNS, np.inf), np.empty((2, COLUMNS))
    here, other = new_v.copy(), np.empty_like(new_v)
    for column in range(COLUMNS):
        if codes[column] == RUNNING:
            spans[column] = _span(column, ends, found, constants, tolerance)
            here[:, column] += found[0, column] if shifted else 0.0
    for _ in range(EVALUATION_LIMIT):
        back_up_columns(indptr, successors, probabilities, none, constants.gamma, here, ahead)
        average_columns(offsets, weights, paid, ahead, other)
        change_of_columns(here, other, changes)
        here, other = other, here
        if (changes[1] - changes[0] <= spans).all():
            break
    for column in range(COLUMNS):
        if codes[column] == RUNNING:
            v[:, column] = here[:, column]


@compiled
def solve_columns(
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    terminal: Flags,
    base: Floats,
    constants: Constants,
    tolerance: float,
    limit: int,
    shifted: bool,
    start: Floats,
    rewards: Floats,
    q_values: Floats,
    values: Floats,
    bounds: Floats,
    codes: Integers,
    sweeps: Integers,
) -> None:
    """Solve up to eight rewards, (rows, pairs), from `start` (states,); fills the rows of all that follows.

    `shifted` adds the middle of the certified interval after each backup: right where no state is absorbing.
    """
    n_states, n_pairs, n_rows = offsets.size - 1, indptr.size - 1, rewards.shape[0]
    columns, sizes = np.zeros((n_pairs, COLUMNS)), np.zeros(COLUMNS)
    state_of, found = np.full(COLUMNS, DONE), np.full((3, COLUMNS), np.inf)
    for row in range(n_rows):
        columns[:, row] = rewards[row]
        sizes[row] = np.abs(rewards[row]).max()
        state_of[row] = RUNNING
    v, new_v, q = np.empty((n_states, COLUMNS)), np.empty((n_states, COLUMNS)), np.empty((n_pairs, COLUMNS))
    for column in range(COLUMNS):
        v[:, column] = start
    ends, stalled = np.empty((2, COLUMNS)), np.zeros(COLUMNS, np.int64)
    soft = constants.temperature > 0.0
    best = np.empty((0 if soft else n_states, COLUMNS), np.int64)
    weights = np.empty((n_pairs if soft else 0, COLUMNS))
    ahead, none = np.empty_like(weights), np.zeros_like(weights)
    paid = np.empty((n_states if soft else 0, COLUMNS))
    room = 0 if soft else room_for_chain(offsets, indptr)
    chain = (
        np.array([[0, 0, 0], [n_states, n_states, room]]),
        np.arange(n_states + 1),
        np.zeros(n_states + 1, np.int64),
        np.empty(room, np.int32),
        np.empty(room),
        np.empty(n_states),
        np.empty(n_states),
        np.empty(n_states),
    )
    for sweep in range(limit):
        back_up_columns(indptr, successors, probabilities, columns, constants.gamma, v, q)
        if soft:
            soft_columns(offsets, q, columns, base, constants.temperature, new_v, weights, paid)
        else:
            choose_columns(offsets, q, new_v, best)
        change_of_columns(v, new_v, ends)
        for row in range(n_rows):
            if state_of[row] == RUNNING:
                sweeps[row] = sweep + 1
        if _judge(ends, v, sizes, constants, tolerance, sweep + 1 == limit, found, state_of, stalled) == 0:
            break
        if soft:
            _evaluate_weighted(
                offsets,
                indptr,
                successors,
                probabilities,
                constants,
                tolerance,
                ends,
                found,
                state_of,
                shifted,
                weights,
                paid,
                none,
                ahead,
                new_v,
                v,
            )
        else:
            _evaluate_chains(
                best,
                indptr,
                successors,
                probabilities,
                columns,
                constants,
                tolerance,
                ends,
                found,
                state_of,
                shifted,
                new_v,
                v,
                chain,
            )
    _hand_out(offsets, terminal, q, new_v, found, state_of, soft, q_values, values, bounds, codes)


@compiled
def _hand_out(
    offsets: Integers,
    terminal: Flags,
    q: Floats,
    new_v: Floats,
    found: Floats,
    state_of: Integers,
    soft: bool,
    q_values: Floats,
    values: Floats,
    bounds: Floats,
    codes: Integers,
) -> None:
    """Write the columns to the rows of the results, shifted to the middle of their certified intervals."""
    for row in range(codes.size):
        codes[row], bounds[row] = state_of[row], found[1, row]
        shift = found[0, row] if np.isfinite(found[1, row]) else 0.0
        for state in range(new_v.shape[0]):
            add = 0.0 if terminal[state] else shift
            top = -np.inf
            for pair in range(offsets[state], offsets[state + 1]):
                q_values[row, pair] = q[pair, row] + add
                top = max(top, q_values[row, pair])
            values[row, state] = new_v[state, row] + add if soft else top
