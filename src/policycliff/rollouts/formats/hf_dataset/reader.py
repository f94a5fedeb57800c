"""A folder that `Dataset.save_to_disk` of Hugging Face datasets wrote: Arrow streams, read by Polars alone.

Nothing of it is unpickled or run: `state.json` says which files follow in which order, and the streams are tables. Only
the columns that play a part are read, a file at a time.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.hf_dataset.arrow_stream import require_whole_stream
from policycliff.rollouts.formats.preferences import reader as preferences
from policycliff.rollouts.formats.wide import reader as wide
from policycliff.rollouts.reading.files import READ_ERRORS, first_line
from policycliff.rollouts.settings import AuditSettings

_LONGEST_STATE = 50_000_000


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "folder" or "state.json" not in sample.names:
        return None
    streams = [name for name in sample.names if name.endswith(".arrow")]
    return f"a folder with state.json and {len(streams)} Arrow files" if streams else None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:  # noqa: ARG001 - the reader protocol
    streams = [stream for path in paths for stream in _streams(path)]
    frames = [_scan_stream(stream) for stream in streams]
    frame = pl.concat(frames, how="diagonal_relaxed") if len(frames) > 1 else frames[0]
    try:
        frame.collect_schema()
    except READ_ERRORS as error:
        raise TableError(f"{paths[0]}: its files do not fit together: {first_line(error)}. Save it again.") from error
    reshaped = preferences.expand(frame) or wide.expand(frame, str(paths[0]))
    return reshaped or Reading(frame=frame)


def _streams(folder: Path) -> list[Path]:
    """The files of a folder in their order.

    Raises:
        TableError: No readable state.json, a file that is missing or lies elsewhere, or rows chosen by indices.
    """
    state = _state(folder)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise TableError(
            f"{folder} was saved by an old version of datasets with its rows chosen by indices. Load it, call "
            "flatten_indices() and save it again."
        )
    entries = state.get("_data_files")
    if not isinstance(entries, list) or not entries:
        raise TableError(f"{folder / 'state.json'} names no '_data_files'. Save the dataset again.")
    return [_stream(folder, entry) for entry in entries]


def _stream(folder: Path, entry: object) -> Path:
    name = entry.get("filename") if isinstance(entry, dict) else None
    # A name with a folder in it could point anywhere.
    if not isinstance(name, str) or not name.endswith(".arrow") or Path(name).name != name or "\\" in name:
        raise TableError(f"{folder / 'state.json'} names {str(name)[:80]!r}, which is no .arrow file of the folder.")
    path = folder / name
    if not path.is_file():
        raise TableError(f"{path} is missing, which {folder / 'state.json'} names. Copy the whole folder.")
    require_whole_stream(path)
    return path


def _state(folder: Path) -> dict[str, Any]:
    path = folder / "state.json"
    try:
        with path.open(encoding="utf-8") as file:
            state = json.loads(file.read(_LONGEST_STATE))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path} cannot be read: {first_line(error)}. Save the dataset again.") from error
    if not isinstance(state, dict):
        raise TableError(f"{path}: expected a JSON object, got {type(state).__name__}. Save the dataset again.")
    return state


def _scan_stream(path: Path) -> pl.LazyFrame:
    """A file as a lazy frame that reads only the columns asked for."""
    schema = _read_stream(path, n_rows=0).schema

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        frame = _read_stream(path, columns=columns, n_rows=n_rows)
        yield frame if predicate is None else frame.filter(predicate)

    return register_io_source(read, schema=schema)


def _read_stream(path: Path, *, columns: list[str] | None = None, n_rows: int | None = None) -> pl.DataFrame:
    try:
        return pl.read_ipc_stream(path, columns=columns, n_rows=n_rows)
    except READ_ERRORS as error:
        raise TableError(
            f"{path} cannot be read as an Arrow stream: {first_line(error)}. Is it cut off or damaged? Save it again."
        ) from error


HF_DATASET = Format(name="hf-dataset", title="Hugging Face dataset folder", recognise=_recognise, read=_read)
