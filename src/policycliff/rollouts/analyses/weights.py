"""The map under other weights: how far one weight can move before the best behaviour of a prompt changes (Lemma 4.2).

Let the weight w of one reward become f * w with the others fixed. The effective reward of a behaviour is then affine in
f, so the best set is constant on an interval around f = 1 (an upper envelope of lines) and its ends are exact: a
competitor with gap g and slope difference d against the best set meets it at f = 1 + g / d. The distance to the nearest
end, |f
- 1|, is free of units; f may become negative. A prompt whose tied best behaviours have different slopes is on a wall
already.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.radius import quantiles
from policycliff.rollouts.exact import UNIT_ROUNDOFF
from policycliff.rollouts.intervals import share, wilson
from policycliff.rollouts.leaves import After, counts, every, total
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_mean, segment_min
from policycliff.shapes import Bool, Float64

WITHIN = (0.01, 0.05, 0.1, 0.5)
_CURVE = np.round(np.linspace(-1.0, 3.0, 161), 3)


@dataclass(frozen=True, slots=True)
class Walls:
    """Per prompt: the factors at which the best set changes, and whether it stands on such a wall already.

    `below` < 1 < `above`; -inf and inf where the best set never changes in that direction. Where `on_wall`, both are 1.
    """

    below: Float64[np.ndarray, " prompts"]
    above: Float64[np.ndarray, " prompts"]
    on_wall: Bool[np.ndarray, " prompts"]

    @property
    def distance(self) -> Float64[np.ndarray, " prompts"]:
        """Relative change of the weight that reaches the nearest wall; inf where there is none."""
        return np.minimum(1.0 - self.below, self.above - 1.0)


def walls(scored: Scored, part: Float64[np.ndarray, " rows"]) -> Walls:
    """Walls of one weight.

    Args:
        scored: The effective reward.
        part: (rows,) what this reward adds to it at the present weight: weight times (normalised) score.
    """
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    slope = segment_mean(part, layout.draw_offsets)
    steepest = segment_max(np.where(scored.best, slope, -np.inf), offsets)
    flattest = segment_min(np.where(scored.best, slope, np.inf), offsets)
    # Slopes are rounded products and means: lines that differ by less than that rounding are parallel.
    parallel = 2.0 * UNIT_ROUNDOFF * (layout.group_sizes + 4) * segment_max(np.abs(slope), offsets)
    on_wall = steepest - flattest > parallel
    gap = scored.best_value[where] - scored.values
    rising, falling = slope - steepest[where], slope - flattest[where]
    rival = ~scored.best
    above = _nearest(gap, rising, rival & (rising > parallel[where]))
    below = _nearest(gap, -falling, rival & (falling < -parallel[where]))
    up, down = segment_min(above, offsets), segment_min(below, offsets)
    return Walls(np.where(on_wall, 1.0, 1.0 - down), np.where(on_wall, 1.0, 1.0 + up), on_wall)


def weight_figures(name: str, weight: float, found: Walls) -> dict[str, Any]:
    """Shares of prompts by distance to the nearest wall, and the share whose best set has changed at each factor."""
    distance = found.distance
    never = np.isinf(distance)
    free = ~found.on_wall & ~never
    return {
        "name": name,
        "weight": weight,
        "on_wall_share": share(found.on_wall),
        "never_crosses_share": share(never),
        "within": [{"factor": reach, "share": share(free & (distance <= reach))} for reach in WITHIN],
        "wall_below_quantiles": every(found.below[np.isfinite(found.below) & ~found.on_wall], quantiles),
        "wall_above_quantiles": every(found.above[np.isfinite(found.above) & ~found.on_wall], quantiles),
        "curve": After(_curve, _changes(found)),
    }


def _nearest(
    gap: Float64[np.ndarray, " behaviours"],
    slope: Float64[np.ndarray, " behaviours"],
    meets: Bool[np.ndarray, " behaviours"],
) -> Float64[np.ndarray, " behaviours"]:
    with np.errstate(over="ignore"):  # a wall beyond 1e308 times the weight is none
        return np.divide(gap, slope, out=np.full(len(gap), np.inf), where=meets)


def _changes(found: Walls) -> dict[str, Any]:
    """Prompts whose best set is another one than today's when the weight is multiplied by each factor.

    A best set that the factor has left does not come back: the interval on which it is optimal has no holes.
    """
    below, above = np.sort(found.below), np.sort(found.above)
    changed_up = np.searchsorted(above, _CURVE, side="right") * (_CURVE > 1.0)
    changed_down = (len(below) - np.searchsorted(below, _CURVE, side="left")) * (_CURVE < 1.0)
    return {"changed": counts(changed_up + changed_down), "prompts": total(len(below))}


def _curve(figures: dict[str, Any]) -> dict[str, list[float]]:
    """The changes as shares with their intervals."""
    changed, prompts = figures["changed"], figures["prompts"]
    bounds = [wilson(count, prompts) for count in changed]
    return {
        "factor": _CURVE.tolist(),
        "changed_share": [count / max(prompts, 1) for count in changed],
        "low": [low for low, _ in bounds],
        "high": [high for _, high in bounds],
    }
