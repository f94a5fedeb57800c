"""Frames of other libraries as Polars frames.

They are known by the module of their type: none of these libraries is imported for asking.
"""

from collections.abc import Callable
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from policycliff.errors import InvalidInputError, MissingExtraError, TableError
from policycliff.rollouts.reading.files import first_line


def frame_of_library(table: Any) -> tuple[pl.DataFrame, str]:
    """A pandas frame, an Arrow table or a Hugging Face dataset as a Polars frame, and what it is.

    Raises:
        InvalidInputError: Another type, a dataset of several splits or a streamed one.
        MissingExtraError: A library that the conversion needs is missing.
        TableError: It cannot be converted.
    """
    library = type(table).__module__.partition(".")[0]
    if library == "datasets":
        return _open_hugging_face(table)
    if library == "pandas" and hasattr(table, "columns"):
        frame = _converted(lambda: pl.from_pandas(table, nan_to_null=True), "a pandas frame", "pandas")
        return frame, "a pandas data frame"
    if library == "pyarrow" or hasattr(table, "__arrow_c_stream__"):
        frame = _converted(lambda: pl.DataFrame(table), "an Arrow table", "pandas")
        return frame, "an Arrow table"
    raise InvalidInputError(
        f"table must be a path or a Polars, pandas, Arrow or Hugging Face table; got {type(table).__name__}."
    )


def _open_hugging_face(table: Any) -> tuple[pl.DataFrame, str]:
    if isinstance(table, dict):
        splits = ", ".join(repr(name) for name in table)
        raise InvalidInputError(f"the Hugging Face table has splits ({splits}); give one of them: dataset[{splits}].")
    if not hasattr(table, "to_polars"):
        raise InvalidInputError("a streamed Hugging Face dataset cannot be audited; load it with streaming=False.")
    frame = _converted(table.to_polars, "a Hugging Face dataset", "datasets")
    return frame, "a Hugging Face dataset"


def _converted(convert: Callable[[], Any], what: str, extra: str) -> pl.DataFrame:
    try:
        frame = convert()
    except ImportError as error:
        raise MissingExtraError(
            f"reading {what} needs more libraries ({first_line(error)}): pip install 'policycliff[{extra}]'."
        ) from error
    except (PolarsError, PanicException, TypeError, ValueError) as error:
        raise TableError(f"{what} cannot be converted: {first_line(error)}.") from error
    return frame if isinstance(frame, pl.DataFrame) else pl.DataFrame(frame)
