"""Result 4: the sharp modulus of the soft policy, its mixing form, the bound for this reward, and the derivative.

Claimed by the bounds of the package; measured by dense soft solves of the MDP with its rewards changed: random corners
of the ball, differences along the worst direction to first order and along random ones, and the extremal world with
the discount of the instance.
"""

import numpy as np

from policycliff.cliffs.soft.bounds import soft_policy_bounds
from policycliff.cliffs.soft.local import local_moduli, rows_of
from policycliff.cliffs.soft.problem import make_problem
from policycliff.cliffs.soft.search import soft_map_of
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.statements.facts import random_change, reward_scale
from policycliff.statements.instances import Instance, extremal_world
from policycliff.statements.measure import DENSE_LIMIT, growth, measured_soft_q, state_tv
from policycliff.statements.statement import Claim, Outcome, Statement

TRIALS = 4
STEP = 1e-3


def check(instance: Instance) -> Outcome:
    """Random changes against every bound, the derivative of small instances, and the extremal world."""
    mdp, rng = instance.mdp, instance.generator("Result 4")
    scale = reward_scale(mdp)
    epsilon, temperature = 0.25 * scale, float(rng.choice([0.25, 1.0])) * scale
    bounds = soft_policy_bounds(mdp, epsilon, temperature, starts=0)
    changes = [random_change(mdp, epsilon, rng) for _ in range(TRIALS)]
    moved = [_shift(mdp, change, temperature) for change in changes]
    measured = np.maximum.reduce([shift for shift, _ in moved])[bounds.states]
    error = max(error for _, error in moved)
    claims = [_largest(name, getattr(bounds, name), measured, error) for name in ("sharp", "mixing", "certified")]
    claims += _derivative(mdp, temperature, rng)
    if mdp.gamma < 1.0:
        claims.append(_extremal(epsilon, temperature, mdp.gamma))
    return Outcome(claims=tuple(claims))


def _largest(name: str, bound: np.ndarray, measured: np.ndarray, error: float) -> Claim:
    """The bound at the state where it is nearest to what was measured."""
    tightest = int(np.argmax(measured / np.maximum(bound, 1e-300)))
    text = f"total variation, the {name} bound"
    return Claim(text, float(bound[tightest]), float(measured[tightest]), "<=", error)


def _shift(mdp: MDP, change: np.ndarray, temperature: float) -> tuple[Float64[np.ndarray, " states"], float]:
    """How far the entropy-regularised policy moves in each state, and a bound on the error."""
    entropy = np.ones(mdp.n_pairs)
    _, before, first = measured_soft_q(mdp, None, base=entropy, temperature=temperature)
    _, after, second = measured_soft_q(mdp, mdp.rewards + change, base=entropy, temperature=temperature)
    return state_tv(mdp, before, after), (first + second) / (2.0 * temperature) + 1e-13


def _derivative(mdp: MDP, temperature: float, rng: np.random.Generator) -> list[Claim]:
    """The local modulus against differences along its own direction and along random ones."""
    problem = make_problem(mdp, reference_policy=None, mask=None, half_widths=None)
    soft_map = soft_map_of(problem, problem.solve(temperature))
    moduli, upper, witnesses = local_moduli(problem, soft_map, rows_of(soft_map, np.arange(mdp.n_states)))
    if not witnesses or (moduli < upper * (1.0 - 1e-6)).any():
        return []
    state = int(np.argmax(moduli))
    worst, error = _slope(mdp, np.sign(soft_map.gradient(state, witnesses[state][1])), temperature)
    others = [_slope(mdp, random_change(mdp, 1.0, rng), temperature) for _ in range(TRIALS)]
    largest = max(float(slope.max()) for slope, _ in others)
    claimed = float(moduli.max())
    return [
        Claim("derivative along the worst direction", claimed, float(worst[state]), "=", error),
        Claim("derivative along random directions", claimed, largest, "<=", max(bound for _, bound in others)),
    ]


def _slope(mdp: MDP, direction: np.ndarray, temperature: float) -> tuple[Float64[np.ndarray, " states"], float]:
    """Total variation per unit along a direction, by differences of fourth order, and a bound on the error."""
    entropy, step = np.ones(mdp.n_pairs), STEP * temperature / growth(mdp)
    change, errors = np.zeros(mdp.n_pairs), [0.0]
    for place, weight in ((1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)):
        rewards = mdp.rewards + place * step * direction
        _, policy, error = measured_soft_q(mdp, rewards, base=entropy, temperature=temperature)
        change += weight * policy
        errors.append(error)
    # Fifth derivatives of a softmax of values that move by at most the horizon, and rounding.
    bound = STEP**4 * growth(mdp) / temperature + max(errors) / (temperature * step)
    return state_tv(mdp, change / (12.0 * step), np.zeros(mdp.n_pairs)), bound


def _extremal(epsilon: float, temperature: float, gamma: float) -> Claim:
    """Three states: a choice; behind it one state that gains and one that loses. The bound is attained."""
    mdp, change = extremal_world(epsilon, gamma)
    shift, error = _shift(mdp, change, temperature)
    claimed = soft_policy_bounds(mdp, epsilon, temperature, starts=0).sharp[0]
    return Claim("the extremal world attains the sharp bound", float(claimed), float(shift[0]), "=", error + 1e-11)


STATEMENT = Statement(
    number="Result 4",
    title="The sharp modulus of the soft policy",
    says="A soft policy moves by at most tanh(change of Q / (2 alpha)), attained; less with mixing or for one reward.",
    example="sharp modulus",
    check=check,
    most_states=DENSE_LIMIT,
)
