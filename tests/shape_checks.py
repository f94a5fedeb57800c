"""Checks of arguments and results as they run: beartype for the types, jaxtyping for the shapes of arrays.

jaxtyping's own decorator checks every argument twice and the call itself in two functions more. That took half the time
of the tests; this one makes the same checks once.
"""

import dataclasses
import functools
import inspect
from typing import Any, get_args, get_type_hints

from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped


def checked(thing: Any) -> Any:
    """A function whose arguments and result are checked at every call; a data class whose fields are."""
    if inspect.isclass(thing):
        own = vars(thing).get("__init__")
        if dataclasses.is_dataclass(thing) and own is not None and not hasattr(own, "__wrapped__"):
            thing.__init__ = checked(own)
        return thing
    if isinstance(thing, classmethod | staticmethod):
        return type(thing)(checked(thing.__func__))
    if isinstance(thing, property):
        return property(*(accessor and checked(accessor) for accessor in (thing.fget, thing.fset, thing.fdel)))
    if inspect.isgeneratorfunction(thing):
        # What it yields is not checked: sizes would be compared with those of whoever runs it.
        return jaxtyped(thing, typechecker=beartype)
    thing.__annotations__ = {name: _known(hint, thing.__globals__) for name, hint in thing.__annotations__.items()}
    shaped = any(map(_is_shaped, thing.__annotations__.values()))
    return _with_sizes(beartype(thing)) if shaped else beartype(thing)


def _known(annotation: Any, names: dict[str, Any]) -> Any:
    """The annotation, or anything where it names what is imported for the type checker only or not defined yet."""

    def holder(value: Any) -> None: ...

    holder.__annotations__ = {"value": annotation}
    try:
        return get_type_hints(holder, names, include_extras=True)["value"]
    except NameError:
        return Any


def _is_shaped(annotation: Any) -> bool:
    if inspect.isclass(annotation) and issubclass(annotation, AbstractArray):
        return True
    return any(map(_is_shaped, get_args(annotation)))


def _with_sizes(function: Any) -> Any:
    """A size that has a name, as in `Float64[np.ndarray, " rows"]`, is the same in all of one call."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with jaxtyped("context"):
            return function(*args, **kwargs)

    return call
