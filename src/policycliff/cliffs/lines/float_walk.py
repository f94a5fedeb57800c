"""Breakpoints of a line of rewards in floats, each with a proven bracket.

The walk covers the line with intervals on which one policy is proven optimal; the optimal set is constant on each. What
lies between two of them is a bracket with a breakpoint in it. Exactly one is proven where one pair alone (or copies of
it) reaches zero in the bracket, every other pair is proven worse throughout, and no ties persist to interfere: then
the policy with that pair is the right limit. Everything else is "unresolved", and the walk goes on at the nearest t at
which a policy can be proven optimal.

The optimal set within an unresolved bracket is a superset: the pairs that Proposition 2.4 cannot exclude.

Cost: two evaluations a breakpoint; unresolved ones a few solves more.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from policycliff.cliffs.lines.advantages import Lines, World, crossing_end, make_lines, make_world
from policycliff.cliffs.lines.parts import CERTIFIED, UNRESOLVED, Knot, Piece, Walk
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.operator import UNIT_ROUNDOFF
from policycliff.values.solve import solve

# First step beyond an unresolved breakpoint, relative to the line, and its growth.
FIRST_STEP, GROWTH = 1e-13, 8.0


@dataclass(frozen=True, slots=True)
class Switch:
    """The next policy with where it is proven optimal; `is_single` if exactly one breakpoint lies before it."""

    lines: Lines
    low: float
    is_single: bool


def float_walk(
    mdp: MDP,
    direction: Float64[np.ndarray, " pairs"],
    t_min: float,
    t_max: float,
    *,
    max_breakpoints: int,
) -> Walk:
    """Knots and pieces from t_min to t_max, each knot with a bracket."""
    world = make_world(mdp, direction, t_min, t_max)
    knots: list[Knot] = []
    pieces: list[Piece] = []
    before, position, following = None, t_min, _first(world)
    starts_at_knot = following is None or following.low > t_min
    while position < t_max:
        if before is not None or starts_at_knot:
            knots.append(_knot(world, before, position, following))
            if following is None or len(knots) >= max_breakpoints:
                return Walk(tuple(knots), tuple(pieces), starts_at_knot, is_truncated=following is not None)
        if following is not None:
            before = following.lines
            position = min(before.high, t_max)
            pieces.append(Piece(before.members, before.intercept, before.slope, _piece_status(before)))
            following = _next(world, before, position) if position < t_max else None
    return Walk(tuple(knots), tuple(pieces), starts_at_knot, is_truncated=False)


def _piece_status(lines: Lines) -> str:
    return CERTIFIED if lines.is_certified else UNRESOLVED


def _first(world: World) -> Switch | None:
    """The first policy that can be proven optimal, at t_min if possible."""
    lines = make_lines(world, _greedy(world, world.t_min))
    if lines.low <= world.t_min < lines.high:
        return Switch(lines, world.t_min, is_single=False)
    return _probe(world, world.t_min)


def _next(world: World, lines: Lines, position: float) -> Switch | None:
    """The policy beyond the breakpoint at `position`: by one switch where that is proven, else by probing."""
    pair = int(np.argmin(lines.last))
    end = crossing_end(lines, pair)
    entering = world.alike(pair)
    others = ~(entering | lines.tied)
    is_alone = bool(end < world.t_max and (lines.last[others] > end).all() and lines.is_certified)
    if is_alone and _ties_are_copies(world, lines):
        best = lines.best.copy()
        best[world.owners[pair]] = pair
        after = make_lines(world, best)
        if after.is_certified and end < min(after.high, world.t_max):
            return Switch(after, end, is_single=True)
    return _probe(world, position)


def _ties_are_copies(world: World, lines: Lines) -> bool:
    """Whether every tied pair does the same as the policy's own, so that the tie survives any change elsewhere."""
    own = lines.best[world.owners]
    return bool((~lines.tied | (world.kinds == world.kinds[own])).all())


def _probe(world: World, position: float) -> Switch | None:
    """The policy proven optimal nearest to the right of `position`; None if there is none before t_max."""
    step = FIRST_STEP * max(world.t_max - world.t_min, abs(position))
    while position + step < world.t_max:
        t = position + step
        lines = make_lines(world, _greedy(world, t))
        if max(lines.low, position) <= t < lines.high:
            return Switch(lines, max(lines.low, position), is_single=False)
        step *= GROWTH
    return None


def _greedy(world: World, t: float) -> Int64[np.ndarray, " states"]:
    """The policy of a float solve at t, one pair a state."""
    mdp = world.mdp.with_rewards(world.mdp.rewards + t * world.direction)
    return np.flatnonzero(solve(mdp, tolerance=1e-13).policy)


def _knot(world: World, before: Lines | None, position: float, following: Switch | None) -> Knot:
    """The breakpoint between two policies."""
    end = world.t_max if following is None else following.low
    t = position if before is None or following is None else _guess(before, position, end)
    known = before if before is not None else following.lines if following is not None else None
    level = 0.0 if known is None else known.intercept + known.slope * t
    is_single = before is not None and following is not None and following.is_single
    if before is not None and following is not None and is_single:
        members = frozen(before.members | following.lines.members)
    else:
        members = _near(world, position, end)
    status = CERTIFIED if is_single else UNRESOLVED
    return Knot(Fraction(position), Fraction(end), Fraction(t), members, level, status)


def _guess(before: Lines, position: float, end: float) -> float:
    """Where the entering pair reaches zero, kept within the bracket."""
    pair = int(np.argmin(before.last))
    return min(max(float(-before.c0[pair] / before.c1[pair]), position), end)


def _near(world: World, position: float, end: float) -> Bool[np.ndarray, " pairs"]:
    """Pairs that can be optimal somewhere between: Q-values move by at most |t - position| |direction| A (Prop 2.4)."""
    mdp = world.mdp.with_rewards(world.mdp.rewards + position * world.direction)
    solution = solve(mdp, tolerance=1e-13)
    push = float(np.abs(world.direction).max())
    moved = (end - position) * push * world.amplification
    # R + t * direction is rounded when it is formed.
    size = float(np.abs(world.mdp.rewards).max()) + abs(position) * push
    formed = 4.0 * UNIT_ROUNDOFF * size * world.amplification
    room = 2.0 * (solution.error_bound + moved + formed) * (1.0 + 1e-9)
    return frozen(solution.q_values >= solution.values[world.owners] - room)
