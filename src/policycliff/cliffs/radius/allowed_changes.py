"""Which changes of the reward a radius is about, brought to one form: a ball |D| <= e u over pairs.

A mask is half-widths 0 and 1. If component k of a tuple moves, |D_k| <= e u, the effective reward moves by w_k(s) D_k:
the half-widths are u |w_k(s)|. If all components move, each by |D_k| <= e u, they are u sum_k |w_k(s)| (Lemma 4.2: u
itself for convex weights); in the Euclidean norm of all components together they are u sqrt(sum_k w_k(s)^2). Rewards
of terminal states do not move.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import (
    as_float_vector,
    as_integer,
    check_choice,
    fail,
)
from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.rewards.half_widths import ball_half_widths
from policycliff.shapes import Float64

MOVING = ("reward", "component", "components", "weights")


@dataclass(frozen=True, slots=True, eq=False)
class RewardTuple:
    """K reward components over pairs and their weights (K,) or (K, S); `spread` is the weights over pairs."""

    rewards: Float64[np.ndarray, "components pairs"]
    weights: Float64[np.ndarray, "*shape"]
    spread: Float64[np.ndarray, "components pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class AllowedChanges:
    """The ball: half-widths of the effective reward, and how a change of it is shared among the components that move.

    `shares[k]` times a witness of the effective reward is the change of component k; None where no tuple moves.
    """

    half_widths: Float64[np.ndarray, " pairs"]
    norm: str
    shares: Float64[np.ndarray, "components pairs"] | None

    def components(self, witness: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, "components pairs"] | None:
        """(K, pairs) the change of each component whose effective change is the witness."""
        return None if self.shares is None else frozen(self.shares * witness)


def make_tuple(mdp: MDP, rewards: Any, weights: Any) -> tuple[MDP, RewardTuple | None]:
    """The MDP under the effective reward, and the tuple behind it (None if there is none)."""
    if rewards is None and weights is None:
        return mdp, None
    if rewards is None or weights is None:
        raise fail(
            got="`rewards` without `weights`" if weights is None else "`weights` without `rewards`",
            expected="both (a reward tuple) or none",
            remedy="Pass rewards=(K, pairs) and weights=(K,) or (K, S).",
        )
    listed = [mdp.with_rewards(component, name=f"rewards[{k}]") for k, component in enumerate(_listed(rewards))]
    components = np.stack([one.rewards for one in listed])
    mixture = as_float_vector("weights", weights)
    effective = effective_reward(components, mixture, mdp=mdp)
    spread = mixture[:, mdp.pair_states] if mixture.ndim == 2 else np.repeat(mixture[:, None], mdp.n_pairs, axis=1)
    return mdp.with_rewards(effective), RewardTuple(frozen(components), frozen(mixture), frozen(spread))


def make_changes(
    mdp: MDP, group: RewardTuple | None, *, mask: Any, half_widths: Any, norm: str, moving: str, component: int | None
) -> AllowedChanges:
    """The ball of a stability radius."""
    widths = ball_half_widths(mdp, mask=mask, half_widths=half_widths)
    if moving == "reward" or group is None:
        return AllowedChanges(frozen(widths), norm, None)
    moved = group.spread.copy()
    if component is not None:
        moved[np.arange(len(moved)) != component] = 0.0
    sizes = np.abs(moved).sum(axis=0) if norm == "inf" else np.sqrt((moved**2).sum(axis=0))
    numerator = np.sign(moved) if norm == "inf" else moved
    denominator = sizes if norm == "inf" else sizes**2
    shares = np.divide(numerator, denominator, out=np.zeros_like(moved), where=denominator > 0.0)
    return AllowedChanges(frozen(widths * sizes), norm, frozen(shares))


def check_moving(moving: str, component: int | None, group: RewardTuple | None) -> None:
    """Raise unless what moves is named consistently."""
    check_choice("moving", moving, MOVING)
    if moving != "reward" and group is None:
        raise fail(
            got=f"moving = {moving!r} without a reward tuple",
            expected="`rewards` and `weights`",
            remedy="Pass rewards=(K, pairs) and weights=(K,) or (K, S).",
        )
    if (moving == "component") != (component is not None):
        raise fail(
            got=f"moving = {moving!r} with component = {component!r}",
            expected="an index `component` exactly if moving = 'component'",
            remedy="Use moving='components' for all of them.",
        )
    if component is not None and group is not None and not 0 <= as_integer("component", component) < len(group.rewards):
        raise fail(got=f"component = {component}", expected=f"0 to {len(group.rewards) - 1}", remedy="Check the index.")


def _listed(rewards: Any) -> list[Any]:
    components = list(rewards) if np.iterable(rewards) and not isinstance(rewards, str | dict) else []
    if not components or np.ndim(components[0]) == 0:
        raise fail(
            got="`rewards` that is not a list of components",
            expected="K components, (K, pairs) or (K, S, A)",
            remedy="Put the components on the first axis.",
        )
    return components
