"""Where a policy goes: discounted visits of states and pairs from the initial distribution.

x(s, a) = sum_t gamma^t Pr(s_t = s, a_t = a) from the initial distribution; the return of the policy is x . R. Visits of
terminal states count as 0: nothing is paid there. Cost: one pass where the MDP is acyclic, a sparse LU factorisation up
to a few thousand states, sweeps beyond.

Error (`occupancy`). With what is left over, r = mu - x (I - gamma P_pi) for the computed x, the true visits are
x + r (I - gamma P_pi)^-1, so ||error||_1 <= horizon * ||r||_1; r is computed, and the rounding of that is added.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import check_distribution, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.shapes import Float64
from policycliff.values.chain import DIRECT_LIMIT, stochastic_chain
from policycliff.values.chain_kernels import left_solve_acyclic, left_step
from policycliff.values.operator import UNIT_ROUNDOFF, amplification
from policycliff.values.regularizers import check_policy

RELATIVE_ERROR = 1e-14
SWEEP_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Occupancy:
    """Where a policy goes from the initial distribution.

    Attributes:
        pairs: (pairs,) discounted expected visits x(s, a); their inner product with any reward is the return.
        states: (states,) their sums, 0 at terminal states.
        error_bound: bound on the sum of the errors of all visits, of pairs as of states: a return x . R is off by at
            most this times the largest reward.
    """

    pairs: Float64[np.ndarray, " pairs"]
    states: Float64[np.ndarray, " states"]
    error_bound: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite bound is None)."""
        bound = self.error_bound if np.isfinite(self.error_bound) else None
        return {"pairs": self.pairs.tolist(), "states": self.states.tolist(), "error_bound": bound}

    def __repr__(self) -> str:
        return (
            f"Occupancy({self.states.sum():.6g} discounted visits of {np.count_nonzero(self.states)} of "
            f"{self.states.size} states; error at most {self.error_bound:.2g} in all)"
        )


def occupancy(mdp: MDP, policy: Any, *, initial: Any = None) -> Occupancy:
    """Discounted expected visits x(s, a) = sum_t gamma^t Pr(s_t = s, a_t = a), with a proven error bound.

    Args:
        mdp: the MDP; its rewards do not matter.
        policy: (pairs,) probabilities.
        initial: (states,) start distribution; by default the MDP's.

    Returns:
        An `Occupancy`. Where no state is terminal the visits add up to 1 / (1 - gamma).

    Raises:
        InvalidInputError: a policy or distribution that is none, or there is no initial distribution.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, occupancy
        >>> swap = MDP.from_arrays(np.eye(2)[::-1][:, None, :], np.zeros((2, 1)), 0.5, initial=[1.0, 0.0])
        >>> occupancy(swap, [1.0, 1.0]).states.round(6)
        array([1.333333, 0.666667])
    """
    check_mdp(mdp)
    weights = check_policy("policy", policy, mdp)
    start = start_distribution(mdp, None if initial is None else check_distribution("initial", initial, mdp.n_states))
    visits = state_visits(mdp, weights, initial=start)
    return Occupancy(
        pairs=frozen(visits[mdp.pair_states] * weights),
        states=frozen(visits),
        error_bound=_visit_error(mdp, weights, start, visits),
    )


def _visit_error(
    mdp: MDP,
    policy: Float64[np.ndarray, " pairs"],
    start: Float64[np.ndarray, " states"],
    visits: Float64[np.ndarray, " states"],
) -> float:
    """Bound on the 1-norm of the error of these visits, and of the visits of pairs made from them."""
    alive = ~mdp.terminal
    total = float(visits.sum())
    flow = mdp.gamma * (mdp.transitions.T @ (visits[mdp.pair_states] * policy))
    left = float(np.abs((start + flow - visits)[alive]).sum())
    into = float(np.bincount(mdp.successors, minlength=mdp.n_states).max(initial=0)) + 6.0
    rounding = into * UNIT_ROUNDOFF * (2.0 * total + float(start.sum()))
    size = 4.0 * UNIT_ROUNDOFF * total
    reach = amplification(mdp)
    return (left + rounding) * reach * (1.0 + 1e-9) + size if left + rounding > 0.0 else size


def state_visits(
    mdp: MDP, policy: Float64[np.ndarray, " pairs"], *, initial: Float64[np.ndarray, " states"] | None = None
) -> Float64[np.ndarray, " states"]:
    """(states,) discounted expected visits mu (I - gamma P_pi)^-1, 0 at terminal states.

    Args:
        mdp: the MDP.
        policy: (pairs,) probabilities.
        initial: (states,) start distribution; by default the MDP's.

    Raises:
        InvalidInputError: there is no initial distribution.
    """
    visits = start_distribution(mdp, initial).copy()
    chain = stochastic_chain(mdp, policy, mdp.rewards)
    kernel = (frozen(chain.indptr), frozen(chain.successors), frozen(chain.probabilities), mdp.gamma)
    if mdp.order is not None:
        left_solve_acyclic(mdp.order, *kernel, visits)
    elif mdp.n_states <= DIRECT_LIMIT:
        visits = np.maximum(chain.factorise(transposed=True).solve(visits), 0.0)
    else:
        step, spare, norm = visits.copy(), np.empty_like(visits), 1.0
        for _ in range(SWEEP_LIMIT):
            if norm <= RELATIVE_ERROR * (1.0 - mdp.gamma):
                break
            norm = float(left_step(*kernel, step, spare))
            step, spare = spare, step
            visits += step
    return np.where(mdp.terminal, 0.0, visits)


def pair_visits(
    mdp: MDP, policy: Float64[np.ndarray, " pairs"], *, initial: Float64[np.ndarray, " states"] | None = None
) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) discounted expected visits of pairs; their inner product with R is the return."""
    return np.asarray(state_visits(mdp, policy, initial=initial)[mdp.pair_states] * policy)


def start_distribution(
    mdp: MDP, initial: Float64[np.ndarray, " states"] | None = None
) -> Float64[np.ndarray, " states"]:
    """The given start distribution or the MDP's own.

    Raises:
        InvalidInputError: there is neither.
    """
    start = mdp.initial if initial is None else initial
    if start is None:
        raise fail(
            got="an MDP without initial distribution",
            expected="`initial`, from which returns and visits are counted",
            remedy="Build the MDP with initial=....",
        )
    return start
