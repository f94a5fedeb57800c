"""Cells and walls from the envelope: which policies attain them, how many, and which states switch.

A vector has a cell of full dimension if its vertices span the simplex; two cells meet in a wall if their common
vertices span one dimension less. Inside a cell all policies that are optimal have its vector, for a linear
function that is largest at an interior point is constant. At "everywhere" the optimal set of every state is constant in
the cell. On a wall policies may mix the sets of both sides; those are optimal there and nowhere around it.
"""

from dataclasses import dataclass
from math import log, prod

import numpy as np
from flint import fmpq

from policycliff.actions.kernels import UNRESOLVED as OPEN
from policycliff.actions.optimal import optimal_actions
from policycliff.cliffs.degeneracy.optimal_sets import reached_within
from policycliff.cliffs.phases.envelope import Point, spans
from policycliff.cliffs.phases.optima import Candidate, ExactOptima, Optima
from policycliff.cliffs.phases.parts import CERTIFIED, EXACT, UNRESOLVED, Cell, Wall, as_fraction
from policycliff.cliffs.phases.shapes import interior_point, ordered, volume_share, wall_point
from policycliff.cliffs.phases.support import Support
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Float64, Int64
from policycliff.values.evaluation import evaluate
from policycliff.values.solve import solve, tight_tolerance

