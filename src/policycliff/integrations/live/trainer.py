"""The trainer that a callback belongs to, and names for its rewards."""

import inspect
from collections.abc import Sequence
from typing import Any

from policycliff.integrations.live.rows import ROLES, TRUTH
from policycliff.rollouts.settings import EFFECTIVE


def calling_trainer() -> Any:
    """The GRPO trainer among the callers, or None: Transformers hands its callbacks everything but the trainer."""
    frame = inspect.currentframe()
    while frame is not None:
        found = frame.f_locals.get("self")
        if hasattr(found, "reward_func_names"):
            return found
        frame = frame.f_back
    return None


def free_name(own: str, taken: Sequence[str | None]) -> str:
    """A name for a column of scores: its own where that is free.

    >>> free_name("correct", ["correct", None]), free_name("prompt", []), free_name("", [])
    ('correct #2', 'prompt reward', 'reward model')
    """
    name = f"{own} reward" if own in {*ROLES, TRUTH, EFFECTIVE} else own or "reward model"
    repeats = sum(other is not None and other.partition(" #")[0] == name for other in taken)
    return f"{name} #{repeats + 1}" if repeats else name


def all_names(own: Sequence[str], known: Sequence[str | None]) -> list[str]:
    """Names for all rewards of a trainer: those known, then free ones for the others.

    >>> all_names(["correct", "correct", "Maze"], ["correct", None])
    ['correct', 'correct #2', 'Maze']
    """
    names = [*known, *[None] * (len(own) - len(known))]
    for place, name in enumerate(own):
        names[place] = names[place] or free_name(name, names)
    return [name for name in names if name is not None]
