"""What the table logged, against what its components and weights give: the scalar that was optimised, the advantages.

Trainers compute in float32, so equal means equal up to `SCALAR_TOLERANCE` or `ADVANTAGE_TOLERANCE`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from policycliff.rollouts.questions.estimators.advantages import Estimate
from policycliff.rollouts.questions.estimators.sample import Sample
from policycliff.shapes import Float64

SCALAR_TOLERANCE = 1e-5
ADVANTAGE_TOLERANCE = 2e-3
"""Relative to the advantage; a tenth of it, relative to the root mean square advantage, besides."""
FITS = 0.99
_MOST_ROWS_FITTED = 200_000


def compare_scalar(sample: Sample, logged: Float64[np.ndarray, " rows"]) -> dict[str, Any]:
    """How often and by how much a logged scalar differs from the weighted sum, and the weights that it follows."""
    known = np.isfinite(logged)
    given, computed = logged[known], sample.totals[known]
    difference = np.abs(given - computed)
    scale = max(float(np.abs(computed).max(initial=0.0)), float(np.abs(given).max(initial=0.0)))
    differs = difference > SCALAR_TOLERANCE * scale
    return {
        "rows": int(known.sum()),
        "missing": int((~known).sum()),
        "differing": int(differs.sum()),
        "differing_share": float(differs.mean()) if known.any() else None,
        "median_difference": float(np.median(difference[differs])) if differs.any() else 0.0,
        "largest_difference": float(difference.max(initial=0.0)),
        "weights_that_fit": _weights_that_fit(sample, logged, scale) if differs.any() else None,
    }


def _weights_that_fit(sample: Sample, logged: Float64[np.ndarray, " rows"], scale: float) -> dict[str, float] | None:
    """Weights and an offset under which the logged scalar is a sum of the components in all rows; None without such."""
    usable = np.flatnonzero(np.isfinite(logged) & ~np.isnan(sample.components).any(axis=0))
    if len(usable) <= len(sample.names) + 1:
        return None
    chosen = usable[:: max(1, len(usable) // _MOST_ROWS_FITTED)]
    design = np.vstack([sample.components[:, chosen], np.ones(len(chosen))]).T
    found, _, rank, _ = np.linalg.lstsq(design, logged[chosen], rcond=None)
    if rank < design.shape[1] or np.abs(design @ found - logged[chosen]).max() > SCALAR_TOLERANCE * scale:
        return None
    # What the least squares leave of a weight of 0 is rounding.
    cleaned = [round(float(value), 9) for value in found]
    return dict(zip((*sample.names, "constant"), cleaned, strict=True))


def compare_advantages(
    logged: Float64[np.ndarray, " rows"], found: Mapping[str, Estimate]
) -> dict[str, dict[str, Any]]:
    """How well each estimator explains logged advantages: equal, or equal up to one factor."""
    known = np.isfinite(logged)
    return {key: _fit(logged[known], estimate.advantage[known]) for key, estimate in found.items()}


def estimators_that_fit(fits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Estimators whose advantages equal the logged ones in nearly all rows."""
    return [key for key, fit in fits.items() if fit["rows"] and fit["equal_share"] >= FITS]


def _fit(logged: Float64[np.ndarray, " rows"], computed: Float64[np.ndarray, " rows"]) -> dict[str, Any]:
    energy, whole = float(computed @ computed), float(logged @ logged)
    slope = float(computed @ logged) / energy if energy > 0.0 else None
    explained = None if slope is None or whole == 0.0 else 1.0 - float(((logged - slope * computed) ** 2).sum()) / whole
    size = float(np.sqrt(np.mean(logged**2))) if len(logged) else 0.0
    difference = np.abs(logged - computed)
    reach = ADVANTAGE_TOLERANCE * (np.maximum(np.abs(logged), np.abs(computed)) + 0.1 * size)
    return {
        "rows": len(logged),
        "equal_share": float((difference <= reach).mean()) if len(logged) else None,
        "largest_difference": float(difference.max(initial=0.0)),
        "factor": slope,
        "explained": explained,
    }
