"""The least change of the reward that makes a target policy uniquely optimal with a margin (Result 7).

Theory. With c(s, a) = e_(s, a) + gamma P(s, a, .) M E_pi - e_s M E_pi, rows built for the target pi, the advantage of
(s, a) under R is c(s, a) . R. So the task is min ||D|| subject to c(s, a) . (R + D) <= -margin for every other pair:
a linear program in the sup and the 1-norm. It is written here in D and V together, with V = R + D + gamma P V on
target pairs and R + D + gamma P V - V <= -margin on the others, which keeps it as sparse as the kernel.

Between which numbers the sup-norm cost lies. With G(s, a) = max(c(s, a) . R + margin, 0), Hoelder's inequality gives
cost >= max G / ||c||_1. From above: lowering every other pair by max G suffices. Where no state is terminal, raising
all target pairs by max G / 2 and lowering all others by as much suffices too, because a constant on the target pairs
raises V by delta / (1 - gamma) everywhere. **With terminal states, whose rewards are frozen, the cost can exceed max
G / 2**: one state, gamma = 1/2, stopping (the target) pays 0 and staying 1. G = 1, c is 1 on staying and -1/2 on
stopping, the cost 2/3.

Guarantee. HiGHS solves to a tolerance; what is missing from the margin afterwards is taken off the other pairs
themselves (which moves no value of the target), and the margin that is reported is certified by `evaluate`.

Cost: a sparse linear program with pairs + states + 1 variables. Sources: Ma et al. (2019); Rakhsha et al. (2020).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float64
from scipy.optimize import linprog

from policycliff.cliffs.radius.resolvent import make_resolvent
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_number, check_choice, check_mask, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import UNIT_ROUNDOFF
from policycliff.values.regularizers import check_policy

SOLVED, IMPOSSIBLE, STOPPED = "solved", "impossible", "stopped"
REPAIRS = 3
ROWS_FOR_BOUND = 256


@dataclass(frozen=True, slots=True, eq=False)
class LeastChange:
    """A change of the reward that makes the target uniquely optimal.

    Attributes:
        status: "solved"; "impossible" (no change of the allowed pairs does it); "stopped" (the solver gave up).
        change: (pairs,) what to add to the rewards; 0 unless solved.
        cost: its norm; inf unless solved.
        margin: certified: every other pair is worse than the target's by at least this, under the changed reward.
        lower_bound: no change in this norm is cheaper (sup norm only, else 0).
        upper_bound: the least change costs at most this (sup norm, all pairs allowed; else inf).
    """

    status: str
    change: Float64[np.ndarray, " pairs"]
    cost: float
    margin: float
    lower_bound: float
    upper_bound: float


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What the program is about."""

    mdp: MDP
    policy: Float64[np.ndarray, " pairs"]
    margin: float
    free: Bool[np.ndarray, " pairs"]

    @property
    def rivals(self) -> Bool[np.ndarray, " pairs"]:
        """(pairs,) all but the target's."""
        return np.asarray(self.policy == 0.0)

    @property
    def scale(self) -> float:
        """Size of the numbers of the program; the solver's tolerances are absolute."""
        return max(float(np.abs(self.mdp.rewards).max()), self.margin) or 1.0

    def excess(self, rewards: Float64[np.ndarray, " pairs"], *, rounded: float = 1.0) -> Float64[np.ndarray, " pairs"]:
        """Advantage + margin over pairs, rounded up (down with `rounded` = -1); -inf on target pairs."""
        found = evaluate(self.mdp, self.policy, rewards=rewards)
        size = float(np.abs(found.q_values).max() + np.abs(found.values).max())
        error = 2.0 * found.error_bound + 2.0 * UNIT_ROUNDOFF * size
        return np.where(self.rivals, found.advantages(self.mdp) + rounded * error + self.margin, -np.inf)


def least_change(mdp: MDP, target: Any, *, margin: float, norm: str = "inf", mask: Any = None) -> LeastChange:
    """The least D (in the sup or the 1-norm) that makes the target uniquely optimal with this margin (Result 7).

    Args:
        mdp: the MDP.
        target: (pairs,) a deterministic policy.
        margin: least amount by which other actions are worse, in units of reward; at least 0.
        norm: "inf" or "1".
        mask: (pairs,) the pairs whose reward may change; by default all but those of terminal states.

    Raises:
        InvalidInputError: a policy that is stochastic or none, a negative margin, another norm, or a bad mask.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5)
        >>> round(least_change(bandit, [0.0, 1.0], margin=0.5).cost, 9)
        0.75
    """
    task = _task(mdp, target, margin, mask)
    check_choice("norm", norm, ("inf", "1"))
    excess = np.maximum(task.excess(mdp.rewards), 0.0)
    bounds = _bounds(task, excess) if norm == "inf" else (0.0, np.inf)
    if excess.max(initial=0.0) == 0.0:
        return _result(task, np.zeros(mdp.n_pairs), norm, bounds=(0.0, 0.0))
    status, change = _solve(task, norm)
    if change is None:
        nothing = frozen(np.zeros(mdp.n_pairs))
        return LeastChange(status, nothing, np.inf, -np.inf, bounds[0], bounds[1])
    return _result(task, _repaired(task, change), norm, bounds=bounds)


