"""What the reward and the truth say of the competing completions, in a sentence each."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.format import Number, number
from policycliff.report.prompts.compared import letter, listed
from policycliff.report.text import one_line

_MOST_DIGITS = 12


def digits_for(values: Sequence[Number | None]) -> int:
    """Least significant digits, 3 or more, that tell different scores apart.

    >>> digits_for([1.18001, 1.18002, None])
    6
    """
    different = {value for value in values if value is not None}
    for digits in range(3, _MOST_DIGITS):
        if len({number(value, digits=digits) for value in different}) == len(different):
            return digits
    return _MOST_DIGITS


def preference(competing: Sequence[Mapping[str, Any]], truth: str | None) -> str:
    """Which ones the reward prefers, and which ones the truth.

    >>> item = {"scores": {"human": 1.0}}
    >>> preference([item | {"effective": 2.0, "is_best": True}, item | {"effective": 1.5, "is_best": False}], "human")
    'The reward prefers A (2) to B (1.5). The truth, human, is the same for A and B (1).'
    """
    # Ties are the audit's to decide: they are told with the value of the first one.
    tied = next((item["effective"] for item in competing if item["is_best"]), None)
    by_reward = _words("The reward", [tied if item["is_best"] else item["effective"] for item in competing])
    if truth is None:
        return by_reward
    by_truth = _words(f"The truth, {one_line(truth)},", [item["scores"].get(truth) for item in competing])
    return f"{by_reward} {by_truth}"


def _words(who: str, values: Sequence[Number | None]) -> str:
    digits = digits_for(values)
    levels = sorted({value for value in values if value is not None}, reverse=True)
    told = [
        f"{listed([letter(place) for place, value in enumerate(values) if value == level])} "
        f"({number(level, digits=digits)})"
        for level in levels
    ]
    missing = [letter(place) for place, value in enumerate(values) if value is None]
    unknown = f"; it is missing for {listed(missing)}" if missing else ""
    if not told:
        return f"{who} is missing for all of them."
    if len(told) == 1:
        return f"{who} is the same for {told[0]}{unknown}."
    return f"{who} prefers {told[0]} to {', then '.join(told[1:])}{unknown}."
