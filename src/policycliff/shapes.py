"""Array types with shapes, such as `Float64[np.ndarray, " rows"]`, checked at run time in the tests.

They are jaxtyping's where a type checker reads them or jaxtyping is loaded already, as in the tests. Elsewhere they
stand for the array alone: importing jaxtyping is a tenth of the time in which a small MDP is solved.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.modules.get("jaxtyping") is not None:
    from jaxtyping import Bool, Float64, Int, Int8, Int32, Int64, Shaped
else:

    class _AnyShape:
        """Subscripted by an array type and a shape, the array type."""

        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            return item[0]

    Bool = Float64 = Int = Int8 = Int32 = Int64 = Shaped = _AnyShape

__all__ = ["Bool", "Float64", "Int", "Int8", "Int32", "Int64", "Shaped"]
