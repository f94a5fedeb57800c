"""What to do: the coefficient that makes the policy stable, the columns that break ties, the prompts to leave out.

Least beta (Result 5 with one step, from the sharp modulus of Result 4): a reward error of at most e moves the
KL-optimal policy by at most tanh(e / (2 beta)) in total variation, so beta >= e / (2 artanh(tau)) keeps it under tau
whatever the prompt. The same number is the entropy temperature. Its price is the reward given up against always taking
the best sampled completion.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.degeneracy import Aspect, behaviour_means
from policycliff.rollouts.analyses.pairs import tilted_weights
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.leaves import After, total
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_any, segment_max, segment_mean, segment_min, segment_sum
from policycliff.shapes import Bool, Float64

_MOST_TIE_BREAKERS = 10


@dataclass(frozen=True, slots=True)
class TrueScores:
    """The truth along the table's rows, and the span of its values in the whole table."""

    scores: Float64[np.ndarray, " table_rows"]
    span: float


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
    truth: TrueScores | None,
) -> After:
    """Columns by what they would gain in the truth (or how many consequential ties they would break), best first.

    A column breaks a tie when one behaviour of the tied set has its greatest (or least) value alone. With a truth
    column the direction is the one whose picks have the greater truth, and columns that lose truth either way are
    left out; else it is the one that breaks more.
    """
    both = [
        [_one_direction(scored, consequential, aspect, truth, sign) for sign in (1.0, -1.0)] for aspect in candidates
    ]
    return After(_best_tie_breakers, both)


def _best_tie_breakers(columns: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = [max(directions, key=_worth) for directions in columns]
    useful = [row for row in rows if row["breaks_share"]["count"] > 0 and _worth(row) > 0]
    useful.sort(key=lambda row: (-_worth(row), row["column"]))
    return [{name: row[name] for name in row if name != "worth"} for row in useful[:_MOST_TIE_BREAKERS]]


def _worth(row: dict[str, Any]) -> float:
    """Truth gained over all prompts; the number of ties broken where there is no truth."""
    return float(row["worth"])


def _one_direction(
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    aspect: Aspect,
    truth: TrueScores | None,
    sign: float,
) -> dict[str, Any]:
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    values = sign * behaviour_means(scored, aspect.scores)
    complete = ~segment_any(scored.best & np.isnan(values), offsets)
    contender = np.where(scored.best & ~np.isnan(values), values, -np.inf)
    picked = scored.best & (contender == segment_max(contender, offsets)[where])
    breaks = consequential & complete & (segment_sum(picked, offsets) == 1)
    gain, worth = None, total(int(breaks.sum()))
    if truth is not None:
        gains = _truth_gain(scored, picked, truth.scores)[breaks]
        gain = mean_over(layout.prompts[breaks], gains, lowest=-truth.span, highest=truth.span)
        worth = total(float(gain.values.sum()))
    return {
        "column": aspect.name,
        "prefer": "larger" if sign > 0 else "smaller",
        "breaks_share": share(breaks[consequential]),
        "truth_gain": gain,
        "worth": worth,
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
