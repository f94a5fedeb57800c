"""The limit of the soft policy as its temperature goes to 0 in an MDP (Result 5).

Write the soft values as V_alpha = V* + alpha L + o(alpha). Only optimal actions keep weight in the soft Bellman
equation, which leaves, with base = 1 for entropy and the reference policy for KL,

    L(s) = log sum over a in A*(s) of base(a|s) exp(gamma E L(s')),      D = -L,
    pi_0(a|s) proportional to base(a|s) exp(gamma E L(s'))               on A*(s), 0 elsewhere.

So the limit is *not* the base renormalised on A*: an optimal action that leads to where few actions are optimal (or to
where the base gives them little) loses weight. For entropy at gamma = 1 on a tree, pi_0 is uniform over optimal
completions, not over optimal actions. L is the soft optimum at temperature 1 of the MDP restricted to A* with reward
log base, so it is solved and certified as any other. The distance to the limit at temperature alpha is of the order
exp(-(action gap) / alpha) once that is small.

With a reference policy A* is that of the MDP without the actions of reference probability 0: KL keeps their weight at 0
whatever they pay.

Cost: two solves; with `exact`, rational policy iteration.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.optimal import optimal_actions
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP, check_mdp
from policycliff.mdp.restriction import restrict
from policycliff.shapes import Bool, Float64
from policycliff.values.regularizers import KL, Entropy
from policycliff.values.solve import TIGHT, solve, tight_tolerance

PROVEN, UNRESOLVED = "proven", "unresolved"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ZeroTemperaturePolicy:
    """The limit of the soft policy.

    Attributes:
        policy: (pairs,) the limit.
        members: (pairs,) the sets A* that it lives on.
        log_mass: (states,) L: soft values grow like V* + temperature * L. For entropy at gamma = 1 the logarithm of the
            number of optimal completions, at most 0 for KL.
        error_bound: bound on the error of log_mass; the total variation error of the policy is at most tanh(error / 2).
        status: "proven", or "unresolved" where some A* is only known to contain the optimal actions; then the policy
            is the limit only if it contains no other.
    """

    policy: Float64[np.ndarray, " pairs"]
    members: Bool[np.ndarray, " pairs"]
    log_mass: Float64[np.ndarray, " states"]
    error_bound: float
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "policy": self.policy.tolist(),
            "members": self.members.tolist(),
            "log_mass": self.log_mass.tolist(),
            "error_bound": self.error_bound,
            "status": self.status,
        }

    def __repr__(self) -> str:
        return (
            f"ZeroTemperaturePolicy({self.status}; {int(self.members.sum())} of {self.members.size} pairs are optimal, "
            f"log mass {self.log_mass.min():.4g} to {self.log_mass.max():.4g}, error {self.error_bound:.2g})"
        )


def zero_temperature_policy(mdp: MDP, *, reference_policy: Any = None, exact: bool = False) -> ZeroTemperaturePolicy:
    """What the soft policy tends to as its temperature goes to 0 (Result 5).

    Args:
        mdp: the MDP.
        reference_policy: (pairs,) probabilities for KL; None for entropy.
        exact: decide ties in rational arithmetic (up to 200 states; 20,000 where the MDP is acyclic).

    Returns:
        A `ZeroTemperaturePolicy`; proven up to its error bound where every set of optimal actions is.

    Raises:
        InvalidInputError: the reference policy is wrong, or the MDP is too large for `exact`.

    Example:
        >>> from policycliff import token_tree, zero_temperature_policy
        >>> tree = token_tree(["a", "ba", "bb"], [1.0, 1.0, 1.0])
        >>> limit = zero_temperature_policy(tree)  # uniform over the three completions, not over "a" and "b"
        >>> limit.policy[tree.pair_states == 1].round(6)
        array([0.333333, 0.666667])
    """
    check_mdp(mdp)
    base = np.ones(mdp.n_pairs) if reference_policy is None else KL(1.0, reference_policy).base(mdp)
    supported = restrict(mdp, base > 0.0)
    actions = optimal_actions(solve(supported.mdp, tolerance=tight_tolerance(mdp.rewards)), exact=exact)
    optimal = restrict(supported.mdp, actions.members, rewards=np.log(base[supported.pairs]))
    limit = solve(optimal.mdp, tolerance=TIGHT, regularizer=Entropy(1.0))
    return ZeroTemperaturePolicy(
        policy=supported.widen(optimal.widen(limit.policy)),
        members=frozen(supported.widen(actions.members.astype(np.float64)) > 0.0),
        log_mass=limit.values,
        error_bound=limit.error_bound,
        status=PROVEN if actions.is_resolved else UNRESOLVED,
    )
