"""Result 5: the temperature that stability needs, what it costs, and where the soft policy goes as it cools.

Claimed by the calibration, its price and `zero_temperature_policy`; measured by dense solves: total variation under
random changes at the calibrated temperatures, the regret of the soft policy, and the soft policy at a temperature far
below the smallest gap. For entropy and for KL to a random reference.
"""

import numpy as np

from policycliff.cliffs.soft.calibration import calibrate_temperature, proven_temperatures
from policycliff.cliffs.soft.frontier import make_price
from policycliff.cliffs.soft.problem import SoftProblem, make_problem
from policycliff.mdp.model import MDP
from policycliff.policies.zero_temperature import PROVEN, zero_temperature_policy
from policycliff.statements.facts import moving_pairs, random_change, reward_scale
from policycliff.statements.instances import Instance, extremal_world
from policycliff.statements.measure import (
    DENSE_LIMIT,
    growth,
    measured_q,
    measured_soft_q,
    state_tv,
    stochastic_values,
)
from policycliff.statements.section_3_4 import random_policy
from policycliff.statements.statement import Claim, Hypothesis, Outcome, Statement
from policycliff.values.exact import fits_exact

GOAL = 0.125
KINDS = ("everywhere", "on this world", "by mixing")
# The public calibration searches for the worst change; only on so many pairs is that quick.
SMALL, CORNERS = 4, 32
NEARLY = 1e-6
COLD = 45.0
"""The smallest gap over the temperature at which the limit is compared: exp(-45) is nothing."""


def check(instance: Instance) -> Outcome:
    """Calibration, price and limit, for entropy and for KL."""
    mdp, rng = instance.mdp, instance.generator("Result 5")
    small = Hypothesis(f"at most {DENSE_LIMIT} states, for dense evaluation", mdp.n_states <= DENSE_LIMIT)
    if not small.holds:
        return Outcome(too_large=small.text)
    claims = list[Claim]()
    for name, reference in (("entropy", None), ("KL", random_policy(mdp, rng))):
        problem = make_problem(mdp, reference_policy=reference, mask=None, half_widths=None)
        claims += _calibration(instance, problem, name, rng)
        claims += _price(instance, problem, name, rng)
    claims += _dear_price(float(rng.uniform(0.5, 2.0)) * reward_scale(mdp))
    claims += _just_enough(0.25 * reward_scale(mdp), mdp.gamma) if mdp.gamma < 1.0 else []
    claims += _calibrated(instance, rng)
    for name, reference in (("entropy", None), ("KL", random_policy(mdp, rng))):
        problem = make_problem(mdp, reference_policy=reference, mask=None, half_widths=None)
        claims += _limit(mdp, problem, name)
    return Outcome(claims=tuple(claims))


def _calibration(instance: Instance, problem: SoftProblem, name: str, rng: np.random.Generator) -> list[Claim]:
    """Total variation under a random change at each sufficient temperature."""
    mdp = instance.mdp
    epsilon = 0.25 * reward_scale(mdp)
    claims = []
    for kind, temperature in zip(KINDS, proven_temperatures(problem, epsilon, GOAL), strict=True):
        if 0.0 < temperature < np.inf:
            _, before, first = measured_soft_q(mdp, None, base=problem.base, temperature=temperature)
            changed = mdp.rewards + random_change(mdp, epsilon, rng)
            _, after, second = measured_soft_q(mdp, changed, base=problem.base, temperature=temperature)
            error = (first + second) / (2.0 * temperature) + 1e-13
            shift = float(state_tv(mdp, before, after).max())
            claims.append(Claim(f"shift at the {name} temperature sufficient {kind}", GOAL, shift, "<=", error))
    return claims


def _price(instance: Instance, problem: SoftProblem, name: str, rng: np.random.Generator) -> list[Claim]:
    """Regret of the soft policy from the initial distribution against its bound, and that bound by dense solves."""
    mdp, temperature = instance.mdp, float(rng.choice([0.25, 1.0])) * reward_scale(instance.mdp)
    start = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    q, error = measured_q(mdp)
    best = _best(mdp, q)
    _, policy, _ = measured_soft_q(mdp, None, base=problem.base, temperature=temperature)
    regret = float(start @ (best - stochastic_values(mdp, policy)))
    bound = make_price(mdp, problem).bound(temperature)
    slack = error + 1e-12 * growth(mdp) * reward_scale(mdp)
    claims = [Claim(f"regret at {name} temperature {temperature:.3g}", bound, regret, "<=", slack)]
    gaps = np.maximum.reduceat(q, mdp.offsets[:-1])[mdp.pair_states] - q
    # Where a gap is too small to be sure of, so is the set of optimal actions.
    if not ((gaps > 2.0 * error) & (gaps < NEARLY * reward_scale(mdp))).any():
        dear = _dearest(mdp, problem, gaps > 2.0 * error)
        allowance = 1e-9 * temperature * growth(mdp) * (1.0 + dear)
        claims.append(Claim(f"that bound for {name}, by dense solves", bound, temperature * dear, "=", allowance))
    return claims


