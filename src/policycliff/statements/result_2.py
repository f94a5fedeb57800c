"""Result 2: all breakpoints of the optimum on a line of rewards, against enumeration of every policy.

The direction is random, half the time of whole numbers, so that several things change at once. Claimed is what the
path says; measured are the kinks of the upper envelope of all policies, dense solves between the breakpoints, and the
jumps of the uniform choice from one side of a breakpoint to the other, with sets and visits by dense algebra.
"""

import numpy as np

from policycliff.cliffs.lines.parts import uniform_over
from policycliff.cliffs.lines.path import PerturbationPath, perturbation_path
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool
from policycliff.statements.envelope import Envelope, inner, make_envelope
from policycliff.statements.facts import moving_pairs, random_change, reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import (
    DENSE_LIMIT,
    Pairs,
    States,
    measured_q,
    rounding,
    state_tv,
    stochastic_values,
)
from policycliff.statements.statement import Claim, Outcome, Statement

T_MIN, T_MAX = -2.0, 2.0
MOST_BREAKPOINTS, MOST_POINTS = 60, 12
# Intervals on which a gap may be within the error of a measurement.
SHORT = 1e-5


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
        claims = [*_places(path, envelope), *claims, *_jumps(path)]
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
    mdp, lines, regrets, errors, large = path.mdp, [], [], [], 0.0
    for item in path.intervals[:MOST_POINTS]:
        t = 0.5 * (item.start + item.end)
        rewards = path.rewards(t)
        q, error = measured_q(mdp, rewards)
        best = np.maximum.reduceat(q, mdp.offsets[:-1])
        own = _own_values(mdp, item.members, rewards, q)
        regrets.append(float((best - own).max()))
        if item.intercept is not None and item.slope is not None and mdp.initial is not None:
            lines.append(abs(item.intercept + item.slope * t - float(best @ mdp.initial)))
        large = max(large, float(np.abs(best).max()))
        errors.append(2.0 * error + rounding(mdp, 1.0 + large))
    slack = max(errors)
    return [
        Claim("return off the claimed line between breakpoints", 0.0, max(lines, default=0.0), "=", slack, large),
        Claim("regret of the claimed policies between breakpoints", 0.0, max(regrets), "=", slack, large),
    ]


def _jumps(path: PerturbationPath) -> list[Claim]:
    """Left to right of the breakpoints, at the middles of the intervals beside: the least jump, and the mean jumps."""
    jumps, means = [1.0], [0.0]
    both = [item for item in path.breakpoints if item.total_variation is not None]
    for item, left, right in list(zip(both, path.intervals, path.intervals[1:], strict=False))[:MOST_POINTS]:
        if min(left.end - left.start, right.end - right.start) < SHORT:
            continue
        before, after = (_measured_uniform(path, 0.5 * (side.start + side.end)) for side in (left, right))
        shifts = state_tv(path.mdp, before, after)
        jumps += [float(shifts.max()), float(item.total_variation or 0.0)]
        if item.mean_total_variation is not None:
            visits = _visits(path.mdp, before)
            means.append(float(visits @ shifts) / max(float(visits.sum()), 1e-300) - item.mean_total_variation)
    worst = max(means, key=abs)
    return [
        Claim("least jump from one side of a breakpoint to the other", 1.0, min(jumps), "=", 1e-12),
        Claim("its mean over the visits, off the claimed one", 0.0, worst, "=", rounding(path.mdp, 1.0), 1.0),
    ]


def _measured_uniform(path: PerturbationPath, t: float) -> Pairs:
    """The uniform choice from the measured sets at t."""
    mdp = path.mdp
    q, error = measured_q(mdp, path.rewards(t))
    gaps = np.maximum.reduceat(q, mdp.offsets[:-1])[mdp.pair_states] - q
    return uniform_over(mdp, (gaps <= 2.0 * error) | mdp.terminal[mdp.pair_states])


def _visits(mdp: MDP, policy: Pairs) -> States:
    """Discounted visits of states that are not terminal, from the initial distribution, by a dense solve."""
    start = np.zeros(mdp.n_states) if mdp.initial is None else mdp.initial
    chain = np.add.reduceat(policy[:, None] * mdp.transitions.toarray(), mdp.offsets[:-1], axis=0)
    chain = np.where(mdp.terminal[:, None], 0.0, mdp.gamma * chain)
    return np.where(mdp.terminal, 0.0, np.linalg.solve((np.eye(mdp.n_states) - chain).T, start))


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
    most_states=1000,
)
