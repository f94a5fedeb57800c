"""Prop 4.6: the jumps of Props 2.9 and 2.10 for a tuple of rewards, by moving all components alike, or one.

The paper moves every component by the same change. One component alone is enough where its weight at the tied state is
positive: only its reward of the raised action there has to move.
"""

import numpy as np

from policycliff.cliffs.ties.components import ComponentPerturbation, component_perturbation
from policycliff.mdp.model import MDP
from policycliff.statements.facts import optimal_sets, reward_scale, tied_somewhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import state_tv
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet
from policycliff.statements.ties import measured_lead, measured_members, tied_members, uniform_on

SIZE = 2.0**-4


def check(instance: Instance) -> Outcome:
    """Raise the last tied action of the effective reward, first by all components, then by one."""
    rewards, weights = instance.tuple_of_rewards()
    convex = bool((weights >= 0.0).all() and np.abs(weights.sum(axis=0) - 1.0).max() <= 1e-9)
    fine = Hypothesis("weights are non-negative and sum to 1 in each state", convex)
    mdp = instance.mdp.with_rewards(_mixture(instance.mdp, rewards, weights))
    actions = optimal_sets(mdp)
    if not convex or tied_somewhere(actions).holds is not True:
        return unmet(fine, tied_somewhere(actions))
    state, members = tied_members(actions)
    winner, size = int(members[-1]), SIZE * reward_scale(mdp)
    claims: list[Claim] = []
    for component in (None, int(np.argmax(weights[:, state]))):
        moved = component_perturbation(
            mdp,
            rewards,
            weights,
            state=state,
            action=int(mdp.actions[winner]),
            epsilon=size,
            component=component,
        )
        claims += _claims(mdp, moved, weights, members, size=size)
    return Outcome(hypotheses=(fine, tied_somewhere(actions)), claims=tuple(claims))


def _claims(
    mdp: MDP, moved: ComponentPerturbation, weights: np.ndarray, members: np.ndarray, *, size: float
) -> list[Claim]:
    state, winner = int(mdp.pair_states[members[-1]]), int(members[-1])
    who = "all components" if moved.component is None else "one component"
    effective = _mixture(mdp, moved.rewards, weights)
    lead, error = measured_lead(mdp, effective, winner)
    before = uniform_on(measured_members(mdp, mdp.rewards, state), mdp.n_pairs)
    after = uniform_on(measured_members(mdp, effective, state), mdp.n_pairs)
    jump = float(state_tv(mdp, before, after)[state])
    return [
        Claim(f"{who}: largest change", size, float(np.abs(moved.change).max()), "<=", 1e-15 * size),
        Claim(f"{who}: lead of the raised action, less the error", 0.0, lead - error, ">="),
        Claim(f"{who}: jump of the uniform choice", (members.size - 1.0) / members.size, jump, "=", 1e-12),
    ]


def _mixture(mdp: MDP, rewards: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over components of w_k(s) R_k(s, a)."""
    return np.asarray((weights[:, mdp.pair_states] * rewards).sum(axis=0))


STATEMENT = Statement(
    number="Prop 4.6",
    title="Tuples of rewards jump at ties too",
    says="Where the effective reward is tied, small equal moves of all components, or of one, decide the tie.",
    example="tied chain",
    check=check,
)
