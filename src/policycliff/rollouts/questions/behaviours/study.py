"""All figures of the question: over the grid, at the threshold that is taken, and of the texts as they stand."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import Mean, Share, mean_over, share, with_intervals
from policycliff.rollouts.questions.behaviours.agreement import pair_agreement
from policycliff.rollouts.questions.behaviours.pairs import pairs_at
from policycliff.rollouts.questions.behaviours.stable import (
    FEW_MERGED,
    MOST_MERGED,
    Point,
    flips,
    middle,
    stretches,
    widest_stable,
)
from policycliff.rollouts.questions.behaviours.sweep import (
    Ordered,
    behaviours_at,
    default_grid,
    even_grid,
    figures_at,
    sweep,
)
from policycliff.rollouts.questions.behaviours.walk import ROUNDING, weakest_within
from policycliff.rollouts.questions.behaviours.way import Compared, Way
from policycliff.rollouts.segments import segment_max, segment_min, segment_of
from policycliff.shapes import Bool, Int64

Known = Int64[np.ndarray, " rows"]
"""Number of the behaviour of each row that a column of the table names."""


def study(
    ordered: Ordered, against: Compared, way: Way, *, known: Known | None, seed: int, report: Callable[[float], None]
) -> dict[str, Any]:
    """The figures, with their intervals.

    Args:
        ordered: The table in the order of the walk.
        against: How the texts are compared.
        way: What was asked.
        known: The behaviours that the table itself names, along the rows.
        seed: For the bootstrap.
        report: Called with the share of the work that is done.
    """
    thresholds = _thresholds(ordered, way)
    points, tied = sweep(ordered, thresholds, lambda done: report(0.8 * done))
    by_text, _ = figures_at(ordered, None)
    every = [*points, by_text]
    for figures in every:
        figures["agreement"] = None if known is None else _agreement(ordered, known, figures["threshold"])
    *points, by_text = with_intervals(every, n_prompts=ordered.table.n_groups, seed=seed)
    ends = widest_stable(points)
    given = way.threshold is not None
    position = thresholds.index(way.threshold) if way.threshold is not None else middle(points, ends)
    threshold = points[position]["threshold"]
    report(0.9)
    return {
        "threshold": threshold,
        "threshold_origin": _origin(given=given, stable=ends is not None),
        "grid": [thresholds[0], thresholds[-1]],
        "chosen": points[position],
        "by_text": by_text,
        "stable": _stable(points, tied, ends),
        "flips": flips(points),
        "steadiness": _steady(points, tied),
        "stretches": stretches(points),
        **_chained(ordered, against, threshold),
        "zero_spread_share": _resolved(ordered, _zero_spread(ordered), seed),
        "agreement_as_one": None if known is None else _resolved(ordered, _as_one(ordered, known), seed),
        "best_agreement": None if known is None else max(points, key=lambda point: point["agreement"]["value"]),
        "points": points,
        "pairs": pairs_at(ordered, threshold),
    }


def _thresholds(ordered: Ordered, way: Way) -> list[float]:
    grid = default_grid(ordered.walk) if way.grid is None else even_grid(*way.grid)
    own = [] if way.threshold is None else [way.threshold]
    return sorted({*grid.tolist(), *own})


def _origin(*, given: bool, stable: bool) -> str:
    if given:
        return "as given"
    return "the middle of the widest stable range" if stable else "where half of all joins are made; none is stable"


def _resolved(ordered: Ordered, figure: Share | Mean, seed: int) -> Any:
    return with_intervals(figure, n_prompts=ordered.table.n_groups, seed=seed)


def _as_one(ordered: Ordered, known: Known) -> Mean:
    """Agreement of one behaviour a prompt, which any likeness must beat."""
    return _mean_agreement(ordered, segment_of(ordered.table.offsets), known)


def _agreement(ordered: Ordered, known: Known, threshold: float | None) -> Mean:
    return _mean_agreement(ordered, behaviours_at(ordered, threshold), known)


def _mean_agreement(ordered: Ordered, found: Int64[np.ndarray, " rows"], known: Known) -> Mean:
    values = pair_agreement(found, known, ordered.table.offsets)
    several = np.flatnonzero(np.diff(ordered.table.offsets) > 1)
    return mean_over(several, values[several], lowest=0.0, highest=1.0)


def _stable(
    points: Sequence[Point], tied: Bool[np.ndarray, "points prompts"], ends: tuple[int, int] | None
) -> dict[str, Any] | None:
    if ends is None:
        return None
    inside = slice(ends[0], ends[1] + 1)
    values = [point["tied_share"]["value"] for point in points[inside]]
    return {
        "from": points[ends[0]]["threshold"],
        "to": points[ends[1]]["threshold"],
        "least": min(values),
        "greatest": max(values),
        "prompts": tied.shape[1],
        "depends": int((tied[inside].any(axis=0) & ~tied[inside].all(axis=0)).sum()),
    }


def _steady(points: Sequence[Point], tied: Bool[np.ndarray, "points prompts"]) -> dict[str, Any]:
    """Prompts tied at every threshold, at none and at some only, where some joins are made and some are not."""
    decided = [i for i, point in enumerate(points) if FEW_MERGED <= point["merged_share"] <= MOST_MERGED]
    looked_at = decided or list(range(len(points)))
    always, never = np.asarray(tied[looked_at].all(axis=0)), np.asarray(~tied[looked_at].any(axis=0))
    shares = {"always_share": share(always), "never_share": share(never), "depends_share": share(~always & ~never)}
    ends = {"from": points[looked_at[0]]["threshold"], "to": points[looked_at[-1]]["threshold"]}
    return ends | with_intervals(shares, n_prompts=tied.shape[1], seed=0)


def _chained(ordered: Ordered, against: Compared, threshold: float) -> dict[str, Any]:
    """Prompts in which a behaviour holds a pair that is less alike than the threshold."""
    weakest = weakest_within(ordered.walk, ordered.walk.starts(threshold), against.likeness, depth=against.depth)
    chained = (weakest < threshold - ROUNDING)[layout_prompts(ordered)]
    figures = with_intervals({"chained_share": share(np.asarray(chained))}, n_prompts=len(chained), seed=0)
    least = weakest[layout_prompts(ordered)][chained]
    return figures | {"chained_weakest_median": float(np.median(least)) if len(least) else None}


def layout_prompts(ordered: Ordered) -> Int64[np.ndarray, " prompts"]:
    """Prompts with two usable rewards: those that every other figure is about."""
    usable = np.add.reduceat(ordered.reward.usable.astype(np.int64), ordered.table.offsets[:-1])
    return np.flatnonzero(usable >= 2)


def _zero_spread(ordered: Ordered) -> Share:
    scores, offsets = ordered.reward.scores, ordered.table.offsets
    high = segment_max(np.where(np.isnan(scores), -np.inf, scores), offsets)
    low = segment_min(np.where(np.isnan(scores), np.inf, scores), offsets)
    return share((high == low)[layout_prompts(ordered)])
