"""Shares of a total over groups, such as the share of the squared advantage, with bootstrap intervals over groups.

Batch statistics are held as they are. A share is a ratio of two sums, so whole groups are resampled in both at once.
Beyond `MOST_UNITS` groups, blocks of groups put together at random are resampled.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.intervals import MOST_UNITS, RESAMPLES, wilson
from policycliff.shapes import Bool, Float64


def ratios(
    parts: Float64[np.ndarray, "figures groups"], wholes: Float64[np.ndarray, "figures groups"], *, seed: int
) -> list[dict[str, Any]]:
    """Each figure's sum of parts over its sum of wholes, with a 95 % percentile interval; None where the whole is 0.

    >>> ratios(np.array([[1.0, 1.0]]), np.array([[2.0, 2.0]]), seed=0)
    [{'value': 0.5, 'low': 0.5, 'high': 0.5}]
    """
    groups = parts.shape[1]
    rng = np.random.default_rng(seed)
    units = min(groups, MOST_UNITS)
    unit_of = rng.permutation(groups) % units
    above, below = (_summed(values, unit_of, units) for values in (parts, wholes))
    drawn = rng.integers(0, units, size=(RESAMPLES, units))
    times = np.stack([np.bincount(row, minlength=units) for row in drawn]).astype(np.float64)
    return [
        _figure(float(part.sum()), float(whole.sum()), times @ part, times @ whole)
        for part, whole in zip(above, below, strict=True)
    ]


def subset_shares(
    subset: Bool[np.ndarray, " groups"], energies: Float64[np.ndarray, "figures groups"], *, seed: int
) -> list[dict[str, Any]]:
    """Share of each figure's total that the groups of a subset hold.

    No group in the subset, or none outside it, does not make the share certain: the interval is then Wilson's for
    "0 of n groups".
    """
    shares = ratios(energies * subset, energies, seed=seed)
    unseen = wilson(0, len(subset))[1]
    if not subset.any():
        return [item | {"high": None if item["value"] is None else max(item["high"], unseen)} for item in shares]
    if subset.all():
        return [item | {"low": None if item["value"] is None else min(item["low"], 1 - unseen)} for item in shares]
    return shares


def _summed(
    values: Float64[np.ndarray, "figures groups"], unit_of: np.ndarray, units: int
) -> Float64[np.ndarray, "figures units"]:
    return np.stack([np.bincount(unit_of, weights=row, minlength=units) for row in values])


def _figure(
    part: float, whole: float, parts: Float64[np.ndarray, " resamples"], wholes: Float64[np.ndarray, " resamples"]
) -> dict[str, Any]:
    if whole <= 0.0:
        return {"value": None, "low": None, "high": None}
    some = wholes > 0.0
    low, high = np.quantile(parts[some] / wholes[some], [0.025, 0.975])
    value = part / whole
    return {"value": value, "low": min(float(low), value), "high": max(float(high), value)}
