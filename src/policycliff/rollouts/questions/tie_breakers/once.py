"""Options that pair a name with a value, each name once."""

from collections.abc import Iterable
from typing import TypeVar

from policycliff.errors import InvalidInputError

Value = TypeVar("Value")


def once_each(pairs: Iterable[tuple[str, Value]], option: str) -> dict[str, Value]:
    """Pairs of an option as a dictionary.

    >>> once_each([("words", 0.5)], "weight")
    {'words': 0.5}

    Raises:
        InvalidInputError: A name is given twice.
    """
    found: dict[str, Value] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInputError(f"{option} of {name!r} is given twice. Drop one.")
        found[name] = value
    return found
