"""A random sample of prompts with all their numbers: what a page needs to recompute them under other weights.

The prompts are those that come first in the random order of all groups, so that the sample does not depend on how the
table was parted. Its size is bounded: texts are cut, and prompts of too many different completions are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.boundary import View
from policycliff.rollouts.analyses.queues import first_of
from policycliff.rollouts.analyses.sample_contents import completions_of, contents_of, embedded_columns
from policycliff.rollouts.analyses.whole import Known
from policycliff.rollouts.leaves import Figure
from policycliff.rollouts.rewards import Rewards
from policycliff.rollouts.settings import EFFECTIVE, AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Int64

MOST_ENTRIES_A_PROMPT = 2_000
"""Different completions of a prompt beyond which it is left out."""

MOST_NUMBERS = 100_000
"""Numbers of all prompts together: each different completion has a reward, its scores and its terms."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A prompt that was drawn.

    Attributes:
        chance: Its place in the random order.
        number: Its number in the whole table.
        entries: How many of its completions differ in behaviour or score.
        contents: What a page embeds of it; None where there are too many.
    """

    chance: int
    number: int
    entries: int
    contents: dict[str, Any] | None


def drawn_prompts(table: RolloutTable, rewards: Rewards, view: View, known: Known) -> dict[str, Any] | None:
    """The first prompts of a part, as many as may be embedded; None where none may."""
    settings, whole = known.settings, known.whole
    if settings.embed == 0:
        return None
    with_reward = whole.rewards[EFFECTIVE].prompts
    chance = view.chance[rewards.scorer(rewards.effective).layout.prompts]
    # Only the prompts without an effective reward can come between those that are drawn.
    early = chance < settings.embed + whole.prompts - with_reward
    prompts = np.array(first_of(early, (chance,), settings.embed), dtype=np.int64)
    columns = [column.name for column in embedded_columns(table)]
    most = MOST_NUMBERS // (1 + len(columns) + len(table.rewards))
    drawn = _drawn(table, rewards, prompts, view, settings, most=most)
    return {
        "prompts_of": with_reward,
        "columns": columns,
        "signs": [rewards.columns[name].sign if name in rewards.columns else 1.0 for name in columns],
        "drawn": Figure(drawn, partial(_joined, limit=settings.embed, most=most), list),
    }


def embedded(found: Mapping[str, Any] | None, *, places: int) -> dict[str, Any] | None:
    """The sample in the order of the table; None without a place, or where every prompt that was drawn is too large."""
    if found is None:
        return None
    drawn: list[Drawn] = found["drawn"][: max(places, 0)]
    prompts = [item.contents for item in sorted(drawn, key=attrgetter("number")) if item.contents is not None]
    if not prompts:
        return None
    return {
        "prompts_of": found["prompts_of"],
        "left_out": len(drawn) - len(prompts),
        "columns": found["columns"],
        "signs": found["signs"],
        "prompts": prompts,
    }


def _drawn(
    table: RolloutTable,
    rewards: Rewards,
    prompts: Int64[np.ndarray, " drawn"],
    view: View,
    settings: AuditSettings,
    *,
    most: int,
) -> list[Drawn]:
    """The prompts in their random order, those with contents that are small enough."""
    if len(prompts) == 0:
        return []
    scored = rewards.scorer(rewards.effective)
    groups = scored.layout.prompts[prompts]
    completions = completions_of(table, rewards, groups, settings)
    entries = np.bincount(completions["place"], minlength=len(prompts))
    fits = _fitting(entries, most)
    first = np.cumsum(entries) - entries
    kept = [completions.slice(start, count) for start, count in zip(first[fits], entries[fits], strict=True)]
    contents = iter(contents_of(table, scored, prompts[fits], kept))
    return [
        Drawn(int(view.chance[group]), int(view.numbers[group]), int(count), next(contents) if fit else None)
        for group, count, fit in zip(groups, entries, fits, strict=True)
    ]


def _joined(first: list[Drawn], second: list[Drawn], *, limit: int, most: int) -> list[Drawn]:
    """Those of two parts, without the contents that have no room any more."""
    drawn = sorted([*first, *second], key=attrgetter("chance"))[:limit]
    fits = _fitting(np.array([item.entries for item in drawn], dtype=np.int64), most)
    return [item if fit else replace(item, contents=None) for item, fit in zip(drawn, fits, strict=True)]


def _fitting(entries: Int64[np.ndarray, " drawn"], most: int) -> Bool[np.ndarray, " drawn"]:
    """Which prompts, in the random order, are small enough: each by itself, and with those before it at `most`."""
    small = entries <= MOST_ENTRIES_A_PROMPT
    return small & (np.cumsum(np.where(small, entries, 0)) <= most)
