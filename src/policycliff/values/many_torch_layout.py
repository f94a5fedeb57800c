"""Lays an MDP out on a PyTorch device: see `policycliff.values.many_torch_world`.

Cost: O(nonzeros) once a call, and a copy to the device of 16 bytes a nonzero, again as much for sweeps.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Bool, Int64
from policycliff.values.many_torch_world import Product, World

# Tensors have no types of ours: PyTorch may be missing.
Upload = Callable[[np.ndarray], Any]

# Rows with more entries are cut into pieces of this length; 2 or more.
LONGEST = 32


def put_on_device(mdp: MDP, moving: Bool[np.ndarray, " states"], *, padded: bool, upload: Upload) -> World:
    """Lay the MDP out on a device.

    `moving` is False at absorbing states; `padded` says that sweeps under one policy will be wanted.
    """
    states, pairs, blocks = _layout(mdp.offsets.astype(np.int64))
    columns, indptr = np.argsort(states)[mdp.successors], mdp.indptr.astype(np.int64)
    starts, lengths = indptr[pairs], np.diff(indptr)[pairs]
    longest = int(lengths.max(initial=0))
    successors = probabilities = None
    if padded and 0 < longest <= LONGEST:
        steps = np.arange(longest)[:, None]
        entries = np.where(steps < lengths, starts + steps, -1)
        successors = upload(np.where(entries < 0, 0, columns[entries]))
        probabilities = upload(np.where(entries < 0, 0.0, mdp.probabilities[entries]))
    return World(
        states=states,
        pairs=pairs,
        blocks=blocks,
        gamma=float(mdp.gamma),
        products=tuple(_products(starts, lengths, columns, mdp.probabilities, upload)),
        successors=successors,
        probabilities=probabilities,
        places=upload(np.arange(mdp.n_states)[:, None]),
        terminal=upload(np.flatnonzero(mdp.terminal[states])),
        moving=upload(moving[states].astype(np.float64)[:, None]),
    )


def _layout(
    offsets: Int64[np.ndarray, " offsets"],
) -> tuple[Int64[np.ndarray, " states"], Int64[np.ndarray, " pairs"], tuple[tuple[int, int, int], ...]]:
    """The order of the states, that of the pairs, and the blocks: see the module's docstring."""
    widths = np.diff(offsets)
    states = np.argsort(-widths, kind="stable")
    ends = [0, *np.unique(widths).tolist()]
    pairs, blocks, first = [], [], 0
    for start, end in pairwise(ends):
        count = int((widths >= end).sum())
        pairs.append(np.add.outer(np.arange(start, end), offsets[states[:count]]).ravel())
        blocks.append((first, end - start, count))
        first += (end - start) * count
    return states, np.concatenate(pairs), tuple(blocks)


def _products(
    starts: Int64[np.ndarray, " rows"],
    lengths: Int64[np.ndarray, " rows"],
    columns: np.ndarray,
    weights: np.ndarray | None,
    upload: Upload,
) -> list[Product]:
    """The matrix whose row i has the entries starts[i]:starts[i] + lengths[i]; several, to be applied in turn."""
    if lengths.max(initial=0) <= LONGEST:
        return [_product(starts, lengths, columns, weights, upload)]
    pieces = -(-lengths // LONGEST)
    firsts = np.cumsum(pieces) - pieces
    before = LONGEST * (np.arange(pieces.sum()) - np.repeat(firsts, pieces))
    cut = np.minimum(np.repeat(lengths, pieces) - before, LONGEST)
    inner = _product(np.repeat(starts, pieces) + before, cut, columns, weights, upload)
    return [inner, *_products(firsts, pieces, np.arange(pieces.sum()), None, upload)]


def _product(
    starts: Int64[np.ndarray, " rows"],
    lengths: Int64[np.ndarray, " rows"],
    columns: np.ndarray,
    weights: np.ndarray | None,
    upload: Upload,
) -> Product:
    rows = np.argsort(-lengths, kind="stable")
    counts = [int((lengths > step).sum()) for step in range(int(lengths.max(initial=0)))]
    diagonals = [starts[rows[:count]] + step for step, count in enumerate(counts)]
    entries = np.concatenate(diagonals) if diagonals else np.zeros(0, np.int64)
    moved = bool((np.diff(lengths) > 0).any())
    return Product(
        n_rows=lengths.size,
        counts=tuple(counts),
        columns=upload(columns[entries]),
        weights=None if weights is None else upload(weights[entries][:, None]),
        places=upload(np.argsort(rows)) if moved else None,
    )
