"""What is known about the gaps V* - Q* before any radius is computed: estimates with an error, or fractions.

In floating point a gap is known up to twice the error of Q*, or, where two actions have the same future, as the
difference of their rewards. A tie is proven or not (`policycliff.actions.optimal`); where it is not proven the optimal
policy itself is unknown. In rational arithmetic gaps are fractions and the policy is optimal.
"""

from dataclasses import dataclass, replace

import numpy as np

from policycliff.actions.kernels import TIED, UNRESOLVED
from policycliff.actions.optimal import OptimalActions, optimal_actions
from policycliff.cliffs.radius.kernels import continue_alike
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.exact import ExactMDP, Rationals, make_exact, rationals
from policycliff.values.operator import UNIT_ROUNDOFF
from policycliff.values.solution import Solution
from policycliff.values.solve import solve, tight_tolerance

# Unresolved states and gaps near the error are decided in rational arithmetic for MDPs up to this size.
AUTOMATIC_LIMIT = 40
AUTOMATIC_ACYCLIC_LIMIT = 2000

# A gap that is not known this well is found in rational arithmetic there.
COARSE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Gaps of all pairs to the pair that an optimal policy takes.

    Attributes:
        solution: the solved MDP.
        best: (states,) the pair that the policy takes: the first optimal one, or where that is unresolved the one of
            largest computed Q.
        gaps: (pairs,) V* - Q*, 0 where tied.
        tied: (pairs,) pairs of proven ties.
        unresolved: (pairs,) pairs that may be optimal, in states where nothing is proven.
        error: (pairs,) each gap is off by at most twice this.
        exact: the MDP in fractions, and ...
        fractions: ... (pairs,) the gaps as fractions; both None in floating point.
    """

    solution: Solution
    best: Int64[np.ndarray, " states"]
    gaps: Float64[np.ndarray, " pairs"]
    tied: Bool[np.ndarray, " pairs"]
    unresolved: Bool[np.ndarray, " pairs"]
    error: Float64[np.ndarray, " pairs"]
    exact: ExactMDP | None = None
    fractions: Rationals | None = None

    @property
    def mdp(self) -> MDP:
        """The MDP."""
        return self.solution.mdp

    @property
    def policy(self) -> Float64[np.ndarray, " pairs"]:
        """The policy over pairs."""
        return frozen(np.bincount(self.best, minlength=self.mdp.n_pairs).astype(np.float64))

    @property
    def rivals(self) -> Bool[np.ndarray, " pairs"]:
        """(pairs,) the pairs that the policy does not take."""
        mask = np.ones(self.mdp.n_pairs, dtype=bool)
        mask[self.best] = False
        return mask

    @property
    def low(self) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) lower ends of the gaps."""
        return np.where(self.tied | self.unresolved, 0.0, np.maximum(self.gaps - 2.0 * self.error, 0.0))

    @property
    def high(self) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) upper ends of the gaps."""
        return np.where(self.tied, 0.0, self.gaps + 2.0 * self.error)

    def is_coarse(self) -> bool:
        """Whether a state is unresolved, or the error is not small beside some gap that is not 0."""
        positive = self.rivals & ~self.tied
        return bool((positive & (self.unresolved | (2.0 * self.error > COARSE * self.gaps))).any())

    def smallest(self) -> float:
        """Lower end of the smallest gap; inf where no state has two actions."""
        return float(self.low[self.rivals].min(initial=np.inf))


def make_gaps(mdp: MDP, *, exact: bool = False) -> Gaps:
    """The gaps of an MDP; with `exact` as fractions.

    Raises:
        InvalidInputError: `exact`, and the MDP is too large for it.
    """
    rational_mdp = make_exact(mdp) if exact else None
    solution = solve(mdp, tolerance=tight_tolerance(mdp.rewards))
    if rational_mdp is not None:
        return _exact_gaps(solution, rational_mdp)
    found = _float_gaps(solution, optimal_actions(solution))
    limit = AUTOMATIC_ACYCLIC_LIMIT if mdp.is_acyclic else AUTOMATIC_LIMIT
    if mdp.n_states <= limit and found.is_coarse():
        # Gaps rounded from fractions; rows stay in floating point.
        return replace(_exact_gaps(solution, make_exact(mdp)), exact=None, fractions=None)
    return found


def _float_gaps(solution: Solution, actions: OptimalActions) -> Gaps:
    mdp, q = solution.mdp, solution.q_values
    owners = mdp.pair_states
    codes = actions.codes[owners]
    tied, unresolved = actions.members & (codes == TIED), actions.members & (codes == UNRESOLVED)
    scores = np.where(actions.members, np.where(unresolved, q, 0.0), -np.inf)
    best = _first_maximum(mdp, scores)
    gaps = np.where(tied, 0.0, np.maximum(q[best][owners] - q, 0.0))
    error = np.full(q.size, solution.error_bound)
    # Where a pair is followed by what follows the best one, the difference of two rewards is the gap.
    alike = ~(tied | unresolved) & continue_alike(
        mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.gamma, frozen(best)
    )
    plain = mdp.rewards[best][owners] - mdp.rewards
    gaps, error = np.where(alike, np.maximum(plain, 0.0), gaps), np.where(alike, 0.0, error)
    error += UNIT_ROUNDOFF * gaps
    return Gaps(solution, frozen(best), frozen(gaps), frozen(tied), frozen(unresolved), frozen(error))


def _exact_gaps(solution: Solution, exact: ExactMDP) -> Gaps:
    mdp = solution.mdp
    start = _first_maximum(mdp, solution.q_values).tolist()
    _, values, q = exact.optimise(rationals(mdp.rewards), start)
    fractions = [values[state] - entry for state, entry in zip(mdp.pair_states.tolist(), q, strict=True)]
    zero = np.array([gap == 0 for gap in fractions])
    first = _first_maximum(mdp, zero.astype(np.float64))
    floats = np.array([float(gap) for gap in fractions])
    shared = np.add.reduceat(zero.astype(np.int64), mdp.offsets[:-1]) > 1
    return Gaps(
        solution=solution,
        best=frozen(first),
        gaps=frozen(floats),
        tied=frozen(zero & shared[mdp.pair_states]),
        unresolved=frozen(np.zeros(mdp.n_pairs, dtype=bool)),
        error=frozen(UNIT_ROUNDOFF * floats),
        exact=exact,
        fractions=fractions,
    )


def _first_maximum(mdp: MDP, scores: Float64[np.ndarray, " pairs"]) -> Int64[np.ndarray, " states"]:
    """(states,) the first pair of largest score in each state."""
    top = np.maximum.reduceat(scores, mdp.offsets[:-1])[mdp.pair_states]
    chosen = np.flatnonzero(scores == top)
    owners = mdp.pair_states[chosen]
    return np.asarray(chosen[np.searchsorted(owners, np.arange(mdp.n_states))])
