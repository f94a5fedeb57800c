"""The best behaviours of every prompt at many thresholds, decided in whole numbers.

`policycliff.rollouts.scores.score` decides ties of means by a fraction a behaviour, which is slow where most behaviours
are means of several draws and many tie, once a threshold. Where the reward takes few values these are whole multiples
of one fraction; their sums are whole numbers, and each mean that may be best is one division, rounded once as there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import lcm

import numpy as np

from policycliff.rollouts.exact import UNIT_ROUNDOFF
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.scores import Reward, Scored, score
from policycliff.rollouts.segments import segment_max, segment_mean
from policycliff.rollouts.table import RolloutTable

MOST_VALUES = 100_000
"""Beyond so many different rewards, means rarely tie, and fractions for those that may are quick."""


@dataclass(frozen=True, slots=True)
class WholeMultiples:
    """Exact rewards: `numbers` (rows,) are Python's whole numbers, to be divided by `unit`."""

    numbers: np.ndarray
    unit: int


def scorer_for(reward: Reward, table: RolloutTable) -> Callable[[Layout], Scored]:
    """A function that scores the reward on layouts of this table's rows."""
    whole = _whole_multiples(reward, table)
    if whole is None:
        return lambda layout: score(reward, layout)
    return lambda layout: _scored(reward, whole, layout)


def _whole_multiples(reward: Reward, table: RolloutTable) -> WholeMultiples | None:
    """The exact rewards in units of one fraction; None where there are too many, or they are irrational."""
    if reward.exact is None:
        return None
    names = {name for name, _ in reward.components}
    rows = np.flatnonzero(reward.usable)
    parts = [column.scores[rows] for column in table.rewards if column.name in names]
    codes = np.zeros(len(rows), dtype=np.int64)
    for part in parts:
        values, code = np.unique(part, return_inverse=True)
        _, codes = np.unique(codes * len(values) + code, return_inverse=True)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    if len(first) > MOST_VALUES:
        return None
    fractions = reward.exact(rows[first])
    unit = lcm(*(fraction.denominator for fraction in fractions))
    numbers = np.array([fraction.numerator * (unit // fraction.denominator) for fraction in fractions], dtype=object)
    whole = np.zeros(table.n_rows, dtype=object)
    whole[rows] = numbers[inverse]
    return WholeMultiples(whole, unit)


def _scored(reward: Reward, whole: WholeMultiples, layout: Layout) -> Scored:
    scores = reward.scores[layout.rows]
    values = segment_mean(scores, layout.draw_offsets)
    where, offsets = layout.prompt_of_behaviour, layout.behaviour_offsets
    error = (layout.draws + 4) * UNIT_ROUNDOFF * segment_mean(np.abs(scores), layout.draw_offsets)
    reach = 2.0 * segment_max(error, offsets)
    near = np.flatnonzero(values >= (segment_max(values, offsets) - reach)[where])
    sums = np.add.reduceat(whole.numbers[layout.rows], layout.draw_offsets[:-1])[near]
    # Python's division of whole numbers is rounded once, correctly: equal means give equal values.
    values[near] = (sums / (layout.draws[near].astype(object) * whole.unit)).astype(np.float64)
    best_value = segment_max(values, offsets)
    best = values == best_value[where]
    next_value = segment_max(np.where(best, -np.inf, values), offsets)
    return Scored(layout, scores, values, best, best_value, next_value)
