"""The price of stability: what a soft policy loses in the MDP without regularizer, temperature by temperature.

A soft optimum at temperature alpha earns at least J* minus what its regularizer can be worth:

    entropy   regret <= alpha * max over policies of E sum gamma^t log |A(s_t)|, at most alpha log |A| / (1 - gamma);
    KL        regret <= beta * E_pi* sum gamma^t log(1 / reference(a_t | s_t)) for the optimal policy pi* that the
              reference likes best (infinite where it excludes all optimal actions of a state).

Both sums skip terminal states and are finite at gamma = 1 on acyclic MDPs. The exact regret is a certified evaluation.

Cost: a few solves a temperature.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.optimal import optimal_actions
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.cliffs.soft.result import SoftPolicyBounds
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Float64
from policycliff.values.evaluation import evaluate
from policycliff.values.horizon import reward_horizon
from policycliff.values.operator import amplification
from policycliff.values.solve import solve


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One temperature: how far the soft policy can move, and what it earns.

    Attributes:
        temperature: alpha or beta.
        sharp: proven bound on the total variation, the largest over the states, for every reward on this world.
        mixing: proven, the smaller span form.
        certified: proven, for this reward.
        local: epsilon times the derivative at this reward: no bound.
        measured: largest total variation found: a lower bound on the worst case.
        expected_return: of the soft policy without regularizer, from the initial distribution (else its least value).
        regret: optimal return minus that (without an initial distribution, the largest loss over states).
        regret_error: bound on the error of `regret`.
        regret_bound: proven bound on the regret from the regularizer alone.
    """

    temperature: float
    sharp: float
    mixing: float
    certified: float
    local: float
    measured: float
    expected_return: float
    regret: float
    regret_error: float
    regret_bound: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON types (an infinite number is None)."""
        numbers = {name: getattr(self, name) for name in self.__slots__}
        return {name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}


@dataclass(frozen=True, slots=True)
class Price:
    """What the soft policies of an MDP are compared with.

    Attributes:
        mdp: the whole MDP.
        values: (states,) V*.
        error: bound on their error.
        cost: (states,) regret bound for temperature 1.
        slack: what the solver's error adds to a regret bound.
    """

    mdp: MDP
    values: Float64[np.ndarray, " states"]
    error: float
    cost: Float64[np.ndarray, " states"]
    slack: float

    def bound(self, temperature: float) -> float:
        """Proven bound on the regret of the soft policy at this temperature."""
        worst = float(self.cost.max()) if self.mdp.initial is None else _from_initial(self.mdp, self.cost)
        return temperature * worst + self.slack if temperature > 0.0 else 0.0

    def regret(self, policy: Float64[np.ndarray, " pairs"]) -> tuple[float, float, float]:
        """Return of a policy over all pairs, its regret, and a bound on the error of the latter."""
        evaluation = evaluate(self.mdp, policy)
        error = self.error + evaluation.error_bound
        if self.mdp.initial is None:
            return float(evaluation.values.min()), float((self.values - evaluation.values).max()), error
        return (
            float(self.mdp.initial @ evaluation.values),
            float(self.mdp.initial @ (self.values - evaluation.values)),
            error,
        )


def make_price(mdp: MDP, problem: SoftProblem) -> Price:
    """Solve the MDP without regularizer, and the MDP of the regularizer's cost."""
    solution = solve(mdp, tolerance=1e-12)
    cost = _kl_cost(mdp, problem) if problem.reference else _entropy_cost(mdp)
    # Actions within the error of the best count as optimal: a policy on them loses at most this.
    slack = (2.0 * solution.error_bound * amplification(mdp) + solution.error_bound) if problem.reference else 0.0
    return Price(mdp=mdp, values=solution.values, error=solution.error_bound, cost=cost, slack=slack)


def _entropy_cost(mdp: MDP) -> Float64[np.ndarray, " states"]:
    """(states,) max over policies of E sum gamma^t log |A(s_t)|, rounded up."""
    choices = np.diff(mdp.offsets)
    worth = reward_horizon(mdp, np.repeat(np.log(choices), choices))
    return np.maximum.reduceat(worth, mdp.offsets[:-1])


def _kl_cost(mdp: MDP, problem: SoftProblem) -> Float64[np.ndarray, " states"]:
    """(states,) min over optimal policies of E sum gamma^t log(1 / reference), rounded up; inf where there is none."""
    base = problem.restriction.widen(problem.base)
    allowed = optimal_actions(solve(mdp, tolerance=1e-13)).members & (base > 0.0)
    if not (np.add.reduceat(allowed.astype(np.int64), mdp.offsets[:-1]) > 0).all():
        return np.full(mdp.n_states, np.inf)
    liked = solve(restrict(mdp, allowed, rewards=np.log(np.where(allowed, base, 1.0))).mdp, tolerance=1e-12)
    return np.where(mdp.terminal, 0.0, np.maximum(-liked.values, 0.0) + liked.error_bound)


def _from_initial(mdp: MDP, vector: Float64[np.ndarray, " states"]) -> float:
    """The mean under the initial distribution, where 0 * inf is 0."""
    start = mdp.initial if mdp.initial is not None else np.full(mdp.n_states, 1.0 / mdp.n_states)
    return float((start[start > 0.0] * vector[start > 0.0]).sum())


def frontier_point(price: Price, bounds: SoftPolicyBounds) -> FrontierPoint:
    """The point of one temperature."""
    earned, regret, error = price.regret(bounds.policy)
    return FrontierPoint(
        temperature=bounds.temperature,
        sharp=bounds.worst("sharp"),
        mixing=bounds.worst("mixing"),
        certified=bounds.worst("certified"),
        local=bounds.epsilon * bounds.worst("local"),
        measured=bounds.worst("measured"),
        expected_return=earned,
        regret=regret,
        regret_error=error,
        regret_bound=price.bound(bounds.temperature),
    )
