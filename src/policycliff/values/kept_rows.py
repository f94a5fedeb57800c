"""Few rows a state, copied next to each other: those of the greedy policy, or of all actions near the best.

Sweeps over them cost a fraction of a backup. Each range of states has its own part of the arrays, so that several
threads can fill them at once.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int, Int32, Int64
from policycliff.values.chain import Chain
from policycliff.values.sweep_kernels import SERIES, STALLED, add_the_rest, kept_sweep, kept_sweeps
from policycliff.values.threads import Ranges, Run

# Fewer probabilities than this are swept sooner by one thread than handed out to several.
WORTH_THREADS = 300_000

Vector = Float64[np.ndarray, " states"]


@dataclass(frozen=True, slots=True, eq=False)
class KeptRows:
    """v = max (r + gamma P v) over the kept rows.

    Range j has the states starts[j, 0]:starts[j + 1, 0], room for the rows starts[j, 1]:starts[j + 1, 1] and for the
    probabilities starts[j, 2]:starts[j + 1, 2], and lists `offsets` and `indptr` of its own, one entry longer, which
    count from its first row and its first probability.
    """

    starts: Int64[np.ndarray, "ranges 3"]
    offsets: Int64[np.ndarray, " offsets"]
    indptr: Int[np.ndarray, " rows"]
    successors: Int32[np.ndarray, " nonzeros"]
    probabilities: Float64[np.ndarray, " nonzeros"]
    rewards: Float64[np.ndarray, " pairs"]
    gamma: float

    def part(self, j: int) -> tuple[np.ndarray, ...]:
        """The arrays of one range."""
        (state, row, entry), (last_state, last_row, last_entry) = self.starts[j : j + 2].tolist()
        return (
            self.offsets[state + j : last_state + j + 1],
            self.indptr[row + j : last_row + j + 1],
            self.successors[entry:last_entry],
            self.probabilities[entry:last_entry],
            self.rewards[row:last_row],
        )

    def parts(self) -> list[tuple[np.ndarray, ...]]:
        """The arrays of all ranges."""
        return [self.part(j) for j in range(len(self.starts) - 1)]

    def size(self) -> int:
        """Probabilities that are kept."""
        return sum(int(indptr[offsets[-1]]) for offsets, indptr, *_ in self.parts())

    def sweep(self, run: Run, v: Vector, spare: Vector, *, span: float, limit: int) -> tuple[Vector, Vector]:
        """Sweeps from v until the change is constant up to `span`; both arrays are overwritten.

        Returns the new values and the spare array. Stops too where rounding has ended all progress.
        """
        if len(self.starts) == 2 or self.size() < WORTH_THREADS:
            rows = (self.offsets, self.indptr, self.successors, self.probabilities, self.rewards)
            swapped = kept_sweeps(self.starts, *rows, self.gamma, v, spare, span, limit)
            return (spare, v) if swapped else (v, spare)
        parts = list(zip(self.starts[:-1, 0].tolist(), self.parts(), strict=True))
        best, stalled, before = np.inf, 0, np.empty(0)
        for sweep in range(limit):
            ends = run(kept_sweep, [(first, *part, self.gamma, v, spare) for first, part in parts])
            change = max(high for _, high in ends) - min(low for low, _ in ends)
            stalled = stalled + 1 if change >= best else 0
            best = min(best, change)
            if change <= span or stalled >= STALLED:
                return spare, v
            if sweep % SERIES == SERIES - 2:
                before = spare - v
            elif sweep % SERIES == SERIES - 1 and sweep + 1 < limit:
                add_the_rest(before, v, spare)
            v, spare = spare, v
        return v, spare

    def chain(self) -> Chain:
        """The chain of the policy, where each state has kept one row and there is one range."""
        states = int(self.starts[-1, 0])
        return Chain(self.indptr[: states + 1], self.successors, self.probabilities, self.rewards, self.gamma)


def room_for_rows(mdp: MDP, ranges: Ranges) -> KeptRows:
    """Room for any selection of an MDP's rows; memory that is not written to is not used."""
    states = np.array([0, *(last for _, last in ranges)])
    rows = mdp.offsets[states]
    parts = len(ranges)
    return KeptRows(
        starts=np.column_stack([states, rows, mdp.indptr[rows]]),
        offsets=np.zeros(mdp.n_states + parts, np.int64),
        indptr=np.zeros(mdp.n_pairs + parts, mdp.indptr.dtype),
        successors=np.empty(mdp.successors.size, np.int32),
        probabilities=np.empty(mdp.successors.size),
        rewards=np.empty(mdp.n_pairs),
        gamma=mdp.gamma,
    )
