"""A proven bound on |Q - Q*| from one Bellman backup: MacQueen's span bounds plus all rounding.

Theory. Let d = T v - v, and let every row of the kernel sum to at most k. If d <= h with h >= 0 then V* <= v + h A,
where A is 1 / (1 - gamma k), or the longest discounted path where the MDP is acyclic; if h < 0 (no terminal state)
then V* <= v + h / (1 - gamma k') with k' the smallest row sum. The mirror image bounds V* from below. So
Q* = R + gamma P V* lies within gamma times that interval of Q = R + gamma P v: its midpoint is added to Q, half its
length is the error. Terminal states take part with v = 0 and d = 0, exactly.

Rounding. The computed d is off by at most the rounding of one backup, delta, which widens the interval by 2 A delta;
delta enters once more through Q itself, and the last addition once. Without delta the claim would be false: one state,
R = 0.1, gamma = 0.9999 has computed residual 0 and an error of 3e-10.

Sources: MacQueen (1966); Puterman, Markov Decision Processes, section 6.6; Higham, Accuracy and Stability of
Numerical Algorithms, section 3.1, for the dot product.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.values.operator import UNIT_ROUNDOFF, Backup, BellmanOperator


@dataclass(frozen=True, slots=True)
class Certificate:
    """What to add to Q outside terminal states, and then |Q - Q*| <= bound; `floor` is the part due to rounding."""

    shift: float
    bound: float
    floor: float


def certify(operator: BellmanOperator, backup: Backup) -> Certificate:
    """The certificate of one backup."""
    gamma = operator.mdp.gamma
    size = float(np.abs(backup.v).max())
    delta = operator.q_rounding(size)
    value_delta = operator.value_rounding(size)
    lower = _reach(operator, -backup.low * (1.0 + _sign(-backup.low) * 2.0 * UNIT_ROUNDOFF) + value_delta)
    upper = _reach(operator, backup.high * (1.0 + _sign(backup.high) * 2.0 * UNIT_ROUNDOFF) + value_delta)
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return Certificate(shift=0.0, bound=np.inf, floor=np.inf)
    shift = gamma * 0.5 * (upper - lower)
    largest = max(abs(lower), abs(upper))
    last = UNIT_ROUNDOFF * (operator.reward_size + operator.contraction * size + 2.0 * largest)
    slack = delta + 4.0 * (operator.mdp.row_sum_error + 4.0 * UNIT_ROUNDOFF) * largest + 2.0 * last
    rounding = gamma * value_delta * operator.amplification + slack
    bound = gamma * 0.5 * (upper + lower) + slack
    return Certificate(shift=shift, bound=bound * (1.0 + 1e-14), floor=rounding * (1.0 + 1e-14))


def _sign(number: float) -> float:
    return 1.0 if number >= 0.0 else -1.0


def _reach(operator: BellmanOperator, height: float) -> float:
    """How far above v (or below, mirrored) V* can lie if T v - v is at most `height`; negative heights shrink it."""
    if height >= 0.0:
        return height * operator.amplification if height > 0.0 else 0.0
    smallest = operator.mdp.gamma * (1.0 - operator.mdp.row_sum_error) * (1.0 - 4.0 * UNIT_ROUNDOFF)
    return height / (1.0 - smallest)