def _dearest(mdp: MDP, problem: SoftProblem, worse: np.ndarray) -> float:
    """E sum gamma^t log |A| at most, or log(1 / reference) of the cheapest optimal policy, by one dense solve."""
    counts = np.diff(mdp.offsets)
    # Actions that are not optimal cost more than any other policy could save.
    dear = (
        -np.log(problem.base) + worse * 100.0 * growth(mdp) if problem.reference else -np.log(np.repeat(counts, counts))
    )
    q, _ = measured_q(mdp, -dear * moving_pairs(mdp))
    start = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    return abs(float(start @ _best(mdp, q)))


def _best(mdp: MDP, q: np.ndarray) -> np.ndarray:
    return np.where(mdp.terminal, 0.0, np.maximum.reduceat(q, mdp.offsets[:-1]))


def _just_enough(epsilon: float, gamma: float) -> list[Claim]:
    """In the extremal world the temperatures that suffice are all needed: the shift is what was asked for."""
    world, change = extremal_world(epsilon, gamma)
    problem = make_problem(world, reference_policy=None, mask=None, half_widths=None)
    claims = []
    for kind, temperature in zip(KINDS, proven_temperatures(problem, epsilon, GOAL), strict=True):
        _, before, first = measured_soft_q(world, None, base=problem.base, temperature=temperature)
        _, after, second = measured_soft_q(world, world.rewards + change, base=problem.base, temperature=temperature)
        error = (first + second) / (2.0 * temperature) + 1e-11
        shift = float(state_tv(world, before, after).max())
        claims.append(Claim(f"shift in the extremal world at what suffices {kind}", GOAL, shift, "=", error))
    return claims


def _dear_price(temperature: float) -> list[Claim]:
    """A good action that the reference hardly ever takes: for a reference of 1e-200 the bound is nearly attained."""
    rare = 1e-200
    log_rare = float(-np.log(rare))
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[(log_rare - 8.0) * temperature, 0.0]], 0.0, initial=[1.0])
    problem = make_problem(bandit, reference_policy=np.array([rare, 1.0]), mask=None, half_widths=None)
    _, policy, _ = measured_soft_q(bandit, None, base=np.array([rare, 1.0]), temperature=temperature)
    regret = float(bandit.rewards.max() - stochastic_values(bandit, policy)[0])
    bound = make_price(bandit, problem).bound(temperature)
    text = "regret over its bound, a rare best action"
    return [
        Claim(f"{text}: at most", 1.0, regret / bound, "<="),
        Claim(f"{text}: at least", 0.98, regret / bound, ">="),
    ]


def _calibrated(instance: Instance, rng: np.random.Generator) -> list[Claim]:
    """The public calibration on a small MDP: no random corner moves any state by more than was asked for."""
    mdp, epsilon = instance.mdp, 0.25 * reward_scale(instance.mdp)
    if mdp.n_pairs > SMALL:
        return []
    temperature = calibrate_temperature(mdp, epsilon, GOAL, temperatures=[1.0], starts=1).certified
    if temperature == 0.0:
        return []
    entropy, shifts, errors = np.ones(mdp.n_pairs), [0.0], [0.0]
    _, before, first = measured_soft_q(mdp, None, base=entropy, temperature=temperature)
    for _ in range(CORNERS):
        corner = epsilon * rng.choice([-1.0, 1.0], mdp.n_pairs) * moving_pairs(mdp)
        _, after, second = measured_soft_q(mdp, mdp.rewards + corner, base=entropy, temperature=temperature)
        shifts.append(float(state_tv(mdp, before, after).max()))
        errors.append((first + second) / (2.0 * temperature) + 1e-13)
    text = f"shift of {CORNERS} corners at the temperature calibrated for this reward"
    return [Claim(text, GOAL, max(shifts), "<=", max(errors) + 1e-9)]


def _limit(mdp: MDP, problem: SoftProblem, name: str) -> list[Claim]:
    """The probability that is furthest from its claimed limit, among those that the limit makes large."""
    reference = problem.base if problem.reference else None
    limit = zero_temperature_policy(mdp, reference_policy=reference, exact=fits_exact(mdp))
    q, _ = measured_q(mdp)
    gaps = (np.maximum.reduceat(q, mdp.offsets[:-1])[mdp.pair_states] - q)[~limit.members]
    if limit.status != PROVEN:
        return []
    temperature = min(float(gaps.min(initial=np.inf)) / COLD, 1e-3 * reward_scale(mdp))
    _, policy, error = measured_soft_q(mdp, None, base=problem.base, temperature=temperature)
    large = limit.policy >= 1.0 / np.diff(mdp.offsets).max()
    pair = int(np.argmax(np.where(large, np.abs(limit.policy - policy), -1.0)))
    claimed, measured = float(limit.policy[pair]), float(policy[pair])
    # exp(-45) of other actions, and rounding.
    error = error / temperature + 1e-13
    return [Claim(f"a probability at {name} temperature {temperature:.2g}", claimed, measured, "=", error)]


STATEMENT = Statement(
    number="Result 5",
    title="Temperature: enough, its price, and its limit",
    says="alpha = epsilon / (2 (1 - gamma) artanh tau) suffices; the limit of a cooling policy is not its base on A*.",
    example="graded completions",
    check=check,
)
