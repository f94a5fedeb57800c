"""Rewards per step: what a trace returns, and how far its steps' rewards are from making another trace as good.

A step is a prefix with its last piece. Completions that take one step with different rewards pay its mean. Moving every
step's reward by at most d changes the difference of two returns by at most d times the steps that they do not share, so
the radius of a prompt with one best trace is its least (return gap) / (steps of both after they part), exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.exact import UNIT_ROUNDOFF, decimal_fraction, round_exactly
from policycliff.rollouts.questions.prefix_tree.list_columns import Lists, lists_of
from policycliff.rollouts.questions.prefix_tree.traces import Traces
from policycliff.rollouts.questions.prefix_tree.tree import PrefixTree, Sorted
from policycliff.rollouts.questions.prefix_tree.tree_kernels import prefix_numbers, step_radii
from policycliff.rollouts.reading.columns import is_numeric
from policycliff.rollouts.reading.score_columns import read_scores
from policycliff.rollouts.scores import Reward
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64

_DIGITS = 9
_LARGEST_INTEGER = 2.0**52


@dataclass(frozen=True, slots=True)
class StepRewards:
    """Step rewards of the table's sorted rows.

    Attributes:
        lists: Rewards of each row's steps; length -1 for a row without usable ones.
        values: (elements,) the rewards.
        with_end: Whether the last one of each list is paid for ending.
    """

    lists: Lists
    values: Float64[np.ndarray, " elements"]
    with_end: bool

    @property
    def usable(self) -> Bool[np.ndarray, " rows"]:
        """Rows with a reward for every step."""
        return self.lists.lengths >= 0


def step_rewards_of(table: RolloutTable, column: pl.Series, traces: Traces) -> StepRewards:
    """Step rewards along the sorted rows.

    Raises:
        TableError: A list is not as long as its trace, or it holds no numbers.
    """
    lists = lists_of(column.gather(table.row_index), "step rewards")
    if len(lists.elements) and not is_numeric(lists.elements.dtype):
        raise TableError(f"step rewards column {column.name!r} holds lists of {lists.elements.dtype}, not of numbers.")
    values = read_scores(lists.elements.alias(column.name), role="numeric").values
    rows = np.flatnonzero((lists.lengths >= 0) & (traces.lists.lengths >= 0))
    excess = lists.lengths[rows] - traces.lists.lengths[rows]
    with_end = bool(len(rows)) and bool((excess == 1).all())
    wrong = np.flatnonzero(excess != int(with_end))
    if len(wrong):
        row = rows[wrong[0]]
        raise TableError(
            f"step rewards column {column.name!r} has {lists.lengths[row]} numbers in row {table.row_index[row] + 1} "
            f"(counted from 1), whose trace has {traces.lists.lengths[row]} {traces.unit}s. Give as many in every row, "
            "or in every row one more, for the end."
        )
    broken = np.zeros(table.n_rows, dtype=bool)
    owner = np.repeat(np.arange(table.n_rows), np.maximum(lists.lengths, 0))
    broken[owner[~np.isfinite(values)]] = True
    return StepRewards(Lists(lists.elements, lists.starts, np.where(broken, -1, lists.lengths)), values, with_end)


def returns_of(table: RolloutTable, rows: Sorted, steps: StepRewards) -> tuple[Reward, int]:
    """The return of every sorted row as a reward of the table's rows, and how many steps were paid differently."""
    order, lengths = rows.layout.rows, rows.row_lengths + int(steps.with_end)
    number = _step_numbers(rows, with_end=steps.with_end)
    starts = np.cumsum(lengths) - lengths
    place = np.arange(lengths.sum()) - np.repeat(starts - steps.lists.starts[order], lengths)
    paid = steps.values[place]
    least, most = np.full(number.max(initial=-1) + 1, np.inf), np.full(number.max(initial=-1) + 1, -np.inf)
    np.minimum.at(least, number, paid)
    np.maximum.at(most, number, paid)
    count = np.bincount(number)
    mean = np.where(least == most, least, np.bincount(number, weights=paid) / np.maximum(count, 1))
    first = rows.layout.draw_offsets[:-1]
    traces = _Steps(mean[number], starts[first], lengths[first])
    disputed = least != most
    values = _decimal_sums(traces) if not disputed.any() else None
    if values is None:
        exact = _exact_sums(traces, number, paid)
        values = _rounded_sums(traces, rows, exact, int(count.max(initial=1)))
    scores = np.full(table.n_rows, np.nan)
    scores[order] = np.repeat(values, rows.layout.draws)
    return Reward("step rewards", scores, None, ()), int(disputed.sum())


