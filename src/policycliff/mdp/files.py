"""An MDP from a file and into one: `.npz` (arrays) or `.json` (written by hand or by a program).

Both go through the builders of `MDP`, so that everything is checked; an error names the file, the state and the action.
What `save_mdp` writes `load_mdp` gives back bit for bit: all arrays, gamma and names (the bound on row sums is measured
again, and a valid order of states is found again). A file is written whole or not at all: under another name in
the same folder first, then renamed. Nothing is ever unpickled.

Formats: see `policycliff.mdp.npz_file` and `policycliff.mdp.json_file`. Cost: memory for two copies of the kernel.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.mdp.json_file import read_json, write_json
from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.mdp.npz_file import read_npz, write_npz

_READERS: dict[str, Callable[[Path], MDP]] = {".npz": read_npz, ".json": read_json}
_WRITERS: dict[str, Callable[[MDP, Path], None]] = {".npz": write_npz, ".json": write_json}


def load_mdp(path: str | Path) -> MDP:
    """The MDP in a `.npz` or `.json` file.

    Args:
        path: the file; its ending says which format it has.

    Returns:
        The MDP, checked like any other.

    Raises:
        SourceNotFoundError: there is no such file.
        InvalidInputError: another ending, a file that ends early or is something else, an unknown or missing entry, a
            state named twice, an unknown successor, or anything that the builders refuse. The message names the file.

    Example:
        >>> import numpy as np, tempfile
        >>> from policycliff import MDP
        >>> from policycliff.mdp.files import load_mdp, save_mdp
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.1]], 0.0, initial=[1.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_mdp(bandit, f"{folder}/bandit.json")
        ...     load_mdp(f"{folder}/bandit.json").rewards
        array([1. , 0.1])
    """
    place = Path(path)
    reader = _READERS[_ending(place)]
    if not place.is_file():
        raise SourceNotFoundError(f"Got {str(place)!r}; expected a file that exists. Check the path.")
    try:
        return reader(place)
    except InvalidInputError as error:
        raise InvalidInputError(f"{place.name}: {error}") from error
    except OSError as error:
        raise InvalidInputError(
            f"{place.name}: cannot be read ({error}). Check the file and its permissions."
        ) from error


def save_mdp(mdp: MDP, path: str | Path) -> None:
    """Write the MDP to a `.npz` or `.json` file, whole or not at all; an existing file is replaced.

    Raises:
        InvalidInputError: another ending, or a folder that does not exist or cannot be written to.
    """
    place = Path(path)
    writer = _WRITERS[_ending(place)]
    write_whole(place, lambda temporary: writer(mdp, temporary))


def write_whole(place: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name in its folder, then rename it.

    Raises:
        InvalidInputError: a folder that does not exist or cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".part")
    except OSError as error:
        raise fail(
            got=f"{str(place)!r}, which cannot be written ({error.strerror})",
            expected="a folder that exists and can be written to",
            remedy="Create the folder, or choose another path.",
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(_mode(place))
        temporary.replace(place)
    except OSError as error:
        raise fail(
            got=f"{str(place)!r}, which cannot be written ({error.strerror})",
            expected="room on the disk and a path that is no folder",
            remedy="Choose another path.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _mode(place: Path) -> int:
    """Permissions of the file that is replaced, else those of any new file."""
    if place.is_file():
        return place.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _ending(place: Path) -> str:
    ending = place.suffix.lower()
    if ending not in _READERS:
        raise fail(
            got=f"the file name {place.name!r}",
            expected="one that ends in .npz or .json",
            remedy="Rename the file; .json is the format to write by hand.",
        )
    return ending
