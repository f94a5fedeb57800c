"""What a format is: how its files are known, and how they become rows.

A reader turns files into one lazy frame with a row a completion and says what the files fix: which column is the
group, the step, the rewards with their weights. It drops nothing in silence: what it leaves out it counts. Columns are
named as in `ROW_COLUMNS` where they play one of these parts; reward columns and all others keep the names of the file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.rollouts.reading.dtypes import DataType
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

ROW_COLUMNS = ("prompt", "group", "step", "completion", "source")
"""Names of the columns that every reader uses for these parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSample:
    """What is looked at to know a file: its name and its beginning.

    Attributes:
        path: The file, or the folder of a table that is a folder.
        container: `Parquet`, `JSON Lines`, `JSON` (one value that is no array), `CSV`, `TSV`, `zip`, `folder`, or
            empty where it is none of these.
        columns: Names and types of a Parquet file's columns, or the names alone (type Null) of a CSV header.
        rows: The first rows of a Parquet, JSON Lines or JSON array file, at most `SAMPLE_ROWS`; the one object of a
            JSON file.
        metadata: The key-value metadata of a Parquet file.
        names: Names of the entries of a zip file or a folder, at most a few thousand.
    """

    path: Path
    container: str
    columns: Mapping[str, DataType] = field(default_factory=dict)
    rows: tuple[dict[str, Any], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Files as rows, and what they say of themselves.

    Attributes:
        frame: A row a completion.
        fixed: Fields of `AuditSettings` that the files fix (`group`, `group_size`, `step`, `rewards`, ...); what the
            user gives beats them.
        notes: Decisions worth knowing, in plain words.
        skipped: What was left out, with reasons and counts.
    """

    frame: pl.LazyFrame
    fixed: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[SkippedRows, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format that can be read.

    Attributes:
        name: As `--format` takes it, for example `trl`.
        title: What it is, for people, for example "TRL completion log".
        recognise: Why a file is of this format, in a few words ("columns step, prompt, completion and advantage"), or
            None where it is not. Must not fail on any sample.
        read: Files of this format as rows. The settings are the user's: a group size that is given need not be found
            out. Raises `TableError` for what cannot be read; the message names the file, and the line where there is
            one.
    """

    name: str
    title: str
    recognise: Callable[[FileSample], str | None]
    read: Callable[[Sequence[Path], AuditSettings], Reading]
