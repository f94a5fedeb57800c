"""Prop 4.3: Prop 2.4 for a tuple of rewards."""

import numpy as np

from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import discounted, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet


def check(instance: Instance) -> Outcome:
    """Every component moves on its own."""
    mdp = instance.mdp
    rewards, weights = instance.tuple_of_rewards()
    convex = bool((weights >= 0.0).all() and np.abs(weights.sum(axis=0) - 1.0).max() <= 1e-9)
    hypotheses = (discounted(mdp), Hypothesis("weights are at least 0 and sum to 1 in each state", convex))
    if not all(item.holds for item in hypotheses):
        return unmet(*hypotheses)
    rng = instance.generator("Prop 4.3")
    moves = np.array([random_change(mdp, 0.25 * reward_scale(mdp), rng) for _ in rewards])
    before, first_error = measured_q(mdp, effective_reward(rewards, weights, mdp=mdp))
    after, second_error = measured_q(mdp, effective_reward(rewards + moves, weights, mdp=mdp))
    claim = Claim(
        "sup |Q1 - Q2| <= max_k sup |move of R_k| / (1 - gamma)",
        float(np.abs(moves).max()) / (1.0 - mdp.gamma),
        float(np.abs(after - before).max()),
        "<=",
        first_error + second_error,
    )
    return Outcome(hypotheses=hypotheses, claims=(claim,))


STATEMENT = Statement(
    number="Prop 4.3",
    title="Q* is Lipschitz in the reward tuple",
    says="Optimal Q-values of the effective reward move by at most the largest move of a component over 1 - gamma.",
    example="unique chain",
    check=check,
)
