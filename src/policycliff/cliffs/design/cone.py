"""The cone of rewards for which a policy is optimal: is a reward in it, how far is the boundary, what is nearest.

Theory. The policy pi is optimal everywhere exactly where c(s, a) . R <= 0 for all pairs, with c(s, a) = e_(s, a) +
gamma P(s, a, .) M E_pi - e_s M E_pi, and for a stochastic pi = 0 on all pairs that it may take (their advantages are
equal). That is a polyhedral cone, over pairs of states that are not terminal; it depends on the support of pi only. It
has an interior exactly if pi is deterministic, and there pi is the only optimal policy.

From inside, the distance to the boundary in a p-norm is the least -c . R / ||c||_q, q dual to p: the stability radius
(in the sup and the 2-norm `stability_radius` gives the same number). From outside, the distance to the cone is the
least change for pi with margin 0 (`design_tie_breaker`). In the sup and the 1-norm several points are nearest; one is
given.

Rows c(s, a) are solved one at a time, only for pairs that may be the nearest ones; the cone is never written down.
Source: linear-programming sensitivity analysis; Ng and Russell (2000) for rewards of states.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.design.arguments import check_norm
from policycliff.cliffs.design.boundary import nearest_face
from policycliff.cliffs.design.certificates import combined_coefficients, tie_error
from policycliff.cliffs.design.membership import ConeMembership, decide
from policycliff.cliffs.design.search import find_change
from policycliff.cliffs.design.task import DesignTask
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_flag
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64
from policycliff.values.regularizers import check_policy


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConeDistance:
    """How far a reward is from the boundary of the cone (from inside) or from the cone (from outside).

    Attributes:
        distance: the estimate; inf inside a cone without boundary; 0 on it.
        bracket: proven to contain the true distance.
        side: "inside", "boundary", "outside" or "unresolved" (nearer than the error).
        norm: "inf", "1" or "2".
        nearest: (pairs,) a nearest reward: from inside on the boundary (up to rounding), from outside in the cone.
        pair: the pair whose constraint is met first; -1 where there is none.
    """

    distance: float
    bracket: tuple[float, float]
    side: str
    norm: str
    nearest: Float64[np.ndarray, " pairs"]
    pair: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "distance": _finite(self.distance),
            "bracket": [_finite(end) for end in self.bracket],
            "side": self.side,
            "norm": self.norm,
            "nearest": self.nearest.tolist(),
            "pair": self.pair,
        }

    def __repr__(self) -> str:
        return (
            f"ConeDistance({self.distance:.6g} in the {self.norm}-norm from {self.side}; between {self.bracket[0]:.6g} "
            f"and {self.bracket[1]:.6g}; at pair {self.pair})"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FeasibleRewards:
    """The cone of rewards for which `policy` is optimal in every state; build it with `feasible_rewards`.

    Attributes:
        mdp: the world; its own reward plays no part.
        policy: (pairs,) probabilities.
    """

    mdp: MDP
    policy: Float64[np.ndarray, " pairs"]

    @property
    def has_interior(self) -> bool:
        """Whether some rewards make the policy the only optimal one: exactly if it is deterministic."""
        return bool(np.isin(self.policy, (0.0, 1.0)).all())

    def row(self, state: int, action: int) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) c(s, a), 0 at terminal states: the advantage of the pair under R is c(s, a) . R.

        Raises:
            InvalidInputError: there is no such pair.
        """
        single = np.zeros(self.mdp.n_pairs)
        single[self.mdp.pair(state, action)] = 1.0
        return frozen(combined_coefficients(self._task(self.mdp.rewards, "2"), single, self.policy)[0])

    def contains(self, rewards: Any, *, exact: bool = False) -> ConeMembership:
        """Whether the policy is optimal under these rewards, proven.

        Args:
            rewards: (pairs,), (S,) or (S, A), finite, 0 at terminal states.
            exact: decide in fractions (up to 200 states; 20,000 where acyclic); MDPs of up to 40 states always are
                where floats leave it open.

        Raises:
            InvalidInputError: wrong rewards, or `exact` for an MDP that is too large for it.
        """
        return decide(self.mdp.with_rewards(rewards), self.policy, exact=check_flag("exact", exact))

    def distance(self, rewards: Any, *, norm: str = "inf") -> ConeDistance:
        """The least change that takes the reward to the boundary (from inside) or into the cone (from outside).

        Raises:
            InvalidInputError: wrong rewards or another norm than "inf", "1", "2".
        """
        check_norm(norm)
        world = self.mdp.with_rewards(rewards)
        member = decide(world, self.policy, exact=False)
        if member.status == "boundary":
            return ConeDistance(0.0, (0.0, 0.0), "boundary", norm, world.rewards, member.pair)
        if member.status == "inside":
            face = nearest_face(world, self.policy, norm)
            nearest = frozen(world.rewards + face.change)
            return ConeDistance(face.distance, face.bracket, "inside", norm, nearest, face.pair)
        return self._from_outside(world, norm, member)

    def project(self, rewards: Any, *, norm: str = "2") -> Float64[np.ndarray, " pairs"]:
        """(pairs,) a nearest reward under which the policy is optimal: the reward itself where it is in the cone.

        In the 2-norm it is the projection. For a deterministic policy the result is proven to be in the cone; for a
        stochastic one its ties hold up to rounding.

        Raises:
            InvalidInputError: wrong rewards or another norm than "inf", "1", "2".
        """
        found = self.distance(rewards, norm=norm)
        return found.nearest if found.side != "inside" else self.mdp.with_rewards(rewards).rewards

    def to_dict(self) -> dict[str, Any]:
        """Sizes as JSON types (not the cone, which is one row a pair)."""
        support = self.policy > 0.0
        return {
            "n_states": self.mdp.n_states,
            "n_pairs": self.mdp.n_pairs,
            "n_inequalities": int((~support).sum()),
            "has_interior": self.has_interior,
            "policy": self.policy.tolist(),
        }

    def __repr__(self) -> str:
        inner = "with" if self.has_interior else "without"
        count = int((self.policy == 0.0).sum())
        return f"FeasibleRewards({count} inequalities over {self.mdp.n_pairs} pairs, {inner} interior)"

    def _from_outside(self, world: MDP, norm: str, member: ConeMembership) -> ConeDistance:
        task = self._task(world.rewards, norm)
        found = find_change(task)
        # Whatever keeps pairs of a stochastic policy from tying is mended by changing these rewards themselves.
        slack = 0.0 if self.has_interior else tie_error(task, found.change) * int((task.policy > 0.0).sum())
        low = found.lower if member.status == "outside" else 0.0
        pair = int(found.active[0]) if found.active.size else member.pair
        nearest = frozen(world.rewards + found.change)
        return ConeDistance(found.size, (min(low, found.size), found.size + slack), member.status, norm, nearest, pair)

    def _task(self, rewards: Float64[np.ndarray, " pairs"], norm: str) -> DesignTask:
        mdp = self.mdp.with_rewards(rewards)
        return DesignTask(
            mdp=mdp,
            policy=self.policy,
            counts=frozen(np.ones(mdp.n_states, dtype=bool)),
            margin=0.0,
            free=frozen(~mdp.terminal[mdp.pair_states]),
            features=None,
            norm=norm,
            measure="change",
        )


def feasible_rewards(mdp: MDP, policy: Any) -> FeasibleRewards:
    """The cone of rewards for which a policy is optimal: c(s, a) . R <= 0 for all pairs.

    Args:
        mdp: the world; its reward plays no part.
        policy: (pairs,) probabilities; a stochastic policy asks all of its actions to tie.

    Returns:
        `FeasibleRewards`, with `contains`, `distance`, `project` and `row`.

    Raises:
        InvalidInputError: probabilities that are negative or do not sum to 1 in a state.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, feasible_rewards
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> cone = feasible_rewards(bandit, [1.0, 0.0])
        >>> cone.contains([[1.0, 0.0]]).status, cone.project([[0.0, 1.0]]).round(6)
        ('inside', array([0.5, 0.5]))
    """
    check_mdp(mdp)
    return FeasibleRewards(mdp=mdp, policy=frozen(check_policy("policy", policy, mdp)))


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
