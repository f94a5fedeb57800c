"""Lemma 4.4: Lemma 2.5 for a tuple of rewards: the optimal sets of the effective reward are upper hemi-continuous."""

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.rewards.effective import effective_reward
from policycliff.statements.facts import adverse_change, convex_weights, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import measured_q, spans
from policycliff.statements.statement import Claim, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 5


def check(instance: Instance) -> Outcome:
    """All components move on their own, too little for a strictly worse action to catch up: none enters a set."""
    mdp = instance.mdp
    rewards, weights = instance.tuple_of_rewards()
    convex = convex_weights(weights)
    if not convex.holds:
        return unmet(convex)
    rng = instance.generator("Lemma 4.4")
    q, error = measured_q(mdp)
    before, margin = _sets(mdp, q, error), _least_positive_gap(mdp, q, error)
    horizon = float(reward_horizon(mdp).max())
    step = min(0.999 * margin / (2.0 * horizon), reward_scale(mdp)) if horizon > 0.0 else 1.0
    inside = np.isin(np.arange(mdp.n_pairs), list(set.union(*before)))
    together = np.array([adverse_change(mdp, inside, step)] * len(rewards))
    entered = 0
    for trial in range(TRIALS):
        moves = np.array([random_change(mdp, step, rng) for _ in rewards]) if trial else together
        after = _sets(mdp, *measured_q(mdp, effective_reward(rewards + moves, weights, mdp=mdp)))
        entered += sum(len(new - old) for new, old in zip(after, before, strict=True))
    return Outcome(
        hypotheses=(convex,),
        claims=(
            Claim(f"actions that enter a set under {TRIALS} moves of the components", 0.0, float(entered), "="),
            Claim("size of the smallest set, at least", 1.0, float(min(map(len, before))), ">="),
        ),
    )


def _sets(mdp: MDP, q: np.ndarray, error: float) -> list[set[int]]:
    return [
        set((first + np.flatnonzero(q[first:last] >= q[first:last].max() - 2.0 * error)).tolist())
        for first, last in spans(mdp)
    ]


def _least_positive_gap(mdp: MDP, q: np.ndarray, error: float) -> float:
    """Smallest lead of a best action over one that is not; inf where all are best."""
    gaps = np.maximum.reduceat(q, mdp.offsets[:-1])[mdp.pair_states] - q
    worse = gaps > 4.0 * error
    return float(gaps[worse].min()) if worse.any() else np.inf


STATEMENT = Statement(
    number="Lemma 4.4",
    title="Optimal sets shrink, for tuples",
    says="Under small moves of the components the optimal sets of the effective reward can only lose actions.",
    example="tied chain",
    check=check,
)
