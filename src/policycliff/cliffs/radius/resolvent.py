"""Rows of the resolvent: row(s, a) = (gamma P(s, a, .) - e_s) M with M = (I - gamma P_pi)^-1, never forming M.

With z = P(s, a, .) - P(s, pi(s), .), row(s, a) = gamma z M - e_s, and z M is found by `policycliff.values.left_solve`.
Because z sums to 0 (up to what enters terminal states) sweeps are fast. The remainder bounds the norm of each row from
both sides.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.values.chain import Chain, deterministic_chain
from policycliff.values.left_solve import RELATIVE_ERROR, LeftSolver, make_left_solver


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
    solver: LeftSolver

    @property
    def chain(self) -> Chain:
        """The chain of the policy."""
        return self.solver.chain

    @property
    def amplification(self) -> float:
        """Upper bound on the 1-norm of a row of M."""
        return self.solver.amplification

    @property
    def by_sweeps(self) -> bool:
        """Whether rows are found by sweeps, so that a coarse one costs less."""
        return self.solver.by_sweeps

    def row(self, pair: int, state: int, *, relative_error: float = RELATIVE_ERROR) -> Row:
        """The row of a pair of this state; a larger relative error saves sweeps where there are any."""
        z = self._difference(pair, int(self.best[state]))
        x, remainder = self.solver.solve(z, relative_error=relative_error)
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


def make_resolvent(mdp: MDP, best: Int64[np.ndarray, " states"]) -> Resolvent:
    """The resolvent of the policy that takes pair best[s] in state s."""
    return Resolvent(mdp=mdp, best=best, solver=make_left_solver(mdp, deterministic_chain(mdp, best)))
