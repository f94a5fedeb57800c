"""Result 2: all breakpoints of the optimum on a line of rewards, against enumeration of every policy.

The direction is random, half the time of whole numbers, so that several things change at once. Claimed is what the
path says; measured are the kinks of the upper envelope of all policies, and dense solves between the breakpoints.
"""

import numpy as np
from jaxtyping import Bool

from policycliff.cliffs.lines.parts import uniform_over
from policycliff.cliffs.lines.path import PerturbationPath, perturbation_path
from policycliff.mdp.model import MDP
from policycliff.statements.envelope import Envelope, inner, make_envelope
from policycliff.statements.facts import moving_pairs, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import DENSE_LIMIT, Pairs, States, measured_q, stochastic_values
from policycliff.statements.statement import Claim, Outcome, Statement

T_MIN, T_MAX = -2.0, 2.0
MOST_BREAKPOINTS, MOST_POINTS = 60, 12


def check(instance: Instance) -> Outcome:
    """Number and places of breakpoints, the return, and the policies in between."""
    mdp, rng = instance.mdp, instance.generator("Result 2")
    if rng.random() < 0.5:
        direction = rng.integers(-1, 2, mdp.n_pairs) * moving_pairs(mdp)
    else:
        direction = random_change(mdp, reward_scale(mdp), rng)
    path = perturbation_path(mdp, direction, T_MIN, T_MAX, max_breakpoints=MOST_BREAKPOINTS)
    envelope = make_envelope(mdp, path.direction)
    if not path.intervals:
        return Outcome(too_large="no policy can be proven optimal anywhere on the line")
    claims = _between(path)
    if envelope is not None and path.status == "complete":
        claims = [*_places(path, envelope), *claims]
    return Outcome(claims=tuple(claims))


def _places(path: PerturbationPath, envelope: Envelope) -> list[Claim]:
    """Breakpoints inside the line against the kinks of the envelope."""
    inside = inner([item.t for item in path.breakpoints], T_MIN, T_MAX)
    kinks = envelope.kinks(T_MIN, T_MAX)
    return [
        Claim("breakpoints, against kinks by enumeration", float(len(inside)), float(len(kinks)), "="),
        Claim("largest distance between the two", 0.0, _distance(inside, kinks), "=", 1e-9),
    ]


def _distance(first: list[float], second: list[float]) -> float:
    """Hausdorff distance of two finite sets of numbers; inf if just one is empty."""
    if not first or not second:
        return 0.0 if len(first) == len(second) else np.inf
    apart = np.abs(np.subtract.outer(first, second))
    return float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def _between(path: PerturbationPath) -> list[Claim]:
    """At midpoints of intervals: the return is the claimed line, and the claimed set is optimal in every state."""
    mdp, lines, regrets, errors = path.mdp, [], [], []
    for item in path.intervals[:MOST_POINTS]:
        t = 0.5 * (item.start + item.end)
        rewards = path.rewards(t)
        q, error = measured_q(mdp, rewards)
        best = np.maximum.reduceat(q, mdp.offsets[:-1])
        own = _own_values(mdp, item.members, rewards, q)
        regrets.append(float((best - own).max()))
        if item.intercept is not None and item.slope is not None and mdp.initial is not None:
            lines.append(abs(item.intercept + item.slope * t - float(best @ mdp.initial)))
        errors.append(2.0 * error + 1e-12 * (1.0 + float(np.abs(best).max())))
    slack = max(errors)
    return [
        Claim("return off the claimed line between breakpoints", 0.0, max(lines, default=0.0), "=", slack),
        Claim("regret of the claimed policies between breakpoints", 0.0, max(regrets), "=", slack),
    ]


def _own_values(mdp: MDP, members: Bool[np.ndarray, " pairs"], rewards: Pairs, q: Pairs) -> States:
    """Values of the uniform selection; where dense evaluation is out of reach, the worst Q-value of a member."""
    if mdp.n_states <= DENSE_LIMIT:
        return stochastic_values(mdp, uniform_over(mdp, members), rewards)
    return np.asarray(np.minimum.reduceat(np.where(members, q, np.inf), mdp.offsets[:-1]))


STATEMENT = Statement(
    number="Result 2",
    title="Every breakpoint on a line",
    says="On a line of rewards the optimal set is constant between finitely many breakpoints, and all are found.",
    example="graded completions",
    check=check,
)
