"""The samples of an Inspect log: `.eval` (a zip file) or `.json`, one at a time, with bounded sizes.

Inspect compresses the entries of `.eval` with Zstandard since 2026, which Python's `zipfile` reads only from 3.14
on, so these bytes are taken from the file as they are and inflated by pyarrow. Declared sizes are never trusted.
"""

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from policycliff.errors import MissingExtraError, TableError
from policycliff.rollouts.reading.files import READ_ERRORS, first_line, open_text

HEADER = "header.json"
START = "_journal/start.json"
SAMPLE = re.compile(r"samples/[^/]+_epoch_\d+\.json")
CHUNKED = re.compile(r"samples/.+_epoch_\d+/sample\.json")

LARGEST_ENTRY = 2**30
"""Most bytes that one entry may inflate to, and most characters of a `.json` log."""

_ZSTANDARD = 93
_PIECE = 2**20
_LOCAL_HEADER = 30
_DAMAGED = (*READ_ERRORS, zipfile.BadZipFile, RuntimeError, ValueError, struct.error)


def log_parts(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The header of a log, then its samples, each with its place in the file.

    Raises:
        TableError: The file is damaged, too large, or no log; the message names the entry.
        MissingExtraError: Zstandard is needed and pyarrow is not installed.
    """
    if path.suffix.lower() == ".eval":
        try:
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                yield from _zip_parts(path, file, archive)
        except (zipfile.BadZipFile, OSError) as error:
            raise TableError(f"{path} is no Inspect log: {first_line(error)}. Is it cut off?") from error
    else:
        yield from _json_parts(path)


def _json_parts(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with open_text(path) as file:
            text = file.read(LARGEST_ENTRY + 1)
    except READ_ERRORS as error:
        raise TableError(f"{path} cannot be read: {first_line(error)}.") from error
    if len(text) > LARGEST_ENTRY:
        raise TableError(
            f"{path} is longer than {LARGEST_ENTRY} characters. Convert it: `inspect log convert --to eval`."
        )
    log = _parsed(text, str(path))
    samples = log.pop("samples", None) or []
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise TableError(f"{path}: samples must be a list of objects.")
    yield f"{path}", log
    yield from ((f"{path}, sample {number}", sample) for number, sample in enumerate(samples, start=1))


def _zip_parts(path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> Iterator[tuple[str, dict[str, Any]]]:
    # A name that stands twice means its last entry, as Inspect reads it.
    entries = {entry.filename: entry for entry in archive.infolist()}
    header = next((name for name in (HEADER, START) if name in entries), None)
    if header is None:
        raise TableError(f"{path} has neither {HEADER} nor {START}, so it is no Inspect log.")
    chunked = next((name for name in entries if CHUNKED.fullmatch(name)), None)
    if chunked is not None:
        raise TableError(f"{path}: {chunked} is stored in chunks, which are not read. Give the log as first written.")
    for name in (header, *(name for name in entries if SAMPLE.fullmatch(name))):
        where = f"{path}, {name}"
        try:
            content = _content(file, archive, entries[name], where)
        except _DAMAGED as error:
            if isinstance(error, TableError):
                raise
            raise TableError(f"{where} is damaged: {first_line(error)}.") from error
        yield where, _parsed(content, where)


def _parsed(content: str | bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{where}: not valid JSON ({first_line(error)}). Is it cut off?") from error
    if not isinstance(value, dict):
        raise TableError(f"{where}: expected a JSON object, got {type(value).__name__}.")
    return value


def _content(file: BinaryIO, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> bytes:
    if entry.compress_type == _ZSTANDARD:
        return _inflate(_raw(file, entry), entry, where)
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise TableError(f"{where}: compression {entry.compress_type} is not one that Inspect writes.")
    with archive.open(entry) as stream:
        return _bounded(stream, where)


def _raw(file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
    """The compressed bytes of an entry, which begin after its local header."""
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER)
    signature, name_length, extra_length = struct.unpack("<4s22xHH", header)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile("its local header is missing")
    file.seek(name_length + extra_length, 1)
    return file.read(entry.compress_size)


def _inflate(raw: bytes, entry: zipfile.ZipInfo, where: str) -> bytes:
    try:
        import pyarrow as arrow  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(
            f"{where} is compressed with Zstandard, which needs pyarrow: pip install 'policycliff[inspect]'."
        ) from error
    with arrow.CompressedInputStream(arrow.BufferReader(raw), "zstd") as stream:
        content = _bounded(stream, where)
    if zlib.crc32(content) != entry.CRC:
        raise zipfile.BadZipFile("its checksum is wrong")
    return content


def _bounded(stream: Any, where: str) -> bytes:
    """All bytes of a stream, read piece by piece up to the bound."""
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > LARGEST_ENTRY:
            raise TableError(f"{where} inflates to more than {LARGEST_ENTRY} bytes, more than any sample should.")
        pieces.append(piece)
    return b"".join(pieces)
