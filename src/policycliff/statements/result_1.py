"""Result 1: the exact distance from a reward to the nearest change of its optimal policy.

Claimed are the radius and its witness. Measured, by dense code of its own: how far one must go along the witness until
the policy loses its optimality (bisection), whether random corners of the ball change it just inside, and, where all
policies can be tried, the least (V - V') / ||x' - x||_1 over other policies and states, x the visits of pairs; for the
Euclidean ball with the 2-norm, for half-widths u with ||u (x' - x)||_1.
"""

import numpy as np

from policycliff.cliffs.radius.radius import stability_radius
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.statements.facts import moving_pairs, optimal_sets, reward_scale, unique_everywhere
from policycliff.statements.instances import Instance
from policycliff.statements.measure import (
    DENSE_LIMIT,
    can_enumerate,
    measured_q,
    n_policies,
    policies,
    policy_values,
    rounding,
    spans,
)
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement, unmet
from policycliff.values.horizon import reward_horizon

TRIALS = 12
BISECTIONS = 60
POLICY_LIMIT = 256
NEGLIGIBLE = 1e-9


def check(instance: Instance) -> Outcome:
    """Inside the ball, on its border along the witness, and the bound of Prop 2.4 beside it."""
    mdp = instance.mdp
    actions = optimal_sets(mdp)
    unique = unique_everywhere(actions)
    if unique.holds is not True:
        return unmet(unique)
    if mdp.n_states > DENSE_LIMIT:
        return Outcome(hypotheses=(unique,), too_large=f"at most {DENSE_LIMIT} states, for dense solves")
    result = stability_radius(mdp)
    choice = Hypothesis("some state has a second action", bool(np.isfinite(result.radius)))
    if not choice.holds:
        return unmet(unique, choice)
    best = _greedy(mdp, mdp.rewards)
    rng, moving = instance.generator("Result 1"), moving_pairs(mdp)
    corners = [0.999 * result.radius * moving * rng.choice([-1.0, 1.0], mdp.n_pairs) for _ in range(TRIALS)]
    flips = sum((_greedy(mdp, mdp.rewards + corner) != best).any() for corner in corners)
    direction = result.witness / np.abs(result.witness).max()
    border = _border(mdp, best, direction, reach=2.0 * result.radius)
    certified = float(actions.gaps.min()) / (2.0 * float(reward_horizon(mdp).max()))
    error = rounding(mdp, 10.0 * reward_scale(mdp)) + result.bracket[1] - result.bracket[0]
    claims: tuple[Claim, ...] = (
        Claim("radius, against the first change along the witness", result.radius, border, "=", error),
        Claim(f"changed policies among {TRIALS} corners just inside", 0.0, float(flips), "="),
        Claim("gap / (2 horizon), what Prop 2.4 certifies", certified, border, ">=", error),
    )
    if can_enumerate(mdp) and n_policies(mdp) <= POLICY_LIMIT:
        nearest = _nearest(mdp, best, moving, order=1.0)
        claims += (Claim("radius, against all other policies", result.radius, nearest, "=", error),)
        claims += _other_balls(mdp, best, rng, error)
    return Outcome(hypotheses=(unique, choice), claims=claims)


def _other_balls(
    mdp: MDP, best: Int64[np.ndarray, " states"], rng: np.random.Generator, error: float
) -> tuple[Claim, ...]:
    """The Euclidean ball, and half-widths some of which are 0, against all other policies."""
    ones = moving_pairs(mdp)
    round_ball = stability_radius(mdp, norm="2").radius
    widths = rng.uniform(0.25, 2.0, mdp.n_pairs) * (rng.random(mdp.n_pairs) < 0.75) * ones
    uneven = stability_radius(mdp, half_widths=widths).radius
    wide = error * (1.0 + (uneven / reward_scale(mdp) if np.isfinite(uneven) else 0.0))
    return (
        Claim("Euclidean radius, against them", round_ball, _nearest(mdp, best, ones, order=2.0), "=", error),
        Claim("radius with half-widths, against them", uneven, _nearest(mdp, best, widths, order=1.0), "=", wide),
    )


def _border(
    mdp: MDP, best: Int64[np.ndarray, " states"], direction: Float64[np.ndarray, " pairs"], *, reach: float
) -> float:
    """The least step along a direction after which the policy is no longer optimal, by bisection on full solves."""
    low, high = 0.0, reach
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if _improvable(mdp, best, mdp.rewards + middle * direction):
            high = middle
        else:
            low = middle
    return high


def _improvable(mdp: MDP, best: Int64[np.ndarray, " states"], rewards: Float64[np.ndarray, " pairs"]) -> bool:
    """Whether some action beats the policy, by one dense evaluation."""
    values = policy_values(mdp, best, rewards)
    advantages = rewards + mdp.gamma * (mdp.transitions @ values) - values[mdp.pair_states]
    advantages[best] = -np.inf
    return bool(advantages.max() > 0.0)


def _nearest(
    mdp: MDP, best: Int64[np.ndarray, " states"], widths: Float64[np.ndarray, " pairs"], *, order: float
) -> float:
    """The least gap in value over the size of the difference in visits, over all other policies and all states."""
    here, least = _visits(mdp, best), np.inf
    for choice in policies(mdp):
        difference = _visits(mdp, choice) - here
        sizes = np.linalg.norm(difference * widths, ord=order, axis=1)
        gaps = -(difference @ mdp.rewards)[sizes > NEGLIGIBLE] / sizes[sizes > NEGLIGIBLE]
        least = min(least, float(gaps.min(initial=np.inf)))
    return least


def _visits(mdp: MDP, choice: Int64[np.ndarray, " states"]) -> Float64[np.ndarray, "states pairs"]:
    """Discounted visits of pairs from each state, 0 at terminal states."""
    chain = mdp.transitions[choice].toarray()
    visits = np.zeros((mdp.n_states, mdp.n_pairs))
    visits[:, choice] = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * chain)
    return visits * moving_pairs(mdp)


def _greedy(mdp: MDP, rewards: Float64[np.ndarray, " pairs"]) -> Int64[np.ndarray, " states"]:
    q, _ = measured_q(mdp, rewards)
    return np.array([first + int(np.argmax(q[first:last])) for first, last in spans(mdp)])


STATEMENT = Statement(
    number="Result 1",
    title="The exact stability radius",
    says="The optimal policy stays optimal for all rewards within the radius, and not beyond it along the witness.",
    example="unique chain",
    check=check,
)
