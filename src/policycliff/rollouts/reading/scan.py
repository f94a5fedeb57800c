"""One table file of any format as a lazy frame."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.reading.delimited import scan_delimited
from policycliff.rollouts.reading.files import DATASET_FOLDER, READ_ERRORS, format_of, unreadable
from policycliff.rollouts.reading.json_lines import scan_json


def scan_file(path: Path) -> pl.LazyFrame:
    """One file as a lazy frame.

    Raises:
        TableError: Empty, broken or cut off; the message names the file and, where known, the line.
    """
    kind = format_of(path)
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise TableError(f"{path} is empty (0 bytes). Write the table again.")
        frame = _SCANNERS[kind](path)
        if not frame.collect_schema().names():
            raise TableError(f"{path} has no columns.")
    except READ_ERRORS as error:
        raise unreadable(path, error) from error
    return frame


def _scan_parquet(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _no_plain_table(path: Path) -> pl.LazyFrame:
    raise TableError(
        f"{path} is no plain table, and of no format by its contents. Is it cut off or damaged? Name the format with "
        "--format to learn more."
    )


_SCANNERS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    "Parquet": _scan_parquet,
    "JSON Lines": scan_json,
    "CSV": lambda path: scan_delimited(path, ","),
    "TSV": lambda path: scan_delimited(path, "\t"),
    "Inspect log": _no_plain_table,
    DATASET_FOLDER: _no_plain_table,
}
