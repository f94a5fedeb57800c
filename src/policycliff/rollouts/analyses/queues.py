"""Which of the prompts that stand on the cliff are listed: reasons take turns, in the order of their own each."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from policycliff.shapes import Bool, Int64

CONSEQUENTIAL = "consequential tie"
WORSE = "reward prefers a worse answer"
WITHIN_NOISE = "tied within noise"
SMALL_MARGIN = "small winning margin"
NO_SIGNAL = "no signal"
NEAREST = "nearest margin"
QUIET = "in contention, but nothing at stake"

_FILLERS = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A prompt in a queue.

    Attributes:
        keys: Its place, the weightiest first; the last is its place in a random order.
        number: Its number in the whole table.
        described: What the report shows of it.
    """

    keys: tuple[float, ...]
    number: int
    described: dict[str, Any]


Queues = dict[str, list[Entry]]


def first_of(member: Bool[np.ndarray, " prompts"], keys: tuple[np.ndarray, ...], limit: int) -> list[int]:
    """The first members in the order of the keys, the last key first."""
    found: Int64[np.ndarray, " found"] = np.flatnonzero(member)
    return found[np.lexsort([key[found] for key in keys])[:limit]].tolist()


def joined(first: Queues, second: Queues, *, limit: int) -> Queues:
    """The queues of two parts of a table; no more than `limit` of one can be listed."""
    return {
        name: sorted([*first.get(name, []), *second.get(name, [])], key=_place)[:limit] for name in (first or second)
    }


def chosen(found: Mapping[str, Any], *, limit: int, near_reason: str) -> list[dict[str, Any]]:
    """Prompts with their reasons: reasons take turns, fillers follow, and the list is then put in their order."""
    queues: Queues = found["queues"]
    if not queues:
        return []
    named = {name: [(entry, reason) for entry in queues[name]] for name, reason in _reasons(near_reason).items()}
    turns = zip_longest(named[CONSEQUENTIAL], named[WORSE], named[WITHIN_NOISE])
    quiet = named[QUIET]
    order = chain(
        (pair for pair in chain.from_iterable(turns) if pair is not None),
        quiet[:_FILLERS],
        named[NO_SIGNAL],
        quiet,
        named[NEAREST],
    )
    taken: dict[int, tuple[Entry, str]] = {}
    for entry, reason in order:
        if len(taken) == limit:
            break
        taken.setdefault(entry.number, (entry, reason))
    reasons = list(dict.fromkeys(_reasons(near_reason).values()))
    listed = sorted(taken.values(), key=lambda item: reasons.index(item[1]))
    return [_listed(entry, reason, found["counts"][reason]) for entry, reason in listed]


def _reasons(near_reason: str) -> dict[str, str]:
    """What the prompts of each queue are listed for."""
    same = {name: name for name in (CONSEQUENTIAL, WORSE)}
    return {**same, WITHIN_NOISE: near_reason, QUIET: near_reason, NO_SIGNAL: NO_SIGNAL, NEAREST: NEAREST}


def _listed(entry: Entry, reason: str, same_reason: int) -> dict[str, Any]:
    return entry.described | {"reason": reason, "same_reason": same_reason}


def _place(entry: Entry) -> tuple[tuple[float, ...], int]:
    return entry.keys, entry.number