def _task(mdp: MDP, target: Any, margin: float, mask: Any) -> _Task:
    policy = frozen(check_policy("target", target, mdp))
    mixed = first_true(~np.isin(policy, (0.0, 1.0)))
    if mixed >= 0:
        raise fail(
            got=f"probability {policy[mixed]} at {mdp.state_name(int(mdp.pair_states[mixed]))}",
            expected="a deterministic target (probabilities 0 and 1): only that can be uniquely optimal",
            remedy="Round the policy.",
        )
    if not 0.0 <= as_number("margin", margin) < np.inf:
        raise fail(got=f"margin = {margin!r}", expected="a finite number of at least 0", remedy="Try 0.1.")
    free = ~mdp.terminal[mdp.pair_states]
    if mask is not None:
        free &= check_mask("mask", mask, (mdp.n_pairs,), meaning="one entry a pair")
    return _Task(mdp=mdp, policy=policy, margin=float(margin), free=free)


def _solve(task: _Task, norm: str) -> tuple[str, Float64[np.ndarray, " pairs"] | None]:
    """The linear program in (D, V, t): t one number for the sup norm, one a pair for the 1-norm."""
    mdp, n = task.mdp, task.mdp.n_pairs
    alive = ~mdp.terminal[mdp.pair_states]
    owners = sp.csr_array((np.ones(n), (np.arange(n), mdp.pair_states)), shape=(n, mdp.n_states))
    body = sp.hstack([sp.eye_array(n, format="csr"), mdp.gamma * mdp.transitions - owners], format="csr")
    sizes = sp.csr_array(np.ones((n, 1))) if norm == "inf" else sp.eye_array(n, format="csr")
    blank = sp.csr_array((n, mdp.n_states))
    identity = sp.eye_array(n, format="csr")
    above = sp.hstack([identity, blank, -sizes], format="csr")
    below = sp.hstack([-identity, blank, -sizes], format="csr")
    wide = sp.hstack([body, sp.csr_array(sizes.shape)], format="csr")
    rivals, targets = np.flatnonzero(alive & task.rivals), np.flatnonzero(alive & ~task.rivals)
    reach = np.where(task.free, np.inf, 0.0)
    ends = np.where(mdp.terminal, 0.0, np.inf)
    limit = np.concatenate([reach, ends, np.full(sizes.shape[1], np.inf)])
    program: Any = linprog  # Its stubs know no sparse matrices.
    found = program(
        np.concatenate([np.zeros(n + mdp.n_states), np.ones(sizes.shape[1])]),
        A_ub=sp.vstack([wide[rivals], above, below], format="csr"),
        b_ub=np.concatenate([-task.margin - mdp.rewards[rivals], np.zeros(2 * n)]) / task.scale,
        A_eq=wide[targets],
        b_eq=-mdp.rewards[targets] / task.scale,
        bounds=np.column_stack([-limit, limit]),
        method="highs",
    )
    if found.status == 2:
        return IMPOSSIBLE, None
    return (SOLVED, np.where(task.free, task.scale * found.x[:n], 0.0)) if found.status == 0 else (STOPPED, None)


def _repaired(task: _Task, change: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
    """Lower free rivals by what is missing from the margin: that moves no value of the target."""
    for _ in range(REPAIRS):
        missing = task.excess(task.mdp.rewards + change)
        short = task.free & (missing > 0.0)
        if not short.any():
            break
        rounding = 2.0 * UNIT_ROUNDOFF * (np.abs(task.mdp.rewards) + np.abs(change) + missing)
        change = np.where(short, change - missing - rounding, change)
    return change


def _result(
    task: _Task, change: Float64[np.ndarray, " pairs"], norm: str, *, bounds: tuple[float, float]
) -> LeastChange:
    worst = float(task.excess(task.mdp.rewards + change).max(initial=-np.inf))
    size = np.abs(change)
    return LeastChange(
        status=SOLVED,
        change=frozen(change),
        cost=float(size.max() if norm == "inf" else size.sum()),
        margin=task.margin - worst,
        lower_bound=bounds[0],
        upper_bound=bounds[1],
    )


def _bounds(task: _Task, excess: Float64[np.ndarray, " pairs"]) -> tuple[float, float]:
    """Largest excess over ||c||_1 on the free pairs, and the cost of a change that is known to do."""
    mdp = task.mdp
    targets = np.flatnonzero(task.policy)
    resolvent = make_resolvent(mdp, targets)
    needed = task.excess(mdp.rewards, rounded=-1.0)
    largest = np.argsort(-needed, kind="stable")[:ROWS_FOR_BOUND]
    low = 0.0
    for pair in largest[needed[largest] > 0.0].tolist():
        row = resolvent.row(pair, int(mdp.pair_states[pair]))
        size = float(task.free[pair]) + float(np.abs(row.entries)[task.free[targets]].sum()) + row.error
        low = max(low, float(needed[pair]) / size) if size > 0.0 else np.inf
    whole = bool((task.free == ~mdp.terminal[mdp.pair_states]).all())
    share = 1.0 if mdp.terminal.any() else 0.5
    return low * (1.0 - 1e-9), share * float(excess.max(initial=0.0)) if whole else np.inf
