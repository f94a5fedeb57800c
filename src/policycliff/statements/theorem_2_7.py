"""Thm 2.7: where the optimal action is unique, the policy does not change under small changes of the reward.

The paper assumes uniqueness in a neighbourhood of the reward; uniqueness at the reward itself is enough, because for a
finite MDP it spreads to the ball of radius gap / (2 max H), H the horizon of a reward change.
"""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.statements.facts import adverse_change, optimal_sets, random_change, unique_everywhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import greedy_pairs, measured_q
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 12


def check(instance: Instance) -> Outcome:
    """The most adverse corner of the ball, random corners and changes inside: none may change the greedy policy."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    hypothesis = unique_everywhere(actions)
    if hypothesis.holds is not True:
        return unmet(hypothesis)
    gap, horizon = float(actions.gaps.min()), float(reward_horizon(mdp).max())
    finite = np.isfinite(gap) and horizon > 0.0
    size = 0.999 * gap / (2.0 * horizon) if finite else 1.0
    rng = instance.generator("Thm 2.7")
    before = _greedy(mdp, mdp.rewards)
    changes = [adverse_change(mdp, actions.members, size), *(random_change(mdp, size, rng) for _ in range(TRIALS - 1))]
    flips = sum((_greedy(mdp, mdp.rewards + change) != before).any() for change in changes)
    return Outcome(
        hypotheses=(hypothesis,),
        claims=(Claim(f"changed policies among {TRIALS} rewards within gap / (2 horizon)", 0.0, float(flips), "="),),
    )


def _greedy(mdp: MDP, rewards: np.ndarray) -> np.ndarray:
    return greedy_pairs(mdp, measured_q(mdp, rewards)[0])


STATEMENT = Statement(
    number="Thm 2.7",
    title="A unique optimum stays put",
    says="Where the optimal action is unique, the optimal policy is the same for all rewards near by.",
    example="unique chain",
    check=check,
)
