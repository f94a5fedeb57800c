"""Proposition 4.6: the cliff of a tuple of rewards, reached by all components or by one.

The reward in force is R_eff(s, a) = sum_k w_k(s) R_k(s, a) (section 4.1). A change dR of it is brought about by moving
every component by dR / sum_k w_k(s) (by dR itself where the weights sum to 1: the paper's case), or component k alone
by dR / w_k(s). The latter needs w_k(s) other than 0 wherever dR is not 0:

"pair"            moves one reward, R_k(s0, a2): only w_k(s0) must not be 0. Nothing else is needed.
"paper", "sharp"  move the rewards of s0's predecessors too, so w_k must not be 0 there either.

At w_k(s0) = 0 a tie can be out of reach: with gamma = 0 nothing that R_k does at s0 counts, and nothing else matters.
Cost: as `cliff_perturbation`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.ties.construction import added_within, check_not_lost, check_size, finish, height_share
from policycliff.cliffs.ties.perturbation import CliffPerturbation
from policycliff.cliffs.ties.tie import Tie, find_tie
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, as_integer, check_finite, check_shape, fail, first_true
from policycliff.mdp.metric import MetricGrid
from policycliff.mdp.model import MDP, check_mdp
from policycliff.rewards.effective import effective_reward
from policycliff.shapes import Float64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComponentPerturbation:
    """A change of reward components of at most epsilon each that decides a tie of the effective reward.

    Attributes:
        effective: what it does to the effective reward (whose own change can exceed epsilon where weights are large).
        rewards: (K, pairs) the changed components.
        change: (K, pairs) new minus old components.
        component: the only one that moved, or None where all moved alike.
    """

    effective: CliffPerturbation
    rewards: Float64[np.ndarray, "components pairs"]
    change: Float64[np.ndarray, "components pairs"]
    component: int | None

    @property
    def norm(self) -> float:
        """max_k sup |dR_k|, at most epsilon."""
        return float(np.abs(self.change).max())

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "effective": self.effective.to_dict(),
            "rewards": self.rewards.tolist(),
            "change": self.change.tolist(),
            "component": self.component,
            "norm": self.norm,
        }

    def __repr__(self) -> str:
        who = "all components" if self.component is None else f"component {self.component}"
        return f"ComponentPerturbation({who} moved by at most {self.norm:.4g}; {self.effective!r})"


def component_perturbation(
    mdp: MDP,
    rewards: Any,
    weights: Any,
    *,
    state: int,
    action: int,
    epsilon: float,
    component: int | None = None,
    construction: str | None = None,
    width: float | None = None,
    state_metric: MetricGrid | None = None,
    action_metric: MetricGrid | None = None,
    exact: bool = False,
) -> ComponentPerturbation:
    """Components within epsilon of the given ones under which one tied action alone is optimal (Prop 4.6).

    Args:
        mdp: the MDP; the effective reward takes the place of its own.
        rewards: (K, pairs) components, 0 at terminal states.
        weights: (K,) or (K, S) finite weights of any sign.
        state: s0, a state with two or more actions that are optimal for the effective reward.
        action: a2, the index of the optimal action that is to win.
        epsilon: largest change of any component's reward, above 0.
        component: index of the only component that may move; by default all move alike.
        construction: "paper", "sharp" or "pair" (see `cliff_perturbation`); by default "paper" where all components
            move and "pair" where one does.
        width: width of the bump (see `cliff_perturbation`).
        state_metric: distances of states; by default all are 1 apart.
        action_metric: distances of action indices; by default all are 1 apart.
        exact: decide what is optimal in rational arithmetic (done by itself up to 40 states).

    Returns:
        A `ComponentPerturbation`; max_k ||dR_k|| <= epsilon holds exactly, `effective.status` says what else is proven.

    Raises:
        InvalidInputError: as `cliff_perturbation`; also where the weight is 0 at a state whose reward has to move.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, component_perturbation
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> parts = [[1.0, 0.0], [0.0, 1.0]]
        >>> moved = component_perturbation(bandit, parts, [0.5, 0.5], state=0, action=0, epsilon=0.25, component=1)
        >>> moved.rewards[1], moved.effective.rewards, moved.effective.actions_after.tolist()
        (array([0.25, 1.  ]), array([0.625, 0.5  ]), [0])
    """
    check_mdp(mdp)
    method = construction if construction is not None else ("paper" if component is None else "pair")
    check_size(epsilon, method)
    parts, mixture = _checked(mdp, rewards, weights, component)
    mixed = mdp.with_rewards(effective_reward(parts, mixture, mdp=mdp))
    tie = find_tie(
        mixed, state, action, width=width, state_metric=state_metric, action_metric=action_metric, exact=exact
    )
    factors = (mixture.sum(axis=0) if component is None else mixture[component])[mdp.pair_states]
    push, height = _push(tie, factors, epsilon, method)
    change = np.zeros_like(parts)
    change[slice(None) if component is None else component] = push
    moved = added_within(parts, change, epsilon)
    check_not_lost(tie, moved=bool((moved != parts).any()), epsilon=epsilon)
    result = finish(
        tie,
        effective_reward(moved, mixture, mdp=mdp),
        epsilon=epsilon,
        construction=method,
        height=height,
        exact=exact,
    )
    return ComponentPerturbation(
        effective=result,
        rewards=frozen(moved),
        change=frozen(moved - parts),
        component=None if component is None else int(component),
    )


def _push(
    tie: Tie, factors: Float64[np.ndarray, " pairs"], epsilon: float, construction: str
) -> tuple[Float64[np.ndarray, " pairs"], float]:
    """What each moving component changes by, at most epsilon, and the height of the bump in the effective Q."""
    mdp = tie.before.mdp
    touched = np.arange(mdp.n_pairs) == tie.pair if construction == "pair" else tie.support()
    blind = first_true(touched & (factors == 0.0))
    if blind >= 0:
        raise fail(
            got=f"weight 0 at {mdp.state_name(int(mdp.pair_states[blind]))}, whose reward has to move",
            expected=f"a weight other than 0 at every state that construction={construction!r} moves",
            remedy="Use construction='pair', which needs the weight at the tied state only, or move another component.",
        )
    if construction == "pair":
        return np.where(touched, np.sign(factors) * epsilon, 0.0), float(abs(factors[tie.pair]) * epsilon)
    height = height_share(construction, mdp.gamma) * epsilon * float(np.abs(factors[touched]).min())
    return np.where(touched, tie.lift(height) / np.where(touched, factors, 1.0), 0.0), height


def _checked(
    mdp: MDP, rewards: Any, weights: Any, component: int | None
) -> tuple[Float64[np.ndarray, "components pairs"], Float64[np.ndarray, "components states"]]:
    """Components over pairs and weights over states."""
    parts, mixture = as_float_vector("rewards", rewards), as_float_vector("weights", weights)
    check_shape("rewards", parts, (parts.shape[0] if parts.ndim else 0, mdp.n_pairs), meaning="(K, pairs)")
    if mixture.shape == (parts.shape[0],):
        mixture = np.repeat(mixture[:, None], mdp.n_states, axis=1)
    check_shape("weights", mixture, (parts.shape[0], mdp.n_states), meaning="(K,) or (K, S)")
    check_finite("rewards", parts)
    check_finite("weights", mixture)
    paid = first_true(((parts != 0.0) & mdp.terminal[mdp.pair_states]).any(axis=0))
    if paid >= 0:
        raise fail(
            got=f"a component with a reward at terminal {mdp.state_name(int(mdp.pair_states[paid]))}",
            expected="0 (terminal states are absorbing with reward 0)",
            remedy="Put the reward on the pairs that enter the state.",
        )
    if component is not None and not 0 <= as_integer("component", component) < len(parts):
        raise fail(got=f"component {component!r}", expected=f"0 to {len(parts) - 1}", remedy="Check the index.")
    return parts, mixture
