"""Best reward, ties and gap at smaller group sizes, exactly, by counting subsets; and a bracket at twice the size.

Expectations over all subsets of k of a prompt's n completions have closed forms (`analyses.group_size`). They are
unbiased for a fresh group of k. The expected best of k grows with k and is concave in it (each further draw adds less),
so that of 2n lies between that of n and that of n plus n times the last step. Nothing else is known beyond n: the last
step is (greatest - second) / n, and a rare completion that is far better may not be among n.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.group_size import (
    best_of_k,
    common_group_size,
    completions_below,
    levels_of,
    subset_share,
    tie_probability,
    zero_spread_probability,
)
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_sum, sort_within
from policycliff.shapes import Float64, Int64

_ROUNDING = 1e-12


def doubling_sizes(largest: int) -> list[int]:
    """Group sizes 2, 4, 8, ... and the largest.

    >>> doubling_sizes(12)
    [2, 4, 8, 12]
    """
    return sorted({*(2**power for power in range(1, largest.bit_length()) if 2**power <= largest), largest})


def subset_figures(scored: Scored) -> dict[str, Any]:
    """The curve over k, over the prompts that reach the common group size; and the bracket at twice that size."""
    layout = scored.layout
    common = common_group_size(layout.group_sizes)
    reaches = layout.group_sizes >= common
    prompts, levels, below = layout.prompts[reaches], levels_of(scored), completions_below(scored)
    sizes = doubling_sizes(common)
    gaps = expected_gaps(scored, sizes)
    low, high = float(scored.scores.min()), float(scored.scores.max())
    points = []
    for position, k in enumerate(sizes):
        points.append(
            {
                "k": k,
                "best": mean_over(prompts, best_of_k(levels, scored.scores, k)[reaches], lowest=low, highest=high),
                "tied_share": mean_over(prompts, _tied(scored, below, k)[reaches], lowest=0.0, highest=1.0),
                "zero_spread_share": mean_over(
                    prompts, zero_spread_probability(levels, k)[reaches], lowest=0.0, highest=1.0
                ),
                "gap": mean_over(prompts, gaps[position][reaches], lowest=0.0),
            }
        )
    now, before = (best_of_k(levels, scored.scores, k)[reaches] for k in (common, common - 1))
    step = np.maximum(now - before, 0.0)
    return {
        "common_group_size": common,
        "prompts": len(prompts),
        "points": points,
        "last_step": mean_over(prompts, step, lowest=0.0),
        "twice": {
            "k": 2 * common,
            "best_at_least": mean_over(prompts, now, lowest=low, highest=high),
            "best_at_most": mean_over(prompts, now + common * step),
        },
    }


def _tied(scored: Scored, below: Int64[np.ndarray, " behaviours"], k: int) -> Float64[np.ndarray, " prompts"]:
    """The chance of a tie; what rounding leaves of none is none."""
    chance = tie_probability(scored, below, k)
    return np.where(chance < _ROUNDING, 0.0, chance)


def expected_gaps(scored: Scored, sizes: list[int]) -> list[Float64[np.ndarray, " prompts"]]:
    """Mean gap between the best behaviour and the best other one, 0 where tied, at each group size.

    Over the subsets of k completions that show two behaviours; NaN for prompts that have one. A behaviour counts with
    its value over the whole table. The interval between two neighbouring values lies in the gap if exactly one
    behaviour above it is drawn, and something below: with c completions below and d draws of that behaviour, in
    C(c + d, k) - C(c, k) - C(d, k) of the subsets. Behaviours with equally many draws are counted together.
    """
    layout = scored.layout
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    order = sort_within(scored.values, offsets)
    draws, size = layout.draws[order], layout.group_sizes[where]
    through = np.cumsum(draws) - layout.row_offsets[where]
    widths = np.append(np.diff(scored.values[order]), 0.0)
    widths[offsets[1:] - 1] = 0.0
    gaps, alone = np.zeros((len(sizes), layout.n_prompts)), np.zeros((len(sizes), layout.n_prompts))
    for count in np.unique(draws).tolist():
        same = np.cumsum(draws == count)
        above = same[offsets[1:] - 1][where] - same
        inside = np.flatnonzero((above > 0) & (widths > 0))
        below, total = through[inside], size[inside]
        single = np.full(len(inside), count)
        for position, k in enumerate(sizes):
            chance = subset_share(below + count, total, k) - subset_share(below, total, k)
            chance -= subset_share(single, total, k)
            gaps[position] += np.bincount(
                where[inside], weights=above[inside] * widths[inside] * np.maximum(chance, 0.0), minlength=len(gaps[0])
            )
    for position, k in enumerate(sizes):
        alone[position] = segment_sum(subset_share(layout.draws, size, k), offsets)
    several = (1.0 - alone > 0.0) & (layout.n_behaviours > 1)
    return list(np.divide(gaps, 1.0 - alone, out=np.full(gaps.shape, np.nan), where=several))
