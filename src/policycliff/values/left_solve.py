"""Row vectors times (I - gamma P)^-1 of one policy, never forming the inverse, with what is left over.

Three ways, by size: acyclic chains by one forward pass; small chains by a sparse LU factorisation that all rows share;
large chains by sweeps, the sum of z (gamma P)^k, which for rows that sum to 0 ends at the speed at which the chain
mixes, whatever gamma is. Whatever the remainder r of a row x is, the true row is x + r (I - gamma P)^-1, and that
differs from x by at most ||r||_1 * (amplification of the MDP) in the 1-norm.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import SuperLU

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.chain import DIRECT_LIMIT, Chain
from policycliff.values.chain_kernels import left_solve_acyclic, left_step
from policycliff.values.operator import amplification

SWEEP_LIMIT = 20_000
RELATIVE_ERROR = 1e-12

Row = Float64[np.ndarray, " states"]


@dataclass(frozen=True, slots=True)
class LeftSolver:
    """Solves x (I - gamma P) = z for the chain of one policy of an MDP."""

    mdp: MDP
    chain: Chain
    factors: SuperLU | None
    amplification: float

    @property
    def by_sweeps(self) -> bool:
        """Whether rows are found by sweeps, so that a coarse one costs less."""
        return self.mdp.order is None and self.factors is None

    def solve(self, row: Row, *, relative_error: float = RELATIVE_ERROR) -> tuple[Row, float]:
        """The row times the inverse, and the L1 norm of what is left over; a larger error saves sweeps."""
        chain, z = self.chain, row.copy()
        kernel = (chain.indptr, chain.successors, chain.probabilities, chain.gamma)
        if self.mdp.order is not None:
            left_solve_acyclic(self.mdp.order, *kernel, z)
            return z, 0.0
        if self.factors is None:
            return self._sweep(z, relative_error)
        x = self.factors.solve(z)
        step = np.empty_like(x)
        left_step(*kernel, x, step)
        return x, float(np.abs(z + step - x).sum())

    def _sweep(self, z: Row, relative_error: float) -> tuple[Row, float]:
        """The sum of z (gamma P)^k until what is left cannot matter."""
        chain = self.chain
        kernel = (chain.indptr, chain.successors, chain.probabilities, chain.gamma)
        total, step, spare = z.copy(), z, np.empty_like(z)
        norm, goal = float(np.abs(z).sum()), relative_error / max(self.amplification, 1.0)
        for _ in range(SWEEP_LIMIT):
            if norm <= goal:
                break
            norm = float(left_step(*kernel, step, spare))
            step, spare = spare, step
            total += step
        return total, norm


def make_left_solver(mdp: MDP, chain: Chain, *, limit: int | None = None) -> LeftSolver:
    """The solver; chains with cycles of up to `limit` states (by default 3000) are factorised."""
    small = mdp.order is None and mdp.n_states <= (DIRECT_LIMIT if limit is None else limit)
    return LeftSolver(
        mdp=mdp,
        chain=chain,
        factors=chain.factorise(transposed=True) if small else None,
        amplification=amplification(mdp),
    )
