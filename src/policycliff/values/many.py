"""`solve_many`: many rewards on one kernel, such as draws of a noisy reward, a grid of weights or an ensemble.

Without absorbing states, and for soft policies, eight rewards at a time share each pass over the kernel; elsewhere each
is solved alone, with the order of the states found once. Rewards are spread over threads. Every reward gets the
certificate that `solve` would give it.

Cost: O(nonzeros) for eight rewards a backup, at the speed of memory for one. Rewards near one that is solved already
start from its values, and mostly need one improvement.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from jaxtyping import Float64, Int64

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, check_kind, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.values.backup_kernels import greedy_weights, soft_weights
from policycliff.values.column_kernels import COLUMNS
from policycliff.values.gauss_seidel import Reordered, absorbing, reordered
from policycliff.values.many_kernels import (
    AT_FLOOR,
    AT_LIMIT,
    DONE,
    first_wrong,
    settle_rows,
    solve_hard_rows,
    solve_soft_rows,
)
from policycliff.values.operator import make_constants
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import CONVERGED, ITERATION_LIMIT, ROUNDING_FLOOR, Solution
from policycliff.values.solve import check_settings, solve, solve_in_order
from policycliff.values.threads import available_threads

# Eight vectors of values of this many states fit into a processor's own cache; beyond, eight at once gain nothing.
TOGETHER_LIMIT = 4_000

STATUSES = {DONE: CONVERGED, AT_FLOOR: ROUNDING_FLOOR, AT_LIMIT: ITERATION_LIMIT}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Solutions(Sequence[Solution]):
    """The optima of one MDP under N rewards; item i is the `Solution` of reward i.

    Attributes:
        mdp: the MDP; its own reward plays no part.
        rewards: (N, pairs) the rewards.
        values: (N, states) optimal values, or soft ones.
        q_values: (N, pairs) optimal Q-values.
        error_bounds: (N,) proven bounds on the sup-norm errors of the Q-values.
        iterations: (N,) sweeps over all pairs.
        statuses: N times "converged", "rounding_floor" or "iteration_limit", as in `Solution`.
        tolerance: what was asked for.
        method: the method that ran.
        regularizer: None, `Entropy` or `KL`.
    """

    mdp: MDP
    rewards: Float64[np.ndarray, "rewards pairs"]
    values: Float64[np.ndarray, "rewards states"]
    q_values: Float64[np.ndarray, "rewards pairs"]
    error_bounds: Float64[np.ndarray, " rewards"]
    iterations: Int64[np.ndarray, " rewards"]
    statuses: tuple[str, ...]
    tolerance: float
    method: str
    regularizer: Regularizer | None

    def __len__(self) -> int:
        return len(self.statuses)

    @overload
    def __getitem__(self, index: int) -> Solution: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Solution]: ...
    def __getitem__(self, index: int | slice) -> Solution | Sequence[Solution]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        policy, q = np.empty(self.mdp.n_pairs), self.q_values[place]
        if self.regularizer is None:
            greedy_weights(self.mdp.offsets, q, policy)
        else:
            soft_weights(self.mdp.offsets, q, self.regularizer.base(self.mdp), self.regularizer.temperature, policy)
        return Solution(
            mdp=self.mdp.with_rewards(self.rewards[place]),
            values=self.values[place],
            q_values=q,
            policy=frozen(policy),
            error_bound=float(self.error_bounds[place]),
            tolerance=self.tolerance,
            iterations=int(self.iterations[place]),
            method=self.method,
            status=self.statuses[place],
            regularizer=self.regularizer,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "mdp": self.mdp.to_dict(),
            "rewards": self.rewards.tolist(),
            "values": self.values.tolist(),
            "q_values": self.q_values.tolist(),
            "error_bounds": self.error_bounds.tolist(),
            "iterations": self.iterations.tolist(),
            "statuses": list(self.statuses),
            "tolerance": self.tolerance,
            "method": self.method,
            "regularizer": None if self.regularizer is None else self.regularizer.to_dict(),
        }

    def __repr__(self) -> str:
        soft = "" if self.regularizer is None else f", {self.regularizer!r}"
        done = sum(status == CONVERGED for status in self.statuses)
        return (
            f"Solutions({len(self)} rewards, {done} converged by {self.method}{soft}; "
            f"|Q - Q*| <= {self.error_bounds.max(initial=0.0):.2g}; {self.mdp!r})"
        )


@overload
def solve_many(
    mdp: MDP,
    rewards: Iterator[Any],
    *,
    start: Solution | None = None,
    tolerance: float = 1e-10,
    regularizer: Regularizer | None = None,
    max_iterations: int = 1_000_000,
    threads: int | None = None,
) -> Iterator[Solutions]: ...
@overload
def solve_many(
    mdp: MDP,
    rewards: Any,
    *,
    start: Solution | None = None,
    tolerance: float = 1e-10,
    regularizer: Regularizer | None = None,
    max_iterations: int = 1_000_000,
    threads: int | None = None,
) -> Solutions: ...
def solve_many(
    mdp: MDP,
    rewards: Any,
    *,
    start: Solution | None = None,
    tolerance: float = 1e-10,
    regularizer: Regularizer | None = None,
    max_iterations: int = 1_000_000,
    threads: int | None = None,
) -> Solutions | Iterator[Solutions]:
    """Optimal values and Q-values of an MDP under each of many rewards, each with its proven error bound.

    Args:
        mdp: the MDP; its own reward plays no part.
        rewards: (N, pairs) finite numbers, 0 at terminal states; or an iterator of such blocks, when they do not fit
            into memory together.
        start: a solution on the same kernel, from whose values to start: rewards near its own take few sweeps.
        tolerance: sup-norm error of the Q-values to reach, in units of reward; at least 0.
        regularizer: None, `Entropy` or `KL`, as in `solve`.
        max_iterations: sweeps over all pairs after which to give up, for each reward.
        threads: threads to spread the rewards over; by default one for each processor. Results do not depend on it.

    Returns:
        The `Solutions`; for an iterator an iterator of one `Solutions` a block, each solved when it is asked for.

    Raises:
        InvalidInputError: an argument is out of range; the message names the reward and the pair.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, solve_many
        >>> mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.5)
        >>> solve_many(mdp, [[1.0, 0.0], [0.0, 2.0]]).values
        array([[2.],
               [4.]])
    """
    check_mdp(mdp)
    if start is not None:
        check_kind("start", start, Solution, made_by="solve")
    name = check_settings(
        mdp, method="auto", tolerance=tolerance, regularizer=regularizer, limit=max_iterations, threads=threads
    )
    plan = _Plan(
        mdp=mdp,
        start=_first_values(mdp, start),
        tolerance=float(tolerance),
        regularizer=regularizer,
        limit=as_integer("max_iterations", max_iterations),
        threads=available_threads() if threads is None else threads,
        method=name,
        moved=reordered(mdp, absorbing(mdp)) if name == "gauss_seidel" else None,
    )
    if isinstance(rewards, Iterator):
        return (_solve_block(plan, block, f"rewards of block {number}") for number, block in enumerate(rewards))
    return _solve_block(plan, rewards, "rewards")


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is the same for all rewards."""

    mdp: MDP
    start: Float64[np.ndarray, " states"] | None
    tolerance: float
    regularizer: Regularizer | None
    limit: int
    threads: int
    method: str
    moved: Reordered | None


