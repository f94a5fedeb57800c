"""Prompt classes, checked, and what a policy earns in their mixture."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.phases.slices import check_weights
from policycliff.cliffs.radius.allowed_changes import make_tuple
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_distribution, check_shape
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.operator import UNIT_ROUNDOFF


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Prompt classes: rewards (K, pairs), starts (K, S) and shares (K,)."""

    mdp: MDP
    rewards: Float64[np.ndarray, "classes pairs"]
    starts: Float64[np.ndarray, "classes states"]
    shares: Float64[np.ndarray, " classes"]

    @property
    def mass(self) -> Float64[np.ndarray, "classes states"]:
        """(K, S) p_k mu_k."""
        return np.asarray(self.shares[:, None] * self.starts)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The effective policy and the best one (a pair a state), their returns, and the interval of the gap."""

    effective: Int64[np.ndarray, " states"]
    best: Int64[np.ndarray, " states"]
    lower: float
    top: float
    spread: tuple[float, float] | None
    bracket: tuple[float, float]
    error: float


def make_classes(mdp: MDP, rewards: Any, starts: Any, proportions: Any) -> Classes:
    """The classes, with every argument checked.

    Raises:
        InvalidInputError: an argument of the wrong shape, or no distribution.
    """
    count = len(rewards) if hasattr(rewards, "__len__") else 0
    _, group = make_tuple(mdp, rewards, np.full(count, 1.0 / max(count, 1)))
    if group is None:
        raise TypeError("no reward tuple")
    shares = check_weights("proportions", proportions, count)
    table = as_float_vector("starts", starts)
    check_shape("starts", table, (count, mdp.n_states), meaning="one initial distribution a class")
    rows = [check_distribution(f"starts[{k}]", row, mdp.n_states) for k, row in enumerate(table)]
    return Classes(mdp, group.rewards, frozen(np.array(rows)), frozen(shares / shares.sum()))


def mixture_return(classes: Classes, best: Int64[np.ndarray, " states"]) -> tuple[float, float]:
    """The mixture return of a policy, with its error."""
    policy, total, error = as_policy(classes.mdp, best), 0.0, 0.0
    for mass, reward in zip(classes.mass, classes.rewards, strict=True):
        found = evaluate(classes.mdp, policy, rewards=reward)
        total += float(mass @ found.values)
        size = float(mass @ np.abs(found.values))
        error += float(mass.sum()) * found.error_bound + (classes.mdp.n_states + 4.0) * UNIT_ROUNDOFF * size
    return total, error


def as_policy(mdp: MDP, best: Int64[np.ndarray, " states"]) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) the deterministic policy that takes these pairs."""
    policy = np.zeros(mdp.n_pairs)
    policy[best] = 1.0
    return frozen(policy)
