"""Distance to the cliff: how small a reward error flips the best behaviour of a prompt (Result 1 at gamma = 0).

In a bandit the exact stability radius is half the gap between the best behaviour and the best other one: every error
below it keeps the best, and an error of that size (best down, runner-up up) ties them. It is 0 where the best is tied
and undefined where a prompt shows one behaviour. The set radius is half the gap below the tied set.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import share
from policycliff.rollouts.leaves import every, least, median_or_none, total
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_quantile
from policycliff.rollouts.trees import finished_figures
from policycliff.shapes import Float64

ERROR_FRACTIONS = (1e-3, 1e-2, 0.1)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def radii(scored: Scored) -> Float64[np.ndarray, " prompts"]:
    """Exact radius of each prompt, in reward units: 0 where tied, NaN where there is one behaviour."""
    half_gap = np.where(scored.is_tied, 0.0, 0.5 * np.where(np.isinf(scored.gap), np.nan, scored.gap))
    return np.where(scored.layout.n_behaviours > 1, half_gap, np.nan)


def set_radii(scored: Scored) -> Float64[np.ndarray, " prompts"]:
    """Half the gap from the tied set to the next value; NaN where all behaviours are tied."""
    return np.where(np.isinf(scored.gap), np.nan, 0.5 * np.where(np.isinf(scored.gap), 0.0, scored.gap))


def within_prompt_scale(scored: Scored) -> tuple[float, str]:
    """The reward's own scale within a prompt, in reward units, and what it is.

    The median over prompts of the interquartile range; if that is 0 the pooled standard deviation; if that is 0 too
    the reward is constant within prompts.
    """
    return scale_of_figures(finished_figures(scale_figures(scored)))


def scale_figures(scored: Scored) -> dict[str, Any]:
    """What the scale is computed from."""
    if scored.layout.n_prompts == 0:
        return {"ranges": every(np.zeros(0), median_or_none), "squares": total(0.0), "freedom": total(0)}
    offsets = scored.layout.row_offsets
    ordered = scored.scores[scored.row_order]
    ranges = segment_quantile(ordered, offsets, 0.75) - segment_quantile(ordered, offsets, 0.25)
    freedom = scored.layout.group_sizes - 1
    squares = float((scored.spread**2 * freedom).sum())
    return {"ranges": every(ranges, median_or_none), "squares": total(squares), "freedom": total(int(freedom.sum()))}


def scale_of_figures(figures: Mapping[str, Any]) -> tuple[float, str]:
    """The scale and what it is, from the finished figures of all prompts."""
    if figures["ranges"]:
        return figures["ranges"], "median within-prompt interquartile range"
    if figures["squares"] > 0:
        return float(np.sqrt(figures["squares"] / figures["freedom"])), "pooled within-prompt standard deviation"
    return 0.0, "constant"


def distance_to_cliff(scored: Scored, scale: tuple[float, str]) -> dict[str, Any]:
    """The three states of the radius, its quantiles, and the share of prompts that flip at each error.

    `scale` is the `within_prompt_scale` of the whole table.
    """
    radius, set_radius = radii(scored), set_radii(scored)
    defined, unique = ~np.isnan(radius), scored.is_unique
    size, origin = scale
    return {
        "radius": {
            "tied_share": share(scored.is_tied),
            "unique_share": share(unique),
            "undefined_share": share(~defined),
            "quantiles": every(radius[defined], quantiles),
            "unique_quantiles": every(radius[unique], quantiles),
        },
        "set_radius": {"quantiles": every(set_radius[~np.isnan(set_radius)], quantiles)},
        "winning_margin_min": least(scored.gap[unique]),
        "winning_margin_median": every(scored.gap[unique], median_or_none),
        "scale": {"value": size, "origin": origin},
        "flip_shares": [_flip_share(scored, radius, fraction, size) for fraction in ERROR_FRACTIONS],
    }


def quantiles(values: Float64[np.ndarray, " n"]) -> dict[str, float] | None:
    """Quantiles by name (`p05` ... `p95`); None of nothing."""
    if len(values) == 0:
        return None
    return {f"p{round(100 * q):02d}": float(np.quantile(values, q)) for q in QUANTILES}


def _flip_share(
    scored: Scored, radius: Float64[np.ndarray, " prompts"], fraction: float, scale: float
) -> dict[str, Any]:
    """Prompts that some error of this size can tie or flip, with those that are tied already and without them."""
    error = fraction * scale
    reached = radius <= error
    return {
        "fraction_of_scale": fraction,
        "reward_error": error,
        "share": share(reached),
        "untied_share": share(reached & scored.is_unique),
    }
