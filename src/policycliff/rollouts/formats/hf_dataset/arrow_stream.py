"""Whether a file is a whole Arrow stream: its messages and what they claim to hold, without the data.

Polars trusts the lengths that a stream gives: a damaged one can ask for terabytes, which ends the process. So the
lengths are looked at first. A stream is messages up to an end mark; each is a marker, the length of its metadata, the
metadata (a Flatbuffer) and a body of the length given there (https://arrow.apache.org/docs/format/Columnar.html).
"""

import struct
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from policycliff.errors import TableError

_MARKER = 0xFFFFFFFF
_DICTIONARY, _BATCH = 2, 3
_LARGEST_METADATA = 100_000_000
# A column of nulls has rows but no data; of any other, a byte of the body holds at most eight rows.
_ROWS_WITHOUT_DATA = 10_000_000
_Table = tuple[bytes, int]
"""A Flatbuffer table: the metadata that holds it and its place in there."""


def require_whole_stream(path: Path) -> None:
    """Check a stream message by message; the cost is that of its metadata.

    Raises:
        TableError: It is cut off, holds something else, or its lengths do not fit the file.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, SEEK_END)
            file.seek(0)
            while _next_message(file, size):
                pass
    except (struct.error, ValueError, IndexError) as error:
        raise TableError(
            f"{path} is no whole Arrow stream ({error}). Is it cut off or damaged? Copy or save it again."
        ) from error


def _next_message(file: BinaryIO, size: int) -> bool:
    """Pass over a message; False at the end mark."""
    start = file.tell()
    marker, length = struct.unpack("<Ii", file.read(8))
    if marker != _MARKER:
        raise ValueError(f"no message begins at byte {start}")
    if length == 0:
        return False
    if not 0 < length <= min(size, _LARGEST_METADATA):
        raise ValueError(f"metadata of {length} bytes at byte {start}")
    metadata = file.read(length)
    root = (metadata, *struct.unpack_from("<I", metadata, 0))
    kind, header, body = _number(root, 1, "<B"), _child(root, 2), _number(root, 3, "<q")
    if not 0 <= body <= size - file.tell():
        raise ValueError(f"a body of {body} bytes at byte {file.tell()} of {size}")
    if kind in {_DICTIONARY, _BATCH}:
        batch = header if kind == _BATCH or header is None else _child(header, 1)
        _require_batch(batch, body)
    file.seek(body, 1)
    return True


def _require_batch(batch: _Table | None, body: int) -> None:
    if batch is None or _child(batch, 3) is not None:
        raise ValueError("a batch that is empty or compressed")
    rows = [_number(batch, 0, "<q"), *(length for length, _ in _pairs(batch, 1))]
    if not all(0 <= length <= max(8 * body, _ROWS_WITHOUT_DATA) for length in rows):
        raise ValueError(f"a batch of {max(rows)} rows in {body} bytes")
    if not all(0 <= offset <= body and 0 <= length <= body - offset for offset, length in _pairs(batch, 2)):
        raise ValueError("a batch whose data lie outside of it")


def _number(table: _Table, field: int, kind: str) -> int:
    place = _place(table, field)
    return 0 if place is None else int(struct.unpack_from(kind, table[0], place)[0])


def _child(table: _Table, field: int) -> _Table | None:
    place = _place(table, field)
    return None if place is None else (table[0], place + struct.unpack_from("<I", table[0], place)[0])


def _pairs(table: _Table, field: int) -> list[tuple[int, int]]:
    """A vector of structs of two 64-bit numbers."""
    vector = _child(table, field)
    if vector is None:
        return []
    metadata, start = vector
    (count,) = struct.unpack_from("<I", metadata, start)
    if count > len(metadata) // 16:
        raise ValueError(f"a list of {count} items")
    return [
        (first, second) for first, second in struct.iter_unpack("<qq", metadata[start + 4 : start + 4 + 16 * count])
    ]


def _place(table: _Table, field: int) -> int | None:
    """Where a field's value stands, None where it is absent."""
    metadata, start = table
    entries = start - struct.unpack_from("<i", metadata, start)[0]
    (n_bytes,) = struct.unpack_from("<H", metadata, entries)
    entry = 4 + 2 * field
    offset = struct.unpack_from("<H", metadata, entries + entry)[0] if entry < n_bytes else 0
    return start + offset if offset else None
