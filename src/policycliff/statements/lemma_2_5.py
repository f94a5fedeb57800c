"""Lemma 2.5: R -> A*(s; R) has non-empty compact values and is upper, not lower, hemi-continuous.

On finite sets of actions upper hemi-continuity says that no action enters under small enough changes; how small is
claimed from the gaps and the horizon of the change, and tried with dense algebra. Lower hemi-continuity fails at ties.
"""

import numpy as np

from policycliff.actions.kernels import TIED
from policycliff.cliffs.ties.construction import cliff_perturbation
from policycliff.cliffs.ties.hemicontinuity import argmax_drift
from policycliff.mdp.model import MDP
from policycliff.statements.facts import adverse_change, optimal_sets, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, spans
from policycliff.statements.statement import Claim, Outcome, Statement
from policycliff.statements.ties import bump_claim, measured_choice, tied_members

TRIALS = 4
SIZES = (2.0**-4, 2.0**-10, 2.0**-16)


def check(instance: Instance) -> Outcome:
    """Random directions within the proven step; where a state is tied, also what it loses however small the change."""
    mdp, rng = instance.mdp, instance.generator("Lemma 2.5")
    before = _sets(mdp, mdp.rewards)
    inside = np.isin(np.arange(mdp.n_pairs), list(set.union(*before)))
    directions = [adverse_change(mdp, inside, 1.0), *(random_change(mdp, 1.0, rng) for _ in range(TRIALS))]
    entered = 0
    for direction in directions:
        step = min(0.999 * argmax_drift(mdp, direction, [0.0]).containment_step, reward_scale(mdp))
        after = _sets(mdp, mdp.rewards + step * direction)
        entered += sum(len(new - old) for new, old in zip(after, before, strict=True))
    smallest = float(min(len(members) for members in before))
    claims = [
        Claim(f"actions that enter a set under {len(directions)} small changes", 0.0, float(entered), "="),
        Claim("size of the smallest set, at least", 1.0, smallest, ">="),
    ]
    return Outcome(claims=(*claims, *_losses(instance)))


def _losses(instance: Instance) -> list[Claim]:
    """Limits of optimal actions are optimal, but an optimal action need not be a limit of optimal ones."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if not (actions.codes == TIED).any():
        return []
    state, members = tied_members(actions)
    winner, scale = int(members[-1]), reward_scale(mdp)
    moves = [cliff_perturbation(mdp, state, int(mdp.actions[winner]), size * scale) for size in SIZES]
    lead = bump_claim(mdp, moves[0], winner)
    if any(measured_choice(mdp, move.rewards, winner)[0] is None for move in moves):
        return [Claim("actions lost at a tie, however small the change", members.size - 1.0, np.nan, "="), lead]
    found = [_sets(mdp, move.rewards)[state] for move in moves]
    q, error = measured_q(mdp)
    here = q[mdp.offsets[state] : mdp.offsets[state + 1]]
    lost = float(min(members.size - len(new) for new in found))
    common = set.intersection(*found)
    worst = max(float(here.max() - q[pair]) for pair in common) if common else float("nan")
    return [
        Claim("actions lost at a tie, however small the change", members.size - 1.0, lost, "="),
        Claim("gap, in the limit, of the action optimal all along", 0.0, worst, "=", 2.0 * error),
        lead,
    ]


def _sets(mdp: MDP, rewards: np.ndarray) -> list[set[int]]:
    q, error = measured_q(mdp, rewards)
    return [
        set((first + np.flatnonzero(q[first:last] >= q[first:last].max() - 2.0 * error)).tolist())
        for first, last in spans(mdp)
    ]


STATEMENT = Statement(
    number="Lemma 2.5",
    title="Optimal sets shrink, they do not grow",
    says="Limits of optimal actions are optimal: under a small change of the reward a set can only lose actions.",
    example="tied chain",
    check=check,
)
