"""MDPs in NumPy's `.npz` format.

The keys are the arguments of the builders. With `states` those of `MDP.from_pairs`: states, transitions, rewards,
gamma, and optionally actions, terminal, initial, state_names, action_names. Without it those of `MDP.from_arrays`:
transitions, rewards, gamma, and optionally available, terminal, initial, state_names, action_names. In place of
`transitions` a sparse kernel is given by the keys indptr, indices and data (CSR) and optionally shape. Names are
arrays of strings. Several rewards: `components` (K, pairs) with `reward_names` and `weights`, of which `rewards` is the
mixture; terminal pairs included, as in the MDP that is written.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.blocks import as_csr
from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.mdp.stored_bits import keep_bits

_SPARSE = ("indptr", "indices", "data", "shape")
_COMMON = ("rewards", "gamma", "terminal", "initial", "state_names", "action_names")
COMPONENTS = ("components", "reward_names", "weights")
_FROM_PAIRS = {*_COMMON, *_SPARSE, "transitions", "states", "actions"}
_FROM_ARRAYS = {*_COMMON, *_SPARSE, "transitions", "available"}


def read_npz(path: Path) -> MDP:
    """The MDP in the file."""
    entries = _entries(path)
    allowed = _FROM_PAIRS if "states" in entries else _FROM_ARRAYS
    unknown = sorted(set(entries) - allowed - set(COMPONENTS))
    missing = sorted({"rewards", "gamma", *([] if "indptr" in entries else ["transitions"])} - set(entries))
    if unknown or missing:
        raise fail(
            got=f"unknown keys {unknown}" if unknown else f"no key {missing[0]!r}",
            expected=f"keys among {sorted(allowed)}",
            remedy="Name the arrays like the arguments of MDP.from_pairs (with `states`) or MDP.from_arrays.",
        )
    arguments: dict[str, Any] = {name: entries[name] for name in allowed - set(_SPARSE) if name in entries}
    arguments["gamma"] = _number(entries["gamma"])
    for name in ("state_names", "action_names"):
        if name in entries:
            arguments[name] = _names(name, entries[name])
    if "indptr" not in entries:
        return _build(arguments)
    kernel = _sparse(entries)
    mdp = _build({**arguments, "transitions": kernel})
    initial = arguments.get("initial")
    return keep_bits(mdp, kernel.data, None if initial is None else np.asarray(initial, np.float64))


def read_npz_components(path: Path) -> dict[str, np.ndarray]:
    """Those of `components`, `reward_names` and `weights` that the file has."""
    entries = _entries(path)
    return {name: entries[name] for name in COMPONENTS if name in entries}


def write_npz(mdp: MDP, path: Path, **components: Any) -> None:
    """Write the MDP as arguments of `MDP.from_pairs`, with a sparse kernel; and reward components where given."""
    entries: dict[str, Any] = {
        "states": mdp.pair_states,
        "actions": mdp.actions,
        "indptr": mdp.indptr,
        "indices": mdp.successors,
        "data": mdp.probabilities,
        "shape": np.array([mdp.n_pairs, mdp.n_states]),
        "rewards": mdp.rewards,
        "gamma": np.array(mdp.gamma),
        "terminal": mdp.terminal,
        **components,
    }
    if mdp.initial is not None:
        entries["initial"] = mdp.initial
    for name, names in (("state_names", mdp.state_names), ("action_names", mdp.action_names)):
        if names is not None:
            entries[name] = _stored_names(name, names)
    with path.open("wb") as file:
        np.savez(file, **entries)


def _entries(path: Path) -> dict[str, np.ndarray]:
    try:
        # NumPy leaves a path open that turns out to be no archive.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            with loaded as archive:
                return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError) as error:
        # RuntimeError: encrypted entries, and compression or versions that zipfile does not know.
        raise fail(
            got=f"a file that is not a complete .npz archive of plain arrays ({error})",
            expected="what numpy.savez writes, without object arrays",
            remedy="Write it again; it may have been cut off. Names are stored as arrays of strings.",
        ) from error


def _build(arguments: dict[str, Any]) -> MDP:
    return MDP.from_pairs(**arguments) if "states" in arguments else MDP.from_arrays(**arguments)


def _number(gamma: np.ndarray) -> float:
    if gamma.shape != () or gamma.dtype.kind not in "fiu":
        raise fail(
            got=f"`gamma` of shape {gamma.shape} and type {gamma.dtype}",
            expected="one number",
            remedy="Store it as numpy.array(0.99).",
        )
    return float(gamma)


def _names(name: str, array: np.ndarray) -> list[str]:
    if array.ndim != 1 or array.dtype.kind != "U":
        raise fail(
            got=f"`{name}` of shape {array.shape} and type {array.dtype}",
            expected="a vector of strings",
            remedy="Store it as numpy.array([...], dtype=str).",
        )
    return [str(item) for item in array]


def _stored_names(name: str, names: tuple[str, ...]) -> np.ndarray:
    """Names as an array of strings, if that does not change them (NumPy drops zero characters at the end)."""
    array = np.array(names, dtype=str)
    if tuple(array.tolist()) != names:
        raise fail(
            got=f"an entry of `{name}` that ends in a zero character",
            expected="names that NumPy can store",
            remedy="Rename it, or save as .json.",
        )
    return array


def _sparse(entries: dict[str, np.ndarray]) -> sp.csr_array:
    absent = [key for key in _SPARSE[:3] if key not in entries]
    if absent or "transitions" in entries:
        raise fail(
            got=f"no key {absent[0]!r}" if absent else "both `transitions` and `indptr`",
            expected="the kernel as `transitions`, or sparse as `indptr`, `indices` and `data`",
            remedy="Store the three arrays of a SciPy CSR matrix.",
        )
    try:
        kernel = sp.csr_array((entries["data"], entries["indices"], entries["indptr"]), shape=_shape(entries))
        kernel.check_format(full_check=True)
    except (ValueError, TypeError, IndexError) as error:
        raise fail(
            got=f"`indptr`, `indices` and `data` that do not fit together ({error})",
            expected="the arrays of a SciPy CSR matrix with a column a state",
            remedy="Rebuild the matrix, and store `shape` where its last columns are empty.",
        ) from error
    return as_csr(kernel)


def _shape(entries: dict[str, np.ndarray]) -> tuple[int, int]:
    """Rows and columns of the sparse kernel: as many columns as any array says that there are states."""
    if "shape" in entries:
        rows, columns = (int(size) for size in entries["shape"])
        return rows, columns
    sizes = [entries[key].size for key in ("terminal", "initial", "state_names") if key in entries]
    largest = [int(entries[key].max(initial=-1)) + 1 for key in ("indices", "states") if key in entries]
    return entries["indptr"].size - 1, max([*sizes, *largest])
