"""What one candidate does in one direction: ties resolved, truth gained, and what it costs at a weight.

Prompts in which some completion lacks the candidate are left out of its figures, and their ties count as not resolved.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.degeneracy import behaviour_means, observed_span
from policycliff.rollouts.analyses.radius import within_prompt_scale
from policycliff.rollouts.analyses.terms import weighted_parts
from policycliff.rollouts.intervals import Share, mean_over, share
from policycliff.rollouts.questions.tie_breakers.candidates import Candidate
from policycliff.rollouts.questions.tie_breakers.chosen import best_among, mean_over_chosen
from policycliff.rollouts.questions.tie_breakers.largest_weight import best_set_bounds, exact_least, order_bounds
from policycliff.rollouts.questions.tie_breakers.weight_curve import bound_of_most, least_bound, overturned_curve
from policycliff.rollouts.scores import Reward, Scored, Scorer, column_reward, effective_reward_of, score
from policycliff.rollouts.segments import segment_any, segment_mean, segment_of, segment_sum
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable, ScoreColumn
from policycliff.shapes import Bool, Float64

PRACTICAL = 0.1
"""A weight is practical if the tie-breaker's within-prompt scale becomes this part of the reward's own."""

_COLUMN = "tie-breaker"


@dataclass(frozen=True, slots=True)
class Question:
    """What every candidate is asked of.

    Attributes:
        table: The rows.
        weights: Weights of the reward columns.
        effective: Their sum.
        scorer: Scores rewards on the rows that have them.
        matters: (groups,) whether the group has a tie that counts.
        truth: Truth of the rows, or None.
        settings: Of the audit.
        weight: The weight to judge at, by candidate; `*` stands for all.
    """

    table: RolloutTable
    weights: dict[str, float]
    effective: Reward
    scorer: Scorer
    matters: Bool[np.ndarray, " groups"]
    truth: Float64[np.ndarray, " rows"] | None
    settings: AuditSettings
    weight: dict[str, float]


def judged(question: Question, candidate: Candidate, sign: float) -> dict[str, Any]:
    """All figures of a candidate in one direction; shares and means are still without intervals."""
    breaker = column_reward(f"{_COLUMN} {sign:+g} {candidate.name}", _complete(question, candidate), weight=sign)
    main, second = question.scorer(question.effective, breaker), question.scorer(breaker, question.effective)
    layout = main.layout
    head = {
        "candidate": candidate.name,
        "prefer": "larger" if sign > 0 else "smaller",
        "prompts": layout.n_prompts,
        "prompts_without_values": int(question.scorer(question.effective).layout.n_prompts) - layout.n_prompts,
    }
    if layout.n_prompts == 0:
        return head | {"note": "no prompt has this candidate for all of its completions"}
    picked = best_among(main.best, second, main)
    slope = _slope(question, main, second)
    keep_best, keep_order = best_set_bounds(main, second, slope), order_bounds(main, second, slope)
    by_prompt = keep_best.by_prompt(layout.n_prompts), keep_order.by_prompt(layout.n_prompts)
    rewards = (question.effective, breaker)
    weight, origin = _weight(question, candidate, main, second)
    figures = {
        **_resolved(question, main, picked),
        "largest_weight": least_bound(by_prompt[0], exact_least(keep_best, main, rewards)),
        "largest_weight_whole_order": least_bound(by_prompt[1], exact_least(keep_order, main, rewards)),
        "largest_weight_in_99_percent": bound_of_most(by_prompt[0]),
        "weight": weight,
        "weight_origin": origin,
        "no_signal_but_this_share": share(main.zero_spread & ~second.zero_spread),
        "truth": _truth_figures(question, main, picked),
        "curve": overturned_curve(*by_prompt, weight),
    }
    at_weight = None if weight is None else _at_weight(question, main, breaker, sign * weight)
    largest = figures["largest_weight"]
    only = None if weight is None else largest is None or weight < largest
    return head | figures | {"only_breaks_ties": only, "at_weight": at_weight}


def _complete(question: Question, candidate: Candidate) -> Float64[np.ndarray, " rows"]:
    """The candidate, NaN in whole prompts in which some completion with a reward lacks it."""
    offsets = question.table.offsets
    lacking = segment_any(np.isnan(candidate.scores) & question.effective.usable, offsets)
    return np.where(lacking[segment_of(offsets)], np.nan, candidate.scores)


def _slope(question: Question, main: Scored, second: Scored) -> Float64[np.ndarray, " behaviours"]:
    """What a unit of weight adds to each behaviour: under `normalize_then_sum` the candidate is normalised as well."""
    if question.settings.aggregation == "sum_then_normalize":
        return second.values
    scores = np.full(question.table.n_rows, np.nan)
    scores[main.layout.rows] = second.scores
    alone = replace(question.table, rewards=(ScoreColumn(_COLUMN, scores),))
    part = weighted_parts(alone, main, {_COLUMN: 1.0}, question.settings)[_COLUMN]
    return segment_mean(part, main.layout.draw_offsets)


def _weight(question: Question, candidate: Candidate, main: Scored, second: Scored) -> tuple[float | None, str]:
    """The weight to judge at: given, LCPO's own, or a practical one; None where neither scale says anything."""
    given = question.weight.get(candidate.name, question.weight.get("*"))
    if given is not None:
        return given, "given"
    if candidate.alpha is not None:
        return candidate.alpha, "LCPO's alpha"
    scale, own = within_prompt_scale(main)[0], within_prompt_scale(second)[0]
    if question.settings.aggregation == "normalize_then_sum":
        own = 1.0 if own > 0.0 else 0.0
    if scale <= 0.0 or own <= 0.0:
        return None, "the reward or the candidate is constant within prompts"
    return PRACTICAL * scale / own, "a tenth of the reward's within-prompt scale"


