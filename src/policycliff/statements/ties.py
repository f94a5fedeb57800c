"""What the statements about ties share: which action to raise, and what enumeration-free dense algebra finds then."""

import numpy as np

from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.ties.perturbation import CliffPerturbation
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.statements.facts import reward_scale, tied_state
from policycliff.statements.measure import measured_q, rounding
from policycliff.statements.statement import Claim

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


def measured_choice(
    mdp: MDP, rewards: Float64[np.ndarray, " pairs"], pair: int
) -> tuple[Float64[np.ndarray, " pairs"] | None, float]:
    """The uniform choice at the pair's state under these rewards (None where the error hides who leads), and the lead.

    The lead of the pair comes less its error: positive only if it is certain.
    """
    lead, error = measured_lead(mdp, rewards, pair)
    if abs(lead) <= error:
        return None, lead - error
    return uniform_on(measured_members(mdp, rewards, int(mdp.pair_states[pair])), mdp.n_pairs), lead - error


def bump_claim(mdp: MDP, raised: CliffPerturbation, pair: int) -> Claim:
    """That this pair leads by the height of the bump: the change is the one that was asked for."""
    lead, error = measured_lead(mdp, raised.rewards, pair)
    return Claim(
        "lead of the raised action: the height of the bump",
        raised.height,
        lead,
        "=",
        error + rounding(mdp, reward_scale(mdp)),
    )


def pair_lead(mdp: MDP, size: float) -> float:
    """What `size` on one reward of a tied pair gives it at least: (1 - gamma) size, all of it where nothing returns."""
    return size if mdp.is_acyclic else (1.0 - mdp.gamma) * size


def furthest(values: list[float], claimed: float) -> float:
    """The value that is furthest from the claim; NaN if none is off and some could not be told (NaN)."""
    told = [value for value in values if not np.isnan(value)]
    worst = max(told, key=lambda value: abs(value - claimed), default=np.nan)
    return worst if len(told) == len(values) or abs(worst - claimed) > 1e-9 else np.nan


def uniform_on(members: Pairs, n_pairs: int) -> Float64[np.ndarray, " pairs"]:
    """The uniform distribution over these pairs."""
    policy = np.zeros(n_pairs)
    policy[members] = 1.0 / members.size
    return policy
