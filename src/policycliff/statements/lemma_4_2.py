"""Lemma 4.2: the effective reward moves by at most the largest move of its components."""

import numpy as np

from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import convex_weights, moving_pairs
from policycliff.statements.instances import Instance
from policycliff.statements.statement import Claim, Outcome, Statement, unmet


def check(instance: Instance) -> Outcome:
    """Random moves of the components; the move that they share attains the bound."""
    mdp = instance.mdp
    rewards, weights = instance.tuple_of_rewards()
    hypothesis = convex_weights(weights)
    if not hypothesis.holds:
        return unmet(hypothesis)
    rng = instance.generator("Lemma 4.2")
    moves = rng.uniform(-1.0, 1.0, rewards.shape) * moving_pairs(mdp)
    before = effective_reward(rewards, weights, mdp=mdp)
    after = effective_reward(rewards + moves, weights, mdp=mdp)
    by_hand = [
        sum(weights[k, state] * moves[k, pair] for k in range(len(rewards)))
        for pair, state in enumerate(mdp.pair_states.tolist())
    ]
    together = effective_reward(rewards + 0.5 * moving_pairs(mdp), weights, mdp=mdp)
    large = float(np.abs(rewards).max() + 1.0)
    error = 1e-14 * large * len(rewards)
    return Outcome(
        hypotheses=(hypothesis,),
        claims=(
            Claim("sup of the move", float(np.abs(moves).max()), float(np.abs(after - before).max()), "<=", error),
            Claim("the move, term by term", 0.0, float(np.abs(after - before - by_hand).max()), "=", error, large),
            Claim(
                "a shared move of 1/2 arrives whole",
                0.5 * float(moving_pairs(mdp).max()),
                float(np.abs(together - before).max()),
                "=",
                error,
            ),
        ),
    )


STATEMENT = Statement(
    number="Lemma 4.2",
    title="The effective reward is 1-Lipschitz",
    says="With convex weights the effective reward moves by at most the largest move of a component.",
    example="tied chain",
    check=check,
)
