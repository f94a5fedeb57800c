"""Figures with their uncertainty over prompts.

Analyses return trees with `Share` and `Mean` leaves, and those of `policycliff.rollouts.leaves`; `with_intervals`
turns a tree of them into `{"value", "low", "high"}` at once, so that all means share the same bootstrap resamples.

A share gets a Wilson interval (Wilson 1927). A mean gets a percentile bootstrap over prompts. A resample cannot show
what no prompt showed, so a bootstrap of (nearly) equal values would be a point; there the interval is that of Wilson
for "0 of n prompts differ", stretched over the range that the figure can take: never [0, 0] for 0 of 70. Both are 95 %
intervals and treat prompts as independent draws. Beyond `MOST_UNITS` prompts, blocks of prompts put together at random
are resampled instead of single ones: the variance of a mean is the same, and the cost stays that of one pass.

A mean over the prompts of several parts of a table needs only its sums over these blocks: `condensed` makes them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from policycliff.rollouts.leaves import Figure
from policycliff.rollouts.trees import computed, leaves_of, mapped
from policycliff.shapes import Float64, Int64

_Z = float(ndtri(0.975))
RESAMPLES = 1000
MOST_UNITS = 2000
"""Prompts are resampled one by one up to this number, beyond it in this many random blocks of equal size."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many prompts."""

    count: int
    total: int

    def plus(self, other: "Share") -> "Share":
        """With those of another part."""
        return Share(self.count + other.count, self.total + other.total)

    def finished(self) -> dict[str, float | None]:
        """The share with its interval."""
        low, high = wilson(self.count, self.total)
        value = self.count / self.total if self.total else None
        return {"value": value, "low": low, "high": high, "count": self.count, "total": self.total}


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


@dataclass(frozen=True, slots=True)
class UnitSums:
    """A mean over prompts by its sums over the bootstrap's units.

    Attributes:
        count: Number of prompts.
        origin: What all values are measured from, so that sums of nearly equal values keep their digits.
        excess: Sum over prompts of value less origin.
        sums: (units,) the same over the prompts of each unit.
        counts: (units,) prompts of each unit.
        seen: Least and greatest value.
        lowest: Least value that one prompt can have.
        highest: Greatest value that one prompt can have.
    """

    count: int
    origin: float
    excess: float
    sums: Float64[np.ndarray, " units"]
    counts: Float64[np.ndarray, " units"]
    seen: tuple[float, float]
    lowest: float
    highest: float

    @property
    def centre(self) -> float:
        """The mean."""
        return self.origin + self.excess / max(self.count, 1)

    def plus(self, other: "UnitSums") -> "UnitSums":
        """With those of another part."""
        # The values of a part without any have no origin, and what is known of their range still counts.
        origin = self.origin if self.count else other.origin
        shift = other.origin - origin if other.count else 0.0
        return UnitSums(
            count=self.count + other.count,
            origin=origin,
            excess=self.excess + other.excess + shift * other.count,
            sums=self.sums + other.sums + shift * other.counts,
            counts=self.counts + other.counts,
            seen=(min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])),
            lowest=min(self.lowest, other.lowest),
            highest=max(self.highest, other.highest),
        )


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
    least = float(kept.min(initial=np.inf)) if lowest is None else lowest
    greatest = float(kept.max(initial=-np.inf)) if highest is None else highest
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
    """The tree with its leaves as numbers; a `Share` and a `Mean` are `{"value", "low", "high"}`, None of no prompt."""
    sums = condensed(tree, unit_of_prompts(n_prompts, seed), units=n_units(n_prompts))
    return finished(sums, n_prompts=n_prompts, seed=seed)


def unit_of_prompts(n_prompts: int, seed: int) -> Int64[np.ndarray, " prompts"]:
    """The bootstrap unit of every prompt of the table."""
    return _units(n_prompts, np.random.default_rng(seed))


def condensed(tree: Any, unit_of: Int64[np.ndarray, " prompts"], *, units: int) -> Any:
    """The tree with every `Mean` as sums over units; `unit_of` gives the unit of each prompt that a mean numbers."""

    def condense(leaf: Any) -> Any:
        return _unit_sums(leaf, unit_of, units) if isinstance(leaf, Mean) else leaf

    return mapped(tree, condense)


def n_units(n_prompts: int) -> int:
    """Number of bootstrap units of so many prompts."""
    return min(n_prompts, MOST_UNITS)


def finished(tree: Any, *, n_prompts: int, seed: int) -> Any:
    """A condensed (and merged) tree as JSON types."""
    means = [leaf for leaf in leaves_of(tree) if isinstance(leaf, UnitSums)]
    intervals = dict(zip(map(id, means), _bootstrap(means, n_prompts, seed), strict=True))

    def finish(leaf: Any) -> Any:
        if isinstance(leaf, UnitSums):
            return intervals[id(leaf)]
        return leaf.finished() if isinstance(leaf, Figure | Share) else leaf

    return computed(mapped(tree, finish))


def _unit_sums(mean: Mean, unit_of: Int64[np.ndarray, " prompts"], units: int) -> UnitSums:
    values = mean.values
    origin = float(values.mean()) if len(values) else 0.0
    unit = unit_of[mean.prompts]
    return UnitSums(
        count=len(values),
        origin=origin,
        excess=0.0,
        sums=np.bincount(unit, weights=values - origin, minlength=units).astype(np.float64),
        counts=np.bincount(unit, minlength=units).astype(np.float64),
        seen=(float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))),
        lowest=mean.lowest,
        highest=mean.highest,
    )


def _units(n_prompts: int, rng: np.random.Generator) -> Int64[np.ndarray, " prompts"]:
    return rng.permutation(n_prompts) % max(n_units(n_prompts), 1)


def _bootstrap(means: list[UnitSums], n_prompts: int, seed: int) -> list[dict[str, float | None]]:
    """Percentile intervals of all means from shared resamples."""
    if not means:
        return []
    rng = np.random.default_rng(seed)
    _units(n_prompts, rng)  # the resamples come from the same stream, after the units
    sums = np.stack([mean.sums - mean.excess / max(mean.count, 1) * mean.counts for mean in means], axis=1)
    counts = np.stack([mean.counts for mean in means], axis=1)
    shifts = _resampled_means(sums, counts, rng)
    bounds = np.quantile(shifts, [0.025, 0.975], axis=0)
    return [
        _interval(mean, (mean.centre + float(low), mean.centre + float(high)))
        for mean, low, high in zip(means, bounds[0], bounds[1], strict=True)
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


def _interval(mean: UnitSums, bounds: tuple[float, float]) -> dict[str, float | None]:
    if mean.count == 0:
        return {"value": None, "low": None, "high": None}
    centre = mean.centre
    low, high = (_snapped(bound, mean) for bound in bounds)
    if mean.seen[1] - mean.seen[0] <= 1e-6 * (mean.highest - mean.lowest):
        unseen = wilson(0, mean.count)[1]
        low = min(low, centre - unseen * (centre - mean.lowest))
        high = max(high, centre + unseen * (mean.highest - centre))
    # The rounding of the resampled sums must not leave the range of the figure.
    return {"value": centre, "low": min(max(low, mean.lowest), centre), "high": max(min(high, mean.highest), centre)}


def _snapped(bound: float, mean: UnitSums) -> float:
    """A bound that lies within rounding of an end of the figure's range is that end."""
    dust = 1e-12 * max(abs(mean.lowest), abs(mean.highest))
    for end in (mean.lowest, mean.highest):
        if abs(bound - end) <= dust:
            return end
    return bound
