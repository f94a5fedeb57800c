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
from policycliff.cliffs.phases.optima import NOISE, Candidate, Optima
from policycliff.shapes import Float64
from policycliff.values.exact import rational

RAY_FACTOR = 4
PROGRAMS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The policies found, the envelope of their vectors, and upper bounds on the optimum at its vertices, by name."""

    candidates: tuple[Candidate, ...]
    envelope: Envelope
    uppers: dict[int, fmpq]
    rounds: int
    is_truncated: bool

    def excess(self, index: int) -> fmpq:
        """How far the optimum can be above the envelope at a vertex."""
        return self.uppers[self.envelope.names[index]] - self.envelope.heights[index]


def linear_support(optima: Optima, n: int, *, max_cells: int, max_rounds: int, tolerance: float) -> Support:
    """All vectors that are above the others somewhere by more than the tolerance, up to the caps."""
    first = optima.first(tuple(fmpq(1, n) for _ in range(n)))
    found, envelope = [first], make_envelope(first.vector)
    uppers: dict[int, fmpq] = {}
    solved: list[tuple[Point, fmpq]] = []
    queue, places = deque(envelope.names), _places(envelope)
    while queue:
        name = queue.popleft()
        if name not in places:
            continue
        if len(solved) >= max_rounds or len(found) >= max_cells or len(places) > RAY_FACTOR * max_rounds:
            queue.appendleft(name)
            break
        point, height = envelope.points[places[name]], envelope.heights[places[name]]
        optimum = optima.beyond(point, found[envelope.vectors_at(places[name])[0]], height)
        uppers[name] = optimum.upper
        solved.append((point, optimum.upper))
        new = optimum.candidate
        if new is None or value_at(new.vector, point) - height <= _threshold(new, found, tolerance):
            continue
        known = max(envelope.names)
        envelope = cut(envelope, new.vector)
        found.append(new)
        places = _places(envelope)
        queue.extend(other for other in envelope.names if other > known)
    left = [index for index, name in enumerate(envelope.names) if name not in uppers]
    uppers |= _unsolved(envelope, solved, left)
    return Support(tuple(found), envelope, uppers, len(solved), bool(left))


def _places(envelope: Envelope) -> dict[int, int]:
    return {name: index for index, name in enumerate(envelope.names)}


def _threshold(new: Candidate, found: list[Candidate], tolerance: float) -> fmpq:
    noise = NOISE * max(new.error, *(candidate.error for candidate in found)) if new.error > 0.0 else 0.0
    return rational(max(tolerance, noise))


def _unsolved(envelope: Envelope, solved: list[tuple[Point, fmpq]], left: list[int]) -> dict[int, fmpq]:
    """Upper bounds at vertices that were not solved, by name, from the solved ones by convexity."""
    if not left:
        return {}
    table = np.array([[float(share) for share in point] for point, _ in solved]).reshape(-1, envelope.n_corners)
    costs = np.array([float(top) for _, top in solved])
    corners = {point.index(fmpq(1)): top for point, top in solved if fmpq(1) in point}
    result = {}
    for position, index in enumerate(left):
        point, bound = envelope.points[index], rational(np.finfo(np.float64).max)
        if len(corners) == envelope.n_corners:
            shares = _combination(table, costs, point) if position < PROGRAMS else []
            bound = _checked(solved, corners, shares, point)
        result[envelope.names[index]] = bound
    return result


def _combination(
    table: Float64[np.ndarray, "solved corners"], costs: Float64[np.ndarray, " solved"], point: Point
) -> list[float]:
    """The cheapest combination of solved points that averages to this one, in floats; empty where there is none."""
    target = np.array([float(share) for share in point])
    answer = linprog(costs, A_eq=table.T, b_eq=target, bounds=(0.0, None), method="highs")
    return np.asarray(answer.x).tolist() if answer.status == 0 else []


def _checked(
    solved: list[tuple[Point, fmpq]],
    corners: dict[int, fmpq],
    shares: list[float],
    point: Point,
) -> fmpq:
    """The bound of a combination in fractions; what rounding left over is made up from the corners of the simplex."""
    total, rest = fmpq(0), list(point)
    for weight, (place, top) in zip(shares, solved, strict=False):
        if weight > 0.0:
            # A little less of each, so that the rest is not negative.
            part = rational(weight) * (1 - fmpq(1, 10**7))
            total += part * top
            rest = [entry - part * share for entry, share in zip(rest, place, strict=True)]
    if min(rest) < 0:
        total, rest = fmpq(0), list(point)
    return total + sum((share * corners[j] for j, share in enumerate(rest) if share), fmpq(0))
