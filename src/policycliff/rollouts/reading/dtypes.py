"""The type of a column's type, for annotations.

beartype, which checks annotations in the tests, cannot read Polars' own class (its metaclass prints itself two ways).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polars import DataType
else:
    DataType = object

__all__ = ["DataType"]
