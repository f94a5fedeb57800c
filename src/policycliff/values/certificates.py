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

import math
from dataclasses import dataclass

from policycliff.values.certificate_kernels import span_certificate
from policycliff.values.operator import Backup, BellmanOperator


@dataclass(frozen=True, slots=True)
class Certificate:
    """What to add to Q outside terminal states, and then |Q - Q*| <= bound; `floor` is the part due to rounding."""

    shift: float
    bound: float
    floor: float


def certify(operator: BellmanOperator, backup: Backup) -> Certificate:
    """The certificate of one backup."""
    size = max(float(backup.v.max()), -float(backup.v.min()))
    given = (backup.low, backup.high, size if math.isfinite(size) else math.inf, operator.reward_size)
    return Certificate(*span_certificate(*given, operator.constants))
