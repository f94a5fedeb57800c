"""`solve_many`: many rewards on one kernel, such as draws of a noisy reward, a grid of weights or an ensemble.

Every reward gets the certificate that `solve` would give it. `policycliff.values.many_rows` says how.

Cost: O(nonzeros) for eight rewards a backup, at the speed of memory for one. Rewards near one that is solved already
start from its values, and mostly need one improvement.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, overload

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, check_choice, check_kind, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.ray_cluster import require_ray
from policycliff.shapes import Float64
from policycliff.values.gauss_seidel import outwards
from policycliff.values.many_kernels import first_wrong
from policycliff.values.many_ray import solve_rows_on_ray
from policycliff.values.many_rows import Plan, Rows, solve_rows
from policycliff.values.many_torch import choose_device, solve_rows_on_device
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import Solution
from policycliff.values.solutions import Solutions
from policycliff.values.solve import check_settings
from policycliff.values.threads import available_threads

Solver = Callable[[Plan, Float64[np.ndarray, "rewards pairs"]], Rows]


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
    executor: str = "threads",
    device: str | None = None,
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
    executor: str = "threads",
    device: str | None = None,
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
    executor: str = "threads",
    device: str | None = None,
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
            With Ray the threads, and processors, of each task; by default one.
        executor: "threads", or "ray": the rewards are spread over the Ray cluster that this process is connected to, or
            over one that Ray starts on this machine (extra `ray`). The results are the same to the bit on processors of
            one kind, and what a worker that dies was doing is done again.
        device: None, or a PyTorch device such as "cuda" (extra `torch`): all rewards of a block at once. The results
            differ by less than the sum of their error bounds.

    Returns:
        The `Solutions`; for an iterator an iterator of one `Solutions` a block, each solved when it is asked for.

    Raises:
        InvalidInputError: an argument is out of range; the message names the reward and the pair.
        MissingExtraError: the executor or the device needs a package that is not installed.
        WorkerLostError: every Ray worker that took some of the rewards died, or none could start.

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
        _check_start(mdp, start)
    name = check_settings(
        mdp, method="auto", tolerance=tolerance, regularizer=regularizer, limit=max_iterations, threads=threads
    )
    solver = _choose_solver(executor, device)
    if device is not None:
        name = "modified_policy_iteration"
    plan = Plan(
        mdp=mdp,
        start=start,
        tolerance=float(tolerance),
        regularizer=regularizer,
        limit=as_integer("max_iterations", max_iterations),
        threads=threads or (available_threads() if executor == "threads" else 1),
        method=name,
        order=outwards(mdp) if name == "gauss_seidel" else None,
    )
    if isinstance(rewards, Iterator):
        blocks = enumerate(rewards)
        return (_solve_block(plan, solver, block, f"rewards of block {number}") for number, block in blocks)
    return _solve_block(plan, solver, rewards, "rewards")


def _choose_solver(executor: str, device: str | None) -> Solver:
    """What solves a block of rewards; packages of extras are imported here, before work starts."""
    check_choice("executor", executor, ("threads", "ray"))
    if device is None:
        if executor == "threads":
            return solve_rows
        require_ray()
        return solve_rows_on_ray
    if executor != "threads":
        raise fail(
            got=f"device = {device!r} with executor = {executor!r}",
            expected="a device or an executor, not both",
            remedy="Leave one out.",
        )
    return partial(solve_rows_on_device, device=choose_device(device))


def _check_start(mdp: MDP, start: Any) -> None:
    check_kind("start", start, Solution, made_by="solve")
    sizes = (start.mdp.n_states, start.mdp.n_pairs)
    if sizes != (mdp.n_states, mdp.n_pairs):
        raise fail(
            got=f"a `start` with {sizes[0]} states and {sizes[1]} pairs",
            expected=f"{mdp.n_states} and {mdp.n_pairs}, those of the MDP",
            remedy="Solve this MDP under one of the rewards, and start from that.",
        )
    if not (np.isfinite(start.values).all() and np.isfinite(start.q_values).all()):
        raise fail(got="a `start` with values that are not finite", expected="finite ones", remedy="Leave it out.")


def _solve_block(plan: Plan, solver: Solver, given: Any, name: str) -> Solutions:
    """Check one block of rewards and solve it."""
    rewards = _checked(plan.mdp, given, name)
    rows = solver(plan, rewards)
    return Solutions(
        mdp=plan.mdp,
        rewards=rewards,
        values=frozen(rows.values),
        q_values=frozen(rows.q_values),
        error_bounds=frozen(rows.error_bounds),
        iterations=frozen(rows.iterations),
        statuses=rows.statuses,
        tolerance=plan.tolerance,
        method=plan.method,
        regularizer=plan.regularizer,
    )


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
