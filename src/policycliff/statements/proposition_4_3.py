"""Prop 4.3: Prop 2.4 for a tuple of rewards."""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import convex_weights, discounted, moving_pairs, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, rounding
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon


def check(instance: Instance) -> Outcome:
    """Every component moves on its own; and all alike, which attains the horizon form."""
    mdp = instance.mdp
    rewards, weights = instance.tuple_of_rewards()
    hypotheses = (discounted(mdp), convex_weights(weights))
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
    return Outcome(hypotheses=hypotheses, claims=(claim, _attained(mdp, rewards, weights)))


def _attained(mdp: MDP, rewards: np.ndarray, weights: np.ndarray) -> Claim:
    """From a tuple whose effective reward is 0, all components move alike: attained with the horizon of the world."""
    size = 0.25 * reward_scale(mdp)
    still = rewards - effective_reward(rewards, weights, mdp=mdp)
    q, error = measured_q(mdp, effective_reward(still + size * moving_pairs(mdp), weights, mdp=mdp))
    claimed = size * float(reward_horizon(mdp).max())
    # The components may be large and cancel only up to rounding.
    allowance = 1e-11 * claimed + rounding(mdp, claimed + float(np.abs(rewards).max()))
    return Claim(
        "attained with the horizon where all move alike", claimed, float(q.max(initial=0.0)), "=", error + allowance
    )


STATEMENT = Statement(
    number="Prop 4.3",
    title="Q* is Lipschitz in the reward tuple",
    says="Optimal Q-values of the effective reward move by at most the largest move of a component over 1 - gamma.",
    example="unique chain",
    check=check,
)
