"""The argmax correspondence A*(s; R) of Lemma 2.5, as far as it can be proven from a solution.

With |Q - Q*| <= error, an action whose Q-value is more than 2 error below the best is not optimal; the set keeps all
others, so it always contains A*(s). What is known about a state has three values:

unique      one action is left.
tied        several are left and they are proven to be equally good: the error is exactly 0 (see `values.backward`); or
            they have identical kernel rows (or gamma = 0, or only terminal successors) and identical rewards; or
            identical rewards and the same probability mass in each group of states that are proven to have equal
            values (`actions.lumping`: symmetric worlds, grids, zero rewards); or rational arithmetic found them equal
            (`exact=True`).
unresolved  several are left and nothing is proven: solve to a smaller tolerance, or use `exact=True`.

Equality is about the given float64 numbers: 0.1 + 0.2 is not 0.3. Where actions share kernel rows or masses their
rewards decide exactly, so a difference far below the error can still make an action unique.

Cost: O(pairs), plus lumping where states are left unresolved, plus rational arithmetic where asked for.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.kernels import TIED, UNIQUE, UNRESOLVED, classify
from policycliff.actions.lumping import settle_by_lumping
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_kind, fail
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int8, Int64
from policycliff.values.exact import Rationals, exact_q_values
from policycliff.values.solution import Solution

STATUS_NAMES = np.array(["unique", "tied", "unresolved"])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OptimalActions:
    """Sets of optimal actions, state by state.

    Attributes:
        mdp: the MDP.
        members: (pairs,) whether the pair can be optimal.
        gaps: (states,) best Q-value minus that of the best other action: 0 where tied, inf where there is no other.
        codes: (states,) 0 unique, 1 tied, 2 unresolved; `status` has the words.
        error_bound: error of the Q-values that the sets were read from; 0 if they are exact.
    """

    mdp: MDP
    members: Bool[np.ndarray, " pairs"]
    gaps: Float64[np.ndarray, " states"]
    codes: Int8[np.ndarray, " states"]
    error_bound: float

    @property
    def status(self) -> np.ndarray:
        """(states,) "unique", "tied" or "unresolved"."""
        return STATUS_NAMES[self.codes]

    @property
    def counts(self) -> Int64[np.ndarray, " states"]:
        """(states,) size of each set; an upper bound where unresolved."""
        return np.add.reduceat(self.members.astype(np.int64), self.mdp.offsets[:-1])

    @property
    def log_optimal_policies(self) -> float:
        """Natural logarithm of the number of deterministic optimal policies (an upper bound if any is unresolved)."""
        return float(np.log(self.counts).sum())

    @property
    def is_resolved(self) -> bool:
        """Whether every state is proven unique or tied."""
        return not bool((self.codes == UNRESOLVED).any())

    def pairs(self, state: int) -> Int64[np.ndarray, " members"]:
        """The pairs of one state that can be optimal."""
        first, last = int(self.mdp.offsets[state]), int(self.mdp.offsets[state + 1])
        return first + np.flatnonzero(self.members[first:last])

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite gap is None)."""
        return {
            "members": self.members.tolist(),
            "gaps": [gap if np.isfinite(gap) else None for gap in self.gaps.tolist()],
            "status": self.status.tolist(),
            "counts": self.counts.tolist(),
            "log_optimal_policies": self.log_optimal_policies,
            "error_bound": self.error_bound,
        }

    def __repr__(self) -> str:
        found = [f"{int((self.codes == code).sum())} {STATUS_NAMES[code]}" for code in (UNIQUE, TIED, UNRESOLVED)]
        return (
            f"OptimalActions({', '.join(found)} of {self.codes.size} states; smallest gap {self.gaps.min():.4g}, "
            f"log of the number of optimal policies {self.log_optimal_policies:.4g}, error {self.error_bound:.2g})"
        )


def optimal_actions(solution: Solution, *, exact: bool = False) -> OptimalActions:
    """The sets A*(s; R) of optimal actions (Lemma 2.5) with gaps and certificates.

    Args:
        solution: a solution without regularizer (a soft optimum is one policy, not a set).
        exact: decide every state in rational arithmetic (up to 200 states; 20,000 where the MDP is acyclic).

    Returns:
        Sets that contain all optimal actions, with a status for each state: "unique" and "tied" are proven.

    Raises:
        InvalidInputError: the solution is regularised, or `exact` is asked for an MDP that is too large for it.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, optimal_actions, solve
        >>> mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
        >>> optimal_actions(solve(mdp)).status
        array(['tied'], dtype='<U10')
    """
    check_kind("solution", solution, Solution, made_by="solve(mdp)")
    if solution.regularizer is not None:
        raise fail(
            got=f"a solution with {solution.regularizer!r}",
            expected="one without a regularizer",
            remedy="A soft optimum is a single policy: use solution.policy.",
        )
    mdp = solution.mdp
    members, gaps = np.empty(mdp.n_pairs, dtype=bool), np.empty(mdp.n_states)
    codes = np.empty(mdp.n_states, np.int8)
    error = solution.error_bound
    if exact:
        best = np.array([int(np.argmax(block)) for block in np.split(solution.q_values, mdp.offsets[1:-1])])
        _classify_exactly(mdp, exact_q_values(mdp, best + mdp.offsets[:-1]), members, gaps, codes)
        error = 0.0
    else:
        kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.terminal, mdp.gamma)
        classify(*kernel, solution.q_values, error, members, gaps, codes)
        settle_by_lumping(mdp, values=solution.values, error=error, members=members, codes=codes)
        gaps[codes == TIED] = 0.0
    return OptimalActions(mdp=mdp, members=frozen(members), gaps=frozen(gaps), codes=frozen(codes), error_bound=error)


def _classify_exactly(
    mdp: MDP,
    q: Rationals,
    members: Bool[np.ndarray, " pairs"],
    gaps: Float64[np.ndarray, " states"],
    codes: Int8[np.ndarray, " states"],
) -> None:
    """Sets, gaps and codes from exact Q-values."""
    for state in range(mdp.n_states):
        first, last = int(mdp.offsets[state]), int(mdp.offsets[state + 1])
        ranked = sorted(q[first:last], reverse=True)
        members[first:last] = [value == ranked[0] for value in q[first:last]]
        gaps[state] = float(ranked[0] - ranked[1]) if len(ranked) > 1 else np.inf
        codes[state] = TIED if len(ranked) > 1 and ranked[0] == ranked[1] else UNIQUE
