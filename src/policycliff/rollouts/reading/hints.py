"""Hints at what a misspelt name may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at a similar name, with a leading space; empty without one.

    >>> did_you_mean("rewrd", ["prompt", "reward"])
    " Did you mean 'reward'?"
    >>> did_you_mean("xyz", ["prompt", "reward"])
    ''
    """
    by_lower = {item.lower(): item for item in known}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
