"""The upper envelope max_i p . v_i of value vectors over the simplex, in fractions, by the double description method.

The cone {(p, x): p >= 0, x >= p . v_i for all i} in n + 1 dimensions is kept as its extreme rays: one for each vertex
of the envelope (scaled to sum p = 1), and (0, 1). A new vector cuts off the rays below it; each edge between a ray cut
off and one that stays gives a new ray. Two rays span an edge exactly if no third is tight at every facet at which both
are; where both are tight at exactly n facets and share n - 1 of them no search is needed.

The vectors are taken as the fractions they are, so nothing here rounds: floats only sort out what is surely positive or
negative. Cost: O(rays * vectors) a cut in floats, and a fraction for each ray that is new or tight.

Source: Motzkin, Raiffa, Thompson and Thrall (1953); Fukuda and Prodon (1996) for the adjacency test.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from scipy.linalg import qr

from policycliff.shapes import Bool, Float64

Point = tuple[fmpq, ...]
"""Shares of the corners, with sum 1."""

Vector = tuple[fmpq, ...]
"""What one policy returns under each corner reward."""

FLOAT_ERROR = 2.0**-48
# Rounding moves singular values of these matrices by far less.
SAFE_SINGULAR = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Rays (points, heights) with the facets at which each is tight; the ray (0, 1) is left out of both.

    `tight` has a row for each ray, the ray (0, 1) first, and a column for each facet: p_j >= 0 for j < n, then the
    vectors in the order in which they came. A vertex keeps its number as long as it exists; `names` are these numbers.
    """

    points: tuple[Point, ...]
    heights: tuple[fmpq, ...]
    tight: Bool[np.ndarray, "rays facets"]
    floats: Float64[np.ndarray, "points columns"]
    names: tuple[int, ...]

    @property
    def n_corners(self) -> int:
        """Number of corners of the simplex."""
        return len(self.points[0])

    def corners_of(self, vector: int) -> list[int]:
        """The vertices at which a vector attains the envelope."""
        return np.flatnonzero(self.tight[1:, self.n_corners + vector]).tolist()

    def vectors_at(self, point: int) -> list[int]:
        """The vectors that attain the envelope at a vertex."""
        return np.flatnonzero(self.tight[1 + point, self.n_corners :]).tolist()


def make_envelope(vector: Vector) -> Envelope:
    """The envelope of one vector: the corners of the simplex."""
    n = len(vector)
    points = tuple(tuple(fmpq(int(i == j)) for i in range(n)) for j in range(n))
    tight = np.ones((n + 1, n + 1), dtype=bool)
    tight[0, n] = False
    tight[np.arange(1, n + 1), np.arange(n)] = False
    return Envelope(points, vector, tight, _floats(points, vector), tuple(range(n)))


def cut(envelope: Envelope, vector: Vector) -> Envelope:
    """The envelope with one more vector; the same one where the vector is nowhere above it."""
    slack = _slacks(envelope, vector)
    removed = [index for index, value in enumerate(slack) if value < 0]
    if not removed:
        return envelope
    kept = [index for index, value in enumerate(slack) if value >= 0]
    points = [envelope.points[index] for index in kept]
    heights = [envelope.heights[index] for index in kept]
    rows = [np.append(envelope.tight[0], False)]
    rows += [np.append(envelope.tight[1 + index], slack[index] == 0) for index in kept]
    staying = np.array([True, *(value > 0 for value in slack)])
    for below, above in _edges(envelope.tight, np.array(removed) + 1, np.flatnonzero(staying)):
        point, height = _meet(envelope, slack, below - 1, above - 1, vector)
        points.append(point)
        heights.append(height)
        rows.append(np.append(envelope.tight[below] & envelope.tight[above], True))
    fresh = max(envelope.names) + 1
    names = (*(envelope.names[index] for index in kept), *range(fresh, fresh + len(points) - len(kept)))
    fresh_floats = [_floats(points[len(kept) :], heights[len(kept) :])] if len(points) > len(kept) else []
    floats = np.vstack([envelope.floats[kept], *fresh_floats])
    return Envelope(tuple(points), tuple(heights), np.array(rows), floats, names)


def value_at(vector: Vector, point: Sequence[fmpq]) -> fmpq:
    """P . v."""
    return sum((share * entry for share, entry in zip(point, vector, strict=True) if share), fmpq(0))


def spans(points: Sequence[Point], dimension: int) -> bool:
    """Whether the linear hull has at least this dimension: n for a cell of full dimension, n - 1 for a wall."""
    if len(points) < dimension:
        return False
    rough = np.array([[float(share) for share in point] for point in points])
    if dimension and float(np.linalg.svd(rough, compute_uv=False)[dimension - 1]) > SAFE_SINGULAR:
        return True
    return (
        int(fmpq_mat(len(points), len(points[0]), [share for point in points for share in point]).rank()) >= dimension
    )


def independent(points: Sequence[Point], dimension: int) -> Sequence[Point]:
    """So many of the points, linearly independent and far apart (by a pivoted QR), or all where that is not proven."""
    rough = np.array([[float(share) for share in point] for point in points])
    order = qr(rough.T, mode="r", pivoting=True)[1]
    chosen = [points[int(j)] for j in order[:dimension]]
    return chosen if spans(chosen, dimension) else points


def _slacks(envelope: Envelope, vector: Vector) -> list[fmpq]:
    """How far each vertex is above the vector: exact where it decides, else a float as a fraction of the right sign."""
    row = np.array([*(-float(entry) for entry in vector), 1.0])
    rough = envelope.floats @ row
    error = FLOAT_ERROR * (np.abs(envelope.floats) @ np.abs(row))
    above = (rough > error) & np.isfinite(rough)
    one = fmpq(1)
    return [
        one if sure else height - value_at(vector, point)
        for sure, point, height in zip(above.tolist(), envelope.points, envelope.heights, strict=True)
    ]


def _edges(tight: Bool[np.ndarray, "rays facets"], removed: np.ndarray, staying: np.ndarray) -> list[tuple[int, int]]:
    """The pairs (removed, staying) of rays that span an edge."""
    n = int(tight[0].sum())
    shared = tight[removed].astype(np.float32) @ tight[staying].astype(np.float32).T
    sizes = tight.sum(axis=1)
    pairs = []
    for i, j in np.argwhere(shared >= n - 1).tolist():
        below, above = int(removed[i]), int(staying[j])
        common = tight[below] & tight[above]
        is_simple = sizes[below] == n and sizes[above] == n
        if is_simple or int(tight[:, common].all(axis=1).sum()) == 2:
            pairs.append((below, above))
    return pairs


def _meet(envelope: Envelope, slack: list[fmpq], below: int, above: int, vector: Vector) -> tuple[Point, fmpq]:
    """Where the edge from a removed vertex to a staying one (or upwards, above = -1) meets the new vector."""
    start = envelope.points[below]
    if above < 0:
        return start, value_at(vector, start)
    end = envelope.points[above]
    high = envelope.heights[above] - value_at(vector, end)
    share = high / (high - slack[below])
    point = tuple(a * share + b * (1 - share) for a, b in zip(start, end, strict=True))
    return point, value_at(vector, point)


def _floats(points: Sequence[Point], heights: Sequence[fmpq]) -> Float64[np.ndarray, "points columns"]:
    return np.array(
        [[*(float(share) for share in point), float(height)] for point, height in zip(points, heights, strict=True)]
    )
