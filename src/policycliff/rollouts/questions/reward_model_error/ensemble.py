"""Several scores of the same completions as one ensemble: its members on common rows, and their mean.

A reward model is known up to a constant a prompt (a preference compares completions of one prompt), so members are
compared by differences within prompts. Their scales may differ too: `standardise` says in which units they are
averaged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.exact import round_exactly, weighted_sum_error, weighted_sums
from policycliff.rollouts.layout import Layout, layout_of
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Reward, Scored, column_reward, effective_reward_of, score
from policycliff.rollouts.segments import segment_max, segment_mean
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64

Standardise = Literal["prompt", "table"]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Members and their mean, on the completions that all of them score.

    Attributes:
        names: Columns of the members.
        layout: Rows with every member's score (and others asked for), prompts with two of them at least.
        members: Each member as given; a penalty is turned round.
        scales: (members,) pooled standard deviation within prompts, in the member's own units.
        scores: (members, rows) scores in the ensemble's units.
        values: (members, behaviours) the same, averaged over the draws of each behaviour.
        mean: The mean of the members, in the ensemble's units.
        others: For each member, the mean of all others.
    """

    names: tuple[str, ...]
    layout: Layout
    members: tuple[Scored, ...]
    scales: Float64[np.ndarray, " members"]
    scores: Float64[np.ndarray, "members rows"]
    values: Float64[np.ndarray, "members behaviours"]
    mean: Scored
    others: tuple[Scored, ...]

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.names)


def check_standardise(standardise: str | None) -> None:
    """Refuse a choice that does not exist."""
    if standardise is not None and standardise not in get_args(Standardise):
        raise InvalidInputError(f"standardise must be prompt or table, or be left out; got {standardise!r}.")


def ensemble_of(
    loaded: LoadedRollouts, standardise: str | None, *, also: Bool[np.ndarray, " table_rows"] | None = None
) -> Ensemble:
    """The reward columns as an ensemble; `also` marks rows that have what else is needed.

    Without `standardise` scores are averaged as they are; "table" divides each member by its pooled standard deviation
    within prompts, "prompt" centres and divides it in each prompt by that prompt's.

    Raises:
        TableError: No prompt has two completions that every member scores.
        InvalidInputError: A member that is constant within prompts says nothing of which completion is better.
    """
    table, weights = loaded.table, dict(loaded.rewards)
    rewards = [column_reward(item.name, item.scores, weight=weights[item.name]) for item in table.rewards]
    usable = np.logical_and.reduce([reward.usable for reward in rewards])
    layout = layout_of(table, usable if also is None else usable & also)
    if layout.n_prompts == 0:
        raise TableError(
            "no prompt has two completions with the scores of all members (and the truth, if given). Check --group, or "
            "leave out the member that lacks scores."
        )
    members = tuple(score(reward, layout) for reward in rewards)
    scales = np.array([_pooled_spread(member) for member in members])
    _require_opinions(rewards, scales)
    scores = _in_common_units(members, scales, standardise)
    mean_of = _mean_of(loaded, rewards, layout, scales=scales, scores=scores, standardise=standardise)
    everyone = range(len(rewards))
    return Ensemble(
        names=tuple(reward.name for reward in rewards),
        layout=layout,
        members=members,
        scales=scales,
        scores=scores,
        values=np.stack([segment_mean(row, layout.draw_offsets) for row in scores]),
        mean=score(mean_of(list(everyone)), layout),
        others=tuple(score(mean_of([j for j in everyone if j != i]), layout) for i in everyone),
    )


def row_spread(ensemble: Ensemble) -> Float64[np.ndarray, " rows"]:
    """Standard deviation over the members of each completion's score, every member centred within its prompts."""
    offsets, where = ensemble.layout.row_offsets, ensemble.layout.prompt_of_row
    centred = np.stack([row - segment_mean(row, offsets)[where] for row in ensemble.scores])
    return centred.std(axis=0, ddof=1)


def _require_opinions(rewards: list[Reward], scales: Float64[np.ndarray, " members"]) -> None:
    if not scales.all():
        raise InvalidInputError(
            f"member {rewards[int(np.argmin(scales))].name!r} is constant within every prompt, so it says nothing of "
            "which completion is better. Leave it out."
        )


def _pooled_spread(member: Scored) -> float:
    freedom = member.layout.group_sizes - 1
    return float(np.sqrt((member.spread**2 * freedom).sum() / freedom.sum()))


def _in_common_units(
    members: tuple[Scored, ...], scales: Float64[np.ndarray, " members"], standardise: str | None
) -> Float64[np.ndarray, "members rows"]:
    if standardise is None:
        return np.stack([member.scores for member in members])
    if standardise == "table":
        return np.stack([member.scores / scale for member, scale in zip(members, scales, strict=True)])
    offsets, where = members[0].layout.row_offsets, members[0].layout.prompt_of_row
    means = [segment_mean(member.standardised, offsets)[where] for member in members]
    return np.stack([member.standardised - mean for member, mean in zip(members, means, strict=True)])


def _mean_of(
    loaded: LoadedRollouts,
    rewards: list[Reward],
    layout: Layout,
    *,
    scales: Float64[np.ndarray, " members"],
    scores: Float64[np.ndarray, "members rows"],
    standardise: str | None,
) -> Callable[[list[int]], Reward]:
    """The mean of some members as a reward; its ties are decided exactly, up to rounding where it is irrational."""
    if standardise == "prompt":
        return lambda kept: _mean_of_normalised(loaded.table, layout, scores[kept])
    units = scales if standardise == "table" else np.ones(len(scales))
    factors = [reward.sign / unit for reward, unit in zip(rewards, units.tolist(), strict=True)]
    settings = replace(loaded.settings, aggregation="sum_then_normalize", missing="omit")

    def mean_of(kept: list[int]) -> Reward:
        weights = {r.name: factors[i] / len(kept) if i in kept else 0.0 for i, r in enumerate(rewards)}
        return effective_reward_of(loaded.table, weights, settings)

    return mean_of


def _mean_of_normalised(table: RolloutTable, layout: Layout, scores: Float64[np.ndarray, "kept rows"]) -> Reward:
    """Mean of scores normalised within prompts: irrational, so what rounding cannot tell apart counts as tied."""
    offsets, where = layout.row_offsets, layout.prompt_of_row
    weights = np.full(len(scores), 1.0 / len(scores))
    largest = np.stack([segment_max(np.abs(row), offsets)[where] for row in scores])
    # A mean or a deviation of n numbers rounds about n times; twice, for scores were centred after they were divided.
    error = weighted_sum_error(largest, weights) * 2.0 * (layout.group_sizes[where] + 4)
    sums = weighted_sums(scores, weights)
    values, unresolved = round_exactly(sums, error=error, key=scores.T, offsets=offsets, exact=None)
    placed = np.full(table.n_rows, np.nan)
    placed[layout.rows] = values
    return Reward("mean", placed, None, (), unresolved)
