"""Linear support: the envelope of the optimum over all mixtures, found at its own corners.

Start with the optimal policy of one mixture. The envelope U of the vectors found so far is below the optimal value V*;
solve the MDP at a vertex of U. If its optimum is above U, the new vector cuts the vertex off. Once no vertex is left,
V* = U everywhere: on a cell U is linear, V* convex, and both agree at the cell's vertices. Each solve either confirms a
vertex of the final envelope or finds a vector, so there are at most as many solves as vertices and vectors together.

In floats the same argument gives a bound: if V* <= U + e at the vertices of a cell, then V* <= U + e on the cell. A
vector is taken only where it gains more than rounding, so that noise makes no cells.

If a cap stops it, V* at a vertex that was not solved is bounded by what convexity leaves: the least combination of
solved mixtures that averages to it (a linear program; its solution is checked, not trusted).

Source: Cheng (1988), linear support; Roijers (2016), optimistic linear support, whose corner weights these are.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from flint import fmpq
from scipy.optimize import linprog

from policycliff.cliffs.phases.envelope import Envelope, Point, cut, make_envelope, value_at
from policycliff.cliffs.phases.optima import Candidate, Optima
from policycliff.values.exact import rational

NOISE = 4.0
RAY_FACTOR = 4
PROGRAMS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The policies found, the envelope of their vectors, and upper bounds on the optimum at its vertices."""

    candidates: tuple[Candidate, ...]
    envelope: Envelope
    uppers: dict[Point, fmpq]
    rounds: int
    is_truncated: bool

    def excess(self, index: int) -> fmpq:
        """How far the optimum can be above the envelope at a vertex."""
        return self.uppers[self.envelope.points[index]] - self.envelope.heights[index]


def linear_support(optima: Optima, n: int, *, max_cells: int, max_rounds: int, tolerance: float) -> Support:
    """All vectors that are above the others somewhere by more than the tolerance, up to the caps."""
    first = optima.at(tuple(fmpq(1, n) for _ in range(n)), None).candidate
    found, envelope = [first], make_envelope(first.vector)
    uppers: dict[Point, fmpq] = {}
    queue = deque(envelope.points)
    places = {point: index for index, point in enumerate(envelope.points)}
    while queue:
        point = queue.popleft()
        if point not in places or point in uppers:
            continue
        if len(uppers) >= max_rounds or len(found) >= max_cells or len(envelope.points) > RAY_FACTOR * max_rounds:
            break
        index = places[point]
        optimum = optima.at(point, found[envelope.vectors_at(index)[0]])
        uppers[point] = optimum.upper
        new = optimum.candidate
        gain = value_at(new.vector, point) - envelope.heights[index]
        if gain <= _threshold(new, found, tolerance):
            continue
        before = places
        envelope = cut(envelope, new.vector)
        found.append(new)
        places = {other: index for index, other in enumerate(envelope.points)}
        queue.extend(other for other in places if other not in before)
    left = [point for point in envelope.points if point not in uppers]
    _bound_unsolved(envelope, uppers, left)
    return Support(tuple(found), envelope, uppers, len(uppers) - len(left), bool(left))


def _threshold(new: Candidate, found: list[Candidate], tolerance: float) -> fmpq:
    noise = NOISE * max(new.error, max(candidate.error for candidate in found)) if new.error > 0.0 else 0.0
    return rational(max(tolerance, noise))


def _bound_unsolved(envelope: Envelope, uppers: dict[Point, fmpq], left: list[Point]) -> None:
    """Upper bounds at vertices that were not solved, from the solved ones by convexity."""
    if not left:
        return
    solved = list(uppers)
    table = np.array([[float(share) for share in point] for point in solved]).reshape(-1, envelope.n_corners)
    tops = [uppers[point] for point in solved]
    costs = np.array([float(top) for top in tops])
    spanned = table.size > 0 and bool((table.max(axis=0) == 1.0).all())
    for position, point in enumerate(left):
        bound = None
        if spanned:
            shares = _combination(table, costs, point) if position < PROGRAMS else None
            bound = _checked(solved, tops, shares, point)
        uppers[point] = rational(np.finfo(np.float64).max) if bound is None else bound


def _combination(table: np.ndarray, costs: np.ndarray, point: Point) -> np.ndarray | None:
    """The cheapest combination of solved points that averages to this one, in floats."""
    target = np.array([float(share) for share in point])
    answer = linprog(costs, A_eq=table.T, b_eq=target, bounds=(0.0, None), method="highs")
    return np.maximum(answer.x, 0.0) if answer.status == 0 else None


def _checked(solved: list[Point], tops: list[fmpq], shares: np.ndarray | None, point: Point) -> fmpq:
    """The bound of a combination in fractions; what rounding left over is made up from the corners of the simplex."""
    total, rest = fmpq(0), list(point)
    if shares is not None:
        # A little less of each, so that the rest is not negative.
        for weight, place, top in zip(shares.tolist(), solved, tops, strict=True):
            if weight > 0.0:
                part = rational(weight) * (1 - fmpq(1, 10**7))
                total += part * top
                rest = [entry - part * share for entry, share in zip(rest, place, strict=True)]
    if min(rest) < 0:
        total, rest = fmpq(0), list(point)
    corners = {place.index(fmpq(1)): top for place, top in zip(solved, tops, strict=True) if fmpq(1) in place}
    return total + sum((share * corners[j] for j, share in enumerate(rest) if share), fmpq(0))
