"""What to do: the coefficient that makes the policy stable, the columns that break ties, the prompts to leave out.

Least beta (Result 5 with one step, from the sharp modulus of Result 4): a reward error of at most e moves the
KL-optimal policy by at most tanh(e / (2 beta)) in total variation, so beta >= e / (2 artanh(tau)) keeps it under tau
whatever the prompt. The same number is the entropy temperature. Its price is the reward given up against always taking
the best sampled completion.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.degeneracy import Aspect, behaviour_means, observed_span
from policycliff.rollouts.analyses.pairs import tilted_weights
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_any, segment_max, segment_mean, segment_min, segment_sum
from policycliff.shapes import Bool, Float64

_MOST_TIE_BREAKERS = 10


def least_coefficient(reward_error: float, max_shift: float) -> float:
    """Least KL coefficient (or entropy temperature) that keeps the shift under `max_shift` for any such error.

    >>> round(least_coefficient(0.1, 0.1), 4)
    0.4983
    """
    return reward_error / (2.0 * float(np.arctanh(max_shift)))


def coefficient_advice(scored: Scored, *, reward_error: float, origin: str, max_shift: float) -> dict[str, Any]:
    """The least beta and what it costs in expected reward, towards the sampling policy and towards the uniform one."""
    beta = least_coefficient(reward_error, max_shift)
    advice: dict[str, Any] = {
        "reward_error": reward_error,
        "reward_error_origin": origin,
        "max_shift": max_shift,
        "beta": beta,
    }
    if beta <= 0.0:
        return advice
    layout = scored.layout
    best, mean = scored.best_value, segment_mean(scored.scores, layout.row_offsets)
    weights = tilted_weights(layout, scored.scores, beta=beta)
    soft = segment_sum(weights * scored.scores, layout.row_offsets)
    return advice | {
        "kl_reward_cost": mean_over(layout.prompts, np.maximum(best - soft, 0.0), lowest=0.0),
        "entropy_reward_cost": mean_over(
            layout.prompts, np.maximum(best - _entropy_value(scored, beta), 0.0), lowest=0.0
        ),
        "sampling_reward_cost": mean_over(layout.prompts, np.maximum(best - mean, 0.0), lowest=0.0),
    }


def tie_breakers(
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    candidates: list[Aspect],
    truth: Float64[np.ndarray, " table_rows"] | None,
) -> list[dict[str, Any]]:
    """Columns by what they would gain in the truth (or how many consequential ties they would break), best first.

    A column breaks a tie when one behaviour of the tied set has its greatest (or least) value alone. With a truth
    column the direction is the one whose picks have the greater truth, and columns that lose truth either way are
    left out; else it is the one that breaks more.
    """
    rows = [_tie_breaker(scored, consequential, aspect, truth) for aspect in candidates]
    useful = [row for row in rows if row["breaks_share"].count > 0 and _worth(row) > 0]
    useful.sort(key=lambda row: (-_worth(row), row["column"]))
    return useful[:_MOST_TIE_BREAKERS]


def _worth(row: dict[str, Any]) -> float:
    """Truth gained over all prompts; the number of ties broken where there is no truth."""
    gain = row["truth_gain"]
    return float(row["breaks_share"].count if gain is None else gain.values.sum())


def _tie_breaker(
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    aspect: Aspect,
    truth: Float64[np.ndarray, " table_rows"] | None,
) -> dict[str, Any]:
    options = [_one_direction(scored, consequential, aspect, truth, sign) for sign in (1.0, -1.0)]
    return max(options, key=_worth)


def _one_direction(
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    aspect: Aspect,
    truth: Float64[np.ndarray, " table_rows"] | None,
    sign: float,
) -> dict[str, Any]:
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    values = sign * behaviour_means(scored, aspect.scores)
    complete = ~segment_any(scored.best & np.isnan(values), offsets)
    contender = np.where(scored.best & ~np.isnan(values), values, -np.inf)
    picked = scored.best & (contender == segment_max(contender, offsets)[where])
    breaks = consequential & complete & (segment_sum(picked, offsets) == 1)
    gain = None
    if truth is not None:
        span = observed_span(truth)
        gains = _truth_gain(scored, picked, truth)[breaks]
        gain = mean_over(layout.prompts[breaks], gains, lowest=-span, highest=span)
    return {
        "column": aspect.name,
        "prefer": "larger" if sign > 0 else "smaller",
        "breaks_share": share(breaks[consequential]),
        "truth_gain": gain,
    }


def _truth_gain(
    scored: Scored, picked: Bool[np.ndarray, " behaviours"], truth: Float64[np.ndarray, " table_rows"]
) -> Float64[np.ndarray, " prompts"]:
    """Truth of the picked behaviour over the sample-weighted mean of the tied set; NaN where some truth is missing."""
    layout = scored.layout
    offsets, values = layout.behaviour_offsets, behaviour_means(scored, truth)
    draws = np.where(scored.best, layout.draws, 0)
    mean = segment_sum(np.where(scored.best, draws * values, 0.0), offsets) / segment_sum(draws, offsets)
    return segment_min(np.where(picked, values, np.inf), offsets) - mean


def _entropy_value(scored: Scored, temperature: float) -> Float64[np.ndarray, " prompts"]:
    """Expected reward of the entropy-regularised optimum, whose base is uniform over the distinct behaviours."""
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    weights = np.exp((scored.values - scored.best_value[where]) / temperature)
    return segment_sum(weights * scored.values, offsets) / segment_sum(weights, offsets)
