"""What becomes of the ties as the threshold moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.degeneracy import Aspect, consequences
from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.layout import Layout, layout_of
from policycliff.rollouts.questions.behaviours.walk import Walk
from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.segments import segment_any, segment_max, segment_min
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64

_STEPS = (0.002, 0.005, 0.01, 0.02, 0.025)
_MOST_POINTS = 36
_LEAST = 0.05
_EARLY = 0.05


@dataclass(frozen=True, slots=True)
class Ordered:
    """A table in the order of the walk, and what is asked of it.

    Attributes:
        table: The rows, so ordered that the behaviours of every threshold are stretches of rows.
        place: (rows,) place of the row's text in the walk.
        walk: The walk.
        reward: The reward that is trained on.
        score: Scores the reward on a layout of the table.
        aspects: What tied behaviours can differ in.
    """

    table: RolloutTable
    place: Int64[np.ndarray, " rows"]
    walk: Walk
    reward: Reward
    score: Callable[[Layout], Scored]
    aspects: list[Aspect]


def behaviours_at(ordered: Ordered, threshold: float | None) -> Int64[np.ndarray, " rows"]:
    """Number of the behaviour of each row at a threshold; every text its own where that is None."""
    first = np.ones(len(ordered.place), dtype=bool)
    first[1:] = ordered.place[1:] != ordered.place[:-1]
    starts = first if threshold is None else first & ordered.walk.starts(threshold)[ordered.place]
    return np.cumsum(starts) - 1


def figures_at(ordered: Ordered, threshold: float | None) -> tuple[dict[str, Any], Bool[np.ndarray, " prompts"]]:
    """The figures at a threshold, and which prompts are tied; None for the texts themselves."""
    table = replace(ordered.table, behaviour=behaviours_at(ordered, threshold))
    scored = ordered.score(layout_of(table, ordered.reward.usable))
    layout = scored.layout
    ties, _ = consequences(scored, ordered.aspects, by_behaviour=None)
    return {
        "threshold": threshold,
        "behaviours": mean_over(layout.prompts, layout.n_behaviours, lowest=1.0),
        "one_behaviour_share": share(layout.n_behaviours == 1),
        "tied_share": share(scored.is_tied),
        "consequential_share": ties["consequential_share"],
        "all_behaviours_tied_share": share(np.isinf(scored.next_value) & (layout.n_behaviours > 1)),
        "best_set_size": mean_over(layout.prompts, scored.tied_size, lowest=1.0),
        "mixed_share": share(_mixed(scored)),
        "merged_share": merged_share(ordered.walk, threshold),
    }, scored.is_tied


def _mixed(scored: Scored) -> Bool[np.ndarray, " prompts"]:
    """Prompts with a behaviour whose completions differ in the reward."""
    draws = scored.layout.draw_offsets
    differs = segment_max(scored.scores, draws) != segment_min(scored.scores, draws)
    return segment_any(differs, scored.layout.behaviour_offsets)


def merged_share(walk: Walk, threshold: float | None) -> float:
    """Of the joins that would leave every prompt one behaviour, the share made at this threshold."""
    joins = walk.reached_at[np.isfinite(walk.reached_at)]
    return 0.0 if threshold is None else float((~walk.starts(threshold)).sum() / len(joins))


def default_grid(walk: Walk) -> Float64[np.ndarray, " points"]:
    """Round steps up to 1 from where all but one join in twenty is made."""
    joins = walk.reached_at[np.isfinite(walk.reached_at)]
    lowest = float(np.clip(np.quantile(joins, _EARLY), _LEAST, 1.0 - _LEAST))
    low = np.floor(lowest * 20.0 + 1e-9) / 20.0
    step = next((step for step in _STEPS if (1.0 - low) / step < _MOST_POINTS), 2.0 * _STEPS[-1])
    return even_grid(low, 1.0, round((1.0 - low) / step) + 1)


def even_grid(low: float, high: float, points: int) -> Float64[np.ndarray, " points"]:
    """Thresholds in even steps, to four decimals, so that they can be given again as they are printed."""
    return np.unique(np.round(np.linspace(low, high, points), 4))


def sweep(
    ordered: Ordered, thresholds: Sequence[float], report: Callable[[float], None]
) -> tuple[list[dict[str, Any]], Bool[np.ndarray, "points prompts"]]:
    """The figures at every threshold, and which prompts are tied at it."""
    points, tied = [], []
    for position, threshold in enumerate(thresholds):
        figures, flags = figures_at(ordered, float(threshold))
        points.append(figures)
        tied.append(flags)
        report((position + 1) / len(thresholds))
    return points, np.stack(tied)
