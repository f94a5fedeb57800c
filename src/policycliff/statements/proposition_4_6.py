"""Prop 4.6: the jumps of Props 2.9 and 2.10 for a tuple of rewards, by moving all components alike, or one.

The paper moves every component by the same change. One component alone is enough where its weight at the tied state is
positive: only its reward of the raised action there has to move.
"""

from itertools import product

import numpy as np

from policycliff.cliffs.ties.components import ComponentPerturbation, component_perturbation
from policycliff.mdp.model import MDP
from policycliff.statements.facts import convex_weights, optimal_sets, reward_scale, tied_somewhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import rounding, state_tv
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.statements.ties import (
    MOST_RAISED,
    furthest,
    measured_choice,
    measured_lead,
    measured_members,
    pair_lead,
    tied_members,
    uniform_on,
)

SIZES = (2.0**-4, 2.0**-20)


def check(instance: Instance) -> Outcome:
    """Raise tied actions of the effective reward in turn, by two sizes: first by all components alike, then by one."""
    rewards, weights = instance.tuple_of_rewards()
    fine = convex_weights(weights)
    mdp = instance.mdp.with_rewards(_mixture(instance.mdp, rewards, weights))
    actions = optimal_sets(mdp)
    if not fine.holds or tied_somewhere(actions).holds is not True:
        return unmet(fine, tied_somewhere(actions))
    state, members = tied_members(actions)
    claims: list[Claim] = []
    for component in (None, int(np.argmax(weights[:, state]))):
        moves = []
        for winner, share in product(members[:MOST_RAISED].tolist(), SIZES):
            size, action = share * reward_scale(mdp), int(mdp.actions[winner])
            moves.append(
                component_perturbation(
                    mdp, rewards, weights, state=state, action=action, epsilon=size, component=component
                )
            )
        claims += _claims(mdp, moves, weights, members)
    return Outcome(hypotheses=(fine, tied_somewhere(actions)), claims=tuple(claims))


def _claims(mdp: MDP, moves: list[ComponentPerturbation], weights: np.ndarray, members: np.ndarray) -> list[Claim]:
    """Both parts, over all raised actions and sizes: a deterministic choice (2.9) and the uniform one (2.10)."""
    component = moves[0].component
    who = "all components" if component is None else "one component"
    before = uniform_on(measured_members(mdp, mdp.rewards, int(mdp.pair_states[members[0]])), mdp.n_pairs)
    norms, alone, jumps, leads = [], [], [], []
    for moved in moves:
        effective = _mixture(mdp, moved.rewards, weights)
        winner = mdp.pair(moved.effective.state, moved.effective.action)
        after, _ = measured_choice(mdp, effective, winner)
        norms.append(float(np.abs(moved.change).max()) / moved.effective.epsilon)
        alone.append(np.nan if after is None else float(after[winner]))
        jumps.append(np.nan if after is None else float(state_tv(mdp, before, after).max(initial=0.0)))
        leads.append(_lead_claim(mdp, who, moved, weights, effective))
    uniform = (members.size - 1.0) / members.size
    claims = [
        Claim(f"{who}: change over epsilon", 1.0, max(norms), "<=", 1e-15),
        Claim(f"{who}: jump of a choice of another action (2.9)", 1.0, furthest(alone, 1.0), "="),
        Claim(f"{who}: jump of the uniform choice (2.10)", uniform, furthest(jumps, uniform), "=", 1e-12),
        min(leads, key=lambda claim: claim.slack / claim.claimed),
    ]
    if component is None:
        apart = max(float(np.ptp(moved.change, axis=0).max()) for moved in moves)
        size = float(np.abs(moves[0].rewards).max())
        claims.append(Claim("components move alike, up to rounding", 0.0, apart, "=", 1e-15 * size, size))
    return claims


def _lead_claim(mdp: MDP, who: str, moved: ComponentPerturbation, weights: np.ndarray, effective: np.ndarray) -> Claim:
    """The height of the bump, or what `epsilon` on one component's reward of the pair gives it at least."""
    state = moved.effective.state
    lead, error = measured_lead(mdp, effective, mdp.pair(state, moved.effective.action))
    if moved.component is None:
        floor = moved.effective.epsilon / (1.0 + mdp.gamma)
    else:
        floor = pair_lead(mdp, moved.effective.epsilon * float(weights[moved.component, state]))
    slack = error + rounding(mdp, 0.1 * float(np.abs(moved.rewards).max()))
    return Claim(f"{who}: least lead of the raised action", floor, lead, ">=", slack)


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
