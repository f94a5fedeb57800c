"""An MDP on a PyTorch device: backups of many rewards at once, one column a reward.

Layout. States stand in descending order of their numbers of actions, pairs action by action: first the first action
of every state, then the second of all states that have one, and so on. Actions that equally many states have form a
block (actions, states) of consecutive pairs, so that maxima and sums over a state's actions are reductions of blocks,
whatever the numbers of actions are. The kernel is stored entry by entry in the same way (jagged diagonals): rows
in descending order of their lengths, first the first entry of every row, then the second. Long rows are cut, and the
sums of their pieces added in the same way.

Assumptions: gathering, sums, products and quotients entry by entry, exp, log, and reductions, all in float64, in an
order that is the same in every run: no atomic additions. No library's matrix product is called: TensorFloat-32, and
float64 emulated on units of lower precision, exist there alone.

Cost: one step a successor of the longest row, O(nonzeros * rewards) in all.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.shapes import Int64


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
