"""A finite set of points that carries its metric: compact metric states and actions, as grids.

The paper lets states and actions be compact metric spaces; here they enter as finite sets with distances. Points keep
their coordinates and distances are computed when they are asked for, so that a bump on a million points needs no
(n, n) table. Pairs (state, action) carry the max product metric max(d(s, s'), d(a, a')) of Lemma C.1.

Cost. Points: O(n) distances a query. A table of distances is checked once: O(n^3) for the triangle inequality.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, as_integer, as_number, check_finite, fail, first_true
from policycliff.shapes import Float64, Int64

# Tables of distances may violate symmetry and triangles by this share of the largest distance.
TABLE_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MetricGrid:
    """A finite metric space; build it with `from_points`, `from_distances`, `line` or `discrete`.

    Attributes:
        size: number of points n.
        points: (n, d) coordinates with the Euclidean distance, or None.
        table: (n, n) distances, or None. Without either all distances between different points are 1.

    Example:
        >>> MetricGrid.line(-1.0, 1.0, 5).distances_from(0)
        array([0. , 0.5, 1. , 1.5, 2. ])
    """

    size: int
    points: Float64[np.ndarray, "n d"] | None = None
    table: Float64[np.ndarray, "n n"] | None = None

    @classmethod
    def from_points(cls, points: Any) -> "MetricGrid":
        """Distinct points with the Euclidean distance.

        Args:
            points: (n,) numbers or (n, d) coordinates, finite and distinct.

        Raises:
            InvalidInputError: no points, another shape, or a point that comes twice.

        Example:
            >>> MetricGrid.from_points([[0.0, 0.0], [3.0, 4.0]]).distances_from(0)
            array([0., 5.])
        """
        array = as_float_vector("points", points)
        if array.ndim not in {1, 2} or array.size == 0:
            raise fail(
                got=f"`points` of shape {array.shape}",
                expected="(n,) numbers or (n, d) coordinates, n at least 1",
                remedy="Put one point in each row.",
            )
        check_finite("points", array)
        coordinates = array.reshape(array.shape[0], -1) + 0.0
        _check_distinct(coordinates)
        return cls(size=array.shape[0], points=frozen(coordinates))

    @classmethod
    def from_distances(cls, distances: Any) -> "MetricGrid":
        """A table of distances, checked to be a metric up to rounding (1e-10 of the largest distance).

        Args:
            distances: (n, n), zero on the diagonal and positive elsewhere, symmetric, with the triangle inequality.

        Raises:
            InvalidInputError: it is no metric; the message names the pair or the triple of points.

        Example:
            >>> MetricGrid.from_distances([[0.0, 2.0], [2.0, 0.0]]).distances_from(1)
            array([2., 0.])
        """
        table = as_float_vector("distances", distances)
        if table.ndim != 2 or table.shape[0] != table.shape[1] or table.size == 0:
            raise fail(
                got=f"`distances` of shape {table.shape}",
                expected="a square (n, n) table, n at least 1",
                remedy="For coordinates use MetricGrid.from_points.",
            )
        check_finite("distances", table)
        slack = TABLE_TOLERANCE * float(np.abs(table).max())
        _check_entries(table, slack)
        _check_triangles(table, slack)
        return cls(size=table.shape[0], table=frozen((table + table.T) / 2.0))

    @classmethod
    def line(cls, low: float, high: float, count: int) -> "MetricGrid":
        """`count` equally spaced points from low to high.

        Raises:
            InvalidInputError: low is not below high, or count is less than 2.

        Example:
            >>> MetricGrid.line(-10.0, 10.0, 5).points.ravel()
            array([-10.,  -5.,   0.,   5.,  10.])
        """
        ends = as_number("low", low), as_number("high", high)
        if not (np.isfinite(ends).all() and low < high):
            raise fail(got=f"a line from {low!r} to {high!r}", expected="finite ends, low < high", remedy="Swap them.")
        if as_integer("count", count) < 2:
            raise fail(got=f"count = {count!r}", expected="2 or more points", remedy="Use MetricGrid.discrete(1).")
        return cls.from_points(np.linspace(low, high, count))

    @classmethod
    def discrete(cls, size: int) -> "MetricGrid":
        """Points all of which are 1 apart: no notion of closeness.

        Raises:
            InvalidInputError: size is less than 1.

        Example:
            >>> MetricGrid.discrete(3).distances_from(1)
            array([1., 0., 1.])
        """
        if as_integer("size", size) < 1:
            raise fail(got=f"size = {size!r}", expected="1 or more points", remedy="Check the set.")
        return cls(size=size)

    def distances_from(self, index: int) -> Float64[np.ndarray, " n"]:
        """(n,) distances of all points from one of them; 0 for itself exactly.

        Raises:
            InvalidInputError: there is no such point.
        """
        return self.between(np.array([as_integer("index", index)]), np.arange(self.size))[0]

    def between(self, rows: Int64[np.ndarray, " a"], columns: Int64[np.ndarray, " b"]) -> Float64[np.ndarray, "a b"]:
        """(a, b) distances of the points `rows` from the points `columns`, both given by index.

        Raises:
            InvalidInputError: an index is out of range.
        """
        for indices in (rows, columns):
            bad = first_true((indices < 0) | (indices >= self.size))
            if bad >= 0:
                raise fail(
                    got=f"point {indices[bad]} of a grid", expected=f"0 to {self.size - 1}", remedy="Check the index."
                )
        if self.table is not None:
            return np.asarray(self.table[np.ix_(rows, columns)])
        if self.points is None:
            return (rows[:, None] != columns[None, :]).astype(np.float64)
        return euclidean(self.points[rows], self.points[columns])

    def matrix(self) -> Float64[np.ndarray, "n n"]:
        """The whole (n, n) table, made anew: for small grids."""
        return self.between(np.arange(self.size), np.arange(self.size))

    def to_dict(self) -> dict[str, Any]:
        """Size, kind and coordinates as JSON types (not the table)."""
        return {
            "size": self.size,
            "kind": self.kind,
            "points": None if self.points is None else self.points.tolist(),
        }

    @property
    def kind(self) -> str:
        """Where distances come from: "points", "distances" or "discrete"."""
        if self.points is not None:
            return "points"
        return "discrete" if self.table is None else "distances"

    def __repr__(self) -> str:
        shape = "" if self.points is None else f" in {self.points.shape[1]} dimensions"
        return f"MetricGrid({self.size} points{shape}, {self.kind})"


def euclidean(first: Float64[np.ndarray, "a d"], second: Float64[np.ndarray, "b d"]) -> Float64[np.ndarray, "a b"]:
    """Euclidean distances; a difference in one coordinate is taken as it is, without squares."""
    if first.shape[1] == 1:
        return np.abs(first - second.T)
    scale = max(float(np.abs(first).max()), float(np.abs(second).max())) or 1.0
    difference = (first / scale)[:, None, :] - (second / scale)[None, :, :]
    return np.asarray(np.sqrt((difference**2).sum(axis=2)) * scale)


def _check_distinct(points: Float64[np.ndarray, "n d"]) -> None:
    order = np.lexsort(points.T)
    twice = first_true((points[order[1:]] == points[order[:-1]]).all(axis=1))
    if twice >= 0:
        first, second = sorted((int(order[twice]), int(order[twice + 1])))
        raise fail(
            got=f"the same point at index {first} and {second}",
            expected="distinct points (a metric is positive between different ones)",
            remedy="Drop one of them.",
        )


def _check_entries(table: Float64[np.ndarray, "n n"], slack: float) -> None:
    """Diagonal, signs and symmetry."""
    away = ~np.eye(len(table), dtype=bool)
    checks = (
        (~away & (table != 0.0), "0 on the diagonal", "Set the diagonal to 0."),
        (away & (table <= 0.0), "positive distances between different points", "Merge points at distance 0."),
        (np.abs(table - table.T) > slack, "a symmetric table", "Take (D + D.T) / 2 if that is what is meant."),
    )
    for wrong, expected, remedy in checks:
        bad = first_true(wrong.ravel())
        if bad >= 0:
            i, j = divmod(bad, len(table))
            raise fail(
                got=f"distance {table[i, j]} from point {i} to {j} and {table[j, i]} back",
                expected=expected,
                remedy=remedy,
            )


def _check_triangles(table: Float64[np.ndarray, "n n"], slack: float) -> None:
    for j in range(len(table)):
        detour = table[:, j, None] + table[None, j, :]
        bad = first_true((table > detour + slack).ravel())
        if bad >= 0:
            i, k = divmod(bad, len(table))
            raise fail(
                got=f"distance {table[i, k]} from point {i} to {k}, but {detour[i, k]} by way of point {j}",
                expected="the triangle inequality d(i, k) <= d(i, j) + d(j, k)",
                remedy="Use shortest paths: scipy.sparse.csgraph.floyd_warshall(D).",
            )
