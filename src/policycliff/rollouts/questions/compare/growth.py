"""Ties and best of k of two tables at every group size up to the common one."""

from typing import Any

import numpy as np

from policycliff.rollouts.analyses.group_size import (
    best_of_k,
    completions_below,
    levels_of,
    tie_probability,
)
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.questions.compare.matching import Matching
from policycliff.rollouts.scores import Scored


def growth(sides: tuple[Scored, Scored], matching: Matching | None, k: int) -> list[dict[str, Any]]:
    """Mean tie probability and best of each size over the prompts that reach k: the matched ones if there are any.

    Without a matching, over all prompts of either table.
    """
    curves = [_curve(scored, groups, k) for scored, groups in zip(sides, _kept(sides, matching, k), strict=True)]
    names = ("tied_whole", "best_whole"), ("tied_part", "best_part")
    return [
        {"k": size} | {name: figure for side, titles in zip(point, names, strict=True)
                       for name, figure in zip(titles, side, strict=True)}
        for size, *point in zip(sizes_up_to(k), *curves, strict=True)
    ]  # fmt: skip


def sizes_up_to(k: int) -> list[int]:
    """Group sizes to show: powers of two, three halves of them, and the greatest.

    >>> sizes_up_to(20)
    [2, 3, 4, 6, 8, 12, 16, 20]
    """
    powers = [2**i for i in range(1, k.bit_length())]
    return sorted({size for power in powers for size in (power, power * 3 // 2) if size < k} | {k})


def _kept(sides: tuple[Scored, Scored], matching: Matching | None, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups of either table that reach k; of matched ones, those that do in both."""
    reach = [scored.layout.prompts[scored.layout.group_sizes >= k] for scored in sides]
    if matching is None or matching.by == "nothing":
        return reach[0], reach[1]
    both = np.isin(matching.first, reach[0]) & np.isin(matching.second, reach[1])
    return matching.first[both], matching.second[both]


def _curve(scored: Scored, groups: np.ndarray, k: int) -> list[tuple[Any, Any]]:
    layout = scored.layout
    kept = np.isin(layout.prompts, groups)
    levels, below = levels_of(scored), completions_below(scored)
    points = []
    for size in sizes_up_to(k):
        tied, best = tie_probability(scored, below, size), best_of_k(levels, scored.scores, size)
        prompts = layout.prompts[kept]
        points.append((mean_over(prompts, tied[kept], lowest=0.0, highest=1.0), mean_over(prompts, best[kept])))
    return points
