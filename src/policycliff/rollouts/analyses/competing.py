"""The competing completions of a prompt, as the report shows them side by side.

Shown are the behaviours between which the reward decides, or fails to: of a tie those of the greatest and the least
truth, of a wrong ranking the best by reward and the best by truth, of a small margin those in contention. Among equals
the most drawn comes first, and texts that differ in white space alone are shown once.
"""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64

from policycliff.rollouts.analyses.degeneracy import Aspect
from policycliff.rollouts.analyses.radius import radii
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.table import RolloutTable

_TEXT_LIMIT = 4000
_MOST_SHOWN = 4
_MOST_EXAMINED = 200


def describe(
    table: RolloutTable,
    scored: Scored,
    prompt: int,
    aspects: list[Aspect],
    *,
    reason: str,
    truth: Aspect | None,
    reach: float,
) -> dict[str, Any]:
    """One prompt to look at, as JSON types."""
    layout = scored.layout
    group = int(layout.prompts[prompt])
    first_row = int(table.offsets[group])
    in_group = int(table.offsets[group + 1]) - first_row
    radius = float(radii(scored)[prompt])
    shown = [_completion(table, scored, member, aspects) for member in _shown(table, scored, prompt, truth, reach)]
    return {
        "prompt": table.frame["__prompt_id"][first_row],
        "prompt_text": _text(table.frame, "__prompt", first_row),
        "step": _text(table.frame, "__step", first_row),
        "reason": reason,
        "tied_size": int(scored.tied_size[prompt]),
        "behaviours": int(layout.n_behaviours[prompt]),
        "completions": int(layout.group_sizes[prompt]),
        "left_out": in_group - int(layout.group_sizes[prompt]),
        "radius": None if np.isnan(radius) else radius,
        "differs_in": _differs(scored, prompt, aspects),
        "competing": shown,
    }


def _differs(scored: Scored, prompt: int, aspects: list[Aspect]) -> list[str]:
    """Columns in which the behaviours of the best set differ."""
    best = _members(scored, prompt)
    best = best[scored.best[best]]
    names = []
    for aspect in aspects:
        values = [value for value in _values(scored, aspect, best) if not np.isnan(value)]
        if values and max(values) > min(values):
            names.append(aspect.name)
    return names


def _shown(table: RolloutTable, scored: Scored, prompt: int, truth: Aspect | None, reach: float) -> list[int]:
    """Behaviours to show: the opposites first, then others in contention, without repeating a text."""
    by_draws = _by_draws(scored, _members(scored, prompt))
    best = by_draws[scored.best[by_draws]]
    near = by_draws[~scored.best[by_draws] & (scored.best_value[prompt] - scored.values[by_draws] <= reach)]
    runners_up = by_draws[~scored.best[by_draws]]
    runners_up = runners_up[np.argsort(-scored.values[runners_up], kind="stable")]
    order = [*_opposites(scored, best, by_draws, truth), *best, *near, *(runners_up[:1] if len(best) == 1 else [])]
    return _distinct_texts(table, scored, [int(member) for member in order])[:_MOST_SHOWN]


def _opposites(
    scored: Scored, best: Int64[np.ndarray, " best"], every: Int64[np.ndarray, " members"], truth: Aspect | None
) -> list[int]:
    """Best behaviours of greatest and of least truth, and the behaviour of greatest truth where it is not best."""
    if truth is None:
        return best[:1].tolist()
    tied, overall = _values(scored, truth, best), _values(scored, truth, every)
    if np.isnan(tied).all():
        return best[:1].tolist()
    order = [int(best[np.nanargmax(tied)]), int(best[np.nanargmin(tied)])]
    if np.nanmax(overall) > np.nanmax(tied):
        leaders = every[overall == np.nanmax(overall)]
        order.insert(1, int(leaders[np.argmax(scored.values[leaders])]))
    return order


def _distinct_texts(table: RolloutTable, scored: Scored, order: list[int]) -> list[int]:
    """The order without repetitions, of behaviours or of texts that are equal but for white space."""
    kept: dict[str, int] = {}
    for member in list(dict.fromkeys(order))[:_MOST_EXAMINED]:
        row = int(scored.layout.rows[scored.layout.draw_offsets[member]])
        text = _text(table.frame, "__completion", row)
        kept.setdefault(f"row {row}" if text is None else " ".join(text.split()), member)
    return list(kept.values())


def _members(scored: Scored, prompt: int) -> Int64[np.ndarray, " members"]:
    return np.arange(scored.layout.behaviour_offsets[prompt], scored.layout.behaviour_offsets[prompt + 1])


def _by_draws(scored: Scored, members: Int64[np.ndarray, " members"]) -> Int64[np.ndarray, " members"]:
    return members[np.argsort(-scored.layout.draws[members], kind="stable")]


def _rows(scored: Scored, behaviour: int) -> Int64[np.ndarray, " draws"]:
    layout = scored.layout
    return layout.rows[int(layout.draw_offsets[behaviour]) : int(layout.draw_offsets[behaviour + 1])]


def _values(scored: Scored, aspect: Aspect, behaviours: Int64[np.ndarray, " members"]) -> np.ndarray:
    return np.array([aspect.scores[_rows(scored, int(behaviour))].mean() for behaviour in behaviours])


def _completion(table: RolloutTable, scored: Scored, behaviour: int, aspects: list[Aspect]) -> dict[str, Any]:
    rows = _rows(scored, behaviour)
    row = int(rows[0])
    shown = {aspect.name: float(aspect.scores[rows].mean()) for aspect in aspects}
    shown |= {column.name: float(column.scores[rows].mean()) for column in table.reruns.values()}
    return {
        "row": int(table.row_index[row]),
        "text": _text(table.frame, "__completion", row),
        "behaviour": _text(table.frame, "__behaviour", row),
        "source": _sources(table.frame, rows),
        "draws": len(rows),
        "is_best": bool(scored.best[behaviour]),
        "effective": float(scored.values[behaviour]),
        "scores": {name: None if np.isnan(value) else value for name, value in shown.items()},
    }


def _sources(frame: pl.DataFrame, rows: Int64[np.ndarray, " draws"]) -> str | None:
    """All models that wrote this behaviour."""
    if "__source" not in frame.columns:
        return None
    names = {str(name) for name in frame["__source"].gather(rows) if name is not None}
    return ", ".join(sorted(names)) or None


def _text(frame: pl.DataFrame, column: str, row: int) -> str | None:
    value = frame[column][row] if column in frame.columns else None
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]} [... {len(text) - _TEXT_LIMIT} more characters]"
