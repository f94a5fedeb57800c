"""Figures with their uncertainty over prompts.

Analyses return `Share` and `Mean` leaves that hold one value a prompt; `with_intervals` turns a whole tree of them into
`{"value", "low", "high"}` at once, so that all means share the same bootstrap resamples.

A share gets a Wilson interval (Wilson 1927). A mean gets a percentile bootstrap over prompts. A resample cannot show
what no prompt showed, so a bootstrap of (nearly) equal values would be a point; there the interval is that of Wilson
for "0 of n prompts differ", stretched over the range that the figure can take: never [0, 0] for 0 of 70. Both are 95 %
intervals and treat prompts as independent draws. Beyond `MOST_UNITS` prompts, blocks of prompts put together at random
are resampled instead of single ones: the variance of a mean is the same, and the cost stays that of one pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from policycliff.shapes import Float64

_Z = float(ndtri(0.975))
RESAMPLES = 1000
MOST_UNITS = 2000
"""Prompts are resampled one by one up to this number, beyond it in this many random blocks of equal size."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many prompts."""

    count: int
    total: int


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean over prompts of one value each.

    Attributes:
        prompts: (n,) numbers of the prompts, so that figures over different prompts share resamples.
        values: (n,) one value a prompt, no NaN.
        lowest: Least value that one prompt can have (observed minimum where nothing better is known).
        highest: Greatest value that one prompt can have.
    """

    prompts: np.ndarray
    values: np.ndarray
    lowest: float
    highest: float


def share(flags: np.ndarray) -> Share:
    """Share of True among booleans, one a prompt."""
    return Share(int(flags.sum()), len(flags))


def mean_over(
    prompts: np.ndarray,
    values: np.ndarray,
    *,
    lowest: float | None = None,
    highest: float | None = None,
) -> Mean:
    """Mean over the prompts whose value is a number; the range defaults to the one observed."""
    known = np.isfinite(values)
    kept = values[known].astype(np.float64)
    least = float(kept.min()) if lowest is None and len(kept) else (lowest or 0.0)
    greatest = float(kept.max()) if highest is None and len(kept) else (highest or 0.0)
    return Mean(prompts[known], kept, least, greatest)


def wilson(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) where there is nothing to count.

    >>> [round(bound, 3) for bound in wilson(0, 70)]
    [0.0, 0.052]
    """
    if total == 0:
        return 0.0, 1.0
    p, z2 = count / total, _Z * _Z
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * np.sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == total else min(1.0, centre + half)
    return float(low), float(high)


def with_intervals(tree: Any, *, n_prompts: int, seed: int) -> Any:
    """The tree with every `Share` and `Mean` replaced by `{"value", "low", "high"}` (None where no prompt counts)."""
    means: list[Mean] = []
    _collect(tree, means)
    results = _bootstrap(means, n_prompts, seed)
    return _resolve(tree, {id(mean): result for mean, result in zip(means, results, strict=True)})


def _collect(node: Any, means: list[Mean]) -> None:
    if isinstance(node, Mean):
        means.append(node)
    elif isinstance(node, Mapping):
        for child in node.values():
            _collect(child, means)
    elif isinstance(node, list | tuple):
        for child in node:
            _collect(child, means)


def _resolve(node: Any, results: Mapping[int, dict[str, float | None]]) -> Any:
    if isinstance(node, Mean):
        return results[id(node)]
    if isinstance(node, Share):
        low, high = wilson(node.count, node.total)
        value = node.count / node.total if node.total else None
        return {"value": value, "low": low, "high": high, "count": node.count, "total": node.total}
    if isinstance(node, Mapping):
        return {key: _resolve(child, results) for key, child in node.items()}
    if isinstance(node, list | tuple):
        return [_resolve(child, results) for child in node]
    return node


def _bootstrap(means: list[Mean], n_prompts: int, seed: int) -> list[dict[str, float | None]]:
    """Percentile intervals of all means from shared resamples."""
    if not means:
        return []
    rng = np.random.default_rng(seed)
    units = min(n_prompts, MOST_UNITS)
    unit_of = rng.permutation(n_prompts) % units
    centres = [float(mean.values.mean()) if len(mean.values) else 0.0 for mean in means]
    sums, counts = np.empty((units, len(means))), np.empty((units, len(means)))
    for column, (mean, centre) in enumerate(zip(means, centres, strict=True)):
        unit = unit_of[mean.prompts]
        sums[:, column] = np.bincount(unit, weights=mean.values - centre, minlength=units)
        counts[:, column] = np.bincount(unit, minlength=units)
    shifts = _resampled_means(sums, counts, rng)
    bounds = np.quantile(shifts, [0.025, 0.975], axis=0)
    return [
        _interval(mean, centre, (centre + float(low), centre + float(high)))
        for mean, centre, low, high in zip(means, centres, bounds[0], bounds[1], strict=True)
    ]


def _resampled_means(
    sums: Float64[np.ndarray, "units figures"], counts: Float64[np.ndarray, "units figures"], rng: np.random.Generator
) -> Float64[np.ndarray, "resamples figures"]:
    """Mean over the resampled units, a row a resample; 0 where a figure has no prompt among them."""
    units = len(sums)
    drawn = rng.integers(0, units, size=(RESAMPLES, units))
    times = np.stack([np.bincount(row, minlength=units) for row in drawn]).astype(np.float64)
    totals = times @ counts
    return np.divide(times @ sums, totals, out=np.zeros_like(totals), where=totals > 0)


def _interval(mean: Mean, centre: float, bounds: tuple[float, float]) -> dict[str, float | None]:
    count = len(mean.values)
    if count == 0:
        return {"value": None, "low": None, "high": None}
    low, high = (_snapped(bound, mean) for bound in bounds)
    if np.ptp(mean.values) <= 1e-6 * (mean.highest - mean.lowest):
        unseen = wilson(0, count)[1]
        low = min(low, centre - unseen * (centre - mean.lowest))
        high = max(high, centre + unseen * (mean.highest - centre))
    # The rounding of the resampled sums must not leave the range of the figure.
    return {"value": centre, "low": min(max(low, mean.lowest), centre), "high": max(min(high, mean.highest), centre)}


def _snapped(bound: float, mean: Mean) -> float:
    """A bound that lies within rounding of an end of the figure's range is that end."""
    dust = 1e-12 * max(abs(mean.lowest), abs(mean.highest))
    for end in (mean.lowest, mean.highest):
        if abs(bound - end) <= dust:
            return end
    return bound
