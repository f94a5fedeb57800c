"""Rows of the resolvent: row(s, a) = (gamma P(s, a, .) - e_s) M with M = (I - gamma P_pi)^-1, never forming M.

With z = P(s, a, .) - P(s, pi(s), .), row(s, a) = gamma z M - e_s. Because z sums to 0 (up to what enters terminal
states) z M is found by repeated sweeps at the speed at which the chain mixes, whatever gamma is.

Three ways, by size: acyclic chains by one forward pass; small chains by a sparse LU factorisation that all rows
share; large chains by sweeps. Whatever the remainder r of a row is, the true row is x + r M, and
||r M||_1 <= ||r||_1 * (amplification of the MDP): this bounds the norm of each row from both sides.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.sparse.linalg import SuperLU

from policycliff.mdp.model import MDP
from policycliff.values.chain import DIRECT_LIMIT, Chain, deterministic_chain
from policycliff.values.chain_kernels import left_solve_acyclic, left_step
from policycliff.values.operator import amplification

SWEEP_LIMIT = 20_000
RELATIVE_ERROR = 1e-12


@dataclass(frozen=True, slots=True)
class Row:
    """A computed row(s, a) and a bound on its L1 error."""

    entries: Float64[np.ndarray, " states"]
    error: float


@dataclass(frozen=True, slots=True)
class Resolvent:
    """Solves for rows of the resolvent of one deterministic policy."""

    mdp: MDP
    best: Int64[np.ndarray, " states"]
    chain: Chain
    factors: SuperLU | None
    amplification: float

    @property
    def by_sweeps(self) -> bool:
        """Whether rows are found by sweeps, so that a coarse one costs less."""
        return self.mdp.order is None and self.factors is None

    def row(self, pair: int, state: int, *, relative_error: float = RELATIVE_ERROR) -> Row:
        """The row of a pair of this state; a larger relative error saves sweeps where there are any."""
        z = self._difference(pair, int(self.best[state]))
        x, remainder = self._solve(z, relative_error)
        x *= self.mdp.gamma
        x[state] -= 1.0
        error = self.mdp.gamma * remainder * self.amplification + RELATIVE_ERROR * float(np.abs(x).sum())
        return Row(entries=x, error=error)

    def _difference(self, pair: int, other: int) -> Float64[np.ndarray, " states"]:
        z = np.zeros(self.mdp.n_states)
        for sign, row in ((1.0, pair), (-1.0, other)):
            span = slice(int(self.mdp.indptr[row]), int(self.mdp.indptr[row + 1]))
            np.add.at(z, self.mdp.successors[span], sign * self.mdp.probabilities[span])
        return z

    def _solve(
        self, z: Float64[np.ndarray, " states"], relative_error: float
    ) -> tuple[Float64[np.ndarray, " states"], float]:
        """The vector z M and the L1 norm of what is left over."""
        chain = self.chain
        kernel = (chain.indptr, chain.successors, chain.probabilities, chain.gamma)
        if self.mdp.order is not None:
            left_solve_acyclic(self.mdp.order, *kernel, z)
            return z, 0.0
        if self.factors is not None:
            x = self.factors.solve(z)
            step = np.empty_like(x)
            left_step(*kernel, x, step)
            return x, float(np.abs(z + step - x).sum())
        return self._sweep(z, relative_error)

    def _sweep(
        self, z: Float64[np.ndarray, " states"], relative_error: float
    ) -> tuple[Float64[np.ndarray, " states"], float]:
        """The sum of z (gamma P)^k until what is left cannot matter."""
        chain = self.chain
        kernel = (chain.indptr, chain.successors, chain.probabilities, chain.gamma)
        total, step, spare = z.copy(), z, np.empty_like(z)
        goal = relative_error / max(self.amplification, 1.0)
        norm = float(np.abs(z).sum())
        for _ in range(SWEEP_LIMIT):
            if norm <= goal:
                break
            norm = float(left_step(*kernel, step, spare))
            step, spare = spare, step
            total += step
        return total, norm


def make_resolvent(mdp: MDP, best: Int64[np.ndarray, " states"]) -> Resolvent:
    """The resolvent of the policy that takes pair best[s] in state s."""
    chain = deterministic_chain(mdp, best)
    small = mdp.order is None and mdp.n_states <= DIRECT_LIMIT
    return Resolvent(
        mdp=mdp,
        best=best,
        chain=chain,
        factors=chain.factorise(transposed=True) if small else None,
        amplification=amplification(mdp),
    )
