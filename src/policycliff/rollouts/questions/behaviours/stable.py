"""Where the verdict does not hang on the threshold, and where it flips."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from policycliff.rollouts.analyses.findings.words import GRAVE, NOTABLE

FEW_MERGED, MOST_MERGED = 0.05, 0.95
"""Below and above, nearly every text is its own behaviour, or every prompt has one: nothing is decided there."""

Point = Mapping[str, Any]


def verdict_word(point: Point) -> str:
    """How grave the tied share is, by the audit's conventions."""
    value = point["tied_share"]["value"]
    if value > GRAVE:
        return "critical"
    return "warning" if value > NOTABLE else "minor"


def widest_stable(points: Sequence[Point]) -> tuple[int, int] | None:
    """First and last point of the widest range in which every tied share lies in the interval of every other.

    Only points count at which some texts are joined and some are not; None where there are no two in a row.
    """
    decided = [FEW_MERGED <= point["merged_share"] <= MOST_MERGED for point in points]
    best, first = None, 0
    for last in range(len(points)):
        if not decided[last]:
            first = last + 1
            continue
        while not _agree(points[first : last + 1]):
            first += 1
        if first < last and (best is None or _width(points, first, last) > _width(points, *best)):
            best = (first, last)
    return best


def _width(points: Sequence[Point], first: int, last: int) -> float:
    # Rounded, so that equal widths on the grid are equal and the lower range wins.
    return round(points[last]["threshold"] - points[first]["threshold"], 9)


def _agree(points: Sequence[Point]) -> bool:
    shares = [point["tied_share"] for point in points]
    values = [item["value"] for item in shares]
    return max(values) <= min(item["high"] for item in shares) and min(values) >= max(item["low"] for item in shares)


def flips(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Neighbouring thresholds between which the tied share passes from one grade to another."""
    pairs = pairwise(points)
    return [
        {
            "below": low["threshold"],
            "above": high["threshold"],
            "verdict_below": verdict_word(low),
            "verdict_above": verdict_word(high),
        }
        for low, high in pairs
        if verdict_word(low) != verdict_word(high)
    ]


def stretches(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Ranges of thresholds of one grade each."""
    breaks = [0, *(i for i in range(1, len(points)) if verdict_word(points[i]) != verdict_word(points[i - 1]))]
    found = []
    for first, last in zip(breaks, [*(i - 1 for i in breaks[1:]), len(points) - 1], strict=True):
        values = [point["tied_share"]["value"] for point in points[first : last + 1]]
        found.append(
            {
                "from": points[first]["threshold"],
                "to": points[last]["threshold"],
                "verdict": verdict_word(points[first]),
                "least": min(values),
                "greatest": max(values),
            }
        )
    return found


def middle(points: Sequence[Point], ends: tuple[int, int] | None) -> int:
    """The point to take: the middle of the stable range, else that at which half the joins are made."""
    if ends is None:
        return int(np.argmin([abs(point["merged_share"] - 0.5) for point in points]))
    centre = (points[ends[0]]["threshold"] + points[ends[1]]["threshold"]) / 2
    inside = range(ends[0], ends[1] + 1)
    return min(inside, key=lambda i: round(abs(points[i]["threshold"] - centre), 9))
