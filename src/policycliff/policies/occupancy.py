"""Where a policy goes: discounted visits of states and pairs from the initial distribution.

x(s, a) = sum_t gamma^t Pr(s_t = s, a_t = a) from the initial distribution; the return of the policy is x . R. Visits of
terminal states count as 0: nothing is paid there. Cost: one pass where the MDP is acyclic, a sparse LU factorisation up
to a few thousand states, sweeps beyond.
"""

import numpy as np
from jaxtyping import Float64

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.values.chain import DIRECT_LIMIT, stochastic_chain
from policycliff.values.chain_kernels import left_solve_acyclic, left_step

RELATIVE_ERROR = 1e-14
SWEEP_LIMIT = 1_000_000


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
