"""One reward on one layout: the score of every completion and behaviour, and the set of best behaviours.

A behaviour's reward is the mean over its draws. A prompt is a state of a bandit, so its Q-values are the behaviours'
rewards, A* is `best`, and the radius of Result 1 at gamma = 0 is half the gap to the best other behaviour.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from policycliff.rollouts.exact import (
    UNIT_ROUNDOFF,
    ExactValues,
    decimal_fraction,
    round_exactly,
    weighted_fractions,
    weighted_sum_error,
    weighted_sums,
)
from policycliff.rollouts.layout import Layout, layout_of
from policycliff.rollouts.normalised import normalised_within
from policycliff.rollouts.segments import (
    average_ranks,
    kept_offsets,
    segment_max,
    segment_mean,
    segment_min,
    segment_of,
    segment_std,
    segment_sum,
    sort_within,
)
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward over the rows of the table: NaN where the row is out of this reward's figures.

    A column of negative weight is a penalty: its scores carry `sign` -1 here, so that larger is always better.
    `exact` gives the exact value of rows as fractions; None where values are irrational (normalised rewards).
    `unresolved` counts rows whose ties could not be decided. `components` lists its columns, with their weights.
    """

    name: str
    scores: Float64[np.ndarray, " rows"]
    exact: ExactValues | None
    components: tuple[tuple[str, float], ...]
    unresolved: int = 0
    sign: float = 1.0

    @property
    def usable(self) -> Bool[np.ndarray, " rows"]:
        """Rows with a score."""
        return ~np.isnan(self.scores)


@dataclass(frozen=True)
class Scored:
    """A reward on a layout.

    Without slots, so that what is derived from it is computed once and kept.

    Attributes:
        layout: Rows, behaviours and prompts.
        scores: (rows,) reward of each completion, in reward units.
        values: (behaviours,) reward of each behaviour: the mean over its draws.
        best: (behaviours,) whether the behaviour is optimal for its prompt (A*).
        best_value: (prompts,) greatest reward.
        next_value: (prompts,) greatest reward below it; -inf where all behaviours are tied.
    """

    layout: Layout
    scores: Float64[np.ndarray, " rows"]
    values: Float64[np.ndarray, " behaviours"]
    best: Bool[np.ndarray, " behaviours"]
    best_value: Float64[np.ndarray, " prompts"]
    next_value: Float64[np.ndarray, " prompts"]

    @cached_property
    def tied_size(self) -> Int64[np.ndarray, " prompts"]:
        """Number of best behaviours of each prompt."""
        return segment_sum(self.best, self.layout.behaviour_offsets)

    @cached_property
    def is_tied(self) -> Bool[np.ndarray, " prompts"]:
        """Whether several behaviours share the best reward."""
        return self.tied_size > 1

    @cached_property
    def is_unique(self) -> Bool[np.ndarray, " prompts"]:
        """Whether there is one best behaviour, and another one to beat."""
        return (self.tied_size == 1) & (self.layout.n_behaviours > 1)

    @cached_property
    def gap(self) -> Float64[np.ndarray, " prompts"]:
        """Distance from the best value to the next one (inf where there is none)."""
        return self.best_value - self.next_value

    @cached_property
    def zero_spread(self) -> Bool[np.ndarray, " prompts"]:
        """Whether all completions of the prompt have the same score."""
        offsets = self.layout.row_offsets
        return segment_max(self.scores, offsets) == segment_min(self.scores, offsets)

    @cached_property
    def spread(self) -> Float64[np.ndarray, " prompts"]:
        """Standard deviation over the completions of each prompt, with n - 1."""
        return segment_std(self.scores, self.layout.row_offsets)

    @cached_property
    def row_order(self) -> Int64[np.ndarray, " rows"]:
        """Permutation that sorts the completions of each prompt by score."""
        return sort_within(self.scores, self.layout.row_offsets)

    @cached_property
    def ranks(self) -> Float64[np.ndarray, " rows"]:
        """Rank of each completion within its prompt; equal scores share the mean of their ranks."""
        return average_ranks(self.scores, self.layout.row_offsets, self.row_order)

    @cached_property
    def standardised(self) -> Float64[np.ndarray, " rows"]:
        """Scores in units of their prompt's standard deviation (0 where the prompt has no spread)."""
        spread = self.spread[self.layout.prompt_of_row]
        return np.divide(self.scores, spread, out=np.zeros(len(self.scores)), where=spread > 0)


def column_reward(name: str, scores: Float64[np.ndarray, " rows"], *, weight: float = 1.0) -> Reward:
    """A column as it was given (its numbers are exact), turned round where its weight makes it a penalty."""
    sign = -1.0 if weight < 0 else 1.0
    oriented = scores if sign > 0 else -scores

    def exact(rows: Int64[np.ndarray, " k"]) -> list[Fraction]:
        return [decimal_fraction(value) for value in oriented[rows].tolist()]

    return Reward(name, oriented, exact, ((name, sign),), sign=sign)


