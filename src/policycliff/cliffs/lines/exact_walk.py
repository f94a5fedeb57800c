"""All breakpoints of a line of rewards, in fractions.

For a policy pi the advantage of every pair is a line, c0 + t c1, with c0 its advantage under R0 and c1 that under the
direction. If pi is optimal somewhere on an open interval between breakpoints, the optimal set there is {c0 = c1 = 0},
and the interval ends at the least -c0 / c1 over the pairs with c1 > 0 (the ratio test). There the optimal set is
{c0 + t c1 = 0}; among its policies those that are best for the direction are the optimal ones just right of it. All
numbers are taken from the current policy alone, so fractions do not grow along the walk.

Cost: policy iteration on the restricted MDP at each breakpoint, usually one or two solves.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq

from policycliff.cliffs.lines.parts import EXACT, Knot, Piece, Walk
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64
from policycliff.values.exact import ExactMDP, Rationals, make_exact, rational, rationals
from policycliff.values.solve import solve

Reward = tuple[Rationals, Rationals]
"""R0 and the direction, over pairs."""


@dataclass(frozen=True, slots=True)
class PolicyLines:
    """A policy as one pair a state; advantages of all pairs and its return (0 without initial states) as lines in t."""

    best: list[int]
    advantages: list[tuple[fmpq, fmpq]]
    intercept: fmpq
    slope: fmpq

    def inside(self) -> Bool[np.ndarray, " pairs"]:
        """The optimal set on an open interval on which the policy is optimal."""
        return frozen(np.array([c0 == 0 and c1 == 0 for c0, c1 in self.advantages]))

    def at(self, t: fmpq) -> Bool[np.ndarray, " pairs"]:
        """The optimal set at a t at which the policy is optimal."""
        return frozen(np.array([c0 == -t * c1 for c0, c1 in self.advantages]))

    def next_crossing(self) -> fmpq | None:
        """The first t beyond at which another pair is as good; None if there is none."""
        return min((-c0 / c1 for c0, c1 in self.advantages if c1 > 0), default=None)


def exact_walk(
    mdp: MDP,
    direction: Float64[np.ndarray, " pairs"],
    t_min: float,
    t_max: float,
    *,
    max_breakpoints: int,
) -> Walk:
    """Knots and pieces from t_min to t_max, without error."""
    exact = make_exact(mdp)
    rewards = (rationals(mdp.rewards), rationals(direction))
    t, end = rational(t_min), rational(t_max)
    lines, members = optimum_at(exact, rewards, t)
    knots: list[Knot] = []
    pieces: list[Piece] = []
    starts_at_knot = False
    while True:
        lines = right_limit(exact, rewards, lines, members)
        inside = lines.inside()
        if not np.array_equal(inside, members):
            starts_at_knot |= not pieces
            knots.append(_knot(t, members, lines))
        if len(knots) >= max_breakpoints:
            return Walk(tuple(knots), tuple(pieces), starts_at_knot, is_truncated=True)
        pieces.append(Piece(inside, _float(lines.intercept), _float(lines.slope), EXACT))
        following = lines.next_crossing()
        if following is None or following > end:
            break
        t, members = following, lines.at(following)
        if t == end:
            knots.append(_knot(t, members, lines))
            break
    return Walk(tuple(knots), tuple(pieces), starts_at_knot, is_truncated=False)


def optimum_at(exact: ExactMDP, rewards: Reward, t: fmpq) -> tuple[PolicyLines, Bool[np.ndarray, " pairs"]]:
    """An optimal policy and the optimal set of R0 + t * direction."""
    here = [fixed + t * change for fixed, change in zip(*rewards, strict=True)]
    start = _first_guess(exact.mdp, np.array([_float(reward) for reward in here]))
    lines = policy_lines(exact, rewards, exact.optimise(here, start)[0])
    return lines, lines.at(t)


def right_limit(
    exact: ExactMDP, rewards: Reward, lines: PolicyLines, members: Bool[np.ndarray, " pairs"]
) -> PolicyLines:
    """The policy among these optimal pairs that is best for the direction: policy iteration on the slopes."""
    offsets, allowed = exact.mdp.offsets.tolist(), members.tolist()
    while True:
        better = list(lines.best)
        for state, current in enumerate(lines.best):
            choices = [pair for pair in range(offsets[state], offsets[state + 1]) if allowed[pair]]
            top = max(choices, key=lambda pair: lines.advantages[pair][1])
            better[state] = top if lines.advantages[top][1] > 0 else current
        if better == lines.best:
            return lines
        lines = policy_lines(exact, rewards, better)


def policy_lines(exact: ExactMDP, rewards: Reward, best: list[int]) -> PolicyLines:
    """Evaluate a policy under the reward and under the direction."""
    values = exact.values(best, rewards)
    owners = exact.mdp.pair_states.tolist()
    columns = []
    for value, reward in zip(values, rewards, strict=True):
        q = exact.q_values(value, reward)
        columns.append([q[pair] - value[state] for pair, state in enumerate(owners)])
    start = [] if exact.mdp.initial is None else rationals(exact.mdp.initial)
    intercept, slope = (sum((p * v for p, v in zip(start, value, strict=False)), fmpq(0)) for value in values)
    return PolicyLines(best, list(zip(*columns, strict=True)), intercept, slope)


def _first_guess(mdp: MDP, rewards: Float64[np.ndarray, " pairs"]) -> list[int]:
    """A policy that is optimal up to rounding, from which policy iteration has little left to do."""
    q = solve(mdp.with_rewards(rewards), tolerance=1e-9).q_values
    best = [int(np.argmax(block)) for block in np.split(q, mdp.offsets[1:-1])]
    return (np.array(best) + mdp.offsets[:-1]).tolist()


def _knot(t: fmpq, members: Bool[np.ndarray, " pairs"], lines: PolicyLines) -> Knot:
    where = as_fraction(t)
    return Knot(where, where, where, members, _float(lines.intercept + t * lines.slope), EXACT)


def as_fraction(number: fmpq) -> Fraction:
    """A FLINT fraction as one of Python's."""
    return Fraction(int(number.p), int(number.q))


def _float(number: fmpq) -> float:
    """The nearest float."""
    return float(as_fraction(number))
