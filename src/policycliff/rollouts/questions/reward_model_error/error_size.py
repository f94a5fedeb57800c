"""The size of a member's error, and the KL coefficient under which it does little.

A member's error is its difference from the mean of all others. A constant added to a prompt's scores changes no policy,
so its size in a prompt is half the span (greatest minus least) over the prompt's behaviours. By the sharp modulus
(Result 4) replacing the mean of the others by that member moves the KL-optimal policy of coefficient beta by at most
tanh(size / (2 beta)) in total variation.
"""

from typing import Any

import numpy as np
from scipy.stats import binom

from policycliff.rollouts.analyses.advice import least_coefficient
from policycliff.rollouts.analyses.pairs import soft_shift
from policycliff.rollouts.analyses.radius import radii
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.questions.reward_model_error.ensemble import Ensemble
from policycliff.rollouts.segments import segment_max, segment_min, segment_sum
from policycliff.shapes import Float64

COVERED = (0.5, 0.9, 0.95)
"""Shares of prompts for which a coefficient is given; and all of them."""

_STEPS = 9
_ROUNDING = 1e-12


def error_sizes(ensemble: Ensemble) -> Float64[np.ndarray, "members prompts"]:
    """Half the span of each member's difference from the mean of all others, prompt by prompt."""
    offsets, count = ensemble.layout.behaviour_offsets, ensemble.size
    # Of the member and the mean of the others: count / (count - 1) times that of the member and the mean of all.
    errors = (ensemble.values - ensemble.values.mean(axis=0)) * (count / (count - 1))
    return np.stack([0.5 * (segment_max(row, offsets) - segment_min(row, offsets)) for row in errors])


def prompt_spread(ensemble: Ensemble) -> Float64[np.ndarray, " prompts"]:
    """Root mean square over a prompt's behaviours of the members' standard deviation, prompts centred by member."""
    layout, values = ensemble.layout, ensemble.values
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    centres = np.stack([segment_sum(row, offsets) / layout.n_behaviours for row in values])
    centred = values - centres[:, where]
    spread = np.sqrt(segment_sum(centred.var(axis=0, ddof=1), offsets) / layout.n_behaviours)
    # Members that agree up to rounding do agree.
    return np.where(spread <= _ROUNDING * segment_max(np.abs(centred).max(axis=0), offsets), 0.0, spread)


def radius_in_spreads(ensemble: Ensemble) -> Float64[np.ndarray, " prompts"]:
    """Radius of the mean's best behaviour in units of the prompt's spread; inf without spread, NaN where undefined."""
    radius, spread = radii(ensemble.mean), prompt_spread(ensemble)
    ratio = np.divide(radius, spread, out=np.full(len(radius), np.inf), where=spread > 0)
    return np.where((spread == 0) & (radius == 0), 0.0, np.where(np.isnan(radius), np.nan, ratio))


def quantile_with_interval(values: Float64[np.ndarray, " n"], share: float) -> dict[str, float | None]:
    """The least of these sizes that at least this share of them do not exceed, with its 95 % interval over prompts.

    The interval is between two order statistics and needs no law of the sizes. Where there is none, the lower end is 0,
    the least that a size can be, and the upper end None.

    >>> quantile_with_interval(np.arange(1.0, 101.0), 0.5)
    {'value': 50.0, 'low': 40.0, 'high': 61.0}
    """
    ordered, count = np.sort(values), len(values)
    position = max(int(np.ceil(share * count - 1e-9)), 1)
    # Order statistic r is at most the quantile with probability P(B >= r), B binomial with these parameters.
    low = int(binom.ppf(0.025, count, share))
    high = int(binom.ppf(0.975, count, share)) + 1
    return {
        "value": float(ordered[position - 1]),
        "low": float(ordered[low - 1]) if low >= 1 else 0.0,
        "high": float(ordered[high - 1]) if high <= count else None,
    }


def coefficients(ensemble: Ensemble, max_shift: float) -> list[dict[str, Any]]:
    """For shares of the prompts: the error that covers every member there, and the least beta under which it moves the
    KL-optimal policy by at most `max_shift`.
    """
    worst = error_sizes(ensemble).max(axis=0)
    rows = []
    for share in COVERED:
        error = quantile_with_interval(worst, share)
        rows.append({"covered": share, "error": error, "beta": _coefficient(error, max_shift)})
    greatest = {"value": float(worst.max()), "low": float(worst.max()), "high": None}
    return [*rows, {"covered": 1.0, "error": greatest, "beta": _coefficient(greatest, max_shift)}]


def _coefficient(error: dict[str, float | None], max_shift: float) -> dict[str, float | None]:
    return {key: None if size is None else least_coefficient(size, max_shift) for key, size in error.items()}


def shift_curve(ensemble: Ensemble, beta: float) -> list[dict[str, Any]]:
    """Total variation between the policies of a member and of the others' mean, at coefficients around `beta`.

    Mean over members and prompts: the bound, and the shift among the sampled completions.
    """
    if beta <= 0.0:
        return []
    layout, sizes = ensemble.layout, error_sizes(ensemble)
    count, total = ensemble.size, ensemble.scores.sum(axis=0)
    rows = []
    for value in (beta * np.geomspace(1 / 64, 4, _STEPS)).tolist():
        measured = np.zeros(layout.n_prompts)
        for member in ensemble.scores:
            measured += soft_shift(layout, (total - member) / (count - 1), member, beta=value).total_variation / count
        bound = np.tanh(sizes / (2.0 * value)).mean(axis=0)
        rows.append(
            {
                "beta": value,
                "bound": mean_over(layout.prompts, bound, lowest=0.0, highest=1.0),
                "measured": mean_over(layout.prompts, measured, lowest=0.0, highest=1.0),
            }
        )
    return rows
