"""Group size: what ties, spread and best-of-k would be with fewer completions a prompt, exactly, by counting.

Drawing k of a prompt's n completions without replacement is hypergeometric, so expectations over all C(n, k) subsets
have closed forms and need no sampling. With n samples a prompt nothing can be said about k > n.

Write l for the completions that score below a level and m for those at it. The best of k is at that level with
probability [C(l + m, k) - C(l, k)] / C(n, k), and is any of its m completions with equal probability.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.leaves import total
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import level_starts, segment_of, segment_sum, sort_within
from policycliff.shapes import Float64, Int64

COVERAGE = 0.9
"""Share of prompts that must have at least k completions for k to be the common group size."""

_EVERY_K = 16
_MOST_STEPS = 24
_LARGEST_TABLE = 512


def common_group_size(group_sizes: Int64[np.ndarray, " prompts"]) -> int:
    """Greatest k that at least `COVERAGE` of the prompts reach.

    >>> common_group_size(np.array([8, 8, 8, 8, 2]))
    2
    """
    if len(group_sizes) == 0:
        return 0
    return int(np.quantile(group_sizes, 1.0 - COVERAGE, method="lower"))


def k_grid(largest: int) -> list[int]:
    """Group sizes to report: each one while there are few, then about equally spaced on a log scale, and the largest.

    >>> k_grid(4)
    [1, 2, 3, 4]
    """
    if largest <= _EVERY_K:
        return list(range(1, largest + 1))
    tail = np.unique(np.geomspace(_EVERY_K, largest, _MOST_STEPS - _EVERY_K + 1).round().astype(int))
    return sorted({*range(1, _EVERY_K + 1), *tail.tolist()})


def subset_share(inside: Int64[np.ndarray, " n"], total: Int64[np.ndarray, " n"], k: int) -> Float64[np.ndarray, " n"]:
    """C(inside, k) / C(total, k): the probability that a random k-subset of `total` lies in `inside` of them.

    The arguments are counts of completions, so there are few distinct pairs: computed in a table and looked up.
    """
    most = int(total.max(initial=0))
    if most > _LARGEST_TABLE:
        return _subset_share(inside, total, k)
    every = np.arange(most + 1)
    table = _subset_share(np.tile(every, most + 1), np.repeat(every, most + 1), k)
    return table[total * (most + 1) + inside]


def _subset_share(inside: Int64[np.ndarray, " n"], total: Int64[np.ndarray, " n"], k: int) -> Float64[np.ndarray, " n"]:
    """Small k by the product of k ratios (exact to k roundings), large k by log-gamma."""
    if k <= _EVERY_K:
        result = np.ones(len(inside))
        for i in range(k):
            result *= np.maximum(inside - i, 0) / np.maximum(total - i, 1)
        return result
    possible = (inside >= k) & (total >= inside)
    log_share = gammaln(inside[possible] + 1.0) - gammaln(inside[possible] - k + 1.0)
    log_share -= gammaln(total[possible] + 1.0) - gammaln(total[possible] - k + 1.0)
    result = np.zeros(len(inside))
    result[possible] = np.exp(np.minimum(log_share, 0.0))
    return result


@dataclass(frozen=True, slots=True)
class Levels:
    """Completions of each prompt by score.

    Attributes:
        order: (rows,) permutation that sorts each prompt by score.
        starts: (levels + 1,) first sorted row of each level.
        offsets: (prompts + 1,) first level of each prompt.
        at: (levels,) completions at the level.
        below: (levels,) completions of the prompt below it.
        size: (levels,) completions of the prompt.
    """

    order: Int64[np.ndarray, " rows"]
    starts: Int64[np.ndarray, " levels_plus_1"]
    offsets: Int64[np.ndarray, " prompts_plus_1"]
    at: Int64[np.ndarray, " levels"]
    below: Int64[np.ndarray, " levels"]
    size: Int64[np.ndarray, " levels"]


def levels_of(scored: Scored) -> Levels:
    """Completions of each prompt sorted into levels of equal score."""
    offsets, order = scored.layout.row_offsets, scored.row_order
    starts = np.flatnonzero(level_starts(scored.scores[order], offsets))
    level_offsets = np.searchsorted(starts, offsets)
    prompt = segment_of(level_offsets)
    ends = np.append(starts, len(order))
    return Levels(order, ends, level_offsets, np.diff(ends), starts - offsets[prompt], np.diff(offsets)[prompt])


def zero_spread_probability(levels: Levels, k: int) -> Float64[np.ndarray, " prompts"]:
    """Probability that k completions of the prompt all have the same score: no signal in a group of k."""
    return segment_sum(subset_share(levels.at, levels.size, k), levels.offsets)


def completions_below(scored: Scored) -> Int64[np.ndarray, " behaviours"]:
    """Completions of the same prompt whose behaviour has a smaller value than this one."""
    layout = scored.layout
    offsets = layout.behaviour_offsets
    order = sort_within(scored.values, offsets)
    counts = layout.draws[order]
    before = np.cumsum(counts) - counts
    starts = np.flatnonzero(level_starts(scored.values[order], offsets))
    below = np.empty(len(order), dtype=np.int64)
    below[order] = np.repeat(before[starts], np.diff(np.append(starts, len(order))))
    return below - layout.row_offsets[layout.prompt_of_behaviour]


def tie_probability(scored: Scored, below: Int64[np.ndarray, " behaviours"], k: int) -> Float64[np.ndarray, " prompts"]:
    """Probability that among k completions several distinct behaviours share the best reward.

    One minus the probability that a single behaviour holds it: of a level with l completions below, a behaviour with c
    draws is alone at the top of the subset in C(l + c, k) - C(l, k) of the cases. `below` is `completions_below`.
    """
    layout = scored.layout
    size = layout.group_sizes[layout.prompt_of_behaviour]
    alone = subset_share(below + layout.draws, size, k) - subset_share(below, size, k)
    return np.clip(1.0 - segment_sum(alone, layout.behaviour_offsets), 0.0, 1.0)


def best_of_k(levels: Levels, outcome: Float64[np.ndarray, " rows"], k: int) -> Float64[np.ndarray, " prompts"]:
    """Expected outcome of the completion with the best score among k; equal scores are drawn with equal probability."""
    mean_at_level = np.add.reduceat(outcome[levels.order], levels.starts[:-1]) / levels.at
    wins = subset_share(levels.below + levels.at, levels.size, k) - subset_share(levels.below, levels.size, k)
    return segment_sum(wins * mean_at_level, levels.offsets)


def group_size_curve(scored: Scored, common: int) -> dict[str, Any]:
    """Tie and zero-spread probability at every group size up to the common one, over the prompts that reach it.

    `common` is the `common_group_size` of the whole table.
    """
    layout = scored.layout
    reaches = layout.group_sizes >= common
    levels, below = levels_of(scored), completions_below(scored)
    points = []
    for k in k_grid(common)[1:]:
        tied, flat = tie_probability(scored, below, k)[reaches], zero_spread_probability(levels, k)[reaches]
        points.append(
            {
                "k": k,
                "tied_share": mean_over(layout.prompts[reaches], tied, lowest=0.0, highest=1.0),
                "zero_spread_share": mean_over(layout.prompts[reaches], flat, lowest=0.0, highest=1.0),
            }
        )
    return {"common_group_size": common, "prompts": total(int(reaches.sum())), "points": points}
