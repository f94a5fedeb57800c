"""The nearest wall to the weights in use: how far the weights are from another policy, and in which direction.

From shares p in the cell of vector v, the least change d with sum 0 and p + d >= 0 after which another vector is as
good: d . (v' - v) >= p . (v - v'). One convex problem a vector, solved as for `stability_radius(moving="weights")`;
the least of them is the distance, for a cell ends where the first other vector takes over.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq

from policycliff.cliffs.phases.cells import Region, switching_states
from policycliff.cliffs.phases.envelope import Point, value_at
from policycliff.cliffs.phases.slices import Slice
from policycliff.cliffs.radius.result import finite
from policycliff.cliffs.radius.weight_moves import Move, cheapest_move, dual_norm, size
from policycliff.mdp.compilation import frozen
from policycliff.shapes import Float64, Int64

ROUNDING = 2.0**-40
EXACT, CERTIFIED, TIED, UNRESOLVED = "exact", "certified", "tied", "unresolved"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NearestWall:
    """The least change of the weights after which another cell begins.

    Attributes:
        distance: its norm; 0 on a wall, inf where there is one cell only.
        bracket: (low, high), which contains it; as wide as rounding and the solver's error make it.
        norm: "inf", "1" or "2", of the change of the component weights (of the shares, for given weight functions).
        direction: (K,) that change (or (n,) of the shares); zeros if there is none.
        arrival: the weights on the wall.
        cell: the cell of the weights in use.
        neighbour: the cell that takes over, -1 if there is none.
        states: states in which the two cells have no optimal action in common.
        status: "exact", "certified" (float: beyond `bracket[1]` the cell's policy is not optimal; within `bracket[0]`
            it is, up to the cell's `error_bound`), "tied" (on a wall) or "unresolved" (floats cannot decide that).
    """

    distance: float
    bracket: tuple[float, float]
    norm: str
    direction: Float64[np.ndarray, " components"]
    arrival: Float64[np.ndarray, " components"]
    cell: int
    neighbour: int
    states: Int64[np.ndarray, " some"]
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "distance": finite(self.distance),
            "bracket": [finite(end) for end in self.bracket],
            "norm": self.norm,
            "direction": self.direction.tolist(),
            "arrival": self.arrival.tolist(),
            "cell": self.cell,
            "neighbour": self.neighbour,
            "states": self.states.tolist(),
            "status": self.status,
        }

    def __repr__(self) -> str:
        there = "no other cell" if self.neighbour < 0 else f"to cell {self.neighbour}, {self.states.size} states switch"
        return (
            f"NearestWall({self.distance:.6g} in the {self.norm}-norm of the weights, {self.status}: from cell "
            f"{self.cell}, {there})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Rival:
    """Another vector: what each share gains, how much has to be gained, and how well that is known."""

    cell: int
    gains: Float64[np.ndarray, " corners"]
    gap: float
    slack: float


def nearest_wall(part: Slice, regions: list[Region], *, norm: str, exact: bool) -> NearestWall | None:
    """The nearest wall; None without weights in use."""
    if part.in_use is None:
        return None
    point, settled = part.in_use, EXACT if exact else CERTIFIED
    levels = [value_at(region.candidate.vector, point) for region in regions]
    here = max(range(len(regions)), key=lambda cell: (levels[cell], -cell))
    rivals = [_rival(regions, here, cell, levels) for cell in range(len(regions)) if cell != here]
    if not rivals:
        return _result(part, regions, here, None, norm=norm, status=settled)
    tied = [rival for rival in rivals if rival.gap <= rival.slack]
    if tied:
        status = TIED if exact else UNRESOLVED
        zero = np.zeros((1, part.n_corners))
        high = 0.0 if status == TIED else max(_move(rival, point, norm, widen=1.0).high for rival in tied)
        found = (tied[0].cell, Move(0.0, high, zero))
        return _result(part, regions, here, found, norm=norm, status=status)
    return _result(part, regions, here, _least(rivals, point, norm), norm=norm, status=settled)


def _least(rivals: list[_Rival], point: Point, norm: str) -> tuple[int, Move]:
    """The rival that is reached first, with the interval of the distance."""
    floors = [rival.gap / max(float(dual_norm(rival.gains, norm)), 1e-300) for rival in rivals]
    best: tuple[int, Move] | None = None
    low = np.inf
    for position in np.argsort(floors, kind="stable").tolist():
        if best is not None and floors[position] * (1.0 - 1e-9) > best[1].high:
            break
        rival = rivals[position]
        low = min(low, _move(rival, point, norm, widen=-1.0).low)
        move = _move(rival, point, norm, widen=1.0)
        if best is None or move.high < best[1].high:
            best = (rival.cell, move)
    if best is None:
        raise TypeError("no rival")
    cell, move = best
    exact_move = _move(next(rival for rival in rivals if rival.cell == cell), point, norm, widen=0.0)
    return cell, Move(min(low, move.high), move.high, exact_move.delta)


def _move(rival: _Rival, point: Point, norm: str, *, widen: float) -> Move:
    weights = np.array([[float(share) for share in point]])
    target = max(rival.gap + widen * rival.slack, np.finfo(np.float64).tiny)
    return cheapest_move(rival.gains[None, :], weights, target=target, norm=norm)


def _rival(regions: list[Region], here: int, cell: int, levels: list[fmpq]) -> _Rival:
    one, other = regions[here].candidate, regions[cell].candidate
    gains = np.array([float(b - a) for a, b in zip(one.vector, other.vector, strict=True)])
    gap = float(levels[here] - levels[cell])
    # The float problem rounds relative to the gap; an exact 0 stays 0.
    return _Rival(cell, gains, gap, one.error + other.error + ROUNDING * gap)


def _result(
    part: Slice, regions: list[Region], here: int, found: tuple[int, Move] | None, *, norm: str, status: str
) -> NearestWall:
    """In units of the component weights, where single components are the corners."""
    mass = float(part.mass)
    point = np.array([float(share) for share in part.in_use or ()])
    delta = np.zeros(part.n_corners) if found is None else found[1].delta[0]
    direction, arrival = mass * delta, point + delta
    if part.free:
        direction = np.zeros(len(part.components))
        direction[list(part.free)] = mass * delta
        arrival = part.weights(point + delta)
    neighbour = -1 if found is None else found[0]
    low, high = (np.inf, np.inf) if found is None else (mass * found[1].low, mass * found[1].high)
    distance = float(np.clip(size(direction[None, :], norm), low, high)) if found is not None else np.inf
    states = np.array([], np.int64) if found is None else switching_states(regions[here], regions[neighbour], part.mdp)
    return NearestWall(
        distance=distance,
        bracket=(low, high),
        norm=norm,
        direction=frozen(direction),
        arrival=frozen(arrival),
        cell=here,
        neighbour=neighbour,
        states=frozen(states),
        status=status,
    )
