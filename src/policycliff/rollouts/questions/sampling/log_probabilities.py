"""Columns of log-probabilities: found, checked, and what they say of the share of a policy that was seen."""

from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.intervals import mean_over
from policycliff.rollouts.segments import segment_max, segment_mean, segment_min, segment_of, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64, Int64

_ROUNDING = 1e-3
"""How far a probability, or a sum of them, may exceed 1 by the arithmetic of the engine that computed it."""


def log_probabilities(table: RolloutTable, name: str) -> Float64[np.ndarray, " rows"]:
    """The column, aligned with the sorted rows; NaN where it is missing or infinite.

    Raises:
        TableError: A value is positive: no probability.
        InvalidInputError: Every value is missing.
    """
    known = {column.name: column.scores for column in (*table.candidates, *table.rewards)}
    if table.truth is not None:
        known[table.truth.name] = table.truth.scores
    values = known[name]
    positive = np.flatnonzero(values > _ROUNDING)
    if len(positive):
        row = positive[np.argmin(table.row_index[positive])]
        raise TableError(
            f"log-probability column {name!r} is {values[row]:g} in row {table.row_index[row] + 1} (counted from 1); "
            "a log-probability is at most 0. Give the natural logarithm of the probability of the whole completion: "
            "the sum over its tokens."
        )
    if np.isnan(values).all():
        raise InvalidInputError(f"log-probability column {name!r} has no finite value.")
    return values


def seen_figures(table: RolloutTable, logs: Float64[np.ndarray, " rows"]) -> dict[str, Any]:
    """Probability of the distinct texts seen, by prompt, under the policy that gave the log-probabilities.

    Also what shows that they are none of whole completions (`over_one_prompts`), and how far two of one text differ.
    """
    kept = np.flatnonzero(~np.isnan(logs))
    group = segment_of(table.offsets)[kept]
    text = np.arange(len(kept)) if table.text is None else table.text[kept]
    order = np.lexsort((text, group))
    ordered, groups = logs[kept][order], group[order]
    starts = _starts(groups, text[order])
    means = segment_mean(ordered, starts)
    spread = segment_max(ordered, starts) - segment_min(ordered, starts)
    first = groups[starts[:-1]]
    prompts = _starts(first)
    mass = segment_sum(np.exp(np.minimum(means, 0.0)), prompts)
    return {
        "prompts": len(mass),
        "mass": mean_over(first[prompts[:-1]], np.minimum(mass, 1.0), lowest=0.0, highest=1.0),
        "least_mass": float(mass.min()),
        "greatest_mass": float(mass.max()),
        "over_one_prompts": int((mass > 1.0 + _ROUNDING).sum()),
        "repeated_texts": int((np.diff(starts) > 1).sum()),
        "greatest_difference_of_one_text": float(spread.max()),
    }


def _starts(*keys: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " segments_plus_1"]:
    """Offsets of the runs of equal keys."""
    changes = np.logical_or.reduce([np.diff(key) != 0 for key in keys])
    return np.concatenate([[0], np.flatnonzero(changes) + 1, [len(keys[0])]])
