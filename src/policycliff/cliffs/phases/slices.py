"""The mixtures in question: a simplex whose corners are weight functions, so that every mixture is a share of corners.

All mixtures of K rewards: corner k is the weight 1 on component k. Some weights fixed: the rest of the mass goes to one
free component in each corner. State-dependent weights w_k(s): corners are given weight functions, and the slice is the
line, triangle or simplex between them. The effective reward is linear in the weights (Lemma 4.2), hence the reward of
shares p is sum_j p_j B_j with B_j the effective reward of corner j.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq

from policycliff.cliffs.phases.envelope import Point
from policycliff.cliffs.radius.allowed_changes import make_tuple
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, as_integer, as_number, check_finite, check_shape, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.shapes import Float64
from policycliff.values.exact import Rationals, rational, rationals

SUM_ERROR = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A simplex of weights.

    Attributes:
        mdp: the MDP (its own reward plays no part).
        components: (K, pairs) the rewards.
        corners: (n, K) or (n, K, S) weights at each corner.
        free: the components that move, where corners are single components; empty for given weight functions.
        mass: what is shared out among the free components (1 where nothing is fixed).
        in_use: the shares of the weights in use, or None.
    """

    mdp: MDP
    components: Float64[np.ndarray, "components pairs"]
    corners: Float64[np.ndarray, "*shape"]
    free: tuple[int, ...]
    mass: fmpq
    in_use: Point | None

    @property
    def n_corners(self) -> int:
        """Number of corners."""
        return len(self.corners)

    def float_rewards(self) -> Float64[np.ndarray, "corners pairs"]:
        """(n, pairs) the effective reward of each corner, rounded where it is a mixture."""
        return frozen(np.stack([effective_reward(self.components, weight, mdp=self.mdp) for weight in self.corners]))

    def exact_rewards(self) -> list[Rationals]:
        """The same as fractions of the stored numbers, not rounded."""
        parts = [rationals(component) for component in self.components]
        if self.free:
            fixed = [k for k in range(len(parts)) if k not in self.free]
            ground = _mix([rational(self.corners[0, k]) for k in fixed], [parts[k] for k in fixed], self.mdp.n_pairs)
            return [[self.mass * top + low for top, low in zip(parts[k], ground, strict=True)] for k in self.free]
        owners = self.mdp.pair_states.tolist()
        result = []
        for corner in self.corners:
            spread = corner if corner.ndim == 2 else np.repeat(corner[:, None], self.mdp.n_states, axis=1)
            weights = [rationals(row) for row in spread]
            result.append(
                [
                    sum((weight[state] * part[pair] for weight, part in zip(weights, parts, strict=True)), fmpq(0))
                    for pair, state in enumerate(owners)
                ]
            )
        return result

    def weights(self, shares: Any) -> Float64[np.ndarray, "*shape"]:
        """(K,) or (K, S) the weights at these shares of the corners."""
        return np.asarray(np.tensordot(np.asarray(shares, dtype=np.float64), self.corners, axes=1))

    def shares(self, weights: Any) -> Point:
        """The shares of weights (K,), or of shares (n,) where the corners are given weight functions.

        Raises:
            InvalidInputError: wrong length, negative, a sum that is not 1, or another fixed weight.
        """
        size = self.components.shape[0] if self.free else self.n_corners
        vector = check_weights("weights", weights, size)
        if not self.free:
            return normalised(vector)
        for k in range(size):
            if k not in self.free and vector[k] != self.corners[0, k]:
                raise fail(
                    got=f"weight {vector[k]} of component {k}",
                    expected=f"{self.corners[0, k]}, at which `fixed` holds it",
                    remedy="Give the weights in use and `fixed` alike.",
                )
        return normalised(vector[list(self.free)])


def make_slice(mdp: MDP, rewards: Any, *, weights: Any, fixed: Any, corners: Any) -> Slice:
    """The slice, with everything checked."""
    try:
        count = len(rewards)
    except TypeError:
        count = 0
    _, group = make_tuple(mdp, rewards, np.full(count, 1.0 / max(count, 1)))
    if group is None:
        raise TypeError("no reward tuple")
    if corners is not None and fixed is not None:
        raise fail(
            got="`corners` and `fixed`", expected="one of them", remedy="Put the fixed weights into the corners."
        )
    if corners is not None:
        table = check_corners(corners, len(group.rewards), mdp.n_states)
        part = Slice(mdp, group.rewards, frozen(table), (), fmpq(1), None)
    else:
        part = _free_slice(mdp, group.rewards, {} if fixed is None else fixed)
    if weights is None:
        return part
    return Slice(part.mdp, part.components, part.corners, part.free, part.mass, part.shares(weights))


