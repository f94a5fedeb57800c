"""Thm 2.7: where the optimal action is unique, the policy does not change under small changes of the reward.

The paper assumes uniqueness in a neighbourhood of the reward; uniqueness at the reward itself is enough, because for a
finite MDP it spreads to the ball of radius gap / (2 max H), H the horizon of a reward change.
"""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.statements.facts import optimal_sets, random_change, unique_everywhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, spans
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 12


def check(instance: Instance) -> Outcome:
    """Random changes, half of them corners of the ball: none may change the greedy policy."""
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
    flips = sum((_greedy(mdp, mdp.rewards + random_change(mdp, size, rng)) != before).any() for _ in range(TRIALS))
    return Outcome(
        hypotheses=(hypothesis,),
        claims=(Claim(f"changed policies among {TRIALS} rewards within gap / (2 horizon)", 0.0, float(flips), "="),),
    )


def _greedy(mdp: MDP, rewards: np.ndarray) -> np.ndarray:
    q, _ = measured_q(mdp, rewards)
    return np.array([first + int(np.argmax(q[first:last])) for first, last in spans(mdp)])


STATEMENT = Statement(
    number="Thm 2.7",
    title="A unique optimum stays put",
    says="Where the optimal action is unique, the optimal policy is the same for all rewards near by.",
    example="unique chain",
    check=check,
)
