"""Averages over a mixture, with intervals: prompts are resampled within the classes they occur in.

The proportions are the design and not a draw, so a resample keeps the number of prompts of every set of classes. All
averages share the same resamples, so that a difference of two has the interval of the difference.

An average is sum of m f over sum of m, over the prompts whose figure f is defined; m is the probability of the prompt.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.intervals import MOST_UNITS, RESAMPLES, wilson
from policycliff.shapes import Float64, Int64

_FLAT = 1e-9

Figure = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of figures over the prompts of each stratum, as observed (first) and in every resample.

    Attributes:
        sums: (strata, 1 + resamples, figures) sum of the figures over the prompts that have them.
        counts: (strata, 1 + resamples, figures) how many prompts have them.
    """

    sums: Float64[np.ndarray, "strata draws figures"]
    counts: Float64[np.ndarray, "strata draws figures"]


def resampled_totals(
    values: Float64[np.ndarray, "figures prompts"], stratum: Int64[np.ndarray, " prompts"], *, seed: int
) -> Totals:
    """Totals of each stratum; the same seed and strata give the same resamples whatever the figures."""
    rng, n_strata = np.random.default_rng(seed), int(stratum.max()) + 1
    sums = np.empty((n_strata, 1 + RESAMPLES, len(values)))
    counts = np.empty_like(sums)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    for number in range(n_strata):
        members = np.flatnonzero(stratum == number)
        units = min(len(members), MOST_UNITS)
        unit_of = rng.permutation(len(members)) % units
        drawn = rng.integers(0, units, size=(RESAMPLES, units))
        times = np.stack([np.ones(units), *(np.bincount(row, minlength=units) for row in drawn)])
        for target, source in ((sums, filled), (counts, known.astype(np.float64))):
            by_unit = np.stack([np.bincount(unit_of, weights=row[members], minlength=units) for row in source], axis=1)
            target[number] = times @ by_unit
    return Totals(sums, counts)


def averages(totals: Totals, mass: Float64[np.ndarray, " strata"]) -> Float64[np.ndarray, "draws figures"]:
    """Average of each figure when a prompt of stratum g has the probability `mass[g]`; NaN where no prompt counts."""
    weights = np.einsum("g,gdf->df", mass, totals.counts)
    sums = np.einsum("g,gdf->df", mass, totals.sums)
    return np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0.0)


def figure_of(draws: Float64[np.ndarray, " draws"], *, lowest: float, highest: float, prompts: float) -> Figure:
    """Value and 95 % percentile interval of an average, the observed one first.

    Where no resample differs, the interval is Wilson's for "0 of n prompts differ", stretched over the range that the
    figure can take, as everywhere in the audit.

    Args:
        draws: The observed average and the resampled ones.
        lowest: Least value that a prompt can have.
        highest: Greatest value that a prompt can have.
        prompts: Effective number of prompts.
    """
    value, resampled = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    if np.isnan(value) or len(resampled) == 0:
        return {"value": None, "low": None, "high": None}
    low, high = (float(bound) for bound in np.quantile(resampled, [0.025, 0.975]))
    if np.ptp(resampled) <= _FLAT * max(highest - lowest, abs(value)):
        unseen = wilson(0, max(round(prompts), 1))[1]
        low, high = value - unseen * (value - lowest), value + unseen * (highest - value)
    return {"value": value, "low": max(min(low, value), lowest), "high": min(max(high, value), highest)}
