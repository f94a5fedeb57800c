"""The inner state of an environment as a value: read, compared, put back.

An environment's state is whatever its attributes hold, not what it shows: a time counter or a flag counts too. Each
attribute is read down to numbers and texts; one that holds something else is refused, because it could hide state.
Spaces, drawing and the random generator are no state.

Attributes that a step replaces or changes are *moving*; the others are shared by all states. Which ones move is not
known beforehand: an attribute that turns out to move is added, and the enumeration starts again.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from policycliff.mdp.sources.draws import NotEnumerableError

_NO_STATE = {
    "_np_random", "_np_random_seed", "spec", "metadata", "render_mode", "_ezpickle_args", "_ezpickle_kwargs",
    "action_space", "observation_space", "reward_space",
}  # fmt: skip
_ABSENT = object()
_PLAIN = {type(None), bool, int, str, bytes}
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, ModuleType, type)

Frozen = Any
"""A hashable value, equal for equal states."""


class MovingAttributeError(Exception):
    """An attribute changed that was taken to be the same in all states."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


def freeze(value: Any, where: str = "the environment") -> Frozen:  # noqa: PLR0911 - a case a type
    """A hashable value that says all of it.

    Raises:
        NotEnumerableError: it holds an object that cannot be read.
    """
    if type(value) in _PLAIN or isinstance(value, Enum):
        return value
    if isinstance(value, float | np.generic):
        return ("nan",) if value != value else value.item() if isinstance(value, np.generic) else value  # noqa: PLR0124
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("array", value.shape, tuple(freeze(item, where) for item in value.ravel()))
        return ("array", value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, list | tuple | deque):
        return (type(value).__name__, *(freeze(item, where) for item in value))
    if isinstance(value, set | frozenset):
        return ("set", frozenset(freeze(item, where) for item in value))
    if isinstance(value, Mapping):
        return ("map", *((freeze(key, where), freeze(item, where)) for key, item in value.items()))
    if isinstance(value, range | slice):
        return repr(value)
    raise NotEnumerableError(
        f"Got {where}, which holds an object of type {type(value).__name__}; expected an environment whose state is "
        "made of numbers, texts and arrays. Write the model to a file instead."
    )


def copied(value: Any) -> Any:
    """A copy that shares nothing which a step could change."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | deque | set):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, tuple) and not all(type(item) in _PLAIN for item in value):
        return tuple(copied(item) for item in value)
    return value


def is_state(name: str, value: Any) -> bool:
    """Whether an attribute could be state: not drawing, spaces, functions or the random generator."""
    module = type(value).__module__.partition(".")[0]
    return name not in _NO_STATE and module != "pygame" and not isinstance(value, _FUNCTIONS) and not _is_space(value)


def _is_space(value: Any) -> bool:
    return type(value).__module__.startswith("gymnasium.spaces")


class FreshStart:
    """An environment as it was made; `reset` may leave attributes of the last episode behind."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._attributes = {
            name: copied(value) if is_state(name, value) else value for name, value in vars(env).items()
        }

    def restore(self) -> None:
        """Make the environment new."""
        attributes = vars(self._env)
        attributes.clear()
        attributes.update(self._attributes)
        for name, value in self._attributes.items():
            if is_state(name, value):
                attributes[name] = copied(value)


class Snapshots:
    """Reads and restores the moving attributes of one environment, and watches the others."""

    def __init__(self, env: Any, moving: frozenset[str]) -> None:
        self._env = env
        self._moving = tuple(sorted(moving))
        self._resting = {name: value for name, value in vars(env).items() if name not in moving}
        self._values = {name: freeze(value, name) for name, value in self._resting.items() if is_state(name, value)}

    def rebase(self) -> None:
        """Take the objects that resting attributes hold now as theirs, after a check of their content."""
        self.check_content()
        self._resting = {name: value for name, value in vars(self._env).items() if name not in self._moving}

    def take(self) -> dict[str, Any]:
        """The moving attributes, copied."""
        attributes = vars(self._env)
        return {name: copied(attributes.get(name, _ABSENT)) for name in self._moving}

    def key(self) -> Frozen:
        """The moving attributes as a hashable value."""
        attributes = vars(self._env)
        return tuple(freeze(attributes[name], name) if name in attributes else "absent" for name in self._moving)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put the environment into a state."""
        attributes = vars(self._env)
        for name, value in state.items():
            if value is _ABSENT:
                attributes.pop(name, None)
            else:
                attributes[name] = copied(value)

    def check_rebound(self) -> None:
        """Raise if a resting attribute was replaced or is new; cheap, for every step."""
        attributes = vars(self._env)
        changed = {
            name
            for name, value in attributes.items()
            if name not in self._moving
            and self._resting.get(name, _ABSENT) is not value
            and is_state(name, value)
            and self._values.get(name, _ABSENT) != freeze(value, name)
        }
        if changed:
            raise MovingAttributeError(changed)

    def check_content(self) -> None:
        """Raise if the content of a resting attribute changed; for some steps and at the end."""
        attributes = vars(self._env)
        changed = {name for name, value in self._values.items() if freeze(attributes.get(name), name) != value}
        if changed:
            raise MovingAttributeError(changed)
