"""Which files a path means, of which format they are, and what to say of one that cannot be read."""

import glob
import gzip
import re
import zlib
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path

from polars.exceptions import PanicException, PolarsError

from policycliff.errors import SourceNotFoundError, TableError

FORMATS = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".json": "JSON Lines",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".eval": "Inspect log",
}
DATASET_FOLDER = "Hugging Face dataset folder"
"""A folder that `Dataset.save_to_disk` wrote: one table, not a folder of tables."""
READ_ERRORS = (PolarsError, PanicException, OSError, EOFError, zlib.error, UnicodeError)
"""What reading a file may raise; every one becomes a `TableError`."""


def find_tables(table: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """The files that a path, a directory, a pattern or several of them mean, sorted by name with numbers by value.

    Raises:
        SourceNotFoundError: Nothing matches.
        TableError: A directory without tables, an unknown suffix, or several formats at once.
    """
    tables = [table] if isinstance(table, str | Path) else list(table)
    found = list(dict.fromkeys(path for item in tables for path in _files_of(Path(item).expanduser())))
    kinds = sorted({format_of(item) for item in found})
    if len(kinds) > 1:
        described = " ".join(str(item) for item in tables)
        raise TableError(
            f"{described} means files of several formats ({', '.join(kinds)}). Give a pattern of one suffix."
        )
    return tuple(sorted(found, key=_natural_key))


def format_of(path: Path) -> str:
    """The format that a file's name says: one of the values of `FORMATS`.

    >>> format_of(Path("run/completions.jsonl.gz"))
    'JSON Lines'

    Raises:
        TableError: The suffix is not one of a table.
    """
    found = DATASET_FOLDER if path.is_dir() else format_or_none(path)
    if found is None:
        raise TableError(f"{path} has a suffix that is not a table's: expected {_suffixes()} (text formats also .gz).")
    return found


def unreadable(path: Path, error: BaseException) -> TableError:
    """The error of a file that cannot be read, in one line with the remedy."""
    if isinstance(error, PermissionError):
        return TableError(f"{path} cannot be read: permission denied.")
    reason = first_line(error) or type(error).__name__
    return TableError(
        f"{path} cannot be read as {format_of(path)}: {reason}. Is it cut off or damaged? Write it again."
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message without its full stop."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0].strip().rstrip(".")


def open_text(path: Path) -> TextIOWrapper:
    """Open a text file that may be zipped and may begin with a byte order mark."""
    raw = gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # noqa: SIM115 - the caller closes it
    return TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def format_or_none(path: Path) -> str | None:
    """The format that a file's name says, None where it is not a table's."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    last = suffixes[-2:-1] if zipped else suffixes[-1:]
    kind = FORMATS.get(last[0]) if last else None
    return None if zipped and kind == "Parquet" else kind


def _files_of(path: Path) -> list[Path]:
    try:
        return _existing_files(path)
    except (OSError, ValueError) as error:
        if isinstance(error, SourceNotFoundError | TableError):
            raise
        raise SourceNotFoundError(
            f"{str(path)[:100]} cannot be opened: {getattr(error, 'strerror', None) or first_line(error)}."
        ) from error


def _existing_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = _tables_in(path)
        if not found:
            raise TableError(f"directory {path} holds no table: expected files ending in {_suffixes()}.")
    elif path.exists():
        found = [path]
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - absolute patterns
        found = [item for item in found if item.is_file()]
        if not found:
            raise SourceNotFoundError(f"{path} does not exist. Give a file, a directory or a quoted pattern.")
    return found


def _tables_in(folder: Path) -> list[Path]:
    """The tables of a folder: the folder itself if it is one, the files in it, else those in the folders below."""
    if (folder / "state.json").is_file():
        return [folder]
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(item for item in folder.iterdir() if (item / "state.json").is_file())
        if len(splits) == 1:
            return splits
        named = ", ".join(str(item) for item in splits)
        raise TableError(f"{folder} holds a dataset with {len(splits)} splits. Give one of them: {named}.")
    return _table_files(folder.iterdir()) or _table_files(folder.rglob("*"))


def _table_files(items: Iterable[Path]) -> list[Path]:
    return [item for item in items if item.is_file() and format_or_none(item) and _is_visible(item)]


def _natural_key(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _is_visible(path: Path) -> bool:
    return not path.name.startswith((".", "_"))


def _suffixes() -> str:
    return ", ".join(FORMATS)
