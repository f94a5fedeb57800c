"""The competing completions of a prompt, as the report shows them side by side.

Shown are the behaviours between which the reward decides, or fails to: of a tie those of the greatest and the least
truth, of a wrong ranking the best by reward and the best by truth, of a small margin those in contention. Among equals
the most drawn comes first, and of texts that share nine words in ten only one is shown.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.degeneracy import Aspect
from policycliff.rollouts.analyses.radius import radii
from policycliff.rollouts.analyses.texts import named_together, text_at
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64

_TEXT_LIMIT = 4000
_MOST_SHOWN = 4
_MOST_EXAMINED = 200
_LIKE = 0.9


@dataclass(frozen=True, slots=True)
class Contest:
    """What decides between the behaviours of a prompt.

    Attributes:
        scored: The effective reward.
        aspects: The columns in which behaviours may differ, the truth among them.
        truth: The truth, or None.
        ranges: By column, (prompts,) greatest difference over the best set.
        near: (behaviours,) in contention for the best place.
    """

    scored: Scored
    aspects: list[Aspect]
    truth: Aspect | None
    ranges: dict[str, Float64[np.ndarray, " prompts"]]
    near: Bool[np.ndarray, " behaviours"]


def describe(table: RolloutTable, contest: Contest, prompt: int, rng: np.random.Generator) -> dict[str, Any]:
    """One prompt to look at, as JSON types; `rng` orders what is equal otherwise. Its reason is yet to be said."""
    scored = contest.scored
    layout = scored.layout
    group = int(layout.prompts[prompt])
    first_row = int(table.offsets[group])
    in_group = int(table.offsets[group + 1]) - first_row
    radius = float(radii(scored)[prompt])
    return {
        "prompt": table.frame["__prompt_id"][first_row],
        "prompt_text": text_at(table.frame, "__prompt", first_row, _TEXT_LIMIT),
        "step": text_at(table.frame, "__step", first_row, _TEXT_LIMIT),
        "reason": None,
        "tied_size": int(scored.tied_size[prompt]),
        "behaviours": int(layout.n_behaviours[prompt]),
        "completions": int(layout.group_sizes[prompt]),
        "left_out": in_group - int(layout.group_sizes[prompt]),
        "radius": None if np.isnan(radius) else radius,
        "differs_in": [name for name, ranges in contest.ranges.items() if ranges[prompt] > 0],
        "competing": [_completion(table, contest, member) for member in _shown(table, contest, prompt, rng)],
    }


def _shown(table: RolloutTable, contest: Contest, prompt: int, rng: np.random.Generator) -> list[int]:
    """Behaviours to show: the opposites first, then others in contention, without repeating a text."""
    scored = contest.scored
    members = _by_draws(contest, _members(scored, prompt), rng)
    best = members[scored.best[members]]
    near = members[~scored.best[members] & contest.near[members]]
    runners_up = members[~scored.best[members]]
    runners_up = runners_up[np.argsort(-scored.values[runners_up], kind="stable")]
    decides = [] if len(best) > 1 else [*best, *runners_up[:1]]
    order = [*_opposites(contest, best, members), *decides, *best, *near]
    return _distinct_texts(table, scored, [int(member) for member in order], always={int(member) for member in decides})


def _opposites(contest: Contest, best: Int64[np.ndarray, " best"], every: Int64[np.ndarray, " members"]) -> list[int]:
    """Best behaviours of greatest and of least truth, and the behaviour of greatest truth where it is not best."""
    if contest.truth is None:
        return best[:1].tolist()
    tied, overall = _values(contest.scored, contest.truth, best), _values(contest.scored, contest.truth, every)
    if np.isnan(tied).all():
        return best[:1].tolist()
    order = [int(best[np.nanargmax(tied)]), int(best[np.nanargmin(tied)])]
    if np.nanmax(overall) > np.nanmax(tied):
        leaders = every[overall == np.nanmax(overall)]
        order.insert(1, int(leaders[np.argmax(contest.scored.values[leaders])]))
    return order


def _distinct_texts(table: RolloutTable, scored: Scored, order: list[int], *, always: set[int]) -> list[int]:
    """The first behaviours whose texts do not share most of their words, and those that decide a margin."""
    kept: list[int] = []
    words: list[set[str]] = []
    for member in list(dict.fromkeys(order))[:_MOST_EXAMINED]:
        row = int(scored.layout.rows[scored.layout.draw_offsets[member]])
        text = text_at(table.frame, "__completion", row, _TEXT_LIMIT)
        own = {f"row {row}"} if text is None else set(text.split()) or {""}
        if member in always or all(len(own & other) < _LIKE * len(own | other) for other in words):
            kept.append(member)
            words.append(own)
        if len(kept) == _MOST_SHOWN:
            break
    return kept if len(kept) > 1 else list(dict.fromkeys(order))[:2]


def _members(scored: Scored, prompt: int) -> Int64[np.ndarray, " members"]:
    return np.arange(scored.layout.behaviour_offsets[prompt], scored.layout.behaviour_offsets[prompt + 1])


def _by_draws(
    contest: Contest, members: Int64[np.ndarray, " members"], rng: np.random.Generator
) -> Int64[np.ndarray, " members"]:
    return members[np.lexsort((rng.permutation(len(members)), -contest.scored.layout.draws[members]))]


def _rows(scored: Scored, behaviour: int) -> Int64[np.ndarray, " draws"]:
    layout = scored.layout
    return layout.rows[int(layout.draw_offsets[behaviour]) : int(layout.draw_offsets[behaviour + 1])]


def _values(scored: Scored, aspect: Aspect, behaviours: Int64[np.ndarray, " members"]) -> np.ndarray:
    return np.array([aspect.scores[_rows(scored, int(behaviour))].mean() for behaviour in behaviours])


def _completion(table: RolloutTable, contest: Contest, behaviour: int) -> dict[str, Any]:
    scored = contest.scored
    rows = _rows(scored, behaviour)
    row = int(rows[0])
    shown = {aspect.name: float(aspect.scores[rows].mean()) for aspect in contest.aspects}
    shown |= {column.name: float(column.scores[rows].mean()) for column in table.reruns.values()}
    return {
        "row": int(table.row_index[row]),
        "text": text_at(table.frame, "__completion", row, _TEXT_LIMIT),
        "behaviour": text_at(table.frame, "__behaviour", row, _TEXT_LIMIT),
        "source": _sources(table.frame, rows),
        "draws": len(rows),
        "is_best": bool(scored.best[behaviour]),
        "effective": float(scored.values[behaviour]),
        "scores": {name: None if np.isnan(value) else value for name, value in shown.items()},
    }


def _sources(frame: pl.DataFrame, rows: Int64[np.ndarray, " draws"]) -> str | None:
    return named_together(frame["__source"].gather(rows)) if "__source" in frame.columns else None
