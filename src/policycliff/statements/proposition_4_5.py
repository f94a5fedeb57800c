"""Prop 4.5: Thm 2.7 for a tuple of rewards: a unique optimum of the effective reward stays put when components move."""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import optimal_sets, random_change, unique_everywhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, spans
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 8


def check(instance: Instance) -> Outcome:
    """All components move on their own within gap / (2 horizon)."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    hypothesis = unique_everywhere(actions)
    if hypothesis.holds is not True:
        return unmet(hypothesis)
    rewards, weights = instance.tuple_of_rewards()
    gap, horizon = float(actions.gaps.min()), float(reward_horizon(mdp).max())
    size = 0.999 * gap / (2.0 * horizon) if np.isfinite(gap) and horizon > 0.0 else 1.0
    rng = instance.generator("Prop 4.5")
    before, flips = _greedy(mdp, mdp.rewards), 0
    for _ in range(TRIALS):
        moves = np.array([random_change(mdp, size, rng) for _ in rewards])
        flips += bool((_greedy(mdp, effective_reward(rewards + moves, weights, mdp=mdp)) != before).any())
    claim = Claim(f"changed policies among {TRIALS} reward tuples near by", 0.0, float(flips), "=")
    return Outcome(hypotheses=(hypothesis,), claims=(claim,))


def _greedy(mdp: MDP, rewards: np.ndarray) -> np.ndarray:
    q, _ = measured_q(mdp, rewards)
    return np.array([first + int(np.argmax(q[first:last])) for first, last in spans(mdp)])


STATEMENT = Statement(
    number="Prop 4.5",
    title="A unique optimum stays put, for tuples",
    says="Where the optimum of the effective reward is unique, small moves of the components change nothing.",
    example="unique chain",
    check=check,
)
