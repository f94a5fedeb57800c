"""Flip probability: how often another scoring of the same completions would leave today's best set.

It is the probability that, were every completion scored again, no best behaviour of today would still be best,
simulated over all competitors. With a given or estimated sigma, a Gaussian error is added to today's scores, as if they
were the true ones. Where second scores exist, each completion gets the residual (second minus first) of a random pair
with a like first score: that keeps the ends of the scale, and the regression of lucky winners to the mean (it takes the
completions of a prompt as independent given their first scores). The prediction is then set beside the flips that the
second scores show.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from policycliff.rollouts.analyses.noise import Noise, RerunPairs
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.leaves import Nothing, total
from policycliff.rollouts.scores import Reward, Scored, Scorer, column_reward
from policycliff.rollouts.segments import segment_max, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64, Int64

_FEWEST_DRAWS, _MOST_DRAWS, _PROMPT_DRAWS = 32, 1000, 4_000_000
_BLOCK_VALUES, _MOST_VALUES = 2_000_000, 20_000_000
_NEGLIGIBLE = 1e-6
"""Prompts whose flip probability is provably below this are not simulated: they get the bound."""

_LIKE_PAIRS = 30
"""Pairs of nearest first score among which a residual is drawn (all pairs of the very same score, if they are more)."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """How a simulation is to be run: draws of the noise a prompt, and the seed (of a part of a table: its own)."""

    draws: int
    seed: int | tuple[int, int]


def simulation_of(scored: Scored, seed: int) -> Simulation:
    """The simulation of a table that is in memory whole."""
    return Simulation(affordable_draws(scored.layout.n_prompts, int(scored.layout.group_sizes.max(initial=1))), seed)


def affordable_draws(prompts: int, largest_group: int) -> int:
    """Draws a prompt: many prompts average out what few draws leave open in each, and a large one must fit in memory.

    >>> affordable_draws(100, 8), affordable_draws(1_000_000, 8)
    (1000, 32)
    """
    affordable = min(_PROMPT_DRAWS // max(prompts, 1), _MOST_VALUES // max(largest_group, 1))
    return int(np.clip(affordable, _FEWEST_DRAWS, _MOST_DRAWS))


def flip_probability(scored: Scored, noise: Noise, simulation: Simulation) -> Float64[np.ndarray, " prompts"]:
    """Probability, prompt by prompt, that a new score leaves today's best set altogether.

    A prompt in which every behaviour is tied cannot leave its best set: 0.
    """
    layout, draws = scored.layout, simulation.draws
    probability = np.zeros(layout.n_prompts)
    if noise.sigma == 0.0 and noise.pairs is None:
        return probability
    bound = _union_bound(scored, noise)
    probability[bound <= _NEGLIGIBLE] = bound[bound <= _NEGLIGIBLE]
    open_prompts = np.flatnonzero(np.isfinite(scored.next_value) & (bound > _NEGLIGIBLE))
    rng = np.random.default_rng(simulation.seed)
    for block in _blocks(open_prompts, layout, draws):
        probability[block] = _simulate(scored, noise, block, draws, rng)
    return probability


def flips(scored: Scored, noise: Noise, simulation: Simulation) -> dict[str, Any]:
    """Mean flip probability, over all prompts and over those with a unique best behaviour."""
    if noise.sigma is None:
        return {"flip_probability_mean": None, "unique_loses_probability_mean": None}
    probability = flip_probability(scored, noise, simulation)
    prompts, unique = scored.layout.prompts, scored.is_unique
    return {
        "flip_probability_mean": mean_over(prompts, probability, lowest=0.0, highest=1.0),
        "unique_loses_probability_mean": mean_over(prompts[unique], probability[unique], lowest=0.0, highest=1.0),
        "noise_draws": simulation.draws,
    }


def rerun_check(table: RolloutTable, scorer: Scorer, reward: Reward, noise: Noise, simulation: Simulation) -> Any:
    """Predicted against observed flips, on the completions that have a second score; None where there are none."""
    if reward.name not in table.reruns or noise.pairs is None:
        return None
    column = table.reruns[reward.name]
    # A name of its own: the column may be audited as a reward too, with a weight of its own.
    second = column_reward(f"second {reward.name}", column.scores, weight=reward.sign)
    first, again = scorer(reward, second), scorer(second, reward)
    layout = first.layout
    if layout.n_prompts == 0:
        return Nothing(None)
    kept = segment_max(first.best & again.best, layout.behaviour_offsets)
    predicted = flip_probability(first, noise, simulation)
    return {
        "column": column.name,
        "prompts": total(layout.n_prompts),
        "observed_flip_share": share(~kept),
        "predicted_flip_probability_mean": mean_over(layout.prompts, predicted, lowest=0.0, highest=1.0),
        "observed_unique_loses_share": share(~kept[first.is_unique]),
    }


def _union_bound(scored: Scored, noise: Noise) -> Float64[np.ndarray, " prompts"]:
    """Bound on the probability of leaving the best set: that some rival overtakes its most drawn member (1 if unknown).

    For Gaussian errors one rival does so with probability Phi(-gap / (sigma sqrt(1/c + 1/d))); these add up.
    """
    layout = scored.layout
    if noise.pairs is not None or noise.sigma is None:
        return np.ones(layout.n_prompts)
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    most_drawn = segment_max(np.where(scored.best, layout.draws, 0), offsets)
    error = noise.sigma * np.sqrt(1.0 / layout.draws + 1.0 / most_drawn[where])
    with np.errstate(over="ignore"):  # a gap of more than 1e308 errors is as good as infinite
        overtakes = np.where(scored.best, 0.0, ndtr((scored.values - scored.best_value[where]) / error))
    return segment_sum(overtakes, offsets)


def _blocks(prompts: np.ndarray, layout: Layout, draws: int) -> list[np.ndarray]:
    """Consecutive prompts, few enough that draws x rows stays small."""
    rows = np.cumsum(layout.group_sizes[prompts])
    return [block for block in np.split(prompts, _cuts(rows, max(1, _BLOCK_VALUES // draws))) if len(block)]


def _cuts(cumulative: np.ndarray, size: int) -> np.ndarray:
    if len(cumulative) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.searchsorted(cumulative, np.arange(size, int(cumulative[-1]) + 1, size))


def _simulate(
    scored: Scored, noise: Noise, block: np.ndarray, draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, " block"]:
    """Share of draws in which the greatest noisy value lies outside today's best set."""
    layout = scored.layout
    behaviours, starts = _members(layout.behaviour_offsets, block)
    best = scored.best[behaviours]
    noisy = scored.values[behaviours] + _errors(scored, noise, behaviours, draws, rng)
    inside = np.maximum.reduceat(np.where(best, noisy, -np.inf), starts, axis=1)
    outside = np.maximum.reduceat(np.where(best, -np.inf, noisy), starts, axis=1)
    # Residuals of a coarse score tie often; a tie keeps the best set, for some best behaviour still is best.
    return (outside > inside).mean(axis=0)