def _resolved(question: Question, main: Scored, picked: Bool[np.ndarray, " behaviours"]) -> dict[str, Any]:
    """Ties that count: resolved to one behaviour, made smaller, or left as they are."""
    left = segment_sum(picked, main.layout.behaviour_offsets)
    ties, total = question.matters[main.layout.prompts], int(question.matters.sum())
    full, part = ties & (left == 1), ties & (left > 1) & (left < main.tied_size)
    return {"resolved_share": Share(int(full.sum()), total), "partly_resolved_share": Share(int(part.sum()), total)}


def _truth_figures(question: Question, main: Scored, picked: Bool[np.ndarray, " behaviours"]) -> dict[str, Any] | None:
    """Truth of a completion picked by chance among the tied, and of one picked by the tie-breaker at a tiny weight."""
    if question.truth is None:
        return None
    values, span = behaviour_means(main, question.truth), observed_span(question.truth)
    before, after = mean_over_chosen(main, main.best, values), mean_over_chosen(main, picked, values)
    prompts, ties = main.layout.prompts, question.matters[main.layout.prompts]
    gain = after - before
    return {
        "before": mean_over(prompts[ties], before[ties]),
        "after": mean_over(prompts[ties], after[ties]),
        "gain": mean_over(prompts[ties], gain[ties], lowest=-span, highest=span),
        "gain_all_prompts": mean_over(prompts, gain, lowest=-span, highest=span),
    }


def _at_weight(question: Question, main: Scored, breaker: Reward, weight: float) -> dict[str, Any]:
    """What the best of the sum of reward and tie-breaker costs in the reward, and does to the truth."""
    added = ScoreColumn(_COLUMN, breaker.sign * breaker.scores)
    table = replace(question.table, rewards=(*question.table.rewards, added))
    total = effective_reward_of(table, question.weights | {_COLUMN: weight}, question.settings)
    summed = score(total, main.layout)
    gaps = main.best_value[main.layout.prompt_of_behaviour] - main.values
    lost = mean_over_chosen(main, summed.best, gaps)
    leaves = segment_any(summed.best & ~main.best, main.layout.behaviour_offsets)
    prompts = main.layout.prompts
    figures: dict[str, Any] = {
        "overturned_share": share(leaves),
        "reward_lost": mean_over(prompts, lost, lowest=0.0, highest=float(gaps.max())),
        "truth_gain": None,
    }
    if question.truth is not None:
        values, span = behaviour_means(main, question.truth), observed_span(question.truth)
        gain = mean_over_chosen(main, summed.best, values) - mean_over_chosen(main, main.best, values)
        figures["truth_gain"] = mean_over(prompts, gain, lowest=-span, highest=span)
    return figures
