"""What the statements about ties share: which action to raise, and what enumeration-free dense algebra finds then."""

import numpy as np
from jaxtyping import Float64, Int64

from policycliff.actions.optimal import OptimalActions
from policycliff.mdp.model import MDP
from policycliff.statements.facts import tied_state
from policycliff.statements.measure import measured_q

MOST_RAISED = 6

Pairs = Int64[np.ndarray, " members"]


def tied_members(actions: OptimalActions) -> tuple[int, Pairs]:
    """The first state with a proven tie, and its optimal pairs."""
    state = tied_state(actions)
    return state, actions.pairs(state)


def measured_lead(mdp: MDP, rewards: Float64[np.ndarray, " pairs"], pair: int) -> tuple[float, float]:
    """Q of the pair minus the best other Q at its state under these rewards, and a bound on the error."""
    q, error = measured_q(mdp, rewards)
    state = int(mdp.pair_states[pair])
    here = np.arange(mdp.offsets[state], mdp.offsets[state + 1])
    return float(q[pair] - q[here[here != pair]].max()), 2.0 * error


def measured_members(mdp: MDP, rewards: Float64[np.ndarray, " pairs"], state: int) -> Pairs:
    """Pairs of a state whose measured Q-value is within the error of the best."""
    q, error = measured_q(mdp, rewards)
    first, last = int(mdp.offsets[state]), int(mdp.offsets[state + 1])
    return first + np.flatnonzero(q[first:last] >= q[first:last].max() - 2.0 * error)


def uniform_on(members: Pairs, n_pairs: int) -> Float64[np.ndarray, " pairs"]:
    """The uniform distribution over these pairs."""
    policy = np.zeros(n_pairs)
    policy[members] = 1.0 / members.size
    return policy
