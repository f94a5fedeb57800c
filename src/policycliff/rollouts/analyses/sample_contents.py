"""What a page embeds of the prompts of a sample: their completions with every number, and their texts, cut."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.terms import terms_of
from policycliff.rollouts.analyses.texts import cut, named_together
from policycliff.rollouts.rewards import Rewards
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import kept_offsets, segment_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable, ScoreColumn
from policycliff.shapes import Float64, Int64

_LONGEST_TEXT, _SHORTEST_CUT, _TEXT_A_PROMPT = 400, 40, 5_000


def embedded_columns(table: RolloutTable) -> list[ScoreColumn]:
    """The rewards, and the truth if it is not one of them."""
    names = {column.name for column in table.rewards}
    truth = [] if table.truth is None or table.truth.name in names else [table.truth]
    return [*table.rewards, *truth]


def completions_of(
    table: RolloutTable, rewards: Rewards, groups: Int64[np.ndarray, " drawn"], settings: AuditSettings
) -> pl.DataFrame:
    """The different completions of each group: its place, then behaviour, draws, reward, scores and terms."""
    rows, offsets = _rows_of(table, groups)
    effective = rewards.effective.scores[rows]
    usable = np.flatnonzero(~np.isnan(effective))
    scores = {f"score {at}": column.scores[rows] for at, column in enumerate(embedded_columns(table))}
    terms = {
        f"term {at}": _terms(column.scores[rows], offsets, usable, settings) for at, column in enumerate(table.rewards)
    }
    same = {"place": segment_of(offsets), "behaviour": table.behaviour[rows], **scores}
    frame = pl.DataFrame({**same, "effective": effective, **terms}).fill_nan(None)
    # Completions of one prompt with the same scores have the same reward and the same terms.
    found = frame.group_by(*same, maintain_order=True).agg(pl.len().alias("draws"), pl.exclude(*same).first())
    return found.select("place", "behaviour", "draws", "effective", *scores, *terms)


def contents_of(
    table: RolloutTable, scored: Scored, prompts: Int64[np.ndarray, " prompts"], completions: list[pl.DataFrame]
) -> list[dict[str, Any]]:
    """The prompts as JSON types.

    Args:
        table: A part of the table.
        scored: The effective reward on it.
        prompts: Which prompts of its layout.
        completions: Those of each prompt, of `completions_of`.
    """
    if len(prompts) == 0:
        return []
    groups = scored.layout.prompts[prompts]
    first = table.offsets[groups]
    heads = [_cells(table.frame, name, first, [_LONGEST_TEXT] * len(first)) for name in _HEADS]
    behaviours = _behaviours(table, groups)
    n_scores = len(embedded_columns(table))
    return [
        {
            **dict(zip(_HEADS.values(), head, strict=True)),
            "best": (_best(table, scored, prompt) - number).tolist(),
            "behaviours": shown,
            "completions": _entries(of_prompt, number, n_scores),
        }
        for prompt, number, shown, of_prompt, *head in zip(
            prompts.tolist(), table.behaviour[first].tolist(), behaviours, completions, *heads, strict=True
        )
    ]


def _rows_of(
    table: RolloutTable, groups: Int64[np.ndarray, " groups"]
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " groups_plus_1"]]:
    """All rows of some groups, one group after the other, and where each begins."""
    sizes = table.offsets[groups + 1] - table.offsets[groups]
    offsets = np.append(0, np.cumsum(sizes))
    return np.arange(offsets[-1]) + np.repeat(table.offsets[groups] - offsets[:-1], sizes), offsets


def _terms(
    scores: Float64[np.ndarray, " rows"],
    offsets: Int64[np.ndarray, " prompts_plus_1"],
    usable: Int64[np.ndarray, " usable"],
    settings: AuditSettings,
) -> Float64[np.ndarray, " rows"]:
    """A reward's terms, also of the rows without effective reward: nothing fills or normalises their scores."""
    normalised = settings.aggregation == "normalize_then_sum"
    terms = np.full(len(scores), np.nan) if normalised else scores.copy()
    terms[usable] = terms_of(scores[usable], kept_offsets(offsets, usable), settings)
    return terms


def _best(table: RolloutTable, scored: Scored, prompt: int) -> Int64[np.ndarray, " best"]:
    """Numbers of a prompt's best behaviours."""
    layout = scored.layout
    members = slice(layout.behaviour_offsets[prompt], layout.behaviour_offsets[prompt + 1])
    first_draws = layout.draw_offsets[:-1][members][scored.best[members]]
    return table.behaviour[layout.rows[first_draws]]


def _entries(completions: pl.DataFrame, first_behaviour: int, n_scores: int) -> list[dict[str, Any]]:
    return [
        {
            "behaviour": behaviour - first_behaviour,
            "draws": draws,
            "effective": effective,
            "scores": numbers[:n_scores],
            "terms": numbers[n_scores:],
        }
        for _, behaviour, draws, effective, *numbers in completions.rows()
    ]


def _behaviours(table: RolloutTable, groups: Int64[np.ndarray, " groups"]) -> list[list[dict[str, Any]]]:
    """Of each group the behaviours: the texts of the first row of each, and the sources of all its rows."""
    rows, offsets = _rows_of(table, groups)
    # Behaviours of different groups have different numbers.
    starts = np.flatnonzero(np.diff(table.behaviour[rows], prepend=-1))
    of_group = np.searchsorted(starts, offsets)
    counts = np.diff(of_group)
    limits = np.repeat(np.clip(_TEXT_A_PROMPT // counts, _SHORTEST_CUT, _LONGEST_TEXT), counts).tolist()
    first = rows[starts]
    shown = [
        {"row": row, "text": text, "behaviour": behaviour, "source": source}
        for row, text, behaviour, source in zip(
            table.row_index[first].tolist(),
            _cells(table.frame, "__completion", first, limits),
            _cells(table.frame, "__behaviour", first, limits),
            _sources(table.frame, rows, starts, limits),
            strict=True,
        )
    ]
    return [shown[start:end] for start, end in pairwise(of_group.tolist())]


def _sources(
    frame: pl.DataFrame, rows: Int64[np.ndarray, " rows"], starts: Int64[np.ndarray, " behaviours"], limits: list[int]
) -> list[str | None]:
    if "__source" not in frame.columns:
        return [None] * len(starts)
    names = frame["__source"].gather(rows).to_list()
    ranges = pairwise([*starts.tolist(), len(rows)])
    return [cut(named_together(names[start:end]), limit) for (start, end), limit in zip(ranges, limits, strict=True)]


def _cells(frame: pl.DataFrame, column: str, rows: Int64[np.ndarray, " cells"], limits: list[int]) -> list[str | None]:
    """Texts of a column, cut; None where the table has no such column."""
    if column not in frame.columns:
        return [None] * len(rows)
    return [cut(value, limit) for value, limit in zip(frame[column].gather(rows).to_list(), limits, strict=True)]


_HEADS = {"__prompt_id": "prompt", "__prompt": "prompt_text", "__step": "step"}
"""Columns of the table whose texts stand at the head of a prompt."""
