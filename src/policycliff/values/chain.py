"""The Markov chain of a fixed policy, v = r + gamma P v, and two ways to evaluate it.

A deterministic policy picks one row a state; a stochastic one averages the rows of each state. With a regularizer
the reward of the chain contains it: r(s) = sum_a pi (R - temperature * log(pi / base)).

Cost: sweeps O(nonzeros of the chain) each; the direct solve is a sparse LU factorisation, used for small chains.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.compilation import frozen, starts_type
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int, Int32, Int64
from policycliff.values.sweep_kernels import chosen_rows, kept_sweeps

DIRECT_LIMIT = 3000


@dataclass(frozen=True, slots=True)
class Chain:
    """v = r + gamma P v: one row a state; arrays may be longer than needed."""

    indptr: Int[np.ndarray, " rows"]
    successors: Int32[np.ndarray, " nonzeros"]
    probabilities: Float64[np.ndarray, " nonzeros"]
    rewards: Float64[np.ndarray, " pairs"]
    gamma: float

    @property
    def n_states(self) -> int:
        """Number of states."""
        return self.indptr.size - 1

    @property
    def matrix(self) -> sp.csr_array:
        """P as a SciPy CSR array."""
        size, end = self.n_states, int(self.indptr[-1])
        entries = (self.probabilities[:end], self.successors[:end], self.indptr)
        return sp.csr_array(entries, shape=(size, size), copy=True)

    def sweep(
        self,
        v: Float64[np.ndarray, " states"],
        spare: Float64[np.ndarray, " states"],
        *,
        span: float,
        limit: int,
    ) -> tuple[Float64[np.ndarray, " states"], Float64[np.ndarray, " states"]]:
        """Sweeps from v until the change is constant up to `span`; both arrays are overwritten.

        Returns the new values and the spare array.
        """
        whole = np.array([[0, 0, 0], [self.n_states, self.n_states, self.successors.size]])
        rows = (np.arange(self.n_states + 1), self.indptr, self.successors, self.probabilities, self.rewards)
        return (spare, v) if kept_sweeps(whole, *rows, self.gamma, v, spare, span, limit) else (v, spare)

    def factorise(self, *, transposed: bool = False) -> Any:
        """Sparse LU factors (`scipy.sparse.linalg.SuperLU`) of I - gamma P, or of its transpose."""
        # Loaded here: most solves do without.
        linalg = import_module("scipy.sparse.linalg")
        system = sp.eye_array(self.n_states, format="csr") - self.gamma * self.matrix
        return linalg.splu(sp.csc_array(system.T if transposed else system))

    def solve(self) -> Float64[np.ndarray, " states"]:
        """The values, by a direct solve and one step of refinement."""
        factors = self.factorise()
        rewards = self.rewards[: self.n_states]
        v = factors.solve(rewards)
        residual = rewards + self.gamma * (self.matrix @ v) - v
        return np.asarray(v + factors.solve(residual))


def deterministic_chain(mdp: MDP, best: Int64[np.ndarray, " states"]) -> Chain:
    """The chain of the policy that takes pair best[s] in state s."""
    indptr, successors, probabilities = chosen_rows(frozen(best), mdp.indptr, mdp.successors, mdp.probabilities)
    return Chain(indptr, successors, probabilities, mdp.rewards[best], mdp.gamma)


def stochastic_chain(
    mdp: MDP, policy: Float64[np.ndarray, " pairs"], pair_rewards: Float64[np.ndarray, " pairs"]
) -> Chain:
    """The chain of a policy over pairs with these rewards (0 log 0 = 0 is the caller's business)."""
    weights = sp.csr_array((policy, np.arange(mdp.n_pairs), mdp.offsets), shape=(mdp.n_states, mdp.n_pairs))
    matrix = sp.csr_array(weights @ mdp.transitions)
    return Chain(
        indptr=matrix.indptr.astype(starts_type(matrix.nnz)),
        successors=matrix.indices.astype(np.int32),
        probabilities=matrix.data,
        rewards=np.asarray(weights @ pair_rewards),
        gamma=mdp.gamma,
    )
