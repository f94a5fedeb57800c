"""The price of degeneracy (Result 6): what is at stake among policies that are all optimal for the training reward.

Theory. A policy is optimal in every state exactly if it chooses from A*(s; R_train) in every state, because its
values then satisfy V* = R_pi + gamma P_pi V*, which has one solution. (Discounted, or gamma = 1 on acyclic MDPs;
elsewhere that is false.) It is optimal from the initial distribution exactly if it does so in the states that it
reaches. So the best and the worst true return over optimal policies are the optimum of R_true and of -R_true in the
MDP restricted to A*.

best - worst is what an infinitesimal tie-breaker decides: for every small enough e > 0 the policies optimal for
R_train + e D are those that are D-optimal in the restricted MDP, and D = R_true and D = -R_true give both ends.
J*_true - best is misspecification: no tie-breaker, however clever, mends it.

Only states that are reached from the initial distribution within A* count, and at gamma = 0 only initial states.
Where A* is known only up to the solver's error the figures are intervals: see `restricted_returns`.

Cost: four solutions (R_train, R_true, and twice the restricted MDP); with `exact` as many policy iterations in
fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.optimal_sets import open_states, reached_within, settled_actions
from policycliff.cliffs.degeneracy.restricted_returns import Bracket, Returns, returns_in_floats, returns_in_fractions
from policycliff.cliffs.degeneracy.traces import LogCount, exact_log_traces, log_policies, log_traces
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_flag
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import start_distribution
from policycliff.shapes import Bool, Float64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DegeneracyPrice:
    """What the choice among optimal policies is worth under the true reward.

    Returns are from the initial distribution. Each number below has its proven interval in `brackets`, by its name.

    Attributes:
        best: largest true return of a policy that is optimal for the training reward.
        worst: smallest one.
        true_optimum: largest true return of any policy.
        tie_breaker_price: best - worst, what an infinitesimal tie-breaker decides.
        misspecification: true_optimum - best, what no tie-breaker mends.
        log_optimal_policies: log of the number of deterministic optimal policies, in all states.
        log_reached_policies: the same, told apart by what they do in states that some optimal policy reaches.
        log_optimal_traces: log of the number of distinct traces of optimal policies; None where the MDP has a cycle.
        brackets: intervals that contain the true figures.
        best_values: (states,) best true return from each state.
        worst_values: (states,) worst true return from each state.
        best_policy: (pairs,) a deterministic policy that attains `best`.
        worst_policy: (pairs,) one that attains `worst`.
        members: (pairs,) the sets of optimal actions that were used.
        status: "exact" (the sets are proven; brackets are as wide as the solver's error) or "bracket" (a set that
            matters is not settled: the figures treat everything within the error as tied).
    """

    best: float
    worst: float
    true_optimum: float
    tie_breaker_price: float
    misspecification: float
    log_optimal_policies: float
    log_reached_policies: float
    log_optimal_traces: float | None
    brackets: Mapping[str, Bracket]
    best_values: Float64[np.ndarray, " states"]
    worst_values: Float64[np.ndarray, " states"]
    best_policy: Float64[np.ndarray, " pairs"]
    worst_policy: Float64[np.ndarray, " pairs"]
    members: Bool[np.ndarray, " pairs"]
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "best": self.best,
            "worst": self.worst,
            "true_optimum": self.true_optimum,
            "tie_breaker_price": self.tie_breaker_price,
            "misspecification": self.misspecification,
            "log_optimal_policies": self.log_optimal_policies,
            "log_reached_policies": self.log_reached_policies,
            "log_optimal_traces": self.log_optimal_traces,
            "brackets": {name: [_finite(end) for end in ends] for name, ends in self.brackets.items()},
            "best_values": self.best_values.tolist(),
            "worst_values": self.worst_values.tolist(),
            "best_policy": self.best_policy.tolist(),
            "worst_policy": self.worst_policy.tolist(),
            "members": self.members.tolist(),
            "status": self.status,
        }

    def __repr__(self) -> str:
        traces = "" if self.log_optimal_traces is None else f", log traces {self.log_optimal_traces:.4g}"
        return (
            f"DegeneracyPrice({self.status}: true return {self.worst:.6g} to {self.best:.6g} among optimal policies, "
            f"best possible {self.true_optimum:.6g}; a tie-breaker decides {self.tie_breaker_price:.6g}, none mends "
            f"{self.misspecification:.6g}; log policies {self.log_optimal_policies:.4g}{traces})"
        )


def degeneracy_price(mdp: MDP, true_rewards: Any, *, exact: bool = False) -> DegeneracyPrice:
    """Best and worst true return over all policies that are optimal for the MDP's own reward (Result 6).

    Args:
        mdp: the MDP with the training reward and an initial distribution.
        true_rewards: what is really wanted: (pairs,), (S,) or (S, A), finite, 0 at terminal states.
        exact: rational arithmetic throughout (up to 200 states; 20,000 where the MDP is acyclic).

    Returns:
        A `DegeneracyPrice`. Every bracket is proven; with `exact` it is one unit in the last place wide, or a point.

    Raises:
        InvalidInputError: wrong rewards, no initial distribution, or `exact` for an MDP that is too large for it.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, degeneracy_price
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0, initial=[1.0])
        >>> price = degeneracy_price(bandit, [[0.25, 0.75, 2.0]])
        >>> price.worst, price.best, price.tie_breaker_price, price.misspecification
        (0.25, 0.75, 0.5, 1.25)
    """
    check_mdp(mdp)
    check_flag("exact", exact)
    true_mdp = mdp.with_rewards(true_rewards, name="true_rewards")
    start = start_distribution(mdp)
    actions = settled_actions(mdp, exact=exact)
    reached = reached_within(mdp, actions.members)
    unsettled = open_states(actions)
    matters = unsettled & reached
    if exact:
        returns = returns_in_fractions(actions, true_mdp, start)
    else:
        returns = returns_in_floats(actions, true_mdp, start, matters)
    counts = {
        "log_optimal_policies": log_policies(actions, unsettled, np.ones_like(reached)),
        "log_reached_policies": log_policies(actions, unsettled, reached),
        "log_optimal_traces": exact_log_traces(mdp, actions.members) if exact else log_traces(actions, unsettled),
    }
    single = bool((actions.counts[reached] == 1).all())
    return _result(actions, returns, counts, single=single, status="bracket" if matters.any() else "exact")


def _result(
    actions: OptimalActions, returns: Returns, counts: dict[str, LogCount | None], *, single: bool, status: str
) -> DegeneracyPrice:
    """The public result; where no reached state is tied there is nothing to decide."""
    brackets = {
        "best": returns.best_bracket,
        "worst": returns.worst_bracket,
        "true_optimum": returns.optimum_bracket,
        "tie_breaker_price": (0.0, 0.0) if single else returns.decided_bracket,
        "misspecification": returns.mended_by_none_bracket,
        **{name: (count.low, count.high) for name, count in counts.items() if count is not None},
    }
    logs = {name: None if count is None else count.value for name, count in counts.items()}
    return DegeneracyPrice(
        best=returns.best,
        worst=returns.worst,
        true_optimum=returns.optimum,
        tie_breaker_price=0.0 if single else returns.decided,
        misspecification=returns.mended_by_none,
        log_optimal_policies=logs["log_optimal_policies"] or 0.0,
        log_reached_policies=logs["log_reached_policies"] or 0.0,
        log_optimal_traces=logs["log_optimal_traces"],
        brackets=MappingProxyType(brackets),
        best_values=returns.best_values,
        worst_values=returns.worst_values,
        best_policy=returns.best_policy,
        worst_policy=returns.worst_policy,
        members=frozen(actions.members),
        status=status,
    )


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
