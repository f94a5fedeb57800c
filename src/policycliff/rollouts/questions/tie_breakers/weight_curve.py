"""Figures of the bounds on a weight: the least, the one that all but a few prompts allow, and the curve."""

from fractions import Fraction
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import wilson
from policycliff.shapes import Bool, Float64

_CURVE_POINTS = 25
_ALLOWED = 0.01


def least_bound(by_prompt: Float64[np.ndarray, " prompts"], exact: Fraction | None) -> float | None:
    """The least bound of all prompts; None where no weight overturns anything."""
    least = float(by_prompt.min())
    return None if np.isinf(least) else (least if exact is None else float(exact))


def bound_of_most(by_prompt: Float64[np.ndarray, " prompts"]) -> float | None:
    """The weight below which no more than one prompt in a hundred is overturned; None where there is none."""
    bound = float(np.sort(by_prompt)[int(_ALLOWED * len(by_prompt))])
    return None if np.isinf(bound) else bound


def overturned_curve(
    best: Float64[np.ndarray, " prompts"], order: Float64[np.ndarray, " prompts"], weight: float | None
) -> list[dict[str, Any]]:
    """Share of prompts with a strict preference overturned at each of a row of weights, four decades wide at most."""
    finite = order[np.isfinite(order)]
    if len(finite) == 0:
        return []
    high = max(float(np.quantile(finite, 0.9)), weight or 0.0)
    low = max(min(float(finite.min()), weight or np.inf), high * 1e-6)
    grid = np.geomspace(0.5 * low, 2.0 * high, _CURVE_POINTS)
    return [{"weight": float(at), "best_lost": _figure(best <= at), "order_lost": _figure(order <= at)} for at in grid]


def _figure(flags: Bool[np.ndarray, " prompts"]) -> dict[str, float]:
    low, high = wilson(int(flags.sum()), len(flags))
    return {"value": float(flags.mean()), "low": low, "high": high}
