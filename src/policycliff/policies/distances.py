"""Distances between policies (total variation) and between sets of actions (Hausdorff).

Total variation is half the L1 distance. A policy's shift is the maximum over states; the mean under a distribution of
states (an occupancy) stands beside it, because states off the path matter less. The Hausdorff distance is the one in
which Lemma 2.5 speaks of the set A*(s; R), the excess its one-sided half; on a finite set they need a metric.
Cost: O(pairs), O(n * m) distances.
"""

from typing import Any

import numpy as np

from policycliff.mdp.messages import as_float_vector, check_distribution, check_finite, check_shape, fail
from policycliff.mdp.metric import MetricGrid, euclidean
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64


def total_variation(first: Any, second: Any, *, mdp: MDP | None = None, occupancy: Any = None) -> float:
    """TV = half the L1 distance of two distributions, or the shift between two policies.

    Args:
        first: a distribution (n,), or with `mdp` a policy over pairs (pairs,).
        second: the other one, of the same shape.
        mdp: if given, the arguments are policies and the result is the maximum over states ...
        occupancy: ... or, if this is given too, the mean over states under this distribution (S,).

    Returns:
        The total variation, in [0, 1] for distributions.

    Raises:
        InvalidInputError: shapes that differ or numbers that are not finite.

    Example:
        >>> total_variation([0.5, 0.5, 0.0], [0.0, 0.5, 0.5])
        0.5
    """
    a, b = as_float_vector("first", first), as_float_vector("second", second)
    size = (a.size,) if mdp is None else (mdp.n_pairs,)
    check_shape("first", a, size, meaning="a vector")
    check_shape("second", b, size, meaning="as `first`")
    check_finite("first", a)
    check_finite("second", b)
    if mdp is None:
        if occupancy is not None:
            raise fail(got="`occupancy` without `mdp`", expected="both or none", remedy="Pass mdp=... too.")
        return float(0.5 * np.abs(a - b).sum())
    shifts = state_shifts(mdp, a, b)
    if occupancy is None:
        return float(shifts.max())
    return float(shifts @ check_distribution("occupancy", occupancy, mdp.n_states))


def state_shifts(
    mdp: MDP, first: Float64[np.ndarray, " pairs"], second: Float64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " states"]:
    """(states,) total variation between two policies in each state."""
    return np.asarray(0.5 * np.add.reduceat(np.abs(first - second), mdp.offsets[:-1]))


def hausdorff_distance(first: Any, second: Any, *, metric: Any = None) -> float:
    """Largest distance from a point of one finite set to the other set (the metric of Lemma 2.5).

    Args:
        first: points (n,) or (n, d); with `metric`, n indices into it. Not empty.
        second: the other set, in the same form.
        metric: a `MetricGrid` or (N, N) distances; by default the Euclidean distance of the points.

    Returns:
        max(max_a min_b d(a, b), max_b min_a d(a, b)), in the unit of the metric.

    Raises:
        InvalidInputError: an empty set, or points that do not match the metric or each other.

    Example:
        >>> hausdorff_distance([0.0, 5.0], [0.0])
        5.0
    """
    distances = _distances(first, second, metric)
    return float(max(distances.min(axis=1).max(), distances.min(axis=0).max()))


def excess(first: Any, second: Any, *, metric: Any = None) -> float:
    """How far the first set sticks out of the second: max_a min_b d(a, b), the one-sided Hausdorff distance.

    Upper hemi-continuity (Lemma 2.5) says that the excess of A*(s; R) over A*(s; R0) goes to 0 as R goes to R0; lower
    hemi-continuity would say the same of the excess of A*(s; R0) over A*(s; R), and fails at ties.

    Args:
        first: points (n,) or (n, d); with `metric`, n indices into it. Not empty.
        second: the other set, in the same form.
        metric: a `MetricGrid` or (N, N) distances; by default the Euclidean distance of the points.

    Returns:
        The excess, in the unit of the metric; 0 where the first set is part of the second.

    Raises:
        InvalidInputError: an empty set, or points that do not match the metric or each other.

    Example:
        >>> excess([0.0], [0.0, 5.0]), excess([0.0, 5.0], [0.0])
        (0.0, 5.0)
    """
    return float(_distances(first, second, metric).min(axis=1).max())


def _distances(first: Any, second: Any, metric: Any) -> Float64[np.ndarray, "n m"]:
    """All distances between two checked sets."""
    a, b = as_float_vector("first", first), as_float_vector("second", second)
    if a.ndim not in {1, 2} or a.size == 0 or b.size == 0 or a.shape[1:] != b.shape[1:] or a.ndim != b.ndim:
        raise fail(
            got=f"sets of shape {a.shape} and {b.shape}",
            expected="two non-empty sets of points, (n,) or (n, d) with the same d",
            remedy="A* is never empty (Lemma 2.5): check how the sets were made.",
        )
    check_finite("first", a)
    check_finite("second", b)
    if metric is None:
        return euclidean(a.reshape(a.shape[0], -1), b.reshape(b.shape[0], -1))
    if isinstance(metric, MetricGrid):
        return metric.between(*_indices(a, b, metric.size))
    return _metric_distances(a, b, metric)


def _metric_distances(a: np.ndarray, b: np.ndarray, metric: Any) -> Float64[np.ndarray, "n m"]:
    table = as_float_vector("metric", metric)
    check_finite("metric", table)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or (table < 0).any() or (table != table.T).any():
        raise fail(
            got=f"a metric of shape {table.shape}",
            expected="a square, symmetric, non-negative (N, N) array",
            remedy="Build it with scipy.spatial.distance.cdist.",
        )
    return np.asarray(table[np.ix_(*_indices(a, b, len(table)))])


def _indices(a: np.ndarray, b: np.ndarray, size: int) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " m"]]:
    """Two sets as indices into a metric over `size` points."""
    rows, columns = a.astype(np.int64), b.astype(np.int64)
    outside = a.ndim != 1 or min(rows.min(), columns.min()) < 0 or max(rows.max(), columns.max()) >= size
    if outside or (rows != a).any() or (columns != b).any():
        raise fail(
            got="sets that are not indices into the metric",
            expected=f"whole numbers from 0 to {size - 1}",
            remedy="Pass indices of points.",
        )
    return rows, columns
