"""The forms in which a distance takes a reward: over pairs, or over transitions (s, a, s').

Over transitions, (S, A, S): entry [s, a, s'] is what a pays in s if s' comes next, also for an s' that cannot come
next: EPIC and DARD ask for it. A terminal state owns one pair; its row stands for every action there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, fail
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64

UNIT_ROUNDOFF = 2.0**-53
# Below the smallest number that is stored with all its bits.
UNDERFLOW = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class GivenReward:
    """A reward over pairs, and over transitions where it was given so.

    Attributes:
        pairs: (pairs,) as given, or the mean over the successors; 0 at terminal states.
        error: bound on the rounding of that mean, entry by entry.
        table: (pairs, states) as given over transitions, else None.
        exponent: what was given is this times 2 ** exponent.
    """

    pairs: Float64[np.ndarray, " pairs"]
    error: float
    table: Float64[np.ndarray, "pairs states"] | None
    exponent: int = 0

    @property
    def size(self) -> float:
        """The largest number in it."""
        return float(np.abs(self.pairs if self.table is None else self.table).max())

    def is_same(self, other: "GivenReward") -> bool:
        """Whether both are given in the same form with the same numbers."""
        if self.exponent != other.exponent:
            return False
        if self.table is None or other.table is None:
            return self.table is other.table and bool((self.pairs == other.pairs).all())
        return bool((self.table == other.table).all())

    @property
    def is_constant(self) -> bool:
        """Whether all entries are the same number."""
        entries = self.pairs if self.table is None else self.table
        return bool(entries.min() == entries.max())


def given_reward(name: str, mdp: MDP, reward: Any, *, in_units: bool) -> GivenReward:
    """A checked reward; `in_units` divides it by a power of two that makes its largest number about 1.

    Distances that do not see the scale are computed so: sums of squares of 1e200 or 1e-200 are no numbers.

    Raises:
        InvalidInputError: wrong shape, a number that is not finite, or, in the forms without successors, a reward at a
            terminal state.
    """
    array = as_float_vector(name, reward)
    if array.ndim != 3:
        pairs, exponent = _scaled(mdp.with_rewards(array, name=name).rewards, in_units=in_units)
        return GivenReward(pairs, 0.0, None, exponent)
    given = over_transitions(name, mdp, array)
    check_finite(name, given)
    table, exponent = _scaled(given, in_units=in_units)
    rows = np.repeat(np.arange(mdp.n_pairs), np.diff(mdp.indptr))
    paid = table[rows, mdp.successors]
    # R(s, a) = sum_s' P(s' | s, a) R(s, a, s'); 0 at terminal states, whose rows are stored empty.
    expected = np.bincount(rows, weights=mdp.probabilities * paid, minlength=mdp.n_pairs)
    certain = bool((mdp.probabilities == 1.0).all()) or not paid.any()
    longest = float(np.diff(mdp.indptr).max())
    error = 0.0 if certain else (longest + 2.0) * UNIT_ROUNDOFF * float(np.abs(paid).max()) + UNDERFLOW
    return GivenReward(frozen(expected), error, table, exponent)


def _scaled(entries: np.ndarray, *, in_units: bool) -> tuple[np.ndarray, int]:
    """The entries divided by 2 ** exponent, and the exponent."""
    exponent = int(np.frexp(np.abs(entries).max())[1]) if in_units else 0
    return frozen(np.ldexp(entries, -exponent)), exponent


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