START, EVERYWHERE = "start", "everywhere"
# In floats a wall that is shorter than this is an artefact of rounding where more than two cells meet.
SHORT_WALL = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A cell while it is being made: its vertices, its candidate, its optimal sets, and the states they lead to."""

    index: int
    points: list[Point]
    candidate: Candidate
    members: Bool[np.ndarray, " pairs"]
    reached: Bool[np.ndarray, " states"]
    status: str


def make_regions(support: Support, optima: Optima, *, scope: str) -> list[Region]:
    """The regions of full dimension, in the order in which they were found."""
    envelope, result = support.envelope, []
    vectors = [candidate.vector for candidate in support.candidates]
    for index, candidate in enumerate(support.candidates):
        points = [envelope.points[corner] for corner in envelope.corners_of(index)]
        if not spans(points, envelope.n_corners):
            continue
        points = ordered(points)
        inside = interior_point(points, vectors, candidate.vector)
        holder, members, status = optimal_at(optima, inside, candidate, scope=scope)
        reached = _reached(optima.mdp, members, scope)
        result.append(Region(index, points, holder, members, reached, status))
    return result


def optimal_at(
    optima: Optima, point: Point, candidate: Candidate, *, scope: str
) -> tuple[Candidate, Bool[np.ndarray, " pairs"], str]:
    """A policy that is optimal at a point, the optimal sets there, and what is known about them."""
    if isinstance(optima, ExactOptima):
        found = optima.optimal(point, candidate)
        return found, frozen(np.array(optima.zero(found, point))), EXACT
    shares = np.array([float(share) for share in point])
    mixed = shares @ optima.rewards
    solution = solve(optima.mdp.with_rewards(mixed), tolerance=tight_tolerance(mixed))
    actions = optimal_actions(solution)
    matters = _reached(optima.mdp, actions.members, scope)
    status = UNRESOLVED if bool((actions.codes[matters] == OPEN).any()) else CERTIFIED
    return candidate, actions.members, status


def make_cell(region: Region, support: Support, optima: Optima, *, scope: str) -> Cell:
    """The public form of a region."""
    mdp, exact = optima.mdp, isinstance(optima, ExactOptima)
    policy = np.zeros(mdp.n_pairs)
    policy[list(region.candidate.best)] = 1.0
    excess = max(support.excess(corner) for corner in support.envelope.corners_of(region.index))
    bound = 0.0 if exact and excess == 0 else _above(excess) + region.candidate.error
    return Cell(
        values=_values(region.candidate, frozen(policy), optima, scope=scope),
        policy=frozen(policy),
        members=region.members,
        vertices=_table(region.points),
        fractions=tuple(tuple(as_fraction(share) for share in point) for point in region.points) if exact else None,
        centre=frozen(_table(region.points).mean(axis=0)),
        share=volume_share(region.points),
        log_policies=log(count_policies(mdp, region.members, region.reached)),
        error_bound=bound,
        status=region.status,
    )


def make_walls(regions: list[Region], support: Support, optima: Optima, *, scope: str) -> tuple[Wall, ...]:
    """Where two regions share vertices that span one dimension less than the simplex."""
    envelope = support.envelope
    n = envelope.n_corners
    columns = envelope.tight[1:, [n + region.index for region in regions]].astype(np.int64)
    shared = columns.T @ columns
    walls = []
    for i, j in np.argwhere(np.triu(shared >= max(n - 1, 1), k=1)).tolist():
        points = [envelope.points[corner] for corner in np.flatnonzero(columns[:, i] & columns[:, j]).tolist()]
        if spans(points, n - 1) and not _is_noise(points, optima):
            walls.append(_wall(regions, (i, j), points, optima, scope=scope))
    return tuple(walls)


def switching_states(one: Region, other: Region, mdp: MDP) -> Int64[np.ndarray, " some"]:
    """States to which both lead and in which they have no optimal action in common."""
    common = np.logical_or.reduceat(one.members & other.members, mdp.offsets[:-1])
    return frozen(np.flatnonzero(~common & one.reached & other.reached))


def count_policies(mdp: MDP, members: Bool[np.ndarray, " pairs"], reached: Bool[np.ndarray, " states"]) -> int:
    """Policies that choose members where `reached` holds, and anything elsewhere."""
    chosen = np.add.reduceat(members.astype(np.int64), mdp.offsets[:-1])
    return prod(np.where(reached, chosen, np.diff(mdp.offsets)).tolist())


def _wall(
    regions: list[Region],
    cells: tuple[int, int],
    points: list[Point],
    optima: Optima,
    *,
    scope: str,
) -> Wall:
    one, other = (regions[cell] for cell in cells)
    mdp = optima.mdp
    _, members, _ = optimal_at(optima, wall_point(points), one.candidate, scope=scope)
    total = count_policies(mdp, members, _reached(mdp, members, scope))
    extra = None
    if scope == EVERYWHERE and isinstance(optima, ExactOptima):
        extra = total - sum(count_policies(mdp, side.members, side.reached) for side in (one, other))
    return Wall(
        cells=cells,
        vertices=_table(ordered(points)),
        normal=_normal(one.candidate, other.candidate),
        states=switching_states(one, other, mdp),
        log_policies=log(total),
        only_here=None if extra is None else extra > 0,
        log_only_here=log(extra) if extra else None,
    )


def _normal(one: Candidate, other: Candidate) -> Float64[np.ndarray, " corners"]:
    change = [b - a for a, b in zip(one.vector, other.vector, strict=True)]
    middle = sum(change, fmpq(0)) / len(change)
    centred = [entry - middle for entry in change]
    largest = max(abs(entry) for entry in centred)
    vector = np.array([float(entry / largest) for entry in centred])
    return frozen(vector / np.linalg.norm(vector))


def _values(
    candidate: Candidate, policy: Float64[np.ndarray, " pairs"], optima: Optima, *, scope: str
) -> Float64[np.ndarray, " corners"]:
    """What the policy returns under each corner, from where the cell's values are counted."""
    mdp = optima.mdp
    if scope == START:
        return frozen(np.array([float(entry) for entry in candidate.vector]))
    if mdp.initial is None:
        inner = max(int((~mdp.terminal).sum()), 1)
        return frozen(np.array([float(entry / inner) for entry in candidate.vector]))
    if isinstance(optima, ExactOptima):
        values = optima.exact.values(candidate.best, optima.rewards)
        start = [(fmpq(*weight.as_integer_ratio())) for weight in mdp.initial.tolist()]
        sums = [sum((w * v for w, v in zip(start, value, strict=True)), fmpq(0)) for value in values]
        return frozen(np.array([float(total) for total in sums]))
    return frozen(
        np.array([float(mdp.initial @ evaluate(mdp, policy, rewards=reward).values) for reward in optima.rewards])
    )


def _reached(mdp: MDP, members: Bool[np.ndarray, " pairs"], scope: str) -> Bool[np.ndarray, " states"]:
    if scope == EVERYWHERE:
        return np.ones(mdp.n_states, dtype=bool)
    return reached_within(mdp, members)


def _is_noise(points: list[Point], optima: Optima) -> bool:
    if isinstance(optima, ExactOptima) or len(points) < 2:
        return False
    return bool(np.ptp(_table(points), axis=0).max() < SHORT_WALL)


def _table(points: list[Point]) -> Float64[np.ndarray, "points corners"]:
    return frozen(np.array([[float(share) for share in point] for point in points]))


def _above(number: fmpq) -> float:
    """A float that is not below."""
    rounded = float(number) * (1.0 + 1e-15)
    return float(rounded) if rounded < 1e300 else float("inf")
