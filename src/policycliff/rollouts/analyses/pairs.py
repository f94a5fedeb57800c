"""The map under another reward: what happens to the best behaviours, and to the soft policy, when one reward replaces
another.

The KL-optimal policy towards the *sampling* policy reweights the sampled completions by exp(r / beta), self-normalised;
repeats of a behaviour add up. The total variation between two rewards' optima is half the L1 distance of the weights.
It is bounded, for the reweighted sample and not for completions that nobody sampled, by

- tanh(span(dr) / (4 beta)) with span = max - min over the prompt's completions, for a constant added to
  all of a prompt's rewards changes nothing (Result 4: sharp),
- tanh(max|dr| / (2 beta)) (Result 4, the sup-norm form),
- max|dr| / (2 beta) (Prop 4.7 with one step: the paper's linear bound).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.leaves import After, Nothing, every, median_or_none, total
from policycliff.rollouts.scores import Reward, Scored, Scorer
from policycliff.rollouts.segments import (
    segment_any,
    segment_correlation,
    segment_max,
    segment_min,
    segment_sum,
)
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

MIN_EFFECTIVE_SAMPLES = 5.0
"""Effective sample size below which a reweighted sample says nothing about the policy."""


@dataclass(frozen=True, slots=True)
class SoftShift:
    """Per prompt: total variation between two reweighted samples, its three bounds, and the effective sample sizes."""

    total_variation: Float64[np.ndarray, " prompts"]
    sharp_bound: Float64[np.ndarray, " prompts"]
    sup_bound: Float64[np.ndarray, " prompts"]
    linear_bound: Float64[np.ndarray, " prompts"]
    effective_samples: Float64[np.ndarray, " prompts"]


def compare_pair(scorer: Scorer, first: Reward, second: Reward, *, beta: float) -> Any:
    """Everything that the audit says of two rewards, over the completions that have both."""
    one, two = scorer(first, second), scorer(second, first)
    layout = one.layout
    head = {"first": first.name, "second": second.name}
    if layout.n_prompts == 0:
        return Nothing(head | {"prompts": 0, "note": "no prompt has two completions with both scores"})
    offsets, prompts = layout.behaviour_offsets, layout.prompts
    differ = segment_any(one.best != two.best, offsets)
    disjoint = ~segment_any(one.best & two.best, offsets)
    correlation = _rank_correlation(one, two)
    soft = _soft_figures(soft_shift(layout, one.scores, two.scores, beta=beta), layout)
    figures = {
        **head,
        "prompts": total(layout.n_prompts),
        "best_changes_share": share(differ),
        "best_disjoint_share": share(disjoint),
        "rank_correlation": mean_over(prompts, correlation, lowest=-1.0, highest=1.0),
        "rank_correlation_prompts": total(int(np.isfinite(correlation).sum())),
        "constant_share": share(one.zero_spread | two.zero_spread),
        **soft,
        "scaled": _soft_figures(soft_shift(layout, one.standardised, two.standardised, beta=1.0), layout),
    }
    return After(_only_estimable, figures)


def tilted_weights(
    layout: Layout, scores: Float64[np.ndarray, " rows"], *, beta: float
) -> Float64[np.ndarray, " rows"]:
    """Weight of each completion under the KL-optimal policy towards the sampling policy; each prompt sums to 1."""
    top = segment_max(scores, layout.row_offsets)[layout.prompt_of_row]
    weights = np.exp((scores - top) / beta)
    return weights / segment_sum(weights, layout.row_offsets)[layout.prompt_of_row]


def effective_samples(layout: Layout, weights: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " prompts"]:
    """Kish's effective sample size of normalised weights, 1 / sum of squares, per prompt."""
    return 1.0 / segment_sum(weights**2, layout.row_offsets)


def soft_shift(
    layout: Layout,
    first: Float64[np.ndarray, " rows"],
    second: Float64[np.ndarray, " rows"],
    *,
    beta: float,
) -> SoftShift:
    """How far the KL-optimal policy moves when the second reward replaces the first, prompt by prompt."""
    offsets = layout.row_offsets
    one, two = tilted_weights(layout, first, beta=beta), tilted_weights(layout, second, beta=beta)
    # Rows of one behaviour add up before the distance is taken.
    moved = np.abs(np.add.reduceat(one - two, layout.draw_offsets[:-1]))
    change = second - first
    span = segment_max(change, offsets) - segment_min(change, offsets)
    largest = segment_max(np.abs(change), offsets)
    return SoftShift(
        total_variation=0.5 * segment_sum(moved, layout.behaviour_offsets),
        sharp_bound=np.tanh(span / (4.0 * beta)),
        sup_bound=np.tanh(largest / (2.0 * beta)),
        linear_bound=largest / (2.0 * beta),
        effective_samples=np.minimum(effective_samples(layout, one), effective_samples(layout, two)),
    )


def _soft_figures(shift: SoftShift, layout: Layout) -> dict[str, Any]:
    """Means over prompts, the total variation's too."""
    prompts = layout.prompts
    return {
        "total_variation": mean_over(prompts, shift.total_variation, lowest=0.0, highest=1.0),
        "total_variation_status": "estimated",
        "effective_sample_size_median": every(shift.effective_samples, median_or_none),
        "sharp_bound": mean_over(prompts, shift.sharp_bound, lowest=0.0, highest=1.0),
        "sup_bound": mean_over(prompts, shift.sup_bound, lowest=0.0, highest=1.0),
        "linear_bound": mean_over(prompts, shift.linear_bound, lowest=0.0),
    }


def _only_estimable(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures with the total variation only where the reweighted samples still hold enough completions.

    The median prompt decides for all: leaving out single prompts would leave out those that move most.
    """
    return _if_estimable(figures) | {"scaled": _if_estimable(figures["scaled"])}


def _if_estimable(soft: dict[str, Any]) -> dict[str, Any]:
    if soft["effective_sample_size_median"] >= MIN_EFFECTIVE_SAMPLES:
        return soft
    return soft | {"total_variation": None, "total_variation_status": "not estimable"}


def _rank_correlation(one: Scored, two: Scored) -> Float64[np.ndarray, " prompts"]:
    """Spearman's rank correlation within each prompt, over completions; NaN where a reward is constant."""
    return segment_correlation(one.ranks, two.ranks, one.layout.row_offsets)


def mixed_sources_share(table: RolloutTable) -> Any:
    """Share of groups whose completions come from several source models; None without a source column."""
    if table.source is None:
        return None
    low = np.minimum.reduceat(table.source, table.offsets[:-1])
    high = np.maximum.reduceat(table.source, table.offsets[:-1])
    return share(low != high)