def check_weights(name: str, value: Any, size: int) -> Float64[np.ndarray, " weights"]:
    """Weights that are at least 0 and sum to 1 within 1e-9."""
    vector = as_float_vector(name, value)
    check_shape(name, vector, (size,), meaning="one weight each")
    check_finite(name, vector)
    _check_simplex(name, vector)
    return vector


def check_corners(value: Any, components: int, states: int) -> Float64[np.ndarray, "*shape"]:
    """(n, K) or (n, K, S) weights that sum to 1 over the components."""
    table = as_float_vector("corners", value)
    if table.ndim not in {2, 3} or not table.size or table.shape[1] != components:
        raise fail(
            got=f"`corners` of shape {table.shape}",
            expected=f"(n, {components}), or (n, {components}, {states}) for weights that depend on the state",
            remedy="Put the corners of the slice on the first axis, the components on the second.",
        )
    if table.ndim == 3:
        check_shape("corners", table, (len(table), components, states), meaning="a weight for each state")
    check_finite("corners", table)
    for corner in table:
        _check_simplex("corners", corner)
    return table


def normalised(vector: Float64[np.ndarray, " weights"]) -> Point:
    """The weights as fractions, divided by their sum."""
    parts = rationals(vector)
    total = sum(parts, fmpq(0))
    return tuple(part / total for part in parts)


def _check_simplex(name: str, weights: Float64[np.ndarray, "*shape"]) -> None:
    negative = first_true(weights.ravel() < 0.0)
    if negative >= 0:
        where = tuple(int(i) for i in np.unravel_index(negative, weights.shape))
        raise fail(
            got=f"{weights[where]} in `{name}` at index {where}",
            expected="weights of at least 0",
            remedy="Negate the component instead: a penalty with a negative weight is a reward with a positive one.",
        )
    sums = np.atleast_1d(weights.sum(axis=0))
    wrong = first_true(np.abs(sums - 1.0) > SUM_ERROR)
    if wrong >= 0:
        place = f" in state {wrong}" if sums.size > 1 else ""
        raise fail(
            got=f"`{name}` with sum {float(sums[wrong])!r}{place}",
            expected="a sum of 1 within 1e-9",
            remedy="Divide by the sum: the policy that is optimal does not change, and a radius scales with it.",
        )


def _free_slice(mdp: MDP, components: Float64[np.ndarray, "components pairs"], fixed: Any) -> Slice:
    """The free components share what the fixed ones leave."""
    held = _check_fixed(fixed, len(components))
    free = tuple(k for k in range(len(components)) if k not in held)
    mass = 1 - sum((rational(weight) for weight in held.values()), fmpq(0))
    if not free or not mass > 0:
        raise fail(
            got=f"`fixed` = {held} of {len(components)} components",
            expected="at least one free component, and fixed weights with a sum below 1",
            remedy="Leave out some entries of `fixed`.",
        )
    corners = np.zeros((len(free), len(components)))
    for k, weight in held.items():
        corners[:, k] = weight
    corners[np.arange(len(free)), list(free)] = float(mass)
    return Slice(mdp, components, frozen(corners), free, mass, None)


def _check_fixed(fixed: Any, count: int) -> dict[int, float]:
    if not isinstance(fixed, Mapping):
        raise fail(
            got=f"`fixed` of type {type(fixed).__name__}", expected="a dict {component: weight}", remedy="See the docs."
        )
    held = {}
    for key, value in fixed.items():
        k, weight = as_integer("component in `fixed`", key), as_number(f"weight of component {key!r}", value)
        if not 0 <= k < count or not 0.0 <= weight < 1.0:
            raise fail(
                got=f"`fixed` = {{{k}: {weight}}}",
                expected=f"components 0 to {count - 1} with weights in [0, 1)",
                remedy="Check the index and the weight.",
            )
        held[k] = weight
    return held


def _mix(weights: Rationals, parts: list[Rationals], size: int) -> Rationals:
    """The sum of weighted vectors; zeros where there are none."""
    total = [fmpq(0)] * size
    for weight, part in zip(weights, parts, strict=True):
        total = [entry + weight * other for entry, other in zip(total, part, strict=True)]
    return total
