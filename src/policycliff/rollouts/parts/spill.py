"""Long lists of values on disk instead of in memory, until they are needed one by one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np

from policycliff.errors import InvalidInputError, PolicyCliffError
from policycliff.rollouts.leaves import Figure
from policycliff.rollouts.trees import mapped

_SHORT = 4096


def spilled(tree: Any, path: Path) -> Any:
    """The tree with the values of its leaves in a file.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("wb") as file:
        return mapped(tree, lambda leaf: _spilled_leaf(leaf, path, file))


def _spilled_leaf(leaf: Any, path: Path, file: BinaryIO) -> Any:
    if not isinstance(leaf, Figure) or not isinstance(leaf.state, tuple):
        return leaf
    return Figure(tuple(_on_disk(chunk, path, file) for chunk in leaf.state), leaf.add, leaf.finish)


def _on_disk(chunk: Any, path: Path, file: BinaryIO) -> Any:
    if not isinstance(chunk, np.ndarray) or chunk.nbytes < _SHORT:
        return chunk
    place = file.tell()
    chunk.tofile(file)
    file.flush()
    return np.memmap(path, dtype=chunk.dtype, mode="r", offset=place, shape=chunk.shape)


@contextmanager
def temporary_folder(folder: Path | None) -> Iterator[Path]:
    """A folder of our own in the folder given, or where the system keeps such; deleted at the end, whatever happens.

    Raises:
        InvalidInputError: It cannot be written.
    """
    try:
        with TemporaryDirectory(prefix="policycliff-", dir=folder, ignore_cleanup_errors=True) as place:
            yield Path(place)
    except PolicyCliffError:
        raise
    except OSError as error:
        raise InvalidInputError(
            f"the temporary folder {folder or ''} cannot be written: {error.strerror or error}. Name another one with "
            "room for the table with --temporary-folder."
        ) from error
