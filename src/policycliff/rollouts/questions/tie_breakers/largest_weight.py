"""How large the weight of a tie-breaker may be before it overturns a strict preference of the reward.

Behaviour b of a prompt is worth v(b) + w c(b). For w from 0 upwards,

- the *best set* is kept while no behaviour outside it reaches its greatest sum: w below the minimum over outsiders b
  with c(b) > max c over the best set of (v* - v(b)) / (c(b) - max c);
- the *whole order* is kept while every strict preference v(a) > v(b) is: w below the minimum of (v(a) - v(b)) /
  (c(b) - c(a)) over such pairs with c(b) > c(a). Pairs of neighbouring levels of v are enough: where each level lies
  strictly above the next one, it lies above all that follow.

Both are suprema: at the bound itself there is a tie. The least bound of all prompts is computed once more in fractions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.segments import level_starts, segment_max, segment_min, sort_within
from policycliff.shapes import Bool, Float64, Int64

_MOST_EXACT = 256
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds on the weight, one a rivalry: `upper` is overtaken by `lower` of prompt `prompt` at `weight`."""

    weight: Float64[np.ndarray, " rivalries"]
    upper: Int64[np.ndarray, " rivalries"]
    lower: Int64[np.ndarray, " rivalries"]
    prompt: Int64[np.ndarray, " rivalries"]

    def by_prompt(self, n_prompts: int) -> Float64[np.ndarray, " prompts"]:
        """Least bound of each prompt; inf where no weight overturns anything."""
        least = np.full(n_prompts, np.inf)
        np.minimum.at(least, self.prompt, self.weight)
        return least


def best_set_bounds(main: Scored, breaker: Scored, slope: Float64[np.ndarray, " behaviours"]) -> Bounds:
    """Bounds that keep the best set.

    Args:
        main: The reward.
        breaker: The tie-breaker on the same layout, its ties decided exactly.
        slope: What one unit of weight adds to each behaviour: the breaker's values, or their normalised form.
    """
    layout = main.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    champion = _first(_extreme(main.best, breaker.values, offsets, where), offsets)
    rivals = np.flatnonzero(~main.best & (breaker.values > breaker.values[champion][where]))
    prompt = where[rivals]
    return _bounds(main, slope, upper=champion[prompt], lower=rivals, prompt=prompt)


def order_bounds(main: Scored, breaker: Scored, slope: Float64[np.ndarray, " behaviours"]) -> Bounds:
    """Bounds that keep every strict preference; arguments as for `best_set_bounds`."""
    layout = main.layout
    order = sort_within(main.values, layout.behaviour_offsets)
    starts = np.flatnonzero(level_starts(main.values[order], layout.behaviour_offsets))
    levels = np.append(starts, len(order))
    where = np.repeat(np.arange(len(starts)), np.diff(levels))
    values, every = breaker.values[order], np.ones(len(order), dtype=bool)
    strongest = order[_first(_extreme(every, values, levels, where), levels)]
    weakest = order[_first(_extreme(every, -values, levels, where), levels)]
    of_level = layout.prompt_of_behaviour[order[starts]]
    lower, upper = strongest[:-1], weakest[1:]
    rivals = (of_level[:-1] == of_level[1:]) & (breaker.values[lower] > breaker.values[upper])
    return _bounds(main, slope, upper=upper[rivals], lower=lower[rivals], prompt=of_level[1:][rivals])


def exact_least(bounds: Bounds, main: Scored, rewards: tuple[Reward, Reward]) -> Fraction | None:
    """The least bound in fractions of the decimals given; None without a bound, or where values are irrational.

    Args:
        bounds: All bounds.
        main: The layout's reward.
        rewards: The reward and the tie-breaker.
    """
    if not np.isfinite(bounds.weight).any() or any(reward.exact is None for reward in rewards):
        return None
    near = np.flatnonzero(bounds.weight <= bounds.weight.min() * (1.0 + _CLOSE))
    nearest = near[np.argsort(bounds.weight[near], kind="stable")][:_MOST_EXACT]
    return min(_exact_bound(main, rewards, int(bounds.upper[i]), int(bounds.lower[i])) for i in nearest)


def _exact_bound(main: Scored, rewards: tuple[Reward, Reward], upper: int, lower: int) -> Fraction:
    reward, breaker = (_means(main, item, (upper, lower)) for item in rewards)
    return (reward[0] - reward[1]) / (breaker[1] - breaker[0])


def _means(main: Scored, reward: Reward, behaviours: Iterable[int]) -> list[Fraction]:
    layout, means = main.layout, []
    for behaviour in behaviours:
        rows = layout.rows[layout.draw_offsets[behaviour] : layout.draw_offsets[behaviour + 1]]
        exact = reward.exact(rows) if reward.exact is not None else []
        means.append(sum(exact, Fraction(0)) / len(rows))
    return means


def _bounds(
    main: Scored,
    slope: Float64[np.ndarray, " behaviours"],
    *,
    upper: Int64[np.ndarray, " n"],
    lower: Int64[np.ndarray, " n"],
    prompt: Int64[np.ndarray, " n"],
) -> Bounds:
    rise = slope[lower] - slope[upper]
    # A mean of several draws may differ from another by less than it was rounded: such a rise bounds nothing.
    fall = main.values[upper] - main.values[lower]
    with np.errstate(over="ignore"):
        weight = np.divide(fall, rise, out=np.full(len(rise), np.inf), where=rise > 0.0)
    return Bounds(weight, upper, lower, prompt)


def _extreme(
    among: Bool[np.ndarray, " n"],
    values: Float64[np.ndarray, " n"],
    offsets: Int64[np.ndarray, " segments_plus_1"],
    where: Int64[np.ndarray, " n"],
) -> Bool[np.ndarray, " n"]:
    """Which of the chosen have the greatest value of their segment."""
    among_values = np.where(among, values, -np.inf)
    return among & (among_values == segment_max(among_values, offsets)[where])


def _first(
    flags: Bool[np.ndarray, " n"], offsets: Int64[np.ndarray, " segments_plus_1"]
) -> Int64[np.ndarray, " segments"]:
    """Position of the first flag of each segment, which has one."""
    positions = np.arange(len(flags))
    return segment_min(np.where(flags, positions, len(flags)), offsets)
