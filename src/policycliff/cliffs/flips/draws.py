"""Monte Carlo beside the bounds: how often a policy is no longer optimal once noise is added to the rewards.

A draw D moves the advantage of a pair under the policy pi by D(s, a) + gamma P(s, a) v - v(s), v the values of pi
under D. The policy stops being optimal if some advantage becomes positive. Many draws share one factorisation (or one
backward pass); memory is bounded by working in blocks. The share of such draws has a Clopper-Pearson interval.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import SuperLU
from scipy.special import betaincinv

from policycliff.cliffs.flips.reward_noise import RewardNoise
from policycliff.cliffs.radius.gaps import Gaps
from policycliff.cliffs.radius.kernels import right_solve_acyclic
from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.chain import DIRECT_LIMIT, Chain, deterministic_chain
from policycliff.values.operator import amplification

BLOCK_VALUES = 4_000_000
SWEEP_LIMIT = 100_000

# An advantage that the noise moves by less than this share of the largest possible move is rounding.
NEGLIGIBLE = 1e-13

Columns = Float64[np.ndarray, "rows draws"]


def count_flips(gaps: Gaps, noise: RewardNoise, *, samples: int, seed: int) -> int:
    """In how many of the draws the policy of `gaps` is not optimal."""
    mdp, rng = gaps.mdp, np.random.default_rng(seed)
    solver = make_chain_solver(gaps)
    rivals = np.flatnonzero(gaps.rivals)
    kernel, owners, limit = mdp.transitions[rivals], mdp.pair_states[rivals], gaps.gaps[rivals]
    reach = NEGLIGIBLE * 4.0 * amplification(mdp)
    flips, left, block = 0, samples, max(1, BLOCK_VALUES // mdp.n_pairs)
    while left > 0 and rivals.size:
        draws = noise.draw(rng, min(block, left))
        values = solver.values(draws[gaps.best])
        moves = draws[rivals] + mdp.gamma * (kernel @ values) - values[owners]
        threshold = limit[:, None] + reach * np.abs(draws).max(axis=0)
        flips += int((moves > threshold).any(axis=0).sum())
        left -= draws.shape[1]
    return flips


@dataclass(frozen=True, slots=True, eq=False)
class ChainSolver:
    """Values of one deterministic policy under many rewards at once."""

    mdp: MDP
    chain: Chain
    factors: SuperLU | None

    def values(self, rewards: Columns) -> Columns:
        """(states, draws) values of rewards (states, draws)."""
        chain = self.chain
        if self.mdp.order is not None:
            values = np.ascontiguousarray(rewards).copy()
            right_solve_acyclic(
                self.mdp.order, chain.indptr, chain.successors, chain.probabilities, chain.gamma, values
            )
            return values
        if self.factors is not None:
            return np.asarray(self.factors.solve(np.ascontiguousarray(rewards)))
        return np.stack([self._swept(column) for column in rewards.T], axis=1)

    def _swept(self, rewards: Float64[np.ndarray, " states"]) -> Float64[np.ndarray, " states"]:
        """One column by sweeps until the change is constant; a constant change c adds c / (1 - gamma)."""
        chain = replace(self.chain, rewards=frozen(rewards))
        span = 1e-12 * float(np.abs(rewards).max(initial=0.0))
        after, before = chain.sweep(np.zeros(rewards.size), np.empty(rewards.size), span=span, limit=SWEEP_LIMIT)
        change = after - before
        return np.asarray(after + 0.5 * (change.min() + change.max()) * chain.gamma / (1.0 - chain.gamma))


def make_chain_solver(gaps: Gaps) -> ChainSolver:
    """The solver for the policy of `gaps`."""
    mdp = gaps.mdp
    chain = deterministic_chain(mdp, np.array(gaps.best))
    direct = mdp.order is None and mdp.n_states <= DIRECT_LIMIT
    return ChainSolver(mdp, chain, chain.factorise() if direct else None)


def clopper_pearson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """The exact interval of a share.

    >>> [round(end, 4) for end in clopper_pearson(0, 100, 0.95)]
    [0.0, 0.0362]
    """
    tail = 0.5 * (1.0 - confidence)
    low = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, tail))
    high = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1.0 - tail))
    return low, high
