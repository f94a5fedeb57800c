"""An MDP on a PyTorch device: backups of many rewards at once, one column a reward.

Layout. States stand in descending order of their numbers of actions, pairs action by action: first the first action
of every state, then the second of all states that have one, and so on. Actions that equally many states have form a
block (actions, states) of consecutive pairs, so that maxima and sums over a state's actions are reductions of blocks,
whatever the numbers of actions are. The kernel is stored entry by entry in the same way (jagged diagonals): rows
in descending order of their lengths, first the first entry of every row, then the second. Rows of more than `LONGEST`
entries are cut, and the sums of their pieces added in the same way.

Assumptions: nothing but gathering, products and sums entry by entry, and reductions in float64, each correctly
rounded or off by one rounding an operation, in an order that is the same in every run. No routine for matrix products
is called: TensorFloat-32 and float64 emulated on other units, which exist there alone, play no part. No atomic
additions.

Cost: one step a successor of the longest row, O(nonzeros * rewards) in all.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from policycliff.mdp.model import MDP

# Tensors have no types of ours: PyTorch may be missing.
Upload = Callable[[np.ndarray], Any]

# Rows with more entries are cut into pieces of this length.
LONGEST = 32


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A sparse matrix as jagged diagonals; diagonal j has `counts[j]` entries. No weights: all are 1."""

    n_rows: int
    counts: tuple[int, ...]
    columns: Any
    weights: Any
    places: Any

    def __call__(self, v: Any) -> Any:
        """The matrix times v (columns, rewards)."""
        out, start = v.new_zeros((self.n_rows, v.shape[1])), 0
        for count in self.counts:
            ahead = v.index_select(0, self.columns[start : start + count])
            if self.weights is None:
                out[:count].add_(ahead)
            else:
                out[:count].addcmul_(ahead, self.weights[start : start + count])
            start += count
        return out if self.places is None else out.index_select(0, self.places)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The kernel on the device, and where its states and pairs stand in the MDP.

    Attributes:
        states: (states,) the MDP's state at each place here.
        pairs: (pairs,) the MDP's pair at each place here.
        blocks: first pair, number of actions and number of states of each block.
        gamma: discount.
        products: the kernel; the sums of the pieces of long rows follow.
        successors: (k, pairs) each row, padded with 0, for sweeps under one policy; None where rows are too long.
        probabilities: (k, pairs) their probabilities.
        places: (states, 1) 0, 1, ...
        terminal: places of the terminal states.
        moving: (states, 1) 0 at absorbing states, 1 elsewhere.
    """

    states: Int64[np.ndarray, " states"]
    pairs: Int64[np.ndarray, " pairs"]
    blocks: tuple[tuple[int, int, int], ...]
    gamma: float
    products: tuple[Product, ...]
    successors: Any
    probabilities: Any
    places: Any
    terminal: Any
    moving: Any

    def back_up(self, rewards: Any, v: Any) -> Any:
        """Q = R + gamma P v, (pairs, rewards)."""
        return self.ahead(v).mul_(self.gamma).add_(rewards)

    def ahead(self, v: Any) -> Any:
        """P v, (pairs, rewards)."""
        for product in self.products:
            v = product(v)
        return v

    def greedy(self, q: Any) -> tuple[Any, Any]:
        """Maxima of q over the actions of each state, (states, rewards), and the pair of the first maximiser."""
        found = []
        for (first, _, states), block in zip(self.blocks, self._split(q), strict=True):
            top, action = block.max(dim=0)
            found.append((top, action.mul_(states).add_(self.places[:states]).add_(first)))
        tops, chosen = found[0]
        for top, pair in found[1:]:
            better = top > tops[: len(top)]
            tops[: len(top)] = top.maximum(tops[: len(top)])
            chosen[: len(top)] = pair.where(better, chosen[: len(top)])
        return tops, chosen

    def soft_maximum(self, q: Any, base: Any, temperature: float) -> Any:
        """Soft maxima: temperature * log of the sum of base * exp(q / temperature) over the actions of each state.

        Actions of weight 0 play no part. Terminal states keep the value 0 exactly.
        """
        masked = q.masked_fill(base == 0.0, -math.inf)
        top, *others = [block.amax(dim=0) for block in self._split(masked)]
        for other in others:
            top[: len(other)] = other.maximum(top[: len(other)])
        total = self.sums(self.soft_weights(q, top, base, temperature))
        return total.log_().mul_(temperature).add_(top).index_fill_(0, self.terminal, 0.0)

    def soft_weights(self, q: Any, top: Any, base: Any, temperature: float) -> Any:
        """Weights base * exp((q - top) / temperature), (pairs, rewards)."""
        weights = q.masked_fill(base == 0.0, -math.inf)
        for block in self._split(weights):
            block.sub_(top[: block.shape[1]])
        return weights.div_(temperature).exp_().mul_(base)

    def sums(self, vector: Any) -> Any:
        """Sums over the actions of each state, (states, rewards)."""
        total, *others = [block.sum(dim=0) for block in self._split(vector)]
        for other in others:
            total[: len(other)] += other
        return total

    def _split(self, vector: Any) -> list[Any]:
        """Views (actions, states, rewards) of the blocks of a vector (pairs, rewards)."""
        return [
            vector[first : first + actions * states].view(actions, states, -1) for first, actions, states in self.blocks
        ]


def put_on_device(mdp: MDP, moving: Bool[np.ndarray, " states"], *, padded: bool, upload: Upload) -> World:
    """Lay the MDP out on a device.

    `moving` is False at absorbing states; `padded` says that sweeps under one policy will be wanted.
    """
    states, pairs, blocks = _layout(mdp.offsets)
    columns = np.argsort(states)[mdp.successors]
    starts, lengths = mdp.indptr[pairs], np.diff(mdp.indptr)[pairs]
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
