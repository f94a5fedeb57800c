"""Degeneracy: where the reward is tied, so that training picks among the tied behaviours at random (Prop 2.9, 2.10).

With m optimal behaviours every deterministic selection is discontinuous in the reward, and the uniform one jumps by
(m - 1)/m. A tie is *consequential* where its members differ in something that matters: the truth, another reward, or
the `behaviour` column.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.noise import NOISE_MARGIN
from policycliff.rollouts.exact import UNIT_ROUNDOFF
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.leaves import counts, tally_of, total
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_mean, segment_min, segment_sum
from policycliff.shapes import Bool, Float64

_DIFFICULTY_BINS = 10


@dataclass(frozen=True, slots=True)
class Aspect:
    """A column in which tied behaviours can differ, with the noise below which a difference means nothing."""

    name: str
    scores: Float64[np.ndarray, " table_rows"]
    noise: float = 0.0


def degeneracy(
    scored: Scored, *, sigma: float | None, max_reward: float | None, score_range: tuple[float, float]
) -> dict[str, Any]:
    """Shares of tied and of spreadless prompts, sizes of the tied sets, difficulty.

    `score_range` is the least and the greatest score of a completion in the whole table.
    """
    layout, tied = scored.layout, scored.is_tied
    sizes = scored.tied_size
    result: dict[str, Any] = {
        "prompts": total(layout.n_prompts),
        "tied_share": share(tied),
        "tied_within_noise_share": None if sigma is None else share(tied_within_noise(scored, sigma)),
        "tied_size_mean": mean_over(
            layout.prompts[tied], sizes[tied], lowest=2.0, highest=float(layout.n_behaviours.max(initial=2))
        ),
        "tied_size_histogram": tally_of(sizes, _histogram),
        "all_behaviours_tied_share": share(np.isinf(scored.next_value) & (layout.n_behaviours > 1)),
        "uniform_jump_mean": mean_over(layout.prompts, (sizes - 1) / sizes, lowest=0.0, highest=1.0),
        "zero_spread_share": share(scored.zero_spread),
        "difficulty": _difficulty(scored, score_range),
    }
    if max_reward is not None:
        solved = scored.zero_spread & (scored.best_value >= max_reward)
        result["zero_spread_solved_share"] = share(solved)
        result["zero_spread_unsolved_share"] = share(scored.zero_spread & ~solved)
    return result


def within_noise(scored: Scored, sigma: float) -> Bool[np.ndarray, " behaviours"]:
    """Behaviours that score within `NOISE_MARGIN` standard errors of the best one, and the best ones.

    The standard error of a difference of two behaviours with c and d draws is sigma * sqrt(1/c + 1/d).
    """
    layout, where = scored.layout, scored.layout.prompt_of_behaviour
    variance = sigma**2 / layout.draws
    most_drawn_best = segment_min(np.where(scored.best, variance, np.inf), layout.behaviour_offsets)
    reach = NOISE_MARGIN * np.sqrt(variance + most_drawn_best[where])
    return scored.best | (scored.best_value[where] - scored.values <= reach)


def tied_within_noise(scored: Scored, sigma: float) -> Bool[np.ndarray, " prompts"]:
    """Prompts in which some other behaviour scores within the noise of the best one."""
    return segment_sum(within_noise(scored, sigma), scored.layout.behaviour_offsets) > 1


def aspect_range(
    scored: Scored, aspect: Aspect, among: Bool[np.ndarray, " behaviours"] | None = None
) -> Float64[np.ndarray, " prompts"]:
    """Greatest difference of an aspect among behaviours (the best ones by default); 0 where fewer than two have it."""
    offsets, draws = scored.layout.behaviour_offsets, scored.layout.draws
    values = behaviour_means(scored, aspect.scores)
    counted = (scored.best if among is None else among) & ~np.isnan(values)
    high = segment_max(np.where(counted, values, -np.inf), offsets)
    low = segment_min(np.where(counted, values, np.inf), offsets)
    known = np.isfinite(high)
    spread = np.subtract(high, low, where=known, out=np.zeros(len(high)))
    # Means over several draws are rounded; single draws are the numbers given.
    most_draws = segment_max(np.where(draws > 1, draws + 4, 0), offsets)
    size = np.maximum(np.abs(high), np.abs(low), where=known, out=np.zeros(len(high)))
    return np.where(spread > 2.0 * UNIT_ROUNDOFF * most_draws * size, spread, 0.0)


def observed_span(scores: Float64[np.ndarray, " table_rows"]) -> float:
    """Greatest less least value that a column has; 0 where it has none."""
    seen = scores[~np.isnan(scores)]
    return float(seen.max() - seen.min()) if len(seen) else 0.0


def behaviour_means(scored: Scored, table_scores: Float64[np.ndarray, " table_rows"]) -> np.ndarray:
    """Mean of a column over the draws of each behaviour; NaN where a draw has no value."""
    return segment_mean(table_scores[scored.layout.rows], scored.layout.draw_offsets)


def consequences(
    scored: Scored, aspects: list[Aspect], *, by_behaviour: str | None
) -> tuple[dict[str, Any], Bool[np.ndarray, " prompts"]]:
    """Which ties matter, by the columns in which their members differ; and the flag of every prompt.

    Args:
        scored: The trained-on reward.
        aspects: The truth first, then the other rewards.
        by_behaviour: Name of the behaviour column: its values differ between behaviours by definition.
    """
    tied = scored.is_tied
    differs = {aspect.name: tied & _matters(aspect_range(scored, aspect), aspect) for aspect in aspects}
    if by_behaviour is not None:
        differs[by_behaviour] = tied
    consequential = np.logical_or.reduce(list(differs.values())) if differs else np.zeros(len(tied), dtype=bool)
    flat = scored.zero_spread
    result = {
        "consequential_share": share(consequential) if differs else None,
        "consequential_with_spread_share": share(consequential & ~flat) if differs else None,
        "consequential_zero_spread_share": share(consequential & flat) if differs else None,
        "harmless_share": share(tied & ~consequential) if differs else None,
        "consequential_columns": [
            {"column": name, "share": share(flags), "with_spread_share": share(flags & ~flat)}
            for name, flags in differs.items()
        ],
    }
    return result, consequential


def _matters(ranges: Float64[np.ndarray, " prompts"], aspect: Aspect) -> Bool[np.ndarray, " prompts"]:
    return ranges > NOISE_MARGIN * np.sqrt(2.0) * aspect.noise


def _histogram(sizes: dict[int, int]) -> dict[str, int]:
    return {str(size): sizes[size] for size in sorted(sizes)}


def _difficulty(scored: Scored, score_range: tuple[float, float]) -> dict[str, Any]:
    """Histogram over prompts of the mean reward of a completion: how hard the prompts are for the sampling policy."""
    means = segment_mean(scored.scores, scored.layout.row_offsets)
    low, high = score_range
    size = max(abs(low), abs(high))
    if high - low <= 1e-9 * size:
        high = low + (size or 1.0)
    prompts, edges = np.histogram(means, bins=_DIFFICULTY_BINS, range=(low, high))
    return {"edges": edges.tolist(), "prompts": counts(prompts)}
