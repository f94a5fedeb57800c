"""The one place that says how our Numba kernels are compiled.

Every kernel lives in a module whose name ends in `kernels`, takes arrays and numbers, and returns arrays and numbers.
Compiled code is cached on disk (beside the source, or in the user's cache folder where that cannot be written) and
releases the interpreter lock. There is no fast-math anywhere: error bounds rely
on the order of evaluation and on correct rounding of every single operation (IEEE 754 double precision).
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
GivenIntegers = npt.NDArray[np.signedinteger[Any]]
Indices = npt.NDArray[np.int32]
SmallIntegers = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

P = ParamSpec("P")
T = TypeVar("T")


def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """Compile a kernel on its first call, without fast-math, and cache it on disk where some folder can be written."""
    try:
        kernel = njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # Numba found no folder for its cache.
        kernel = njit(nogil=True)(function)
    return cast("Callable[P, T]", kernel)


def starts_type(nonzeros: int) -> type[np.signedinteger[Any]]:
    """The type of `indptr` for so many stored probabilities: int32 where that holds their number."""
    return np.int32 if nonzeros <= np.iinfo(np.int32).max else np.int64


def frozen(array: np.ndarray) -> np.ndarray:
    """A C-contiguous read-only array with the same contents; the caller's own array stays as it is.

    No copy is made when the layout is right already: call it on arrays that nobody else can write to.
    Kernels compile once per array kind, so every array of an MDP is passed on as read-only.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
