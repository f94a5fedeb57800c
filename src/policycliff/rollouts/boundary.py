"""Prompts to look at first: those that stand on the cliff or next to it, with the completions that compete.

Order: consequential ties by what they leave to chance in the truth, then the other consequential ties, then untied
prompts by how small their winning margin is.
"""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from policycliff.rollouts.degeneracy import Aspect, aspect_range, behaviour_means
from policycliff.rollouts.radius import radii
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.table import RolloutTable

_TEXT_LIMIT = 4000
_MOST_COMPETITORS = 4
_REASONS = {True: "consequential tie", False: "small winning margin"}


def boundary_prompts(
    table: RolloutTable,
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    aspects: list[Aspect],
    *,
    truth: Aspect | None,
    limit: int,
) -> list[dict[str, Any]]:
    """The prompts to look at, each with its competing completions, their scores and the reason it is here."""
    ranges = {aspect.name: aspect_range(scored, aspect) for aspect in aspects}
    exposure = np.zeros(scored.layout.n_prompts) if truth is None else ranges[truth.name]
    radius = radii(scored)
    order = _order(scored, consequential, exposure=exposure, radius=radius)[:limit]
    described = []
    for prompt in order.tolist():
        members = _competitors(scored, prompt, truth)
        described.append(
            _heading(table, scored, prompt)
            | {
                "reason": _REASONS[bool(consequential[prompt])],
                "radius": float(radius[prompt]),
                "differs_in": [
                    name for name, spread in ranges.items() if scored.is_tied[prompt] and spread[prompt] > 0
                ],
                "competing": [_completion(table, scored, member, aspects) for member in members],
            }
        )
    return described


def drop_list(
    table: RolloutTable, scored: Scored, phantom: Bool[np.ndarray, " prompts"] | None
) -> list[dict[str, str]]:
    """Prompts that train nothing (no spread) or train the wrong thing (phantom advantages), with the reason."""
    names = table.frame["__prompt_id"].gather(table.offsets[:-1])
    reasons = np.where(scored.zero_spread, "zero spread", "")
    if phantom is not None:
        reasons = np.where(phantom, "phantom advantages", reasons)
    listed = np.flatnonzero(reasons != "")
    ids = names.gather(scored.layout.prompts[listed])
    return [{"prompt": prompt, "reason": str(why)} for prompt, why in zip(ids, reasons[listed], strict=True)]


def _order(
    scored: Scored,
    consequential: Bool[np.ndarray, " prompts"],
    *,
    exposure: Float64[np.ndarray, " prompts"],
    radius: Float64[np.ndarray, " prompts"],
) -> Int64[np.ndarray, " listed"]:
    """Consequential ties first, greatest exposure and smallest tied set leading; then the smallest margins."""
    listed = np.flatnonzero(consequential | scored.is_unique)
    keys = (radius[listed], scored.tied_size[listed], -exposure[listed], ~consequential[listed])
    return listed[np.lexsort(keys)]


def _heading(table: RolloutTable, scored: Scored, prompt: int) -> dict[str, Any]:
    layout = scored.layout
    first_row = int(table.offsets[layout.prompts[prompt]])
    return {
        "prompt": table.frame["__prompt_id"][first_row],
        "prompt_text": _text(table.frame, "__prompt", first_row),
        "step": _text(table.frame, "__step", first_row),
        "tied_size": int(scored.tied_size[prompt]),
        "behaviours": int(layout.n_behaviours[prompt]),
        "completions": int(layout.group_sizes[prompt]),
    }


def _competitors(scored: Scored, prompt: int, truth: Aspect | None) -> list[int]:
    """Tied behaviours, best and worst truth first; or the best behaviour and its runners-up."""
    layout = scored.layout
    members = np.arange(layout.behaviour_offsets[prompt], layout.behaviour_offsets[prompt + 1])
    if not scored.is_tied[prompt]:
        return members[np.argsort(-scored.values[members], kind="stable")][:2].tolist()
    tied = members[scored.best[members]]
    if truth is None:
        return tied[:_MOST_COMPETITORS].tolist()
    worth = behaviour_means(scored, truth.scores)[tied]
    ranked = tied[np.argsort(-np.nan_to_num(worth, nan=-np.inf), kind="stable")]
    if len(ranked) <= _MOST_COMPETITORS:
        return ranked.tolist()
    half = _MOST_COMPETITORS // 2
    return [*ranked[:half].tolist(), *ranked[-half:].tolist()]


def _completion(table: RolloutTable, scored: Scored, behaviour: int, aspects: list[Aspect]) -> dict[str, Any]:
    layout = scored.layout
    start = int(layout.draw_offsets[behaviour])
    rows = layout.rows[start : int(layout.draw_offsets[behaviour + 1])]
    row = int(rows[0])
    shown = {aspect.name: float(np.mean(aspect.scores[rows])) for aspect in aspects}
    return {
        "row": int(table.row_index[row]),
        "text": _text(table.frame, "__completion", row),
        "behaviour": _text(table.frame, "__behaviour", row),
        "source": _text(table.frame, "__source", row),
        "draws": len(rows),
        "is_best": bool(scored.best[behaviour]),
        "effective": float(scored.values[behaviour]),
        "scores": {name: None if np.isnan(value) else value for name, value in shown.items()},
    }


def _text(frame: pl.DataFrame, column: str, row: int) -> str | None:
    if column not in frame.columns:
        return None
    value = frame[column][row]
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]} [... {len(text) - _TEXT_LIMIT} more characters]"
