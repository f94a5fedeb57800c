"""Limits on the figures of a step, and which of them a step crosses."""

from collections.abc import Mapping
from dataclasses import dataclass

from policycliff.errors import InvalidInputError
from policycliff.integrations.live.figures import FIGURES

GivenLimit = float | tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Limit:
    """Least and greatest value of a figure that is still fine; None for no limit on that side."""

    figure: str
    least: float | None
    greatest: float | None

    def crossed(self, value: float) -> bool:
        """Whether the value lies outside."""
        return (self.least is not None and value < self.least) or (self.greatest is not None and value > self.greatest)

    def __str__(self) -> str:
        bounds = [f"at least {self.least:g}"] if self.least is not None else []
        bounds += [f"at most {self.greatest:g}"] if self.greatest is not None else []
        return f"{self.figure} should be {' and '.join(bounds)}"


def limits_of(given: Mapping[str, GivenLimit], evaluation: str) -> tuple[Limit, ...]:
    """The limits as given: a number is the greatest value, a pair the least and the greatest.

    >>> limits_of({"tied_share": 0.5, "gap_mean": (0.01, None)}, "evaluation/")[1].crossed(0.001)
    True

    Raises:
        InvalidInputError: No such figure, or no limit.
    """
    limits = []
    for name, value in given.items():
        if name.removeprefix(evaluation) not in FIGURES:
            raise InvalidInputError(f"there is no figure {name!r} to limit; the figures are {', '.join(FIGURES)}.")
        least, greatest = value if isinstance(value, tuple) else (None, value)
        if least is None and greatest is None:
            raise InvalidInputError(f"the limit of {name!r} is empty: give a number, or a pair of least and greatest.")
        limits.append(Limit(name, least, greatest))
    return tuple(limits)
