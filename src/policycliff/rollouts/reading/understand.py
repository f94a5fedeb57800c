"""A table of rollouts up to the point where every column's part is known and its values are read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from policycliff.rollouts.reading.columns import Columns, resolve_columns
from policycliff.rollouts.reading.derive import with_derived
from policycliff.rollouts.reading.read import TableSource, open_table
from policycliff.rollouts.reading.rows import RowsRead, read_rows
from policycliff.rollouts.reading.settle import counts_of_rows, settle
from policycliff.rollouts.settings import AuditSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """A table whose columns have parts by name and by type, and are not read yet.

    Attributes:
        original: The table as opened.
        source: The table with its derived columns.
        columns: Which column plays which part; guesses are still to be put to the test.
        settings: What the user asked, completed by what the files' format fixes.
        fixed: What of it the format fixed.
    """

    original: TableSource
    source: TableSource
    columns: Columns
    settings: AuditSettings
    fixed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Understood:
    """A table, read.

    Attributes:
        source: The table with its derived columns.
        columns: Which column plays which part, the values having had their say.
        read: The rows of these columns.
        settings: What the user asked, completed by what the files' format fixes.
        fixed: What of it the format fixed.
    """

    source: TableSource
    columns: Columns
    read: RowsRead
    settings: AuditSettings
    fixed: Mapping[str, Any]


def opened(table: object, settings: AuditSettings) -> Opened:
    """Open a table and find out the parts of its columns by their names and types.

    Raises:
        PolicyCliffError: As `policycliff.rollouts.reading.load.load_rollouts`.
    """
    original = open_table(table, settings)
    fixed = _still_open(original.fixed, settings)
    settings = replace(settings, **fixed)
    source = with_derived(original, settings.derive)
    return Opened(original, source, resolve_columns(source.schema(), settings), settings, fixed)


def understand(table: object, settings: AuditSettings) -> Understood:
    """Open a table, find out the parts of its columns, and read them.

    Raises:
        PolicyCliffError: As `policycliff.rollouts.reading.load.load_rollouts`.
    """
    return read_opened(opened(table, settings))


def read_opened(found: Opened) -> Understood:
    """Read the columns of an open table."""
    read = read_rows(found.original, found.source, found.columns, found.settings)
    columns = settle(found.columns, counts_of_rows(read))
    return Understood(found.source, columns, read, found.settings, found.fixed)


def _still_open(fixed: Mapping[str, Any], settings: AuditSettings) -> dict[str, Any]:
    """What the format fixes, less what the user has said; the group and its size are one matter."""
    said = {name for name in fixed if settings.says(name)}
    if settings.group is not None or settings.group_size is not None:
        said |= {"group", "group_size"}
    return {name: value for name, value in fixed.items() if name not in said}