def _first_values(mdp: MDP, start: Solution | None) -> Float64[np.ndarray, " states"] | None:
    if start is None:
        return None
    if start.values.size != mdp.n_states:
        raise fail(
            got=f"a `start` with {start.values.size} states",
            expected=f"{mdp.n_states}, those of the MDP",
            remedy="Solve this MDP under one of the rewards, and start from that.",
        )
    return start.values


def _solve_block(plan: _Plan, given: Any, name: str) -> Solutions:
    """Check one block of rewards and solve it."""
    rewards = _checked(plan.mdp, given, name)
    if plan.method == "modified_policy_iteration":
        return _together(plan, rewards)
    return _one_by_one(plan, rewards)


def _checked(mdp: MDP, given: Any, name: str) -> Float64[np.ndarray, "rewards pairs"]:
    """Rewards as a read-only array (N, pairs)."""
    try:
        array = np.asarray(given)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] != mdp.n_pairs:
        raise fail(
            got=f"`{name}` of type {type(given).__name__}, shape {array.shape} and {array.dtype} entries",
            expected=f"numbers of shape (N, {mdp.n_pairs}): one row a reward, one column a pair",
            remedy="One reward alone is rewards[None, :].",
        )
    rewards = frozen(np.array(array, dtype=np.float64, order="C"))
    row, pair = first_wrong(mdp.offsets, mdp.terminal, rewards)
    if row >= 0:
        raise fail(
            got=f"{rewards[row, pair]} in row {row} of `{name}` at {mdp.state_name(int(mdp.pair_states[pair]))}",
            expected="finite numbers, and 0 at terminal states",
            remedy="Replace it; put a reward for ending on the pairs that enter the terminal state.",
        )
    return rewards


