"""One prompt of a table: its rows as a table of their own, all its completions, and who wins under other weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from policycliff.rollouts.analyses.texts import cut, text_at
from policycliff.rollouts.analyses.whole import WholeTable
from policycliff.rollouts.prompt_index import boundary_entry, index_of_part
from policycliff.rollouts.rewards import Rewards, rewards_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable, ScoreColumn
from policycliff.shapes import Float64, Int64

Loader: TypeAlias = Callable[[int], RolloutTable]
"""Gives a part of the table by its number."""

LONGEST_TEXT = 200_000
"""Characters of a text that a page shows."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion as its page shows it.

    Attributes:
        row: Its row in the table as read.
        text: Its text, None without a column.
        behaviour: The value of the behaviour column, if there is one.
        number: Number of its behaviour within the prompt, from 1 in the order shown.
        draws: How many completions show this behaviour.
        source: Who wrote it.
        effective: The effective reward, None where it has none.
        is_best: Its behaviour is among the best ones.
        was_best: It was, under the weights of the audit.
        scores: By column.
    """

    row: int
    text: str | None
    behaviour: str | None
    number: int
    draws: int
    source: str | None
    effective: float | None
    is_best: bool
    was_best: bool
    scores: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with its completions.

    Attributes:
        number: Its place in the table, from 0.
        text: Its text, None without a column.
        figures: Its row of the index, under the weights at hand.
        order: (completions,) all of them, the greatest effective reward first, those without one last.
        completion: Gives a completion.
        entry: What the audit would list of it under its own weights, if there is a reason to.
    """

    number: int
    text: str | None
    figures: Mapping[str, Any]
    order: list[int]
    completion: Callable[[int], Completion]
    entry: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Question:
    """How a prompt is to be judged: the audit's settings and weights, and the weights at hand."""

    settings: AuditSettings
    whole: WholeTable
    audited: dict[str, float]
    weights: dict[str, float]


def prompt_of(table: RolloutTable, group: int, number: int, question: Question) -> Prompt:
    """A prompt of a part of the table: its group there, and its number in the whole."""
    alone = one_group(table, group)
    settings, whole = question.settings, question.whole
    audited = rewards_of(alone, question.audited, settings)
    changed = question.weights != question.audited
    at_hand = rewards_of(alone, question.weights, settings) if changed else audited
    index = index_of_part(alone, at_hand, np.array([number]), settings=settings, whole=whole)
    figures = index.prompts.row(0, named=True)
    # The greatest reward first, then in the order of the table.
    effective = at_hand.effective.scores
    order = np.lexsort((alone.row_index, -np.where(np.isnan(effective), -np.inf, effective)))
    return Prompt(
        number,
        cut(index.texts[0], LONGEST_TEXT),
        # Under other weights another reward may be the main one, and only the audit knows its range in the whole table.
        {**figures, "dropped": None} if changed else figures,
        order.tolist(),
        _describer(alone, at_hand, audited, order),
        boundary_entry(alone, audited, number, settings=settings, whole=whole),
    )


def one_group(table: RolloutTable, group: int) -> RolloutTable:
    """A group of a table as a table."""
    first, end = int(table.offsets[group]), int(table.offsets[group + 1])
    rows = slice(first, end)

    def kept(column: ScoreColumn) -> ScoreColumn:
        return ScoreColumn(column.name, column.scores[rows])

    return replace(
        table,
        offsets=np.array([0, end - first]),
        row_index=table.row_index[rows],
        behaviour=table.behaviour[rows] - table.behaviour[first],
        text=None if table.text is None else table.text[rows],
        rewards=tuple(map(kept, table.rewards)),
        truth=None if table.truth is None else kept(table.truth),
        reruns={name: kept(column) for name, column in table.reruns.items()},
        candidates=tuple(map(kept, table.candidates)),
        source=None if table.source is None else table.source[rows],
        frame=table.frame[rows],
        duplicate_rows=0,
        skipped=(),
    )


def _describer(
    table: RolloutTable, rewards: Rewards, audited: Rewards, order: Int64[np.ndarray, " rows"]
) -> Callable[[int], Completion]:
    """A function that gives a completion by its row; behaviours are numbered in the order of the rows."""
    best, was_best = _best_behaviours(table, rewards), _best_behaviours(table, audited)
    draws = np.bincount(table.behaviour)
    numbers = {behaviour: number for number, behaviour in enumerate(dict.fromkeys(table.behaviour[order].tolist()), 1)}
    scores = _score_columns(table)

    def described(row: int) -> Completion:
        behaviour = int(table.behaviour[row])
        return Completion(
            row=int(table.row_index[row]),
            text=text_at(table.frame, "__completion", row, LONGEST_TEXT),
            behaviour=text_at(table.frame, "__behaviour", row, LONGEST_TEXT),
            number=numbers[behaviour],
            draws=int(draws[behaviour]),
            source=text_at(table.frame, "__source", row, LONGEST_TEXT),
            effective=_known(rewards.effective.scores[row]),
            is_best=_has_reward(rewards, row) and behaviour in best,
            was_best=_has_reward(audited, row) and behaviour in was_best,
            scores={name: _known(column[row]) for name, column in scores.items()},
        )

    return described


def _has_reward(rewards: Rewards, row: int) -> bool:
    return bool(rewards.effective.usable[row])


def _best_behaviours(table: RolloutTable, rewards: Rewards) -> set[int]:
    scored = rewards.scorer(rewards.effective)
    first = scored.layout.draw_offsets[:-1][scored.best]
    return set(table.behaviour[scored.layout.rows[first]].tolist())


def _score_columns(table: RolloutTable) -> dict[str, Float64[np.ndarray, " rows"]]:
    columns = [*table.rewards, *([] if table.truth is None else [table.truth]), *table.reruns.values()]
    return {column.name: column.scores for column in columns}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