def effective_reward_of(table: RolloutTable, weights: dict[str, float], settings: AuditSettings) -> Reward:
    """The weighted sum of the reward columns (Lemma 4.2), over the components whose weight is not 0.

    `missing="zero"` counts an unusable component as 0, as TRL's `nansum` does; otherwise the row is out. Under
    `normalize_then_sum` each component is first centred and divided by its standard deviation within the prompt: of the
    scores that are there.
    """
    columns = [column for column in table.rewards if weights[column.name] != 0.0]
    named = tuple((column.name, weights[column.name]) for column in columns)
    components = np.stack([column.scores for column in columns])
    weight = np.array([weights[column.name] for column in columns])
    missing = np.isnan(components)
    usable = ~(missing.all(axis=0) if settings.missing == "zero" else missing.any(axis=0))
    if settings.aggregation == "normalize_then_sum":
        scores, unresolved = _normalised_sum(table, components, weight, np.flatnonzero(usable), settings.epsilon)
        return Reward(EFFECTIVE, scores, None, named, unresolved)
    components = np.where(missing & usable, 0.0, components)
    scores, exact = _plain_sum(table, components, weight)
    return Reward(EFFECTIVE, scores, exact, named)


def score(reward: Reward, layout: Layout) -> Scored:
    """Reward of every behaviour of the layout, and the best ones; every row of the layout must have a score."""
    scores = reward.scores[layout.rows]
    if layout.n_prompts == 0:
        nothing = np.zeros(0)
        return Scored(layout, scores, nothing, np.zeros(0, dtype=bool), nothing, nothing)
    values = _behaviour_means(reward, layout, scores)
    where, offsets = layout.prompt_of_behaviour, layout.behaviour_offsets
    best_value = segment_max(values, offsets)
    best = values == best_value[where]
    next_value = segment_max(np.where(best, -np.inf, values), offsets)
    return Scored(layout, scores, values, best, best_value, next_value)


Scorer = Callable[..., Scored]
"""`scorer(reward, *others)`: the reward on the completions that have its score and those of the others."""


def scorer_of(table: RolloutTable) -> Scorer:
    """A scorer that computes each layout, and each reward on it, once.

    Most tables have no missing scores, and then all rewards share one layout.
    """
    layouts: dict[bytes, Layout] = {}
    scored: dict[tuple[str, bytes], Scored] = {}

    def scorer(reward: Reward, *others: Reward) -> Scored:
        usable = np.logical_and.reduce([reward.usable, *(other.usable for other in others)])
        mask = np.packbits(usable).tobytes()
        if mask not in layouts:
            layouts[mask] = layout_of(table, usable)
        if (reward.name, mask) not in scored:
            scored[reward.name, mask] = score(reward, layouts[mask])
        return scored[reward.name, mask]

    return scorer


def _plain_sum(
    table: RolloutTable, components: Float64[np.ndarray, "components rows"], weight: Float64[np.ndarray, " components"]
) -> tuple[Float64[np.ndarray, " rows"], ExactValues]:
    scores = np.full(table.n_rows, np.nan)
    usable = np.flatnonzero(~np.isnan(components).any(axis=0))
    kept = components[:, usable]

    def exact(rows: Int64[np.ndarray, " k"]) -> list[Fraction]:
        return weighted_fractions(components[:, rows], weight)

    if len(usable):
        scores[usable], _ = round_exactly(
            weighted_sums(kept, weight),
            error=weighted_sum_error(kept, weight),
            key=kept.T,
            offsets=kept_offsets(table.offsets, usable),
            exact=lambda positions: exact(usable[positions]),
        )
    return scores, exact


def _normalised_sum(
    table: RolloutTable,
    components: Float64[np.ndarray, "components rows"],
    weight: Float64[np.ndarray, " components"],
    usable: Int64[np.ndarray, " usable"],
    epsilon: float,
) -> tuple[Float64[np.ndarray, " rows"], int]:
    scores = np.full(table.n_rows, np.nan)
    if len(usable) == 0:
        return scores, 0
    kept, offsets = components[:, usable], kept_offsets(table.offsets, usable)
    parts = [normalised_within(values, offsets, epsilon) for values in kept]
    terms = np.nan_to_num(np.stack([part.terms for part in parts]), nan=0.0)
    # A mean or a deviation of n numbers rounds about n times, relative to the largest of them.
    largest = np.nan_to_num(np.stack([part.largest for part in parts]), nan=0.0)
    error = weighted_sum_error(largest, weight) * (np.diff(offsets)[segment_of(offsets)] + 4)
    key = np.nan_to_num(kept, nan=np.inf).T
    scores[usable], unresolved = round_exactly(
        weighted_sums(terms, weight), error=error, key=key, offsets=offsets, exact=None
    )
    return scores, unresolved


def _behaviour_means(
    reward: Reward, layout: Layout, scores: Float64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " behaviours"]:
    """Mean over the draws of each behaviour; exact where all draws agree, and where a tie turns on it."""
    draws = layout.draw_offsets
    means = segment_mean(scores, draws)
    varies = segment_max(scores, draws) != segment_min(scores, draws)
    if not varies.any():
        return means
    error = np.where(varies, (layout.draws + 4) * UNIT_ROUNDOFF * segment_mean(np.abs(scores), draws), 0.0)
    key = np.where(varies, np.arange(1, len(means) + 1), 0)[:, None]
    rounded, _ = round_exactly(
        means,
        error=error,
        key=key,
        offsets=layout.behaviour_offsets,
        exact=None if reward.exact is None else _mean_fractions(reward.exact, layout),
    )
    return rounded


def _mean_fractions(exact: ExactValues, layout: Layout) -> ExactValues:
    def means(behaviours: Int64[np.ndarray, " k"]) -> list[Fraction]:
        result = []
        for behaviour in behaviours:
            rows = layout.rows[layout.draw_offsets[behaviour] : layout.draw_offsets[behaviour + 1]]
            result.append(sum(exact(rows), Fraction(0)) / len(rows))
        return result

    return means
