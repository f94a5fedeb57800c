"""What a change of one class's proportion does: to the best behaviours of shared prompts, and to the averages.

Let class k's proportion go from p to t, the others keeping their ratios. At a prompt of several classes that multiplies
w_k by the odds ratio f = (t / (1 - t)) / (p / (1 - p)) against the others: the sum is affine in f, its best set is
constant between walls, and the walls are those of a weight (`analyses.weights`). A prompt of one class has no wall.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.analyses.weights import Walls
from policycliff.shapes import Float64

_ROUNDING = 1e-12
GRID = np.round(np.arange(1, 40) / 40, 3)
"""Proportions at which curves are drawn."""


@dataclass(frozen=True, slots=True)
class ProportionWalls:
    """Proportions of a class at which the best set of a prompt changes.

    `below` < p < `above`; NaN where it never changes on that side. Where `on_wall`, any change of p changes it.
    """

    below: Float64[np.ndarray, " prompts"]
    above: Float64[np.ndarray, " prompts"]
    on_wall: np.ndarray

    def distance(self, proportion: float) -> Float64[np.ndarray, " prompts"]:
        """Least change of the proportion that reaches a wall; inf where there is none."""
        down, up = proportion - self.below, self.above - proportion
        nearest = np.fmin(np.nan_to_num(down, nan=np.inf), np.nan_to_num(up, nan=np.inf))
        return np.where(self.on_wall, 0.0, nearest)


def proportion_walls(found: Walls, proportion: float) -> ProportionWalls:
    """Walls of a factor on the class's weight, as proportions of the class.

    >>> walls = Walls(np.array([-1.0]), np.array([3.0]), np.array([False]))
    >>> walls = proportion_walls(walls, 0.5)
    >>> walls.below, walls.above
    (array([nan]), array([0.75]))
    """
    below, above = (_proportion(factor, proportion) for factor in (found.below, found.above))
    off = ~found.on_wall
    # A wall at 0 or 1, up to rounding, is none: there the class, or all others, would be left out.
    return ProportionWalls(
        np.where((below > _ROUNDING) & off, below, np.nan),
        np.where((above < 1.0 - _ROUNDING) & np.isfinite(found.above) & off, above, np.nan),
        found.on_wall,
    )


def changed(walls: ProportionWalls, proportion: float, at: float) -> int:
    """How many prompts have another best set at proportion `at` than at the present one."""
    if at == proportion:
        return 0
    # A wall is computed by a few roundings: one that lies at the proportion up to these is reached.
    crossed = walls.above <= at * (1.0 + _ROUNDING) if at > proportion else walls.below >= at * (1.0 - _ROUNDING)
    return int((crossed | walls.on_wall).sum())


def _proportion(factor: Float64[np.ndarray, " n"], proportion: float) -> Float64[np.ndarray, " n"]:
    finite = np.where(np.isfinite(factor) & (factor > 0.0), factor, 0.0)
    return finite * proportion / (1.0 - proportion + finite * proportion)