def _errors(
    scored: Scored, noise: Noise, behaviours: Int64[np.ndarray, " members"], draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, "draws members"]:
    """Errors of the behaviours' mean scores: an error of its own for every completion."""
    completions = scored.layout.draws[behaviours]
    if noise.pairs is None:
        return rng.standard_normal((draws, len(behaviours))) * ((noise.sigma or 0.0) / np.sqrt(completions))
    rows, starts = _members(scored.layout.draw_offsets, behaviours)
    low, high = _like_pairs(noise.pairs, scored.scores[rows])
    drawn = noise.pairs.residuals[rng.integers(low, high, size=(draws, len(rows)))]
    return np.add.reduceat(drawn, starts, axis=1) / completions


def _like_pairs(
    pairs: RerunPairs, scores: Float64[np.ndarray, " rows"]
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]:
    """Range of pairs whose first score is like each score: those of equal score, widened to `_LIKE_PAIRS` at least."""
    total = len(pairs.first)
    low = np.searchsorted(pairs.first, scores, side="left")
    high = np.searchsorted(pairs.first, scores, side="right")
    lacking = np.maximum(min(_LIKE_PAIRS, total) - (high - low), 0)
    low = np.maximum(low - lacking // 2, 0)
    high = np.minimum(np.maximum(high + (lacking + 1) // 2, low + min(_LIKE_PAIRS, total)), total)
    return np.minimum(low, np.maximum(high - min(_LIKE_PAIRS, total), 0)), high


def _members(
    offsets: Int64[np.ndarray, " segments_plus_1"], chosen: Int64[np.ndarray, " chosen"]
) -> tuple[Int64[np.ndarray, " members"], Int64[np.ndarray, " chosen"]]:
    """Positions of the members of the chosen segments, one after another, and where each segment starts among them."""
    sizes = np.diff(offsets)[chosen]
    starts = np.cumsum(sizes) - sizes
    return np.repeat(offsets[chosen] - starts, sizes) + np.arange(int(sizes.sum())), starts
