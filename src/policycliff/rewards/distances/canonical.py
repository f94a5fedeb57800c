"""The canonical rewards of EPIC (Gleave et al. 2021) and DARD (Wulfe et al. 2022).

EPIC: C(R)(s, a, s') = R(s, a, s') + E[gamma R(s', A, S') - R(s, A, S') - gamma R(S, A, S')], with S, S' drawn from a
distribution over states and A from one over actions, independently. With m(s) = E R(s, A, S') this is R + gamma m(s') -
m(s) - a constant: potential shaping by m. Shaping of R(s, a, s') by any potential leaves it as it is.

DARD: C(R)(s, a, s') = R(s, a, s') + E[gamma R(s', A, S'') - R(s, A, S') - gamma R(S', A, S'')], with one action A,
S' drawn from P(. | s, A) and S'' from P(. | s', A). The third term pays for (S', A, S''), which need not be a
transition of the MDP: S'' follows s', not S'. Shaping cancels for exactly that reason.

A reward over pairs is R(s, a, s') = R(s, a) for every s'. Shaping *over pairs*, R + gamma P Phi - Phi, is then not
shaping over transitions, unless the next state does not matter, and neither distance is blind to it.

A reward that is the same number everywhere has the canonical form 0: kernel rows count as summing to 1 there.

Cost: EPIC O(nonzeros) over pairs, O(pairs S) over transitions; DARD O(nonzeros), O(A S nonzeros) over transitions.
"""

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.messages import fail, first_true
from policycliff.mdp.model import MDP
from policycliff.rewards.distances.forms import UNDERFLOW, UNIT_ROUNDOFF, GivenReward
from policycliff.rewards.distances.standardised import CanonicalReward
from policycliff.shapes import Float64


def epic_canonical(
    mdp: MDP,
    reward: GivenReward,
    *,
    policy: Float64[np.ndarray, " pairs"],
    state_distribution: Float64[np.ndarray, " states"],
) -> CanonicalReward:
    """R + gamma m(s') - m(s), m(s) = E R(s, A, S') with A by the policy and S' by the state distribution."""
    means = reward.pairs if reward.table is None else reward.table @ state_distribution
    m = np.add.reduceat(policy * means, mdp.offsets[:-1])
    terms = float(np.diff(mdp.offsets).max()) + (0.0 if reward.table is None else mdp.n_states)
    return _canonical(mdp, reward, m=m, later=None, terms=terms)


def dard_canonical(mdp: MDP, reward: GivenReward, *, policy: Float64[np.ndarray, " pairs"]) -> CanonicalReward:
    """R + gamma m(s') - m(s) - gamma E R(S', A, S''), m(s) = E R(s, A, S').

    Raises:
        InvalidInputError: states that are not terminal differ in their actions, or in the policy.
    """
    first, actions, weights = _shared_actions(mdp, policy)
    shape = (mdp.n_states, mdp.n_states)
    m = np.zeros(mdp.n_states)
    later = np.zeros(mdp.n_states) if reward.table is None else np.zeros(shape)
    ends = sp.diags_array(mdp.terminal.astype(np.float64)).tocsr()
    for action, weight in enumerate(weights.tolist()):
        # The pair of this action in each state; a terminal state has one pair for all.
        rows = np.where(mdp.terminal, mdp.offsets[:-1], first + action)
        kernel = sp.csr_array(mdp.transitions[rows] + ends)
        if reward.table is None:
            here = reward.pairs[rows]
            m += weight * here
            later += weight * (kernel @ here)
        else:
            table = reward.table[rows]
            m += weight * np.asarray((kernel * table).sum(axis=1)).ravel()
            later += weight * (kernel @ (kernel @ table.T).T)
    terms = 2.0 * float(np.diff(mdp.indptr).max()) + actions
    return _canonical(mdp, reward, m=m, later=later, terms=terms)


def _canonical(
    mdp: MDP, reward: GivenReward, *, m: np.ndarray, later: np.ndarray | None, terms: float
) -> CanonicalReward:
    """R + gamma m(s') - m(s) - gamma later(s, s') with bounds on its rounding; `later` over states or state pairs."""
    owners = mdp.pair_states
    pairs = -m[owners] if reward.table is not None else reward.pairs - m[owners]
    table = reward.table
    if later is not None and later.ndim == 1:
        pairs = pairs - mdp.gamma * later[owners]
    elif later is not None and table is not None:
        table = table - mdp.gamma * later[owners]
    size = 2.0 * (1.0 + mdp.gamma) * reward.size
    return CanonicalReward(
        pairs=pairs,
        successors=mdp.gamma * m,
        table=table,
        error=(terms + 10.0) * UNIT_ROUNDOFF * size + UNDERFLOW,
        size=size,
        is_zero=reward.is_constant,
    )


def _shared_actions(
    mdp: MDP, policy: Float64[np.ndarray, " pairs"]
) -> tuple[np.ndarray, int, Float64[np.ndarray, " actions"]]:
    """First pair of each state, the number of actions and their probabilities, which all states share."""
    alive = np.flatnonzero(~mdp.terminal)
    first = mdp.offsets[:-1]
    lead = int(alive[0]) if alive.size else 0
    span = slice(int(mdp.offsets[lead]), int(mdp.offsets[lead + 1]))
    counts = np.diff(mdp.offsets)
    other = first_true(~mdp.terminal & (counts != counts[lead]))
    if other < 0:
        at = first[alive][:, None] + np.arange(counts[lead])
        differs = (mdp.actions[at] != mdp.actions[span]).any(axis=1)
        other = int(alive[np.argmax(differs)]) if differs.any() else -1
        if other < 0 and (np.abs(policy[at] - policy[span]) > 1e-12).any():
            raise fail(
                got="a `policy` that depends on the state",
                expected="the same probabilities in every state: DARD draws one action for several states",
                remedy="Repeat one distribution over actions.",
            )
    if other >= 0:
        raise fail(
            got=f"actions at {mdp.state_name(other)} that differ from those at {mdp.state_name(lead)}",
            expected="the same actions in every state that is not terminal: DARD draws one action for several states",
            remedy="Use kind='starc' or 'epic', or complete the actions of the MDP.",
        )
    return first, int(counts[lead]), policy[span]
