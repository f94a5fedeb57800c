"""CSV and TSV as a lazy frame with types.

Such a file carries no types, so here is the rule: a column is numeric where every value that is not empty (or NA, N/A,
null, None) is a number, boolean where every one is true or false, and text otherwise. The text of a typed column stays
at hand under `TEXT_PREFIX` for use as a name or a completion, so that "007" is not 7 there. The file is passed over
once to learn the types.
"""

import csv
import re
import zlib
from pathlib import Path

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.reading.files import READ_ERRORS, open_text, unreadable

TEXT_PREFIX = "__text_"
"""Prefix of the hidden columns that hold the original text of numeric CSV columns."""
_NO_VALUE = ("", "NA", "N/A", "null", "None")


def scan_delimited(path: Path, separator: str) -> pl.LazyFrame:
    """The rows of a file, typed.

    Raises:
        TableError: Rows wider than the header, two columns of one name, or text that is not UTF-8.
    """
    raw = pl.scan_csv(path, separator=separator, infer_schema=False, glob=False)
    try:
        names = raw.collect_schema().names()
        types = _column_types(raw, names)
    except READ_ERRORS as error:
        raise _bad_row(path, separator, error) from error
    if len(names) == 1 and ";" in names[0]:
        raise TableError(f"{path} seems to be separated by semicolons; write it with commas, or as .tsv with tabs.")
    doubled = [name for name in names if re.sub(r"_duplicated_\d+$", "", name) in set(names) - {name}]
    if doubled:
        name = re.sub(r"_duplicated_\d+$", "", doubled[0])
        raise TableError(f"{path} has two columns named {name!r}; column names must differ.")
    kept = [pl.col(name).alias(TEXT_PREFIX + name) for name in types]
    return raw.with_columns(*kept, *[_typed(name, dtype) for name, dtype in types.items()])


def _column_types(raw: pl.LazyFrame, names: list[str]) -> dict[str, DataType]:
    """Types of the columns that are not text, by one pass over the values; the narrowest type wins."""
    valued = pl.all().is_not_null() & ~pl.all().is_in(_NO_VALUE)
    fits: dict[str, tuple[DataType, pl.Expr]] = {
        "b:": (pl.Boolean(), pl.all().str.to_lowercase().is_in(["true", "false"])),
        "i:": (pl.Int64(), pl.all().str.strip_chars().cast(pl.Int64, strict=False).is_not_null()),
        "f:": (pl.Float64(), pl.all().str.strip_chars().cast(pl.Float64, strict=False).is_not_null()),
    }
    tests = [(~valued | fit).all().name.prefix(prefix) for prefix, (_, fit) in fits.items()]
    flags = raw.select(valued.any(), *tests).collect(engine="streaming").row(0, named=True)
    found = {name: [dtype for prefix, (dtype, _) in fits.items() if flags[prefix + name]] for name in names}
    return {name: dtypes[0] for name, dtypes in found.items() if dtypes and flags[name]}


def _typed(name: str, dtype: DataType) -> pl.Expr:
    value = pl.when(~pl.col(name).is_in(_NO_VALUE)).then(pl.col(name))
    if dtype == pl.Boolean:
        return (value.str.to_lowercase() == "true").alias(name)
    return value.str.strip_chars().cast(dtype, strict=False).alias(name)


def _bad_row(path: Path, separator: str, error: BaseException) -> TableError:
    """The error of a delimited file, with the line that is to blame if Python's reader finds one."""
    line = 0
    try:
        with open_text(path) as file:
            reader = csv.reader(file, delimiter=separator)
            width = len(next(reader))
            for row in reader:
                line = reader.line_num
                if len(row) > width:
                    return TableError(f"{path}, line {line}: {len(row)} values, but the header has {width} columns.")
    except UnicodeDecodeError:
        return TableError(f"{path}, near line {line + 1}: the text is not UTF-8. Convert the file to UTF-8.")
    except (csv.Error, StopIteration, OSError, EOFError, zlib.error):
        pass
    return unreadable(path, error)
