"""What is lost, in the true reward, by a policy that is optimal for another one.

Theory. The regret of a policy is J* - J, its true return against the best possible one, from the initial
distribution. "The" policy that is optimal for the reward trained on may not exist: where that reward is tied, the
choice among optimal policies decides. So there are three figures: of the best of them (misspecification: what no
tie-breaker mends), of the worst (adversarial ties), and of the uniform choice over A*(s) (`uniform_policy`). The first
two are what `degeneracy_price` knows, seen from J*.

Normalised, regret is divided by J* - J_min, the range of true returns over all policies: the regret of STARC's bounds
(Skalse et al. 2024), which a positive factor and potential shaping of the true reward leave as it is. It is 0 where all
policies have the same return, because then nothing can be lost.

Cost: as `degeneracy_price`, and two solutions more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.optimal_sets import settled_actions
from policycliff.cliffs.degeneracy.price import DegeneracyPrice, degeneracy_price
from policycliff.cliffs.degeneracy.restricted_returns import Bracket, minus, weighted_return
from policycliff.mdp.messages import check_flag, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import start_distribution
from policycliff.policies.selection import uniform_policy
from policycliff.values.evaluation import evaluate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Regret:
    """What policies that are optimal for the reward trained on lose in the true reward.

    Returns are from the initial distribution. Each number has its proven interval in `brackets`, by its name.

    Attributes:
        best: regret of the best policy that is optimal for the reward trained on.
        worst: of the worst one.
        uniform: of the one that chooses uniformly from the optimal actions.
        normalised_best: best / value_range; 0 where the range is 0.
        normalised_worst: worst / value_range.
        normalised_uniform: uniform / value_range.
        true_optimum: the largest true return of any policy.
        value_range: the largest minus the smallest true return of any policy.
        brackets: intervals that contain the true figures.
        status: "exact" (the sets of optimal actions are proven; brackets are as wide as the solver's error) or
            "bracket" (a set that matters is not settled: figures treat everything within the error as tied).
    """

    best: float
    worst: float
    uniform: float
    normalised_best: float
    normalised_worst: float
    normalised_uniform: float
    true_optimum: float
    value_range: float
    brackets: Mapping[str, Bracket]
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "best": self.best,
            "worst": self.worst,
            "uniform": self.uniform,
            "normalised_best": self.normalised_best,
            "normalised_worst": self.normalised_worst,
            "normalised_uniform": self.normalised_uniform,
            "true_optimum": self.true_optimum,
            "value_range": self.value_range,
            "brackets": {
                name: [end if np.isfinite(end) else None for end in ends] for name, ends in self.brackets.items()
            },
            "status": self.status,
        }

    def __repr__(self) -> str:
        return (
            f"Regret({self.status}: {self.best:.6g} to {self.worst:.6g}, uniform choice {self.uniform:.6g}; of the "
            f"range {self.value_range:.6g} of true returns {self.normalised_best:.3g} to {self.normalised_worst:.3g})"
        )


def regret(mdp: MDP, trained_on: Any, true: Any, *, exact: bool = False) -> Regret:
    """J* - J under the true reward, for the policies that are optimal for `trained_on`: best, worst, uniform choice.

    Args:
        mdp: the MDP with an initial distribution; its own rewards do not matter.
        trained_on: the reward that the policy is optimal for: (pairs,), (S,) or (S, A), finite, 0 at terminal states.
        true: the reward that counts, in the same forms.
        exact: decide ties, and compute the best and the worst, in rational arithmetic (up to 200 states; 20,000 where
            the MDP is acyclic).

    Returns:
        A `Regret`; every bracket is proven.

    Raises:
        InvalidInputError: wrong rewards, no initial distribution, or `exact` for an MDP that is too large for it.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, regret
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.0, initial=[1.0])
        >>> lost = regret(bandit, [1.0, 1.0, 0.0], [0.25, 0.75, 1.0])
        >>> lost.best, lost.uniform, lost.worst, lost.normalised_worst
        (0.25, 0.5, 0.75, 1.0)
    """
    check_mdp(mdp)
    check_flag("exact", exact)
    if mdp.initial is None:
        raise fail(
            got="an MDP without initial distribution",
            expected="`initial`, from which returns are counted",
            remedy="Build the MDP with initial=....",
        )
    trained, wanted = mdp.with_rewards(trained_on, name="trained_on"), mdp.with_rewards(true, name="true")
    price = degeneracy_price(trained, wanted.rewards, exact=exact)
    # Of all policies, the worst: with a reward of 0 every policy is optimal.
    whole = degeneracy_price(mdp.with_rewards(np.zeros(mdp.n_pairs)), wanted.rewards, exact=exact)
    uniform = _uniform_return(settled_actions(trained, exact=exact), wanted)
    top = price.brackets["true_optimum"]
    inside = (max(uniform[0], price.brackets["worst"][0]), min(uniform[1], price.brackets["best"][1]))
    if price.status == "bracket":
        # Which actions are tied is not known, but the uniform choice among them is one of the optimal policies.
        inside = (price.brackets["worst"][0], price.brackets["best"][1])
    brackets = {
        "best": price.brackets["misspecification"],
        "worst": _loss(top, price.brackets["worst"]),
        "uniform": _loss(top, inside),
        "true_optimum": top,
        "value_range": whole.brackets["tie_breaker_price"],
    }
    return _result(price, whole, uniform, brackets)


def _uniform_return(actions: OptimalActions, wanted: MDP) -> Bracket:
    """The true return of the uniform choice from these sets."""
    found = evaluate(wanted, uniform_policy(actions))
    total, error = weighted_return(start_distribution(wanted), found.values, found.error_bound)
    return minus(total, error)[0], minus(total, -error)[1]


def _loss(top: Bracket, returns: Bracket) -> Bracket:
    """The interval of a difference to the optimum, which is at least 0."""
    return max(minus(top[0], returns[1])[0], 0.0), max(minus(top[1], returns[0])[1], 0.0)


def _result(price: DegeneracyPrice, whole: DegeneracyPrice, uniform: Bracket, brackets: dict[str, Bracket]) -> Regret:
    """The public result, with normalised figures."""
    values = {
        "best": price.misspecification,
        "worst": max(price.true_optimum - price.worst, 0.0),
        "uniform": max(price.true_optimum - 0.5 * (uniform[0] + uniform[1]), 0.0),
    }
    spread = brackets["value_range"]
    # No figure is outside its own interval.
    values = {name: min(max(value, brackets[name][0]), brackets[name][1]) for name, value in values.items()}
    shares = {name: _share(brackets[name], spread) for name in values}
    normalised = {
        name: min(max(value / whole.tie_breaker_price if whole.tie_breaker_price > 0.0 else 0.0, low), high)
        for (name, value), (low, high) in zip(values.items(), shares.values(), strict=True)
    }
    named = {f"normalised_{name}": ends for name, ends in shares.items()}
    return Regret(
        best=values["best"],
        worst=values["worst"],
        uniform=values["uniform"],
        normalised_best=normalised["best"],
        normalised_worst=normalised["worst"],
        normalised_uniform=normalised["uniform"],
        true_optimum=price.true_optimum,
        value_range=whole.tie_breaker_price,
        brackets=MappingProxyType({**brackets, **named}),
        status=price.status,
    )


def _share(loss: Bracket, spread: Bracket) -> Bracket:
    """The interval of loss / spread, which is in [0, 1]; 0 where the spread is 0."""
    if spread[1] <= 0.0:
        return 0.0, 0.0
    low = float(np.nextafter(loss[0] / spread[1], -np.inf)) if np.isfinite(spread[1]) else 0.0
    high = float(np.nextafter(loss[1] / spread[0], np.inf)) if spread[0] > 0.0 else 1.0
    return max(low, 0.0), min(high, 1.0)
