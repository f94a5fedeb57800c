"""Reductions over consecutive segments of an array: the vocabulary in which every figure of the audit is written.

A segment is `values[offsets[i]:offsets[i + 1]]`; no segment is empty. All functions are linear in the number of values,
except `sort_within`, which sorts.
"""

import numpy as np

from policycliff.shapes import Bool, Float64, Int64, Shaped

_MOST_SIZES = 64


def segment_sum(values: Shaped[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]) -> np.ndarray:
    """Sum of each segment; of booleans, the count of True.

    >>> segment_sum(np.array([1.0, 2.0, 5.0]), np.array([0, 2, 3]))
    array([3., 5.])
    """
    if values.dtype == np.bool_:
        values = values.astype(np.int64)
    return np.add.reduceat(values, offsets[:-1])


def segment_max(values: Shaped[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]) -> np.ndarray:
    """Greatest value of each segment."""
    return np.maximum.reduceat(values, offsets[:-1])


def segment_min(values: Shaped[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]) -> np.ndarray:
    """Least value of each segment."""
    return np.minimum.reduceat(values, offsets[:-1])


def segment_any(values: Bool[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]) -> np.ndarray:
    """Whether some value of each segment is True."""
    return np.logical_or.reduceat(values, offsets[:-1])


def segment_of(offsets: Int64[np.ndarray, " segments_plus_1"]) -> Int64[np.ndarray, " n"]:
    """Number of the segment that each position belongs to.

    >>> segment_of(np.array([0, 2, 3]))
    array([0, 0, 1])
    """
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def kept_offsets(
    offsets: Int64[np.ndarray, " segments_plus_1"], kept: Int64[np.ndarray, " kept"]
) -> Int64[np.ndarray, " kept_segments_plus_1"]:
    """Segments of the positions kept, in ascending order; those without any are left out.

    >>> kept_offsets(np.array([0, 2, 4, 7]), np.array([0, 1, 5]))
    array([0, 2, 3])
    """
    return np.unique(np.searchsorted(kept, offsets))


def segment_mean(
    values: Float64[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]
) -> Float64[np.ndarray, " segments"]:
    """Mean of each segment; exactly the common value where all values of the segment are equal."""
    low, high = segment_min(values, offsets), segment_max(values, offsets)
    mean = segment_sum(values, offsets) / np.diff(offsets)
    return np.where(low == high, low, mean)


def segment_std(
    values: Float64[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]
) -> Float64[np.ndarray, " segments"]:
    """Standard deviation with n - 1 (as trainers divide); 0 exactly where all values are equal, or there is one."""
    size = np.diff(offsets)
    centred = values - segment_mean(values, offsets)[segment_of(offsets)]
    return np.sqrt(segment_sum(centred**2, offsets) / np.maximum(size - 1, 1))


def sort_within(
    values: Float64[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]
) -> Int64[np.ndarray, " n"]:
    """Permutation that sorts each segment in ascending order (stably) and keeps the segments in place.

    Segments of one size are sorted together as the rows of a matrix, several times faster than one sort of all.
    """
    sizes = np.diff(offsets)
    distinct = np.flatnonzero(np.bincount(sizes))
    if len(distinct) > _MOST_SIZES:
        return np.lexsort((values, segment_of(offsets)))
    order = np.empty(len(values), dtype=np.int64)
    for size in distinct.tolist():
        first = offsets[:-1][sizes == size]
        members = first[:, None] + np.arange(size)
        order[members] = first[:, None] + np.argsort(values[members], axis=1, kind="stable")
    return order


def segment_quantile(
    sorted_values: Float64[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"], probability: float
) -> Float64[np.ndarray, " segments"]:
    """Quantile of each segment by linear interpolation (NumPy's default); `sorted_values` ascend within segments."""
    position = (np.diff(offsets) - 1) * probability
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.diff(offsets) - 1)
    low = sorted_values[offsets[:-1] + below]
    high = sorted_values[offsets[:-1] + above]
    return low + (position - below) * (high - low)


def level_starts(
    sorted_values: Float64[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]
) -> Bool[np.ndarray, " n"]:
    """True where a new value begins within a segment (and at the beginning of each segment)."""
    starts = np.ones(len(sorted_values), dtype=bool)
    starts[1:] = sorted_values[1:] != sorted_values[:-1]
    starts[offsets[:-1]] = True
    return starts


def average_ranks(
    values: Float64[np.ndarray, " n"],
    offsets: Int64[np.ndarray, " segments_plus_1"],
    order: Int64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """Rank of each value within its segment, counted from 1; equal values share the mean of their ranks.

    `order` is the permutation of `sort_within`.

    >>> values, offsets = np.array([3.0, 1.0, 3.0, 9.0]), np.array([0, 3, 4])
    >>> average_ranks(values, offsets, sort_within(values, offsets))
    array([2.5, 1. , 2.5, 1. ])
    """
    starts = np.flatnonzero(level_starts(values[order], offsets))
    sizes = np.diff(np.append(starts, len(values)))
    first = starts - offsets[segment_of(offsets)[starts]]
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(first + (sizes + 1) / 2, sizes)
    return ranks


def segment_correlation(
    first: Float64[np.ndarray, " n"],
    second: Float64[np.ndarray, " n"],
    offsets: Int64[np.ndarray, " segments_plus_1"],
) -> Float64[np.ndarray, " segments"]:
    """Pearson correlation within each segment; NaN where either is constant."""
    where = segment_of(offsets)
    x = first - segment_mean(first, offsets)[where]
    y = second - segment_mean(second, offsets)[where]
    scale = np.sqrt(segment_sum(x * x, offsets) * segment_sum(y * y, offsets))
    covariance = segment_sum(x * y, offsets)
    return np.divide(covariance, scale, out=np.full(len(scale), np.nan), where=scale > 0)
