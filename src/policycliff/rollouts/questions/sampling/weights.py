"""Importance weights: what the sampled completions say of another policy, or that they say little.

The ratio of a completion is its probability under the policy of interest over that under the policy that drew it.
Within each prompt the ratios are divided by their sum. The ratios of a prompt's n draws are at most n times their mean,
however wild they are, so the tail is judged on the ratios themselves, over all prompts together.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.pairs import MIN_EFFECTIVE_SAMPLES, effective_samples
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.layout import Layout, layout_of
from policycliff.rollouts.questions.sampling.pareto import pareto_shape, reliable_below
from policycliff.rollouts.scores import Reward
from policycliff.rollouts.segments import segment_max, segment_mean, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

_MOST_LOG_RATIO = 300.0


def normalised_weights(layout: Layout, log_ratios: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """Ratios divided by their sum within each prompt."""
    greatest = segment_max(log_ratios, layout.row_offsets)[layout.prompt_of_row]
    ratios = np.exp(log_ratios - greatest)
    return ratios / segment_sum(ratios, layout.row_offsets)[layout.prompt_of_row]


def weight_figures(
    table: RolloutTable, log_ratios: Float64[np.ndarray, " table_rows"], rewards: list[Reward]
) -> dict[str, Any]:
    """Effective sample sizes, the tail of the ratios, and the expected rewards under both policies.

    `log_ratios` is NaN where a log-probability is not known.
    """
    known = ~np.isnan(log_ratios)
    layout = layout_of(table, known)
    if layout.n_prompts == 0:
        return {"prompts": 0, "estimates": []}
    kept = log_ratios[layout.rows]
    weights = normalised_weights(layout, kept)
    effective, size = effective_samples(layout, weights), layout.group_sizes
    shape, limit = pareto_shape(kept), reliable_below(len(kept))
    median = float(np.median(effective))
    ratios = segment_mean(np.exp(np.minimum(kept, _MOST_LOG_RATIO)), layout.row_offsets)
    return {
        "prompts": layout.n_prompts,
        "completions": len(kept),
        "unknown_rows": int((~known).sum()),
        "effective_sample_size_mean": mean_over(layout.prompts, effective, lowest=1.0, highest=float(size.max())),
        "effective_sample_size_median": median,
        # The mean over prompts of weighted means is itself a weighted mean, with weights of these squares.
        "effective_sample_size_overall": float(layout.n_prompts**2 / (1.0 / effective).sum()),
        "sample_size_overall": float(layout.n_prompts**2 / (1.0 / size).sum()),
        "largest_weight_mean": mean_over(
            layout.prompts, segment_max(weights, layout.row_offsets), lowest=0.0, highest=1.0
        ),
        "mean_ratio": mean_over(layout.prompts, ratios, lowest=0.0),
        "pareto_shape": shape,
        "pareto_shape_reliable_below": limit,
        "equal_ratios": bool(np.ptp(kept) <= 1e-9),
        "reliable": is_reliable(shape, limit, median, equal=bool(np.ptp(kept) <= 1e-9)),
        "estimates": [_estimate(table, log_ratios, reward) for reward in rewards],
    }


def is_reliable(shape: float | None, limit: float, median_effective: float, *, equal: bool) -> bool | None:
    """Whether the weighted means can be relied on; None where the tail cannot be judged."""
    if equal:
        return True
    if median_effective < MIN_EFFECTIVE_SAMPLES:
        return False
    return None if shape is None else shape < limit


def _estimate(table: RolloutTable, log_ratios: Float64[np.ndarray, " table_rows"], reward: Reward) -> dict[str, Any]:
    layout = layout_of(table, reward.usable & ~np.isnan(log_ratios))
    if layout.n_prompts == 0:
        return {"reward": reward.name, "sampled": None, "weighted": None, "difference": None, "bias": None}
    offsets, where = layout.row_offsets, layout.prompt_of_row
    scores, weights = reward.scores[layout.rows], normalised_weights(layout, log_ratios[layout.rows])
    low, high = float(scores.min()), float(scores.max())
    plain, weighted = segment_mean(scores, offsets), segment_sum(weights * scores, offsets)
    # First order in 1 / n: a ratio of means is biased by minus the covariance of its ratios with what they multiply.
    bias = -segment_sum(weights**2 * (scores - weighted[where]), offsets)
    span = high - low
    return {
        "reward": reward.name,
        "sampled": mean_over(layout.prompts, plain, lowest=low, highest=high),
        "weighted": mean_over(layout.prompts, np.clip(weighted, low, high), lowest=low, highest=high),
        "difference": mean_over(layout.prompts, weighted - plain, lowest=-span, highest=span),
        "bias": mean_over(layout.prompts, bias, lowest=-span, highest=span),
    }
