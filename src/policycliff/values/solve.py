"""`solve`: the map R -> Q* (Proposition 2.4 says it is Lipschitz), with a proven error bound.

Method "auto" is one backward pass where the MDP is acyclic or gamma is 0, Gauss-Seidel sweeps where it has absorbing
states and no regularizer, and modified policy iteration elsewhere.
"""

from collections.abc import Callable

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, as_number, check_choice, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64, Int32
from policycliff.values.backup_kernels import shift_and_choose, soft_value_all, soft_weights
from policycliff.values.backward import solve_backward
from policycliff.values.gauss_seidel import absorbing, gauss_seidel
from policycliff.values.iteration import Outcome, modified_policy_iteration, policy_iteration, value_iteration
from policycliff.values.operator import BellmanOperator, make_operator
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import Solution
from policycliff.values.threads import state_ranges, workers

TIGHT = 1e-13
"""Error of Q-values that is asked for where a certificate turns on it, for rewards of size 1."""

Method = Callable[[BellmanOperator, float, int], Outcome]
METHODS: dict[str, Method] = {
    "value_iteration": value_iteration,
    "policy_iteration": policy_iteration,
    "modified_policy_iteration": modified_policy_iteration,
}
OTHER_METHODS = ("auto", "backward", "gauss_seidel")


def solve(
    mdp: MDP,
    *,
    method: str = "auto",
    tolerance: float = 1e-10,
    regularizer: Regularizer | None = None,
    max_iterations: int = 1_000_000,
    threads: int | None = None,
) -> Solution:
    """Optimal values, Q-values and a policy of an MDP.

    Args:
        mdp: the MDP.
        method: "auto", "value_iteration", "policy_iteration", "modified_policy_iteration", "gauss_seidel" (without a
            regularizer) or "backward" (acyclic).
        tolerance: sup-norm error of the Q-values to reach, in units of reward; at least 0.
        regularizer: None, `Entropy(temperature)` or `KL(temperature, reference_policy)`; then the maximum is a soft one
            and the policy the soft policy (Prop 4.7, section 3.4).
        max_iterations: sweeps over all pairs after which to give up.
        threads: threads for backups; by default as many as there are processors and as pay at this size. The result
            does not depend on it.

    Returns:
        A `Solution`. Its `error_bound` is proven, rounding included; where double precision cannot reach the tolerance
        its `status` is "rounding_floor" and the bound says what was reached.

    Raises:
        InvalidInputError: unknown method, negative tolerance, no thread, method "backward" for an MDP with a cycle, or
            "gauss_seidel" with a regularizer.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, solve
        >>> mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.5]], 0.9)
        >>> solve(mdp).q_values.round(6)
        array([10. ,  9.5])
    """
    check_mdp(mdp)
    name = check_settings(
        mdp, method=method, tolerance=tolerance, regularizer=regularizer, limit=max_iterations, threads=threads
    )
    if name == "backward":
        return solve_backward(mdp, regularizer, tolerance=float(tolerance))
    if name == "gauss_seidel":
        return solve_outwards(mdp, tolerance=float(tolerance), limit=max_iterations)
    ranges = state_ranges(mdp, threads)
    with workers(len(ranges)) as run:
        operator = make_operator(mdp, regularizer, ranges, run)
        outcome = METHODS[name](operator, float(tolerance), max_iterations)
        return _finish(operator, outcome, name, tolerance=float(tolerance), regularizer=regularizer)


def check_settings(
    mdp: MDP, *, method: str, tolerance: float, regularizer: Regularizer | None, limit: int, threads: int | None
) -> str:
    """The name of the method that will run; raises where an argument is out of range."""
    check_choice("method", method, (*METHODS, *OTHER_METHODS))
    if as_integer("max_iterations", limit) < 1:
        raise fail(got=f"max_iterations = {limit}", expected="1 or more", remedy="Leave it out.")
    if not as_number("tolerance", tolerance) >= 0.0:
        raise fail(got=f"tolerance = {tolerance!r}", expected="a number of at least 0", remedy="Try 1e-8.")
    if threads is not None and as_integer("threads", threads) < 1:
        raise fail(got=f"threads = {threads}", expected="1 or more, or None", remedy="Leave it out.")
    if method == "gauss_seidel" and regularizer is not None:
        raise fail(
            got="method 'gauss_seidel' with a regularizer",
            expected="another method, or no regularizer",
            remedy="Use method='auto'.",
        )
    return method if method != "auto" else choose_method(mdp, regularizer)


def solve_outwards(
    mdp: MDP,
    *,
    tolerance: float,
    limit: int,
    order: Int32[np.ndarray, " states"] | None = None,
    start: Float64[np.ndarray, " states"] | None = None,
) -> Solution:
    """Gauss-Seidel sweeps in this order (by default the one of `outwards`), from these values."""
    with workers(1) as run:
        operator = make_operator(mdp, None, ((0, mdp.n_states),), run)
        outcome = gauss_seidel(operator, tolerance, limit, order=order, start=start)
        return _finish(operator, outcome, "gauss_seidel", tolerance=tolerance, regularizer=None)


def tight_tolerance(rewards: Float64[np.ndarray, "*shape"], share: float = TIGHT) -> float:
    """The tolerance for certificates: this share of the largest reward where that is below 1, else the share itself.

    A fixed tolerance would swallow rewards of 1e-12 whole.
    """
    return share * min(float(np.abs(rewards).max(initial=0.0)), 1.0)


def choose_method(mdp: MDP, regularizer: Regularizer | None) -> str:
    """What "auto" means for this MDP."""
    if mdp.is_acyclic or mdp.gamma == 0.0:
        return "backward"
    return "gauss_seidel" if regularizer is None and absorbing(mdp).any() else "modified_policy_iteration"


def _finish(
    operator: BellmanOperator, outcome: Outcome, name: str, *, tolerance: float, regularizer: Regularizer | None
) -> Solution:
    """Centre the Q-values in their certified interval, read off values and policy, and freeze them."""
    mdp = operator.mdp
    q = outcome.backup.q if outcome.backup.q.flags.writeable else outcome.backup.q.copy()
    values, policy = np.empty(mdp.n_states), np.empty(mdp.n_pairs)
    shift = outcome.certificate.shift if np.isfinite(outcome.certificate.bound) else 0.0
    operator.run(
        shift_and_choose, [(*ends, mdp.offsets, q, mdp.terminal, shift, values, policy) for ends in operator.ranges]
    )
    if regularizer is not None:
        soft_value_all(mdp.offsets, q, operator.base, operator.temperature, values)
        soft_weights(mdp.offsets, q, operator.base, operator.temperature, policy)
    return Solution(
        mdp=mdp,
        values=frozen(values),
        q_values=frozen(q),
        policy=frozen(policy),
        error_bound=float(outcome.certificate.bound),
        tolerance=tolerance,
        iterations=outcome.iterations,
        method=name,
        status=outcome.status,
        regularizer=regularizer,
    )
