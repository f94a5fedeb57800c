"""What a question about soft policies is asked of: an MDP, a regularizer, and a ball of rewards around its own.

The ball is |D(s, a)| <= epsilon * u(s, a) with half-widths u (1 by default, 0 for terminal states). Under KL, actions
of reference probability 0 are never taken and their rewards never matter: the problem is restricted to the others, so
that every action left has positive base measure.

Two constants of the world bound how far soft Q-values move (the theory is in `bounds`): the horizon H(s, a), which
is a solve, and the mixing coefficients tau_s and tau. tau is the largest total variation between any two rows of the
kernel, found by comparing all of them up to a few thousand rows and bounded beyond by Doeblin's
1 - sum_s' min_(s, a) P(s' | s, a).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.cliffs.soft.kernels import largest_variation, state_variations
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_number, fail
from policycliff.mdp.model import MDP
from policycliff.mdp.restriction import Restriction, restrict
from policycliff.rewards.half_widths import ball_half_widths
from policycliff.shapes import Float64
from policycliff.values.horizon import reward_horizon
from policycliff.values.regularizers import KL, Entropy, Regularizer
from policycliff.values.solution import Solution
from policycliff.values.solve import solve

SOLVER_TOLERANCE = 1e-12
PAIRWISE_LIMIT = 2e8
"""Entries that are compared at most (rows times nonzeros) where tau is computed and not bounded."""


@dataclass(frozen=True, eq=False)
class SoftProblem:
    """An MDP without the actions that the reference excludes, its base measure and half-widths.

    Attributes:
        restriction: the MDP that is left, and which pairs of the given one it has.
        base: (kept,) base measure: 1 for entropy, the reference policy for KL.
        half_widths: (kept,) how far each reward may move, in units of epsilon; 0 at terminal states.
        reference: whether the base is a reference policy.
    """

    restriction: Restriction
    base: Float64[np.ndarray, " kept"]
    half_widths: Float64[np.ndarray, " kept"]
    reference: bool

    @property
    def mdp(self) -> MDP:
        """The MDP that is left."""
        return self.restriction.mdp

    def regularizer(self, temperature: float) -> Regularizer:
        """Entropy or KL with this temperature."""
        return KL(temperature, self.base) if self.reference else Entropy(temperature)

    def solve(self, temperature: float, change: Float64[np.ndarray, " kept"] | None = None) -> Solution:
        """The soft optimum of the MDP, its rewards changed by `change`."""
        mdp = self.mdp if change is None else self.mdp.with_rewards(self.mdp.rewards + change)
        return solve(mdp, tolerance=SOLVER_TOLERANCE, regularizer=self.regularizer(temperature))

    @cached_property
    def horizon(self) -> Float64[np.ndarray, " kept"]:
        """(kept,) H(s, a): the most that Q(s, a) moves when rewards move by one half-width."""
        return reward_horizon(self.mdp, self.half_widths) if self.half_widths.any() else self.half_widths

    @cached_property
    def choices(self) -> Float64[np.ndarray, " states"]:
        """(states,) number of actions."""
        return np.diff(self.mdp.offsets).astype(np.float64)

    @cached_property
    def widest_q(self) -> Float64[np.ndarray, " states"]:
        """(states,) the most that any Q-value of a state moves; 0 where there is no choice."""
        return np.where(self.choices > 1, np.maximum.reduceat(self.horizon, self.mdp.offsets[:-1]), 0.0)

    @cached_property
    def horizon_span(self) -> Float64[np.ndarray, " states"]:
        """(states,) bound on the span of the change of Q over the actions of a state: its two largest horizons."""
        return two_largest(self.mdp, self.horizon)

    @cached_property
    def mixing_span(self) -> Float64[np.ndarray, " states"]:
        """(states,) the smaller of `horizon_span` and w_s + gamma tau_s w / (1 - gamma tau).

        w_s is the sum of the two largest half-widths of the state, w that of two different states.
        """
        gamma, tau = self.mdp.gamma, kernel_variation(self.mdp)
        widths = np.maximum.reduceat(self.half_widths, self.mdp.offsets[:-1])
        spread = float(np.sort(widths)[-2:].sum()) if widths.size > 1 else 0.0
        own = two_largest(self.mdp, self.half_widths)
        kernel = (self.mdp.indptr, self.mdp.successors, self.mdp.probabilities)
        if gamma * tau >= 1.0 and spread > 0.0:
            return self.horizon_span
        within = state_variations(self.mdp.offsets, frozen(self.mdp.pair_states), *kernel)
        later = gamma * spread / (1.0 - gamma * tau) if spread > 0.0 else 0.0
        return np.minimum(self.horizon_span, own + within * later)


def make_problem(mdp: MDP, *, reference_policy: Any, mask: Any, half_widths: Any) -> SoftProblem:
    """Check the arguments and leave out what the reference excludes."""
    widths = ball_half_widths(mdp, mask=mask, half_widths=half_widths)
    base = np.ones(mdp.n_pairs) if reference_policy is None else KL(1.0, reference_policy).base(mdp)
    restriction = restrict(mdp, base > 0.0)
    kept = restriction.pairs
    return SoftProblem(restriction, frozen(base[kept]), frozen(widths[kept]), reference_policy is not None)


def check_epsilon(epsilon: float) -> float:
    """The reward error as a finite float of at least 0."""
    value = as_number("epsilon", epsilon)
    if not 0.0 <= value < np.inf:
        raise fail(
            got=f"epsilon = {epsilon!r}",
            expected="a finite number of at least 0, in units of reward",
            remedy="Pass how far the rewards may be off.",
        )
    return value


def two_largest(mdp: MDP, vector: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " states"]:
    """(states,) sum of the two largest entries of each state; 0 where there is only one."""
    first = np.maximum.reduceat(vector, mdp.offsets[:-1])
    order = np.lexsort((vector, mdp.pair_states))
    last = mdp.offsets[1:] - 1
    second = vector[order[np.maximum(last - 1, 0)]]
    return np.where(np.diff(mdp.offsets) > 1, first + second, 0.0)


def kernel_variation(mdp: MDP) -> float:
    """The largest total variation between two rows of the kernel (tau), or a bound where they are many."""
    if mdp.n_pairs * (mdp.successors.size + mdp.n_pairs) > PAIRWISE_LIMIT:
        return doeblin(mdp)
    kernel = (mdp.indptr, mdp.successors, mdp.probabilities, np.zeros(mdp.n_states))
    return min(float(largest_variation(0, mdp.n_pairs, frozen(mdp.pair_states), *kernel)) * (1.0 + 1e-12), 1.0)


def doeblin(mdp: MDP) -> float:
    """Doeblin: 1 - sum over columns of their least entry: at least the largest total variation between two rows."""
    columns = sp.csc_array(mdp.transitions)
    columns.sum_duplicates()
    full = np.flatnonzero(np.diff(columns.indptr) == mdp.n_pairs)
    shared = sum(float(columns.data[columns.indptr[j] : columns.indptr[j + 1]].min()) for j in full)
    return min(max(1.0 - shared * (1.0 - 1e-12), 0.0), 1.0)
