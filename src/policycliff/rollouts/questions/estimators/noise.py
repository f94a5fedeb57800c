"""How far the advantages move when every completion is scored with one more error of the scorer's size (Monte Carlo).

Errors are Gaussian and independent from completion to completion and from reward to reward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from policycliff.rollouts.analyses.noise import Noise
from policycliff.rollouts.questions.estimators.advantages import Estimate, estimates
from policycliff.rollouts.questions.estimators.sample import Sample
from policycliff.shapes import Bool, Float64

_FEWEST, _MOST, _ROWS = 4, 64, 2_000_000


@dataclass(frozen=True, slots=True)
class NoiseEffect:
    """Root mean square of the advantages' change, an estimator each, in units of the root mean square advantage.

    `overall` is over all rows, `tied` over the groups that are tied; figures with their Monte-Carlo interval.
    """

    draws: int
    overall: Mapping[str, dict[str, Any]]
    tied: Mapping[str, dict[str, Any]]


def known_sigmas(sample: Sample, noises: Mapping[str, Noise]) -> Float64[np.ndarray, " components"] | None:
    """Standard deviation of each component's error, 0 where not known; None where no component has one."""
    sigmas = np.array([noises[name].sigma or 0.0 for name in sample.names])
    return sigmas if sigmas.any() else None


def noise_effect(
    sample: Sample,
    found: Mapping[str, Estimate],
    sigmas: Float64[np.ndarray, " components"],
    tied: Bool[np.ndarray, " groups"],
    *,
    epsilon: float,
    seed: int,
) -> NoiseEffect:
    """Draw errors and compare the advantages with and without them."""
    rng = np.random.default_rng(seed)
    rows = len(sample.totals)
    draws = int(np.clip(_ROWS // rows, _FEWEST, _MOST))
    in_tied = tied[sample.group]
    moved: dict[str, list[tuple[float, float]]] = {key: [] for key in found}
    for _ in range(draws):
        errors = sigmas[:, None] * rng.standard_normal(sample.components.shape)
        errors = np.where(np.isnan(sample.components), 0.0, errors)
        noisy = replace(sample, components=sample.components + errors, totals=sample.totals + sample.weights @ errors)
        again = estimates(noisy, epsilon)[1]
        for key, estimate in found.items():
            squares = (again[key].advantage - estimate.advantage) ** 2
            moved[key].append((float(squares.mean()), float(squares[in_tied].mean()) if in_tied.any() else np.nan))
    size = {key: float(np.sqrt(np.mean(estimate.advantage**2))) for key, estimate in found.items()}
    return NoiseEffect(
        draws,
        {key: _figure([overall for overall, _ in moved[key]], size[key]) for key in found},
        {key: _figure([inside for _, inside in moved[key]], size[key]) for key in found},
    )


def _figure(squares: list[float], unit: float) -> dict[str, Any]:
    """Root of the mean of mean squares, with the interval of that mean over the draws."""
    values = np.array(squares)
    if unit == 0.0 or np.isnan(values).any():
        return {"value": None, "low": None, "high": None}
    half = float(stdtrit(len(values) - 1, 0.975)) * values.std(ddof=1) / np.sqrt(len(values))
    mean = values.mean()
    low, high = np.sqrt(max(mean - half, 0.0)), np.sqrt(mean + half)
    return {"value": float(np.sqrt(mean)) / unit, "low": float(low) / unit, "high": float(high) / unit}
