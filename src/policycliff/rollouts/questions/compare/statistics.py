"""What a prompt of one table is expected to show in a group of k of its completions.

Closed forms (hypergeometric, `analyses.group_size`) for spread, best of k, truth, distinct behaviours, and for ties
where every behaviour has one score. Ties where the same behaviour was scored differently (its reward is the mean of the
draws at hand), the radius and the standard deviation have none and are averaged over random subsets, whose Monte-Carlo
error is given. A prompt with k completions has one subset, and its figures are exact.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.analyses.group_size import (
    best_of_k,
    completions_below,
    levels_of,
    subset_share,
    tie_probability,
    zero_spread_probability,
)
from policycliff.rollouts.analyses.radius import radii
from policycliff.rollouts.layout import layout_of
from policycliff.rollouts.scores import Reward, Scored, Scorer, score
from policycliff.rollouts.segments import (
    segment_any,
    segment_max,
    segment_mean,
    segment_min,
    segment_of,
    segment_sum,
    sort_within,
)
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64

FEWEST_SUBSETS, MOST_SUBSETS = 16, 200
_ROWS_DRAWN = 20_000_000


@dataclass(frozen=True, slots=True)
class AtSize:
    """One figure of every group of a table at a common size.

    Attributes:
        values: (groups,) expected value; NaN where the group has too few completions or the figure is undefined.
        error: Monte-Carlo standard error of the mean over all groups that have a value; 0 where exact.
    """

    values: Float64[np.ndarray, " groups"]
    error: float = 0.0


def at_size(
    table: RolloutTable, scorer: Scorer, reward: Reward, truth: Reward | None, *, k: int, seed: int
) -> dict[str, AtSize]:
    """All figures at group size k."""
    scored = scorer(reward)
    levels, below = levels_of(scored), completions_below(scored)
    layout = scored.layout
    mean = segment_mean(scored.scores, layout.row_offsets)
    best = best_of_k(levels, reward.scores[layout.rows], k)
    figures = {
        "tied": tie_probability(scored, below, k),
        "zero_spread": zero_spread_probability(levels, k),
        "mean": mean,
        "best": best,
        "lead": best - mean,
        "behaviours": _distinct(scored, k),
    }
    found = {name: AtSize(_by_group(table, scored, values, k)) for name, values in figures.items()}
    found |= _sampled(table, reward, scored, found["tied"], k=k, seed=seed)
    if truth is not None:
        found |= _truth(table, scorer(reward, truth), truth, k)
    return found


def _truth(table: RolloutTable, scored: Scored, truth: Reward, k: int) -> dict[str, AtSize]:
    if scored.layout.n_prompts == 0:
        return {}
    values = truth.scores[scored.layout.rows]
    mean, best = segment_mean(values, scored.layout.row_offsets), best_of_k(levels_of(scored), values, k)
    return {
        "truth": AtSize(_by_group(table, scored, mean, k)),
        "truth_of_best": AtSize(_by_group(table, scored, best, k)),
    }


def _distinct(scored: Scored, k: int) -> Float64[np.ndarray, " prompts"]:
    """Expected number of different behaviours among k: each is missed with probability C(n - c, k) / C(n, k)."""
    layout = scored.layout
    size = layout.group_sizes[layout.prompt_of_behaviour]
    return segment_sum(1.0 - subset_share(size - layout.draws, size, k), layout.behaviour_offsets)


def _sampled(
    table: RolloutTable, reward: Reward, scored: Scored, tied: AtSize, *, k: int, seed: int
) -> dict[str, AtSize]:
    """Ties, radius and standard deviation over random subsets of k completions; ties in closed form where it holds."""
    whole = bool((scored.layout.group_sizes[scored.layout.group_sizes >= k] == k).all())
    affordable = _ROWS_DRAWN // max(len(scored.layout.rows), 1)
    draws = 1 if whole else int(np.clip(affordable, FEWEST_SUBSETS, MOST_SUBSETS))
    rng = np.random.default_rng(seed)
    closed = np.where(_varies(table, scored), np.nan, tied.values)
    names = ("tied", "radius", "spread")
    sums, counts = np.zeros((3, table.n_groups)), np.zeros((3, table.n_groups))
    means = np.empty((draws, 3))
    for draw in range(draws):
        subset = score(reward, layout_of(table, _subset(table, scored, k, rng)))
        groups = subset.layout.prompts
        one_score = np.isfinite(closed[groups])
        ties = np.where(one_score, closed[groups], subset.is_tied)
        for position, values in enumerate((ties, radii(subset), subset.spread)):
            known = np.isfinite(values)
            sums[position, groups[known]] += values[known]
            counts[position, groups[known]] += 1
            means[draw, position] = values[known].mean() if known.any() else np.nan
    values = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    values[0] = np.where(np.isfinite(closed), closed, values[0])
    errors = np.zeros(3) if draws == 1 else np.nan_to_num(means.std(axis=0, ddof=1) / np.sqrt(draws))
    errors[0] = 0.0 if np.isfinite(closed[np.isfinite(tied.values)]).all() else errors[0]
    return {name: AtSize(row, float(error)) for name, row, error in zip(names, values, errors, strict=True)}


def _varies(table: RolloutTable, scored: Scored) -> Bool[np.ndarray, " groups"]:
    """Groups in which one behaviour was scored differently."""
    draws = scored.layout.draw_offsets
    varies = segment_max(scored.scores, draws) != segment_min(scored.scores, draws)
    found = np.zeros(table.n_groups, dtype=bool)
    found[scored.layout.prompts] = segment_any(varies, scored.layout.behaviour_offsets)
    return found


def _subset(table: RolloutTable, scored: Scored, k: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of a random subset of k completions of each prompt that has as many."""
    layout = scored.layout
    order = sort_within(rng.random(len(layout.rows)), layout.row_offsets)
    place = np.arange(len(layout.rows)) - layout.row_offsets[segment_of(layout.row_offsets)]
    usable = np.zeros(table.n_rows, dtype=bool)
    usable[layout.rows[order[(place < k) & (layout.group_sizes >= k)[layout.prompt_of_row]]]] = True
    return usable


def _by_group(
    table: RolloutTable, scored: Scored, values: Float64[np.ndarray, " prompts"], k: int
) -> Float64[np.ndarray, " groups"]:
    found = np.full(table.n_groups, np.nan)
    reaches = scored.layout.group_sizes >= k
    found[scored.layout.prompts[reaches]] = values[reaches]
    return found