def _together(plan: _Plan, rewards: Float64[np.ndarray, "rewards pairs"]) -> Solutions:
    """Modified policy iteration on several threads, eight rewards a pass where their values fit into the cache."""
    mdp, count = plan.mdp, len(rewards)
    base = frozen(np.ones(1)) if plan.regularizer is None else plan.regularizer.base(mdp)
    constants = make_constants(mdp, plan.regularizer, base)
    shifted = not absorbing(mdp).any()
    together = mdp.n_states <= TOGETHER_LIMIT
    start = frozen(np.empty(0)) if plan.start is None else plan.start
    q, values = np.empty((count, mdp.n_pairs)), np.empty((count, mdp.n_states))
    shifts, bounds = np.zeros(count), np.empty(count)
    codes, sweeps = np.empty(count, np.int64), np.zeros(count, np.int64)
    kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities)
    settings = (constants, plan.tolerance, plan.limit, shifted)

    def run(rows: slice) -> None:
        out, counts = (start, rewards[rows], q[rows], shifts[rows], bounds[rows]), (codes[rows], sweeps[rows])
        if plan.regularizer is None:
            solve_hard_rows(*kernel, *settings, together, *out, *counts)
        else:
            solve_soft_rows(*kernel, base, *settings, together, *out, *counts)
        ends = (shifts[rows], bounds[rows], q[rows], values[rows])
        settle_rows(mdp.offsets, mdp.terminal, base, constants.temperature, *ends)

    with ThreadPoolExecutor(plan.threads, thread_name_prefix="policycliff") as pool:
        for _ in pool.map(run, [slice(first, first + COLUMNS) for first in range(0, count, COLUMNS)]):
            pass
    statuses = tuple(STATUSES[code] for code in codes.tolist())
    return _pack(plan, rewards, (values, q, bounds, sweeps), statuses)


def _one_by_one(plan: _Plan, rewards: Float64[np.ndarray, "rewards pairs"]) -> Solutions:
    """Each reward alone, on several threads."""
    count = len(rewards)
    values, q = np.empty((count, plan.mdp.n_states)), np.empty((count, plan.mdp.n_pairs))
    bounds, sweeps = np.empty(count), np.empty(count, np.int64)

    def run(row: int) -> str:
        world = plan.mdp.with_rewards(rewards[row])
        if plan.moved is None:
            found = solve(world, method=plan.method, tolerance=plan.tolerance, regularizer=plan.regularizer)
        else:
            found = solve_in_order(world, plan.moved, tolerance=plan.tolerance, limit=plan.limit, start=plan.start)
        values[row], q[row], bounds[row], sweeps[row] = (
            found.values,
            found.q_values,
            found.error_bound,
            found.iterations,
        )
        return found.status

    with ThreadPoolExecutor(plan.threads, thread_name_prefix="policycliff") as pool:
        statuses = tuple(pool.map(run, range(count)))
    return _pack(plan, rewards, (values, q, bounds, sweeps), statuses)


def _pack(
    plan: _Plan,
    rewards: Float64[np.ndarray, "rewards pairs"],
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    statuses: tuple[str, ...],
) -> Solutions:
    values, q_values, error_bounds, iterations = (frozen(array) for array in arrays)
    return Solutions(
        mdp=plan.mdp,
        rewards=rewards,
        values=values,
        q_values=q_values,
        error_bounds=error_bounds,
        iterations=iterations,
        statuses=statuses,
        tolerance=plan.tolerance,
        method=plan.method,
        regularizer=plan.regularizer,
    )
