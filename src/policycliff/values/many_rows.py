"""What one worker of `solve_many` does: solve a block of rewards under one plan.

Without absorbing states, and for soft policies, eight rewards at a time share each pass over the kernel; elsewhere each
is solved alone, with the order of the states found once.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int32, Int64
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.many_hard_kernels import solve_hard_rows
from policycliff.values.many_kernels import AT_FLOOR, AT_LIMIT, DONE, shift_rows
from policycliff.values.many_soft_kernels import solve_soft_rows
from policycliff.values.operator import make_constants
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import CONVERGED, ITERATION_LIMIT, ROUNDING_FLOOR, Solution
from policycliff.values.solve import solve, solve_outwards

# Eight vectors of values of this many states fit into a processor's own cache; beyond, eight at once gain nothing.
TOGETHER_LIMIT = 4_000

STATUSES = {DONE: CONVERGED, AT_FLOOR: ROUNDING_FLOOR, AT_LIMIT: ITERATION_LIMIT}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is the same for all rewards."""

    mdp: MDP
    start: Solution | None
    tolerance: float
    regularizer: Regularizer | None
    limit: int
    threads: int
    method: str
    order: Int32[np.ndarray, " states"] | None


class Rows(NamedTuple):
    """The optima of a block of rewards, row by row, as in `Solutions`."""

    values: Float64[np.ndarray, "rewards states"]
    q_values: Float64[np.ndarray, "rewards pairs"]
    error_bounds: Float64[np.ndarray, " rewards"]
    iterations: Int64[np.ndarray, " rewards"]
    statuses: tuple[str, ...]


def solve_rows(plan: Plan, rewards: Float64[np.ndarray, "rewards pairs"]) -> Rows:
    """Solve checked rewards on the threads of the plan."""
    return _together(plan, rewards) if plan.method == "modified_policy_iteration" else _one_by_one(plan, rewards)


def _together(plan: Plan, rewards: Float64[np.ndarray, "rewards pairs"]) -> Rows:
    """Modified policy iteration, eight rewards a pass where their values fit into the cache."""
    mdp, count = plan.mdp, len(rewards)
    base = frozen(np.ones(1)) if plan.regularizer is None else plan.regularizer.base(mdp)
    constants = make_constants(mdp, plan.regularizer, base)
    shifted = not mdp.terminal.any()
    together = mdp.n_states <= TOGETHER_LIMIT
    start, guess = frozen(np.empty(0)), frozen(np.empty(0))
    if plan.start is not None:
        # Without a pass over the kernel: Q - R of the start.
        start = frozen(np.where(mdp.terminal, 0.0, plan.start.values))
        ahead = plan.start.q_values - plan.start.mdp.rewards
        guess = frozen(np.where(mdp.terminal[mdp.pair_states], 0.0, ahead))
    q, values = np.empty((count, mdp.n_pairs)), np.empty((count, mdp.n_states))
    shifts, bounds = np.zeros(count), np.empty(count)
    codes, sweeps = np.empty(count, np.int64), np.zeros(count, np.int64)
    kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities)
    settings = (constants, plan.tolerance, plan.limit, shifted)

    def run(rows: slice) -> None:
        out = (start, guess, rewards[rows], q[rows], values[rows])
        counts = (shifts[rows], bounds[rows], codes[rows], sweeps[rows])
        if plan.regularizer is None:
            solve_hard_rows(*kernel, *settings, together, *out, *counts)
        else:
            solve_soft_rows(*kernel, base, *settings, together, *out, *counts)
        shift_rows(mdp.offsets, mdp.terminal, shifts[rows], bounds[rows], q[rows], values[rows])

    with ThreadPoolExecutor(plan.threads, thread_name_prefix="policycliff") as pool:
        for _ in pool.map(run, [slice(first, first + COLUMNS) for first in range(0, count, COLUMNS)]):
            pass
    return Rows(values, q, bounds, sweeps, tuple(STATUSES[code] for code in codes.tolist()))


def _one_by_one(plan: Plan, rewards: Float64[np.ndarray, "rewards pairs"]) -> Rows:
    """Each reward alone."""
    count = len(rewards)
    values, q = np.empty((count, plan.mdp.n_states)), np.empty((count, plan.mdp.n_pairs))
    bounds, sweeps = np.empty(count), np.empty(count, np.int64)
    start = None if plan.start is None else plan.start.values

    def run(row: int) -> str:
        world = plan.mdp.with_rewards(rewards[row])
        if plan.order is None:
            # A backward pass has neither a start nor a limit.
            found = solve(world, method=plan.method, tolerance=plan.tolerance, regularizer=plan.regularizer)
        else:
            found = solve_outwards(world, tolerance=plan.tolerance, limit=plan.limit, order=plan.order, start=start)
        values[row], q[row] = found.values, found.q_values
        bounds[row], sweeps[row] = found.error_bound, found.iterations
        return found.status

    with ThreadPoolExecutor(plan.threads, thread_name_prefix="policycliff") as pool:
        statuses = tuple(pool.map(run, range(count)))
    return Rows(values, q, bounds, sweeps, statuses)
