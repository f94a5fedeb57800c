"""Prop 4.5: Thm 2.7 for a tuple of rewards: a unique optimum of the effective reward stays put when components move."""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import adverse_change, convex_weights, optimal_sets, random_change, unique_everywhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import greedy_pairs, measured_q
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 8


def check(instance: Instance) -> Outcome:
    """All components move within gap / (2 horizon), all in the most adverse direction, then each on its own."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    rewards, weights = instance.tuple_of_rewards()
    hypotheses = (convex_weights(weights), unique_everywhere(actions))
    if not all(item.holds for item in hypotheses):
        return unmet(*hypotheses)
    gap, horizon = float(actions.gaps.min()), float(reward_horizon(mdp).max())
    size = 0.999 * gap / (2.0 * horizon) if np.isfinite(gap) and horizon > 0.0 else 1.0
    rng = instance.generator("Prop 4.5")
    before, flips = _greedy(mdp, mdp.rewards), 0
    together = np.array([adverse_change(mdp, actions.members, size)] * len(rewards))
    for trial in range(TRIALS):
        moves = np.array([random_change(mdp, size, rng) for _ in rewards]) if trial else together
        flips += bool((_greedy(mdp, effective_reward(rewards + moves, weights, mdp=mdp)) != before).any())
    claim = Claim(f"changed policies among {TRIALS} reward tuples near by", 0.0, float(flips), "=")
    return Outcome(hypotheses=hypotheses, claims=(claim,))


def _greedy(mdp: MDP, rewards: np.ndarray) -> np.ndarray:
    return greedy_pairs(mdp, measured_q(mdp, rewards)[0])


STATEMENT = Statement(
    number="Prop 4.5",
    title="A unique optimum stays put, for tuples",
    says="Where the optimum of the effective reward is unique, small moves of the components change nothing.",
    example="unique chain",
    check=check,
)
