"""Checks of arguments at the public boundary, and the sentences they fail with: got, expected, where, remedy."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.shapes import Bool, Float64


def fail(*, got: str, expected: str, remedy: str) -> InvalidInputError:
    """The error with its three parts in their fixed order."""
    return InvalidInputError(f"Got {got}; expected {expected}. {remedy}")


def as_float_vector(name: str, value: Any) -> np.ndarray:
    """A float64 array of any shape, or an error that names the argument."""
    try:
        given = np.asarray(value)
        if given.dtype.kind in "cSUMm":
            raise TypeError(f"entries of type {given.dtype}")
        array = given.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise fail(
            got=f"`{name}` that does not convert to numbers ({error})",
            expected="an array of floats",
            remedy=f"Convert `{name}` with numpy.asarray(..., dtype=float) to find the offending entry.",
        ) from error
    return array


def as_number(name: str, value: Any) -> float:
    """A real number as a float, which may be infinite or NaN; no text, no True or False, no array of several."""
    given = np.asarray(value) if isinstance(value, int | float | np.number | np.ndarray) else np.asarray(None)
    if isinstance(value, bool) or given.ndim != 0 or given.dtype.kind not in "iuf":
        # Integers beyond 64 bits are objects to NumPy.
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value) if abs(value) < 10**300 else float("inf") * (1 if value > 0 else -1)
        raise fail(got=f"{name} = {value!r}", expected="a number", remedy=f"Pass `{name}` as a float.")
    return float(given)


def as_integer(name: str, value: Any) -> int:
    """A whole number as an int; no float, no text, no True or False."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise fail(got=f"{name} = {value!r}", expected="a whole number", remedy=f"Pass `{name}` as an int.")
    return int(value)


def check_flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise fail(got=f"{name} = {value!r}", expected="True or False", remedy=f"Pass `{name}` as a bool.")
    return bool(value)


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], *, made_by: str) -> None:
    """Raise unless an object is of the kind that is expected here."""
    if not isinstance(value, kind):
        kinds = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise fail(got=f"`{name}` of type {type(value).__name__}", expected=kinds, remedy=f"Make one with {made_by}.")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise fail(got=f"{name} = {value!r}", expected=f"one of {tuple(choices)}", remedy="Choose one.")
    return value


def check_shape(name: str, array: np.ndarray, expected: tuple[int, ...], *, meaning: str) -> None:
    """Raise unless the array has this shape; `meaning` says it in words."""
    if array.shape != expected:
        raise fail(
            got=f"`{name}` of shape {array.shape}",
            expected=f"shape {expected}, {meaning}",
            remedy=f"Reshape `{name}` or check which axis is which.",
        )


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise on the first NaN or infinity, with its index."""
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise fail(
            got=f"{array[where]} in `{name}` at index {where}",
            expected="finite numbers",
            remedy="Replace or drop missing and infinite entries.",
        )


def check_gamma(gamma: float) -> float:
    """The discount as a float in [0, 1]."""
    value = as_number("gamma", gamma)
    if not 0.0 <= value <= 1.0:
        raise fail(
            got=f"gamma = {gamma!r}",
            expected="a discount in [0, 1), or 1 where the MDP is acyclic",
            remedy="Pass gamma as a number such as 0.99.",
        )
    return value


def check_mask(name: str, mask: Any, shape: tuple[int, ...], *, meaning: str) -> np.ndarray:
    """A boolean array of this shape (indices are not accepted: they look like a mask of 0 and 1)."""
    try:
        array = np.asarray(mask)
    except ValueError as error:
        raise fail(
            got=f"`{name}` that is no array ({error})",
            expected=f"a boolean mask, {meaning}",
            remedy=f"Build it with numpy.zeros({shape}, dtype=bool) and set the entries that hold.",
        ) from error
    if array.dtype != np.bool_:
        raise fail(
            got=f"`{name}` of type {array.dtype}",
            expected=f"a boolean mask, {meaning}",
            remedy=f"Build it with numpy.zeros({shape}, dtype=bool) and set the entries that hold.",
        )
    check_shape(name, array, shape, meaning=meaning)
    return array


def check_distribution(name: str, value: Any, size: int) -> Float64[np.ndarray, " states"]:
    """A probability vector, renormalised (its sum must be within 1e-9 of 1)."""
    array = as_float_vector(name, value)
    check_shape(name, array, (size,), meaning="one probability a state")
    check_finite(name, array)
    if (array < 0).any() or abs(array.sum() - 1.0) > 1e-9:
        raise fail(
            got=f"`{name}` with minimum {array.min()} and sum {float(array.sum())!r}",
            expected="non-negative probabilities that sum to 1 within 1e-9",
            remedy=f"Divide `{name}` by its sum.",
        )
    return array / array.sum()


def check_names(name: str, names: Sequence[str] | None, size: int) -> tuple[str, ...] | None:
    """Names as a tuple of distinct strings, one each."""
    if names is None:
        return None
    if not np.iterable(names):
        raise fail(got=f"{name} = {names!r}", expected="a list of names", remedy=f"Put the names in a list of {size}.")
    result = tuple(str(item) for item in names)
    if len(result) != size:
        raise fail(
            got=f"{len(result)} entries in `{name}`",
            expected=f"{size}, one each",
            remedy=f"Drop `{name}` or complete it.",
        )
    if len(set(result)) != size:
        twice = next(item for item, count in Counter(result).items() if count > 1)
        raise fail(got=f"the name {twice!r} twice in `{name}`", expected="distinct names", remedy="Rename one.")
    return result


def first_true(mask: Bool[np.ndarray, " entries"]) -> int:
    """Index of the first true entry; -1 if there is none."""
    return int(np.argmax(mask)) if mask.any() else -1
