"""Coverage distributions of EPIC and DARD: over which transitions (s, a, s') two rewards are compared."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.messages import as_float_vector, check_choice, check_finite, check_shape, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.rewards.distances.forms import over_transitions
from policycliff.shapes import Float64, Int64

UNIFORM, TRANSITIONS = "uniform", "transitions"


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Transitions (pair, next state) with weights that sum to 1 up to rounding.

    Attributes:
        pairs, successors, weights: one entry a transition; None where the distribution is a product.
        product: for the uniform distribution, that of the pair and that of the next state, drawn independently.
        error: by how much a weight may be off, relative to itself.
        name: in words.
    """

    pairs: Int64[np.ndarray, " covered"] | None
    successors: Int64[np.ndarray, " covered"] | None
    weights: Float64[np.ndarray, " covered"] | None
    product: tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " states"]] | None
    error: float
    name: str

    def listed(self) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
        """(pair, next state, weight) of every transition; a product of n pairs and S states has n S of them."""
        if self.pairs is not None and self.successors is not None and self.weights is not None:
            return self.pairs, self.successors, self.weights
        if self.product is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        chosen = np.flatnonzero(self.product[0])
        states = np.arange(self.product[1].size)
        weights = np.outer(self.product[0][chosen], self.product[1]).ravel()
        return np.repeat(chosen, states.size), np.tile(states, chosen.size), weights


def make_coverage(mdp: MDP, coverage: Any) -> Coverage:
    """The coverage distribution from a word, from weights of pairs, or from weights of transitions.

    Raises:
        InvalidInputError: another word, a wrong shape, negative weights, none at all, weights that do not sum to 1 or
            stand at terminal states, or an MDP without a state that is not terminal.
    """
    alive = ~mdp.terminal[mdp.pair_states]
    if not alive.any():
        raise fail(
            got="an MDP whose states are all terminal",
            expected="a transition on which rewards can be compared",
            remedy="Mark end states only with `terminal`.",
        )
    if isinstance(coverage, str):
        check_choice("coverage", coverage, (UNIFORM, TRANSITIONS))
        pairs = alive / alive.sum()
        if coverage == UNIFORM:
            product = (pairs, np.full(mdp.n_states, 1.0 / mdp.n_states))
            return Coverage(None, None, None, product, 4.0 * 2.0**-53, UNIFORM)
        return _by_kernel(mdp, pairs, TRANSITIONS)
    array = as_float_vector("coverage", coverage)
    if array.ndim == 3:
        return _by_table(mdp, array, alive)
    check_shape("coverage", array, (mdp.n_pairs,), meaning="one weight a pair (or (S, A, S) weights of transitions)")
    return _by_kernel(mdp, _normalised(mdp, array, alive), "given over pairs")


def _by_kernel(mdp: MDP, pairs: Float64[np.ndarray, " pairs"], name: str) -> Coverage:
    """Pairs by these weights, next states by the kernel."""
    rows = np.repeat(np.arange(mdp.n_pairs), np.diff(mdp.indptr))
    weights = pairs[rows] * mdp.probabilities
    kept = np.flatnonzero(weights)
    error = mdp.row_sum_error + 6.0 * 2.0**-53
    return Coverage(rows[kept], mdp.successors[kept].astype(np.int64), weights[kept], None, error, name)


def _by_table(mdp: MDP, array: np.ndarray, alive: np.ndarray) -> Coverage:
    """Any distribution over transitions."""
    table = _normalised(mdp, over_transitions("coverage", mdp, array), alive)
    if abs(float(array.sum()) - 1.0) > 1e-9:
        raise fail(
            got=f"`coverage` with sum {float(array.sum())!r}, actions that are not available included",
            expected="a sum of 1 over the available actions",
            remedy="Set the weights of other actions to 0.",
        )
    rows, columns = np.nonzero(table)
    return Coverage(rows, columns, table[rows, columns], None, 6.0 * 2.0**-53, "given over transitions")


def _normalised(mdp: MDP, weights: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Weights over pairs (rows), checked and divided by their sum."""
    check_finite("coverage", weights)
    negative = first_true((weights < 0.0).ravel())
    total = float(weights.sum())
    if negative >= 0 or abs(total - 1.0) > 1e-9:
        raise fail(
            got=f"`coverage` with minimum {weights.min()} and sum {total!r} over the pairs",
            expected="non-negative weights that sum to 1 within 1e-9",
            remedy="Divide by the sum.",
        )
    stuck = first_true(~alive & (weights.reshape(mdp.n_pairs, -1) > 0.0).any(axis=1))
    if stuck >= 0:
        raise fail(
            got=f"`coverage` of terminal {mdp.state_name(int(mdp.pair_states[stuck]))}",
            expected="0 there: no reward is paid in terminal states",
            remedy="Set these weights to 0 and divide by the sum.",
        )
    return np.asarray(weights / total)
