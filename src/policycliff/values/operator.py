"""The Bellman optimality operator of an MDP, hard or soft, and what is known about its rounding.

T v = max_a (R + gamma P v), or the soft maximum of `policycliff.values.regularizers`. T is monotone, and adding a
constant c to v adds gamma * (row sum) * c to T v outside terminal states. Both facts hold for the hard and the soft
form, and the certificates of `policycliff.values.certificates` use nothing else.

Cost: one sweep is O(nonzeros).
"""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.kernels import longest_path
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.backup_kernels import hard_start, hard_sweep, keep_rows, soft_sweep
from policycliff.values.certificate_kernels import Constants
from policycliff.values.kept_rows import KeptRows, room_for_rows
from policycliff.values.regularizers import Regularizer
from policycliff.values.threads import Ranges, Run

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True)
class Backup:
    """One application of T to `v`: its Q-values, the new values and the range of their change.

    `at_zero` says that v is 0 and the Q-values are the reward itself.
    """

    v: Float64[np.ndarray, " states"]
    q: Float64[np.ndarray, " pairs"]
    values: Float64[np.ndarray, " states"]
    low: float
    high: float
    at_zero: bool = False


@dataclass(frozen=True, slots=True)
class BellmanOperator:
    """T for one MDP and one regularizer (temperature 0: none), computed by ranges of states."""

    mdp: MDP
    base: Float64[np.ndarray, " pairs"]
    reward_size: float
    constants: Constants
    ranges: Ranges
    run: Run

    def start(self) -> Backup:
        """The backup of v = 0: no pass over the kernel is needed where the maximum is hard."""
        mdp = self.mdp
        zero, values = np.zeros(mdp.n_states), np.empty(mdp.n_states)
        if self.temperature != 0.0:
            return self.apply(zero, out=values, q=np.empty(mdp.n_pairs))
        low, high = hard_start(mdp.offsets, mdp.rewards, values)
        return Backup(v=zero, q=mdp.rewards, values=values, low=low, high=high, at_zero=True)

    def apply(
        self,
        v: Float64[np.ndarray, " states"],
        *,
        out: Float64[np.ndarray, " states"],
        q: Float64[np.ndarray, " pairs"],
    ) -> Backup:
        """T v; writes the values to `out` and the Q-values to `q`."""
        mdp = self.mdp
        kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma)
        if self.temperature != 0.0:
            calls = [(*ends, *kernel, self.base, self.temperature, v, q, out) for ends in self.ranges]
            found = self.run(soft_sweep, calls)
        else:
            found = self.run(hard_sweep, [(*ends, *kernel, v, q, out) for ends in self.ranges])
        low, high = min(ends[0] for ends in found), max(ends[1] for ends in found)
        return Backup(v=v, q=q, values=out, low=low, high=high)

    def keep(self, backup: Backup, slack: float) -> KeptRows:
        """The rows of all actions within `slack` of the best, or with a slack below 0 of the first maximisers.

        For the hard operator.
        """
        mdp, room = self.mdp, room_for_rows(self.mdp, self.ranges)
        kernel = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards)
        parts = zip(self.ranges, room.parts(), strict=True)
        self.run(keep_rows, [(*ends, slack, *kernel, backup.q, backup.values, *part) for ends, part in parts])
        return room

    @property
    def temperature(self) -> float:
        """The temperature of the soft maximum, 0 for the hard one."""
        return self.constants.temperature

    @property
    def amplification(self) -> float:
        """See `amplification`."""
        return self.constants.amplification


def make_operator(mdp: MDP, regularizer: Regularizer | None, ranges: Ranges, run: Run) -> BellmanOperator:
    """The operator with its constants: how far a constant residual grows, and what rounding depends on."""
    base = frozen(np.ones(1)) if regularizer is None else regularizer.base(mdp)
    return BellmanOperator(
        mdp=mdp,
        base=base,
        reward_size=max(float(mdp.rewards.max()), -float(mdp.rewards.min())),
        constants=make_constants(mdp, regularizer, base),
        ranges=ranges,
        run=run,
    )


def make_constants(mdp: MDP, regularizer: Regularizer | None, base: Float64[np.ndarray, " base"]) -> Constants:
    """What the certificates of an MDP depend on, whatever its rewards are."""
    widest = int(np.diff(mdp.offsets).max())
    log_range = 0.0
    if regularizer is not None:
        log_range = max(float(np.log(widest)), -float(np.log(base[base > 0.0].min())), 0.0)
    return Constants(
        gamma=float(mdp.gamma),
        contraction=mdp.gamma * (1.0 + mdp.row_sum_error) * (1.0 + 4.0 * UNIT_ROUNDOFF),
        amplification=amplification(mdp),
        row_sum_error=float(mdp.row_sum_error),
        longest_row=int(np.diff(mdp.indptr).max()),
        widest_state=widest,
        temperature=0.0 if regularizer is None else float(regularizer.temperature),
        soft_log_range=log_range,
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
