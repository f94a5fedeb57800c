"""Groups in which normalisation can mislead: tied, nearly tied, and ranked by shaping terms alone."""

import numpy as np

from policycliff.rollouts.analyses.figures import max_reward_of
from policycliff.rollouts.analyses.noise import Noise, noise_of_column, noise_of_effective
from policycliff.rollouts.analyses.normalisation import main_reward_name, phantom_advantages, seen_range
from policycliff.rollouts.analyses.radius import within_prompt_scale
from policycliff.rollouts.questions.estimators.sample import plain_sum
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Scored, column_reward, effective_reward_of
from policycliff.rollouts.segments import segment_max, segment_min
from policycliff.shapes import Bool, Float64


def kinds_of_groups(
    loaded: LoadedRollouts, scored: Scored, threshold: float
) -> dict[str, Bool[np.ndarray, " groups"] | None]:
    """The groups of each kind, by name; None where there is one reward only.

    `tied`: all weighted sums are equal. `near`: they are not, but their standard deviation is at most the threshold.
    `shaping`: they are not, though the main reward is the same throughout, so the other rewards alone rank the group.
    `phantom`: of those, the ones that fail the main reward.
    """
    shaping, phantom = _ranked_by_others(loaded, scored)
    near = ~scored.zero_spread & (scored.spread <= threshold)
    return {"tied": scored.zero_spread, "near": near, "shaping": shaping, "phantom": phantom}


def noises_of(loaded: LoadedRollouts) -> tuple[dict[str, Noise], Noise]:
    """Noise of each reward, and of their weighted sum."""
    table, settings, weights = loaded.table, plain_sum(loaded.settings), dict(loaded.rewards)
    noises = {
        column.name: noise_of_column(
            table, column_reward(column.name, column.scores, weight=weights[column.name]), settings
        )
        for column in table.rewards
    }
    return noises, noise_of_effective(table, effective_reward_of(table, weights, settings), noises, settings)


def near_threshold(scored: Scored, noise: Noise, near: float) -> tuple[float, str]:
    """Standard deviation up to which a group counts as nearly tied, and why."""
    if noise.sigma:
        return noise.sigma, f"the scorer's noise ({noise.origin})"
    scale, origin = within_prompt_scale(scored)
    return near * scale, f"{100 * near:g} % of the {origin}"


def _ranked_by_others(
    loaded: LoadedRollouts, scored: Scored
) -> tuple[Bool[np.ndarray, " groups"] | None, Bool[np.ndarray, " groups"] | None]:
    weights = dict(loaded.rewards)
    if len(weights) < 2:
        return None, None
    name = main_reward_name(loaded.settings, weights)
    column = next(column for column in loaded.table.rewards if column.name == name)
    main = column_reward(name, column.scores, weight=weights[name])
    high, low = _range(main.scores[scored.layout.rows], scored)
    return (high == low) & ~scored.zero_spread, phantom_advantages(
        scored, main, max_reward=max_reward_of(main, loaded.settings), seen=seen_range(main)
    )


def _range(
    scores: Float64[np.ndarray, " rows"], scored: Scored
) -> tuple[Float64[np.ndarray, " groups"], Float64[np.ndarray, " groups"]]:
    """Greatest and least score of each group; infinite and unequal where one is missing."""
    offsets, missing = scored.layout.row_offsets, np.isnan(scores)
    return (
        segment_max(np.where(missing, np.inf, scores), offsets),
        segment_min(np.where(missing, -np.inf, scores), offsets),
    )
