"""Errata about several rewards: section 4.1, Prop 4.6, and weights that depend on the reward (section 4.6)."""

from dataclasses import replace

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.statements.facts import (
    moving_pairs,
    optimal_sets,
    random_change,
    reward_scale,
    tied_somewhere,
    tied_state,
    unique_everywhere,
)
from policycliff.statements.instances import Instance
from policycliff.statements.measure import can_enumerate, measured_q, policies, rounding, spans
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet
from policycliff.statements.ties import pair_lead
from policycliff.values.horizon import reward_horizon

SHARES = np.array([0.5, 0.25, 0.25])
TRIALS = 8


def check_prompt_states(instance: Instance) -> Outcome:
    """Gamma = 0, states are prompts, classes start differently: w_k(s) = P(k | s) makes both objectives one."""
    mdp = replace(instance.mdp, gamma=0.0)
    if not can_enumerate(mdp):
        return Outcome(too_large="more deterministic policies than can be tried")
    rng = instance.generator("Erratum 7")
    rewards = mdp.rewards + rng.integers(-8, 9, (3, mdp.n_pairs)) / 8.0 * moving_pairs(mdp)
    starts = rng.dirichlet(np.ones(mdp.n_states), 3)
    together = SHARES @ starts
    weights = SHARES[:, None] * starts / together
    effective = (weights[:, mdp.pair_states] * rewards).sum(axis=0)
    q, error = measured_q(mdp, effective)
    claimed = float(np.maximum.reduceat(q, mdp.offsets[:-1]) @ together)
    paid = SHARES @ np.array([starts[k][mdp.pair_states] * rewards[k] for k in range(3)])
    best = max(float(paid[choice].sum()) for choice in policies(mdp))
    claim = Claim("optimum of the mixture objective", claimed, best, "=", error + 1e-12 * (1.0 + abs(claimed)))
    return Outcome(hypotheses=(Hypothesis("the state holds the prompt", holds=True),), claims=(claim,))


def check_one_component(instance: Instance) -> Outcome:
    """One component moves, at one pair: e / w_k(s0) there is enough, and w_k(s0) > 0 is all it needs."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    if tied_somewhere(actions).holds is not True:
        return unmet(tied_somewhere(actions))
    _, weights = instance.tuple_of_rewards()
    state = tied_state(actions)
    members, component = actions.pairs(state), int(np.argmin(weights[:, state]))
    weight = float(weights[component, state])
    positive = Hypothesis("the component has a positive weight at the tie", holds=weight > 0.0)
    if not positive.holds:
        return unmet(tied_somewhere(actions), positive)
    size = 1e-3 * reward_scale(mdp)
    move = (size / weight) * (np.arange(mdp.n_pairs) == members[-1])
    q, error = measured_q(mdp, mdp.rewards + weights[component][mdp.pair_states] * move)
    lead = float(q[members[-1]] - q[members[:-1]].max())
    frozen_lead = _lead_without_weight(mdp, members)
    slack = 2.0 * error + rounding(mdp, reward_scale(mdp))
    claims = [Claim("lead of the raised action, at least", pair_lead(mdp, size), lead, ">=", slack)]
    if frozen_lead is not None:
        claims.append(Claim("lead with weight 0 at the tie, rows alike", 0.0, frozen_lead, "=", slack, size))
    return Outcome(hypotheses=(tied_somewhere(actions), positive), claims=tuple(claims))


def _lead_without_weight(mdp: MDP, members: np.ndarray) -> float | None:
    """What a component without weight at the tie can do between two actions with one kernel row: nothing."""
    rows = mdp.transitions[members[[0, -1]]].toarray()
    if not (rows[0] == rows[1]).all() or mdp.rewards[members[0]] != mdp.rewards[members[-1]]:
        return None
    elsewhere = (mdp.pair_states != mdp.pair_states[members[0]]) * moving_pairs(mdp)
    q, _ = measured_q(mdp, mdp.rewards + 0.25 * elsewhere * np.cos(np.arange(mdp.n_pairs)))
    return float(q[members[-1]] - q[members[0]])


def check_gated_weights(instance: Instance) -> Outcome:
    """Weights that read the rewards: with a smooth gate a unique optimum still stays put."""
    mdp = instance.mdp
    rewards, _ = instance.tuple_of_rewards()
    pair = rewards[:2]
    mixed = mdp.with_rewards(_gated(mdp, pair))
    actions = optimal_sets(mixed)
    hypothesis = unique_everywhere(actions)
    gap, horizon = float(actions.gaps.min()), float(reward_horizon(mdp).max())
    if hypothesis.holds is not True or not np.isfinite(gap):
        return unmet(hypothesis, Hypothesis("some state has two actions", holds=bool(np.isfinite(gap))))
    # The gate moves by at most e / 2, so the mixture by e (1 + |R1 - R2| / 2 + e).
    apart = float(np.abs(pair[0] - pair[1]).max())
    size = min(0.9 * gap / (2.0 * horizon * (2.0 + 0.5 * apart)), 1.0)
    rng, before, flips = instance.generator("Erratum 9"), _greedy(mixed, mixed.rewards), 0
    for _ in range(TRIALS):
        moved = pair + np.array([random_change(mdp, size, rng) for _ in range(2)])
        flips += bool((_greedy(mdp, _gated(mdp, moved)) != before).any())
    claim = Claim(f"changed policies among {TRIALS} reward pairs near by", 0.0, float(flips), "=")
    return Outcome(hypotheses=(hypothesis,), claims=(claim,))


def _gated(mdp: MDP, pair: Float64[np.ndarray, "two pairs"]) -> Float64[np.ndarray, " pairs"]:
    """W R1 + (1 - w) R2 with w(s) the logistic function of R1 - R2 at the state's first action."""
    first = mdp.offsets[:-1]
    gate = 1.0 / (1.0 + np.exp(pair[1, first] - pair[0, first]))
    share = gate[mdp.pair_states]
    return np.asarray(share * pair[0] + (1.0 - share) * pair[1])


def _greedy(mdp: MDP, rewards: Float64[np.ndarray, " pairs"]) -> np.ndarray:
    q, _ = measured_q(mdp, rewards)
    return np.array([first + int(np.argmax(q[first:last])) for first, last in spans(mdp)])


ERRATA = (
    Statement(
        number="Erratum 7",
        title="Remark 4.1 where the state holds the prompt",
        says="With weights P(k | prompt) the mixture objective is exactly the effective one, whatever the starts.",
        example="unique chain",
        check=check_prompt_states,
    ),
    Statement(
        number="Erratum 8",
        title="Prop 4.6 with one component that moves",
        says="One component breaks the tie if its weight at the tie is positive; with weight 0 there it can fail to.",
        example="tied chain",
        check=check_one_component,
    ),
    Statement(
        number="Erratum 9",
        title="Weights that depend on the reward",
        says="Reward-dependent weights need not destroy continuity: with a smooth gate a unique optimum stays put.",
        example="unique chain",
        check=check_gated_weights,
    ),
)
