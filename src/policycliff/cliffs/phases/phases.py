"""The phase diagram of a mixture of rewards: which policy is optimal for which weights (beyond the paper: Result 3).

Theory. With rewards R_1, ..., R_K and constant weights w a policy returns w . v, v its vector of returns. The optimal
value V*(w) = max w . v over policies is convex and piecewise linear: the simplex of weights falls into convex
polytopes, the cells, one a value vector. Several policies may share a vector. With weights w_k(s) the same holds on
the line, triangle or simplex between given weight functions.

What a cell means is a choice. "start": optimal from the initial distribution. "everywhere": optimal in every state,
which is finer: a wall where only states change that the policy does not visit is no wall for the return. The second is
the first with every state counted: sum_s V*(s, w) is linear exactly where each V*(s, w) is, being convex, and a policy
attains the sum exactly if it is optimal in every state.

Method: linear support in fractions, or in floats with a bound on what any policy can gain in a cell; the geometry is
in fractions either way. Small cells that gain less than the float error are missed, which the bound covers.

Cost: a solve for each vertex and each cell; the vertices can be many with five or more rewards, and the cells
superpolynomially many with two (Result 2): `max_cells` and `max_rounds` cap them.

Sources: Roijers, Vamplew, Whiteson and Dazeley (2013), a survey; Cheng (1988); paper, sections 4.1 and 6.3.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

from policycliff.cliffs.lines.arguments import check_exact, use_exact
from policycliff.cliffs.phases.cells import EVERYWHERE, START, make_cell, make_regions, make_walls
from policycliff.cliffs.phases.envelope import value_at
from policycliff.cliffs.phases.nearest import NearestWall, nearest_wall
from policycliff.cliffs.phases.optima import ExactOptima, Optima, make_exact_optima, make_float_optima
from policycliff.cliffs.phases.parts import EXACT, UNRESOLVED, Cell, Wall, as_fraction
from policycliff.cliffs.phases.slices import Slice, make_slice
from policycliff.cliffs.phases.support import linear_support
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, as_number, check_choice, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.occupancy import start_distribution
from policycliff.shapes import Float64

TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixturePhases:
    """Which policy is optimal for which mixture.

    Attributes:
        slice: the mixtures: corners, and what is fixed.
        scope: "start" (optimal from the initial distribution) or "everywhere" (optimal in every state).
        cells: the cells, in the order in which they were found.
        walls: where two cells meet.
        vertices: (v, n) all corners of cells, as shares.
        nearest: the nearest wall to the weights in use; None without them.
        in_use: (n,) the weights in use as shares of the corners; None without them.
        planes: (cells, n) what is compared: shares . plane is the value that a cell offers ("everywhere": summed over
            the states), as fractions of what was computed.
        wall_vectors: value vectors that were met and are optimal only on walls.
        error_bound: no policy gains more than this on the computed cells, at any mixture; 0 if exact.
        rounds: mixtures that were solved.
        arithmetic: "exact" or "float".
        status: "exact"; "certified" (float; all cells up to `error_bound`); "unresolved" (the same, and in some cell
            the optimal sets are not settled) or "truncated" (stopped at a cap; `error_bound` still holds).
    """

    slice: Slice
    scope: str
    cells: tuple[Cell, ...]
    walls: tuple[Wall, ...]
    vertices: Float64[np.ndarray, "vertices corners"]
    nearest: NearestWall | None
    in_use: Float64[np.ndarray, " corners"] | None
    planes: tuple[tuple[Fraction, ...], ...]
    wall_vectors: int
    error_bound: float
    rounds: int
    arithmetic: str
    status: str

    def cells_at(self, weights: Any) -> tuple[int, ...]:
        """The cells that hold these weights: one inside, several on a wall.

        Args:
            weights: (K,) weights of the components, or (n,) shares of given weight functions.

        Raises:
            InvalidInputError: wrong length, negative, or a sum that is not 1.
        """
        point = self.slice.shares(weights)
        levels = [
            value_at(tuple(fmpq(entry.numerator, entry.denominator) for entry in row), point) for row in self.planes
        ]
        top = max(levels)
        return tuple(cell for cell, level in enumerate(levels) if level == top)

    def weights(self, shares: Any) -> Float64[np.ndarray, "*shape"]:
        """(K,) or (K, S) the component weights at these shares of the corners."""
        return self.slice.weights(shares)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "scope": self.scope,
            "components": len(self.slice.components),
            "corners": self.slice.corners.tolist(),
            "free": list(self.slice.free),
            "cells": [cell.to_dict() for cell in self.cells],
            "walls": [wall.to_dict() for wall in self.walls],
            "vertices": self.vertices.tolist(),
            "nearest": None if self.nearest is None else self.nearest.to_dict(),
            "in_use": None if self.in_use is None else self.in_use.tolist(),
            "wall_vectors": self.wall_vectors,
            "error_bound": self.error_bound if np.isfinite(self.error_bound) else None,
            "rounds": self.rounds,
            "arithmetic": self.arithmetic,
            "status": self.status,
        }

    def __repr__(self) -> str:
        largest = sorted((cell.share for cell in self.cells), reverse=True)
        shown = ", ".join(f"{100.0 * share:.4g}" for share in largest[:6]) + (", ..." if len(largest) > 6 else "")
        near = "" if self.nearest is None else f"; {self.nearest!r}"
        return (
            f"MixturePhases({len(self.slice.components)} rewards, {self.slice.n_corners} corners, optimal "
            f"{'from the start' if self.scope == START else 'everywhere'}, {self.status}: {len(self.cells)} cells "
            f"({shown} %), {len(self.walls)} walls, {self.rounds} solves{near})"
        )


def mixture_phases(
    mdp: MDP,
    rewards: Any,
    *,
    weights: Any = None,
    scope: str = START,
    fixed: Any = None,
    corners: Any = None,
    norm: str = "1",
    exact: bool | str = "auto",
    tolerance: float = 0.0,
    max_cells: int = 1000,
    max_rounds: int = 20_000,
) -> MixturePhases:
    """The cells of the weights of K rewards, their walls, and the nearest wall to the weights in use (Result 3).

    Args:
        mdp: the MDP; its own reward plays no part.
        rewards: K components, (K, pairs) or (K, S, A), 0 at terminal states.
        weights: (K,) weights in use, at least 0 and with sum 1; (n,) shares where `corners` are given.
        scope: "start" (optimal from the initial distribution) or "everywhere" (optimal in every state).
        fixed: {component: weight} that do not move; the other components share the rest.
        corners: (n, K) or (n, K, S) weights: the slice between these, for weights that depend on the state.
        norm: "inf", "1" or "2", in which the nearest wall is nearest.
        exact: True for fractions (up to 200 states; 20,000 where the MDP is acyclic), False for floats with a bound,
            "auto" for fractions up to 60 states (3000 where acyclic).
        tolerance: cells that gain at most this are left out; 0 keeps all.
        max_cells: stop after so many.
        max_rounds: stop after so many solves.

    Returns:
        A `MixturePhases`.

    Raises:
        InvalidInputError: weights that do not sum to 1, rewards of different lengths, an argument out of range, scope
            "start" without an initial distribution, or an MDP that is too large for `exact`.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, mixture_phases
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[0.0, 0.0, 0.0]], 0.0, initial=[1.0])
        >>> phases = mixture_phases(bandit, [[[3.0, 2.0, 0.0]], [[0.0, 2.0, 3.0]]], weights=[0.75, 0.25])
        >>> [cell.share for cell in phases.cells]
        [0.333..., 0.333..., 0.333...]
        >>> phases.nearest.direction.round(6)
        array([-0.083333,  0.083333])
    """
    check_mdp(mdp)
    part = make_slice(mdp, rewards, weights=weights, fixed=fixed, corners=corners)
    _check(mdp, scope=scope, norm=norm, exact=exact, tolerance=tolerance, caps=(max_cells, max_rounds))
    optima = _make_optima(part, scope=scope, exact=use_exact(mdp, exact=exact))
    support = linear_support(
        optima, part.n_corners, max_cells=max_cells, max_rounds=max_rounds, tolerance=float(tolerance)
    )
    regions = make_regions(support, optima, scope=scope)
    cells = tuple(make_cell(region, support, optima, scope=scope) for region in regions)
    is_exact = isinstance(optima, ExactOptima)
    settled = UNRESOLVED if any(cell.status == UNRESOLVED for cell in cells) else "certified"
    return MixturePhases(
        slice=part,
        scope=scope,
        cells=cells,
        walls=make_walls(regions, support, optima, scope=scope),
        vertices=frozen(np.array([[float(share) for share in point] for point in support.envelope.points])),
        nearest=nearest_wall(part, regions, norm=norm, exact=is_exact),
        in_use=None if part.in_use is None else frozen(np.array([float(share) for share in part.in_use])),
        planes=tuple(tuple(as_fraction(entry) for entry in region.candidate.vector) for region in regions),
        wall_vectors=len(support.candidates) - len(regions),
        error_bound=max(cell.error_bound for cell in cells),
        rounds=support.rounds,
        arithmetic="exact" if is_exact else "float",
        status=TRUNCATED if support.is_truncated else EXACT if is_exact else settled,
    )


def _make_optima(part: Slice, *, scope: str, exact: bool) -> Optima:
    mdp = part.mdp
    start = start_distribution(mdp) if scope == START else (~mdp.terminal).astype(np.float64)
    rough = part.float_rewards()
    if exact:
        return make_exact_optima(mdp, part.exact_rewards(), rough, start.tolist())
    return make_float_optima(mdp, rough, start)


def _check(mdp: MDP, *, scope: str, norm: str, exact: bool | str, tolerance: float, caps: tuple[int, int]) -> None:
    """Raise unless every option is in range."""
    check_choice("scope", scope, (START, EVERYWHERE))
    check_choice("norm", norm, ("inf", "1", "2"))
    check_exact(mdp, exact=exact)
    if not 0.0 <= as_number("tolerance", tolerance) < np.inf:
        raise fail(got=f"tolerance = {tolerance!r}", expected="a number of at least 0", remedy="Leave it out.")
    for name, cap in zip(("max_cells", "max_rounds"), caps, strict=True):
        if as_integer(name, cap) < 1:
            raise fail(got=f"{name} = {cap}", expected="1 or more", remedy="Leave it out.")
    if scope == START:
        start_distribution(mdp)
