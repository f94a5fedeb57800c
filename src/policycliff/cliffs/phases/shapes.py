"""Shapes in the simplex: the order of a polygon's vertices, and volumes as parts of the whole."""

from collections.abc import Sequence
from functools import cmp_to_key
from itertools import pairwise
from math import factorial

import numpy as np
from flint import fmpq
from scipy.spatial import ConvexHull, QhullError

from policycliff.cliffs.phases.envelope import Point, Vector, independent, value_at


def ordered(points: Sequence[Point]) -> list[Point]:
    """The vertices in turn around the polygon (three corners); else as they are, sorted."""
    inward = sorted(points, key=lambda point: tuple(-share for share in point))
    if len(points) < 3 or len(points[0]) != 3:
        return inward
    first = inward[0]

    def turn(one: Point, other: Point) -> int:
        area = _cross(first, one, other)
        return -1 if area > 0 else int(area < 0)

    return [first, *sorted(inward[1:], key=cmp_to_key(turn))]


def interior_point(points: Sequence[Point], vectors: Sequence[Vector], own: Vector) -> Point:
    """A point in the interior of a cell: the mean of its vertices, as short a fraction as it may be."""
    mean = np.array([[float(share) for share in point] for point in points]).mean(axis=0)
    others = [vector for vector in vectors if vector is not own]
    for bits in (12, 26, 50):
        parts = [fmpq(round(float(share) * 2**bits), 2**bits) for share in mean]
        total = sum(parts, fmpq(0))
        if total > 0 and min(parts) > 0:
            point = tuple(part / total for part in parts)
            level = value_at(own, point)
            if all(value_at(vector, point) < level for vector in others):
                return point
    return _mean(points)


def wall_point(points: Sequence[Point]) -> Point:
    """A point in the relative interior of a wall."""
    return _mean(independent(points, len(points[0]) - 1))


def _mean(points: Sequence[Point]) -> Point:
    count = len(points)
    return tuple(sum(column, fmpq(0)) / count for column in zip(*points, strict=True))


def volume_share(points: Sequence[Point]) -> float:
    """The part of the simplex that a convex cell is; exact up to three corners, then by Qhull."""
    n = len(points[0])
    if n == 1:
        return 1.0
    if n == 2:
        return float(max(point[0] for point in points) - min(point[0] for point in points))
    if n == 3:
        first, rest = points[0], points[1:]
        parts = (_cross(first, one, other) for one, other in pairwise(rest))
        return float(abs(sum(parts, fmpq(0))))
    table = np.array([[float(share) for share in point[:-1]] for point in points])
    try:
        return float(ConvexHull(table).volume) * factorial(n - 1)
    except QhullError:
        # Flat up to rounding.
        return 0.0


def _cross(first: Point, one: Point, other: Point) -> fmpq:
    """Twice the signed area of a triangle, in units of the simplex."""
    return (one[0] - first[0]) * (other[1] - first[1]) - (one[1] - first[1]) * (other[0] - first[0])
