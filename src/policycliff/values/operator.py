"""The Bellman optimality operator of an MDP, hard or soft, and what is known about its rounding.

T v = max_a (R + gamma P v), or the soft maximum of `policycliff.values.regularizers`. T is monotone, and adding a
constant c to v adds gamma * (row sum) * c to T v outside terminal states. Both facts hold for the hard and the soft
form, and the certificates of `policycliff.values.certificates` use nothing else.

Cost: one sweep is O(nonzeros); the buffers of an operator are reused between sweeps.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from policycliff.mdp.compilation import frozen
from policycliff.mdp.kernels import longest_path
from policycliff.mdp.model import MDP
from policycliff.values.backup_kernels import hard_start, hard_sweep, soft_sweep
from policycliff.values.chain import Chain, empty_chain
from policycliff.values.regularizers import Regularizer
from policycliff.values.threads import Ranges, Run

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True)
class Backup:
    """One application of T to `v`: its Q-values, the new values and the range of their change.

    `chains` hold the rows of the greedy policy, or of all actions near the best, range by range. Only the hard operator
    has them, not after `start`, and they are valid until the next backup.
    """

    v: Float64[np.ndarray, " states"]
    q: Float64[np.ndarray, " pairs"]
    values: Float64[np.ndarray, " states"]
    chains: tuple[Chain, ...]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BellmanOperator:
    """T for one MDP and one regularizer (temperature 0: none), computed by ranges of states."""

    mdp: MDP
    temperature: float
    base: Float64[np.ndarray, " pairs"]
    amplification: float
    reward_size: float
    longest_row: int
    soft_log_range: float
    ranges: Ranges
    run: Run
    chains: tuple[Chain, ...]

    def start(self) -> Backup:
        """The backup of v = 0: no pass over the kernel is needed where the maximum is hard."""
        mdp = self.mdp
        zero, values = np.zeros(mdp.n_states), np.empty(mdp.n_states)
        if self.temperature != 0.0:
            return self.apply(zero, out=values, q=np.empty(mdp.n_pairs))
        low, high = hard_start(mdp.offsets, mdp.rewards, values)
        return Backup(v=zero, q=mdp.rewards, values=values, chains=(), low=low, high=high)

    def apply(
        self,
        v: Float64[np.ndarray, " states"],
        *,
        out: Float64[np.ndarray, " states"],
        q: Float64[np.ndarray, " pairs"],
        slack: float = -1.0,
    ) -> Backup:
        """T v; writes the values to `out` and the Q-values to `q`.

        The rows of the first maximisers, or of all actions within a `slack` of 0 or more of the best, go to the chains.
        """
        mdp = self.mdp
        kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma)
        if self.temperature != 0.0:
            found = self.run(
                soft_sweep, [(*ends, *kernel, self.base, self.temperature, v, q, out) for ends in self.ranges]
            )
        else:
            kept = zip(self.ranges, self.chains, strict=True)
            found = self.run(
                hard_sweep, [(*ends, *kernel, slack, v, q, out, *chain.rows[1:-1]) for ends, chain in kept]
            )
        low, high = min(ends[0] for ends in found), max(ends[1] for ends in found)
        return Backup(v=v, q=q, values=out, chains=self.chains, low=low, high=high)

    @property
    def contraction(self) -> float:
        """Upper bound on gamma times the largest exact row sum."""
        return self.mdp.gamma * (1.0 + self.mdp.row_sum_error) * (1.0 + 4.0 * UNIT_ROUNDOFF)

    def q_rounding(self, value_size: float) -> float:
        """Bound on the rounding of one Q-value where abs(v) <= value_size.

        A dot product of n terms errs by at most n u |p| |v| in any order, the product with gamma and the sum with R
        by one u each; one more n-independent u covers second-order terms, 1e-300 covers underflow.
        """
        return (self.longest_row + 4) * UNIT_ROUNDOFF * (self.reward_size + self.contraction * value_size) + 1e-300

    def soft_slack(self) -> float:
        """Bound on the rounding of a soft maximum, apart from its last addition (0 where the maximum is hard).

        With exp and log within 4 units in the last place: the relative error of a sum of n weights
        base * exp(x) is at most (n + 6 + 2 E|x|) u, where E|x| under those weights is at most L, the largest
        log of 1/base on the support, or log n without a reference; the logarithm adds 4 u times its size, at most L.
        """
        if self.temperature == 0.0:
            return 0.0
        widest = int(np.diff(self.mdp.offsets).max())
        return 2.0 * UNIT_ROUNDOFF * self.temperature * (widest + 8.0 + 6.0 * self.soft_log_range)

    def value_rounding(self, value_size: float) -> float:
        """Bound on the rounding of one new value where abs(v) <= value_size."""
        top = self.reward_size + value_size
        soft = self.soft_slack() + (4.0 * UNIT_ROUNDOFF * (top + self.temperature * self.soft_log_range))
        return self.q_rounding(value_size) + (soft if self.temperature else 0.0)


def make_operator(mdp: MDP, regularizer: Regularizer | None, ranges: Ranges, run: Run) -> BellmanOperator:
    """The operator with its constants: how far a constant residual grows, and what rounding depends on."""
    temperature = 0.0 if regularizer is None else float(regularizer.temperature)
    base = frozen(np.ones(1)) if regularizer is None else regularizer.base(mdp)
    log_range = 0.0
    if regularizer is not None:
        widest = float(np.diff(mdp.offsets).max())
        smallest = float(base[base > 0.0].min())
        log_range = max(float(np.log(widest)), -float(np.log(smallest)), 0.0)
    return BellmanOperator(
        mdp=mdp,
        temperature=temperature,
        base=base,
        amplification=amplification(mdp),
        reward_size=float(np.abs(mdp.rewards).max()),
        longest_row=int(np.diff(mdp.indptr).max()),
        soft_log_range=log_range,
        ranges=ranges,
        run=run,
        chains=tuple(empty_chain(mdp, *ends) for ends in ranges) if regularizer is None else (),
    )


def amplification(mdp: MDP) -> float:
    """Upper bound on what a residual of 1 everywhere outside terminal states does to the values.

    1 / (1 - gamma * largest row sum), or, where the MDP is acyclic, the discounted length of its longest path, which
    is finite at gamma = 1 too; inf where neither is finite in double precision.
    """
    contraction = mdp.gamma * (1.0 + mdp.row_sum_error) * (1.0 + 4.0 * UNIT_ROUNDOFF)
    geometric = np.inf
    if contraction < 1.0 - 4.0 * UNIT_ROUNDOFF:
        geometric = 1.0 / (1.0 - contraction) * (1.0 + 4.0 * UNIT_ROUNDOFF)
    if mdp.order is None:
        return float(geometric)
    lengths = longest_path(mdp.order, mdp.first_successors, mdp.successors, contraction)
    return float(min(geometric, lengths.max() * (1.0 + (2.0 * mdp.n_states + 2.0) * UNIT_ROUNDOFF)))
