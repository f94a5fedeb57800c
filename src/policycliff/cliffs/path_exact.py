"""All breakpoints of a line of rewards, in fractions.

For a policy pi the advantage of every pair is a line, c0 + t c1, with c0 its advantage under R0 and c1 that under the
direction. If pi is optimal somewhere on an open interval between breakpoints, the optimal set there is {c0 = c1 = 0},
and the interval ends at the least -c0 / c1 over the pairs with c1 > 0 (the ratio test). There the optimal set is
{c0 + t c1 = 0}; among its policies those that are best for the direction are the optimal ones just right of it. All
numbers are taken from the current policy alone, so fractions do not grow along the walk.

Cost: policy iteration on the restricted MDP at each breakpoint, usually two or three solves.
"""

from fractions import Fraction

import numpy as np
from flint import fmpq
from jaxtyping import Bool, Float64

from policycliff.cliffs.path_parts import EXACT, Knot, Piece, Walk
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.values.exact import ExactMDP, Rationals, make_exact, rational, rationals
from policycliff.values.solve import solve

Lines = list[tuple[fmpq, fmpq]]
"""Advantages of all pairs as lines (c0, c1)."""


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
    best, members = optimum_at(exact, rewards, t)
    knots: list[Knot] = []
    pieces: list[Piece] = []
    starts_at_knot = False
    while True:
        best = right_limit(exact, rewards[1], best, members)
        lines, level, slope = _lines(exact, rewards, best)
        inside = frozen(np.array([c0 == 0 and c1 == 0 for c0, c1 in lines]))
        if not np.array_equal(inside, members):
            starts_at_knot |= not pieces
            knots.append(_knot(t, members, level + slope * t))
        if len(knots) >= max_breakpoints:
            return Walk(tuple(knots), tuple(pieces), starts_at_knot, is_truncated=True)
        pieces.append(Piece(inside, _float(level), _float(slope), EXACT))
        following = min((-c0 / c1 for c0, c1 in lines if c1 > 0), default=None)
        if following is None or following > end:
            break
        t, members = following, frozen(np.array([c0 + following * c1 == 0 for c0, c1 in lines]))
        if t == end:
            knots.append(_knot(t, members, level + slope * t))
            break
    return Walk(tuple(knots), tuple(pieces), starts_at_knot, is_truncated=False)


def optimum_at(
    exact: ExactMDP, rewards: tuple[Rationals, Rationals], t: fmpq
) -> tuple[list[int], Bool[np.ndarray, " pairs"]]:
    """An optimal policy, as one pair a state, and the optimal set of R0 + t * direction."""
    mdp = exact.mdp
    here = [fixed + t * change for fixed, change in zip(*rewards, strict=True)]
    start = _first_guess(mdp, np.array([_float(reward) for reward in here]))
    best, values, q = exact.optimise(here, start)
    return best, frozen(np.array([q[pair] == values[state] for pair, state in enumerate(mdp.pair_states.tolist())]))


def right_limit(
    exact: ExactMDP, direction: Rationals, best: list[int], members: Bool[np.ndarray, " pairs"]
) -> list[int]:
    """The policy among these optimal pairs that is best for the direction, one pair a state."""
    return exact.optimise(direction, best, allowed=members.tolist())[0]


def _first_guess(mdp: MDP, rewards: Float64[np.ndarray, " pairs"]) -> list[int]:
    """A policy that is optimal up to rounding, from which policy iteration has little left to do."""
    q = solve(mdp.with_rewards(rewards), tolerance=1e-9).q_values
    best = [int(np.argmax(block)) for block in np.split(q, mdp.offsets[1:-1])]
    return (np.array(best) + mdp.offsets[:-1]).tolist()


def _lines(exact: ExactMDP, rewards: tuple[Rationals, Rationals], best: list[int]) -> tuple[Lines, fmpq, fmpq]:
    """Advantages of a policy as lines, and its return from the initial distribution (0 without one) as a line."""
    values = exact.values(best, rewards)
    owners = exact.mdp.pair_states.tolist()
    columns = []
    for value, reward in zip(values, rewards, strict=True):
        q = exact.q_values(value, reward)
        columns.append([q[pair] - value[state] for pair, state in enumerate(owners)])
    start = [] if exact.mdp.initial is None else rationals(exact.mdp.initial)
    level, slope = (sum((p * v for p, v in zip(start, value, strict=False)), fmpq(0)) for value in values)
    return list(zip(*columns, strict=True)), level, slope


def _knot(t: fmpq, members: Bool[np.ndarray, " pairs"], value: fmpq) -> Knot:
    where = as_fraction(t)
    return Knot(where, where, where, members, _float(value), EXACT)


def as_fraction(number: fmpq) -> Fraction:
    """A FLINT fraction as one of Python's."""
    return Fraction(int(number.p), int(number.q))


def _float(number: fmpq) -> float:
    """The nearest float."""
    return float(as_fraction(number))
