"""The forms in which a distance takes a reward: over pairs, or over transitions (s, a, s').

Over transitions, (S, A, S): entry [s, a, s'] is what a pays in s if s' comes next, also for an s' that cannot come
next: EPIC and DARD ask for it. A terminal state owns one pair; its row stands for every action there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, fail
from policycliff.mdp.model import MDP

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True, eq=False)
class GivenReward:
    """A reward over pairs, and over transitions where it was given so.

    Attributes:
        pairs: (pairs,) as given, or the mean over the successors; 0 at terminal states.
        error: bound on the rounding of that mean, entry by entry.
        table: (pairs, states) as given over transitions, else None.
    """

    pairs: Float64[np.ndarray, " pairs"]
    error: float
    table: Float64[np.ndarray, "pairs states"] | None

    @property
    def size(self) -> float:
        """The largest number in it."""
        return float(np.abs(self.pairs if self.table is None else self.table).max())

    def is_same(self, other: "GivenReward") -> bool:
        """Whether both are given in the same form with the same numbers."""
        if self.table is None or other.table is None:
            return self.table is other.table and bool((self.pairs == other.pairs).all())
        return bool((self.table == other.table).all())

    @property
    def is_constant(self) -> bool:
        """Whether all entries are the same number."""
        entries = self.pairs if self.table is None else self.table
        return bool(entries.min() == entries.max())


def given_reward(name: str, mdp: MDP, reward: Any) -> GivenReward:
    """A checked reward.

    Raises:
        InvalidInputError: wrong shape, a number that is not finite, or, in the forms without successors, a reward at a
            terminal state.
    """
    array = as_float_vector(name, reward)
    if array.ndim != 3:
        return GivenReward(mdp.with_rewards(array).rewards, 0.0, None)
    table = over_transitions(name, mdp, array)
    check_finite(name, table)
    rows = np.repeat(np.arange(mdp.n_pairs), np.diff(mdp.indptr))
    paid = table[rows, mdp.successors]
    # R(s, a) = sum_s' P(s' | s, a) R(s, a, s'); 0 at terminal states, whose rows are stored empty.
    expected = np.bincount(rows, weights=mdp.probabilities * paid, minlength=mdp.n_pairs)
    certain = bool((mdp.probabilities == 1.0).all()) or not paid.any()
    longest = float(np.diff(mdp.indptr).max())
    error = 0.0 if certain else (longest + 2.0) * UNIT_ROUNDOFF * float(np.abs(paid).max()) + 1e-300
    return GivenReward(frozen(expected), error, frozen(table))


def over_transitions(name: str, mdp: MDP, array: np.ndarray) -> Float64[np.ndarray, "pairs states"]:
    """The rows of an (S, A, S) array that belong to pairs."""
    n_actions = int(mdp.actions.max()) + 1
    if array.ndim != 3 or array.shape[0] != mdp.n_states or array.shape[2] != mdp.n_states:
        raise fail(
            got=f"`{name}` of shape {array.shape}",
            expected=f"({mdp.n_states}, {n_actions}, {mdp.n_states}): states, actions, next states",
            remedy=f"Reshape `{name}`.",
        )
    if array.shape[1] < n_actions:
        raise fail(
            got=f"`{name}` for {array.shape[1]} actions", expected=f"at least {n_actions}", remedy="Check the axes."
        )
    return np.asarray(array[mdp.pair_states, mdp.actions])
