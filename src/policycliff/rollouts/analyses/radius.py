"""Distance to the cliff: how small a reward error flips the best behaviour of a prompt (Result 1 at gamma = 0).

In a bandit the exact stability radius is half the gap between the best behaviour and the best other one: every error
below it keeps the best, and an error of that size (best down, runner-up up) ties them. It is 0 where the best is tied
and undefined where a prompt shows one behaviour. The set radius is half the gap below the tied set.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.intervals import share
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_quantile
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
    offsets = scored.layout.row_offsets
    if scored.layout.n_prompts == 0:
        return 0.0, "constant"
    ordered = scored.scores[scored.row_order]
    ranges = segment_quantile(ordered, offsets, 0.75) - segment_quantile(ordered, offsets, 0.25)
    median = float(np.median(ranges))
    if median > 0:
        return median, "median within-prompt interquartile range"
    freedom = scored.layout.group_sizes - 1
    pooled = float(np.sqrt((scored.spread**2 * freedom).sum() / freedom.sum()))
    if pooled > 0:
        return pooled, "pooled within-prompt standard deviation"
    return 0.0, "constant"


def distance_to_cliff(scored: Scored) -> dict[str, Any]:
    """The three states of the radius, its quantiles, and the share of prompts that flip at each error."""
    radius, set_radius = radii(scored), set_radii(scored)
    defined, unique = ~np.isnan(radius), scored.is_unique
    scale, origin = within_prompt_scale(scored)
    return {
        "radius": {
            "tied_share": share(scored.is_tied),
            "unique_share": share(unique),
            "undefined_share": share(~defined),
            "quantiles": quantiles(radius[defined]),
            "unique_quantiles": quantiles(radius[unique]),
        },
        "set_radius": {"quantiles": quantiles(set_radius[~np.isnan(set_radius)])},
        "winning_margin_min": float(scored.gap[unique].min()) if unique.any() else None,
        "winning_margin_median": float(np.median(scored.gap[unique])) if unique.any() else None,
        "scale": {"value": scale, "origin": origin},
        "flip_shares": [_flip_share(scored, radius, fraction, scale) for fraction in ERROR_FRACTIONS],
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
