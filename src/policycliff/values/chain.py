"""The Markov chain of a fixed policy, v = r + gamma P v, or some states of it.

A deterministic policy picks one row a state; a stochastic one averages the rows of each state. With a regularizer
the reward of the chain contains it: r(s) = sum_a pi (R - temperature * log(pi / base)).

Cost: O(nonzeros of the chain); the direct solve is a sparse LU factorisation, used for small chains.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float64, Int32, Int64
from scipy.sparse.linalg import SuperLU, splu

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.values.sweep_kernels import chain_sweeps, chosen_rows

DIRECT_LIMIT = 3000


@dataclass(frozen=True, slots=True)
class Chain:
    """v = r + gamma P v, or v = max (r + gamma P v) over few rows a state; arrays may be longer than needed.

    The rows of state first + i are offsets[i]:offsets[i + 1]; a chain has one each, and only then, and with all states,
    can it be solved directly.
    """

    first: int
    offsets: Int64[np.ndarray, " offsets"]
    indptr: Int64[np.ndarray, " rows"]
    successors: Int32[np.ndarray, " nonzeros"]
    probabilities: Float64[np.ndarray, " nonzeros"]
    rewards: Float64[np.ndarray, " pairs"]
    gamma: float

    @property
    def n_states(self) -> int:
        """Number of states that have rows here."""
        return self.offsets.size - 1

    @property
    def matrix(self) -> sp.csr_array:
        """P as a SciPy CSR array."""
        size = self.n_states
        end = int(self.indptr[size])
        entries = (self.probabilities[:end], self.successors[:end], self.indptr[: size + 1])
        return sp.csr_array(entries, shape=(size, size), copy=True)

    @property
    def rows(self) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
        """What the kernels of sweeps take."""
        return self.first, self.offsets, self.indptr, self.successors, self.probabilities, self.rewards, self.gamma

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
        return (spare, v) if chain_sweeps(*self.rows, v, spare, span, limit) else (v, spare)

    def factorise(self, *, transposed: bool = False) -> SuperLU:
        """Sparse LU factors of I - gamma P, or of its transpose."""
        system = sp.eye_array(self.n_states, format="csr") - self.gamma * self.matrix
        return splu(sp.csc_array(system.T if transposed else system))

    def solve(self) -> Float64[np.ndarray, " states"]:
        """The values, by a direct solve and one step of refinement."""
        factors = self.factorise()
        rewards = self.rewards[: self.n_states]
        v = factors.solve(rewards)
        residual = rewards + self.gamma * (self.matrix @ v) - v
        return np.asarray(v + factors.solve(residual))


def empty_chain(mdp: MDP, first: int, last: int) -> Chain:
    """Room for any selection of the rows of the states first:last; memory that is not written to is not used."""
    pairs = int(mdp.offsets[last] - mdp.offsets[first])
    entries = int(mdp.indptr[mdp.offsets[last]] - mdp.indptr[mdp.offsets[first]])
    return Chain(
        first=first,
        offsets=np.zeros(last - first + 1, np.int64),
        indptr=np.zeros(pairs + 1, np.int64),
        successors=np.empty(entries, np.int32),
        probabilities=np.empty(entries),
        rewards=np.empty(pairs),
        gamma=mdp.gamma,
    )


def deterministic_chain(mdp: MDP, best: Int64[np.ndarray, " states"]) -> Chain:
    """The chain of the policy that takes pair best[s] in state s."""
    indptr, successors, probabilities = chosen_rows(frozen(best), mdp.indptr, mdp.successors, mdp.probabilities)
    return Chain(0, np.arange(best.size + 1), indptr, successors, probabilities, mdp.rewards[best], mdp.gamma)


def stochastic_chain(
    mdp: MDP, policy: Float64[np.ndarray, " pairs"], pair_rewards: Float64[np.ndarray, " pairs"]
) -> Chain:
    """The chain of a policy over pairs with these rewards (0 log 0 = 0 is the caller's business)."""
    weights = sp.csr_array((policy, np.arange(mdp.n_pairs), mdp.offsets), shape=(mdp.n_states, mdp.n_pairs))
    matrix = sp.csr_array(weights @ mdp.transitions)
    return Chain(
        first=0,
        offsets=np.arange(mdp.n_states + 1),
        indptr=matrix.indptr.astype(np.int64),
        successors=matrix.indices.astype(np.int32),
        probabilities=matrix.data,
        rewards=np.asarray(weights @ pair_rewards),
        gamma=mdp.gamma,
    )
