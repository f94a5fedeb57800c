"""Scores normalised within their group, of those that are there: what `normalize_then_sum` adds up."""

from typing import NamedTuple

import numpy as np

from policycliff.rollouts.segments import kept_offsets, segment_max, segment_mean, segment_of, segment_std
from policycliff.shapes import Float64, Int64


class Normalised(NamedTuple):
    """Scores over their deviation within each segment; NaN where there is no score.

    Attributes:
        terms: (x - mean) / (std + epsilon).
        largest: The largest |x| of the segment / (std + epsilon).
    """

    terms: Float64[np.ndarray, " n"]
    largest: Float64[np.ndarray, " n"]


def normalised_within(
    values: Float64[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"], epsilon: float
) -> Normalised:
    """Normalise each segment by the mean and the standard deviation of the scores that are there.

    >>> normalised_within(np.array([1.0, np.nan, 3.0, np.nan]), np.array([0, 3, 4]), 2.0 - 2.0**0.5).terms
    array([-0.5,  nan,  0.5,  nan])
    """
    known = np.flatnonzero(~np.isnan(values))
    within, kept = kept_offsets(offsets, known), values[known]
    where = segment_of(within)
    scale = segment_std(kept, within)[where] + epsilon
    found = np.full((2, len(values)), np.nan)
    found[0, known] = (kept - segment_mean(kept, within)[where]) / scale
    found[1, known] = segment_max(np.abs(kept), within)[where] / scale
    return Normalised(*found)