def step_radii_of(tree: PrefixTree, *, with_end: bool) -> Float64[np.ndarray, " prompts"]:
    """Radius of each prompt in the reward of one step: 0 where the best is tied, NaN where there is one trace."""
    found = step_radii(
        tree.rows.shared,
        tree.rows.lengths + int(with_end),
        tree.scored.values,
        tree.scored.best,
        tree.scored.layout.behaviour_offsets,
    )
    found[tree.scored.is_tied] = 0.0
    return np.where(np.isinf(found), np.nan, found)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The mean reward of every step along the rows, and where each trace's are."""

    values: Float64[np.ndarray, " steps"]
    starts: Int64[np.ndarray, " traces"]
    lengths: Int64[np.ndarray, " traces"]


def _step_numbers(rows: Sorted, *, with_end: bool) -> Int64[np.ndarray, " steps"]:
    if not with_end:
        return prefix_numbers(rows.row_shared, rows.row_lengths)
    # Two rows share their end if they are the same trace.
    same = np.ones(len(rows.row_lengths), dtype=bool)
    same[rows.layout.draw_offsets[:-1]] = False
    return prefix_numbers(rows.row_shared + same, rows.row_lengths + 1)


def _sums(values: np.ndarray, steps: _Steps) -> np.ndarray:
    """Sum over each trace's steps, one after another."""
    place = np.arange(steps.lengths.sum())
    owner = np.repeat(np.arange(len(steps.lengths)), steps.lengths)
    place += (steps.starts - (np.cumsum(steps.lengths) - steps.lengths))[owner]
    return np.bincount(owner, weights=values[place], minlength=len(steps.lengths))


def _decimal_sums(steps: _Steps) -> Float64[np.ndarray, " traces"] | None:
    """Sums of decimals of few digits by whole numbers, rounded once; None where that is not exact."""
    for digits in range(_DIGITS + 1):
        scaled = np.rint(steps.values * 10.0**digits)
        if np.abs(scaled).sum() >= _LARGEST_INTEGER:
            return None
        if np.array_equal(scaled / 10.0**digits, steps.values):
            return _sums(scaled, steps) / 10.0**digits
    return None


def _exact_sums(
    steps: _Steps, number: Int64[np.ndarray, " steps"], paid: Float64[np.ndarray, " steps"]
) -> Callable[[Int64[np.ndarray, " k"]], list[Fraction]]:
    """Sums as fractions of the decimals, step by step; for the traces whose order rounding leaves in doubt."""
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(number.max(initial=-1) + 2))
    known: dict[int, Fraction] = {}

    def of_step(step: int) -> Fraction:
        if step not in known:
            values = paid[order[bounds[step] : bounds[step + 1]]].tolist()
            known[step] = sum(map(decimal_fraction, values), Fraction(0)) / len(values)
        return known[step]

    def sums(traces: Int64[np.ndarray, " k"]) -> list[Fraction]:
        slices = [number[steps.starts[i] : steps.starts[i] + steps.lengths[i]].tolist() for i in traces.tolist()]
        return [sum(map(of_step, slice_), Fraction(0)) for slice_ in slices]

    return sums


def _rounded_sums(
    steps: _Steps, rows: Sorted, exact: Callable[[Int64[np.ndarray, " k"]], list[Fraction]], most_paid: int
) -> Float64[np.ndarray, " traces"]:
    """Sums in floating point, decided by fractions wherever two of a prompt lie within their rounding errors."""
    # Rounded once from the decimal, once a term of a step's mean, once a step; first order, doubled.
    error = 2.0 * UNIT_ROUNDOFF * (steps.lengths + most_paid + 4) * _sums(np.abs(steps.values), steps)
    key = np.arange(len(steps.lengths))[:, None]
    offsets = rows.layout.behaviour_offsets
    return round_exactly(_sums(steps.values, steps), error=error, key=key, offsets=offsets, exact=exact)[0]
