"""Group normalisation: how dividing by the group's standard deviation amplifies what is left of a tie (Result 8).

GRPO's advantage is (r - mean) / (std + epsilon) with the n - 1 standard deviation of the group. The gain 1/(std +
epsilon) is what a reward difference is multiplied by: a group tied up to a small shaping term gets advantages of full
size. A group without spread has advantage 0 and is left out. *Phantom advantages*: all completions fail the main reward
alike, and a shaping term alone ranks them.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.noise import Noise, noisy_spread
from policycliff.rollouts.analyses.radius import quantiles
from policycliff.rollouts.intervals import share
from policycliff.rollouts.leaves import every
from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.segments import segment_max, segment_min
from policycliff.rollouts.settings import AuditSettings
from policycliff.shapes import Bool, Float64


def gains(scored: Scored, epsilon: float) -> Float64[np.ndarray, " spread_prompts"]:
    """1 / (std + epsilon) of every prompt with spread, in advantage per reward unit."""
    spread = scored.spread[~scored.zero_spread]
    return 1.0 / (spread + epsilon)


def gain_figures(scored: Scored, noise: Noise, *, epsilon: float) -> dict[str, Any]:
    """Quantiles of the gain, and the share of prompts with spread whose spread is no greater than the noise."""
    noisy = noisy_spread(scored, noise)
    with_spread = ~scored.zero_spread
    return {
        "gain": every(gains(scored, epsilon), quantiles),
        "noise_spread_share": None if noisy is None else share(noisy[with_spread]),
    }


def main_reward_name(settings: AuditSettings, weights: dict[str, float]) -> str:
    """The reward that a shaping term must not replace: the one named, else the one of largest absolute weight."""
    return settings.main_reward or max(weights, key=lambda name: abs(weights[name]))


def phantom_advantages(
    scored: Scored, main: Reward, *, max_reward: float | None, seen: tuple[float, float]
) -> Bool[np.ndarray, " prompts"]:
    """Prompts that all fail the main reward alike while the effective reward still ranks them.

    "Fail" means below `max_reward` where it is known, else at the least value that the main reward takes anywhere (and
    nowhere, if it takes only one value): `seen` is the least and the greatest, in the whole table.
    """
    layout = scored.layout
    scores = main.scores[layout.rows]
    known = np.where(np.isnan(scores), np.inf, scores)
    high = segment_max(known, layout.row_offsets)
    low = segment_min(known, layout.row_offsets)
    worst, greatest = seen
    fails = high < max_reward if max_reward is not None else (high == worst) & (worst < greatest)
    return (high == low) & fails & ~scored.zero_spread


def seen_range(reward: Reward) -> tuple[float, float]:
    """Least and greatest score of a reward."""
    seen = reward.scores[reward.usable]
    return float(seen.min(initial=np.inf)), float(seen.max(initial=-np.inf))


def normalisation_figures(
    main: Reward | None, phantom: Bool[np.ndarray, " prompts"] | None, settings: AuditSettings
) -> dict[str, Any]:
    """Settings of the normalisation and the share of phantom advantages (None with a single reward)."""
    return {
        "aggregation": settings.aggregation,
        "epsilon": settings.epsilon,
        "main_reward": None if main is None else main.name,
        "phantom_share": None if phantom is None else share(phantom),
    }
