"""Pairs of completions on either side of the threshold: what a reader judges it by."""

from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.questions.behaviours.sweep import Ordered
from policycliff.rollouts.segments import segment_mean

_EACH_SIDE = 3
_SHOWN, _CONTEXT = 160, 30


def pairs_at(ordered: Ordered, threshold: float) -> list[dict[str, Any]]:
    """The least alike completions that are joined and the most alike that are kept apart, the most alike first."""
    walk, texts = ordered.walk, _texts(ordered)
    starts = walk.starts(threshold)
    joined = np.flatnonzero(~starts)
    apart = np.flatnonzero(starts & np.isfinite(walk.reached_at))
    joined = joined[np.argsort(walk.reached_at[joined], kind="stable")][:_EACH_SIDE][::-1]
    apart = apart[np.argsort(-walk.reached_at[apart], kind="stable")][:_EACH_SIDE]
    place_of = np.empty(len(walk.order), dtype=np.int64)
    place_of[walk.order] = np.arange(len(walk.order))
    first_row = np.flatnonzero(np.diff(ordered.place, prepend=-1))
    rewards = _rewards(ordered, first_row)
    return [
        {
            "similarity": float(walk.reached_at[place]),
            "joined": "one behaviour" if place in joined else "two behaviours",
            "prompt": ordered.table.frame["__prompt_id"][int(first_row[place])],
            **_told(texts, first_row, int(place_of[walk.reached_from[place]]), int(place)),
            "reward": rewards[int(place_of[walk.reached_from[place]])],
            "other_reward": rewards[int(place)],
        }
        for place in (*joined.tolist(), *apart.tolist())
    ]


def _texts(ordered: Ordered) -> pl.Series | None:
    frame = ordered.table.frame
    return frame["__completion"] if "__completion" in frame.columns else None


def _rewards(ordered: Ordered, first_row: np.ndarray) -> np.ndarray:
    """Mean reward of each text; NaN where a row of it has none."""
    return segment_mean(ordered.reward.scores, np.append(first_row, len(ordered.place)))


def _told(texts: pl.Series | None, first_row: np.ndarray, one: int, other: int) -> dict[str, str]:
    """Both texts from a little before the place where they part."""
    if texts is None:
        return {name: f"row {first_row[place] + 1}" for name, place in (("one", one), ("other", other))}
    both = [str(texts[int(first_row[place])] or "") for place in (one, other)]
    parts = next((i for i, (a, b) in enumerate(zip(*both, strict=False)) if a != b), min(map(len, both)))
    start = max(0, parts - _CONTEXT)
    return {name: _cut(text, start) for name, text in zip(("one", "other"), both, strict=True)}


def _cut(text: str, start: int) -> str:
    before, after = "…" if start else "", "…" if len(text) > start + _SHOWN else ""
    return f"{before}{text[start : start + _SHOWN]}{after}"
