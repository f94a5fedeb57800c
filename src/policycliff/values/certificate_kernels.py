"""The arithmetic of `policycliff.values.certificates`, compiled: one call a backup, for one reward or for many."""

import math
from typing import NamedTuple

from policycliff.mdp.compilation import compiled
from policycliff.mdp.kernels import UNIT_ROUNDOFF


class Constants(NamedTuple):
    """What the bounds of an MDP depend on beside the backup and the size of the rewards.

    `contraction` is an upper bound on gamma times the largest exact row sum, `amplification` on what a residual of 1
    outside terminal states does to the values; `longest_row` and `widest_state` count successors and actions.
    """

    gamma: float
    contraction: float
    amplification: float
    row_sum_error: float
    longest_row: int
    widest_state: int
    temperature: float
    soft_log_range: float


@compiled
def q_rounding(value_size: float, reward_size: float, constants: Constants) -> float:
    """Bound on the rounding of one Q-value where abs(v) <= value_size.

    A dot product of n terms errs by at most n u |p| |v| in any order, the product with gamma and the sum with R
    by one u each; one more n-independent u covers second-order terms, 1e-300 covers underflow.
    """
    terms = constants.longest_row + 4
    return terms * UNIT_ROUNDOFF * (reward_size + constants.contraction * value_size) + 1e-300


@compiled
def soft_slack(constants: Constants) -> float:
    """Bound on the rounding of a soft maximum, apart from its last addition (0 where the maximum is hard).

    With exp and log within 4 units in the last place: the relative error of a sum of n weights
    base * exp(x) is at most (n + 6 + 2 E|x|) u, where E|x| under those weights is at most L, the largest
    log of 1/base on the support, or log n without a reference; the logarithm adds 4 u times its size, at most L.
    """
    spread = constants.widest_state + 8.0 + 6.0 * constants.soft_log_range
    return 2.0 * UNIT_ROUNDOFF * constants.temperature * spread


@compiled
def value_rounding(value_size: float, reward_size: float, constants: Constants) -> float:
    """Bound on the rounding of one new value where abs(v) <= value_size."""
    plain = q_rounding(value_size, reward_size, constants)
    if constants.temperature == 0.0:
        return plain
    top = reward_size + value_size + constants.temperature * constants.soft_log_range
    return plain + (soft_slack(constants) + 4.0 * UNIT_ROUNDOFF * top)


@compiled
def _reach(height: float, constants: Constants) -> float:
    """How far above v (or below, mirrored) V* can lie if T v - v is at most `height`; negative heights shrink it."""
    if height == 0.0:
        return 0.0
    if height > 0.0:
        return height * constants.amplification
    smallest = constants.gamma * (1.0 - constants.row_sum_error) * (1.0 - 4.0 * UNIT_ROUNDOFF)
    return height / (1.0 - smallest)


@compiled
def span_certificate(
    low: float, high: float, value_size: float, reward_size: float, constants: Constants
) -> tuple[float, float, float]:
    """(shift, bound, floor) from the range of T v - v: see `policycliff.values.certificates`."""
    delta = q_rounding(value_size, reward_size, constants)
    value_delta = value_rounding(value_size, reward_size, constants)
    lower = -low * (1.0 + math.copysign(2.0 * UNIT_ROUNDOFF, -low)) + value_delta
    upper = high * (1.0 + math.copysign(2.0 * UNIT_ROUNDOFF, high)) + value_delta
    lower, upper = _reach(lower, constants), _reach(upper, constants)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return 0.0, math.inf, math.inf
    shift = constants.gamma * 0.5 * (upper - lower)
    largest = max(abs(lower), abs(upper))
    last = UNIT_ROUNDOFF * (reward_size + constants.contraction * value_size + 2.0 * largest)
    slack = delta + 4.0 * (constants.row_sum_error + 4.0 * UNIT_ROUNDOFF) * largest + 2.0 * last
    rounding = constants.gamma * value_delta * constants.amplification + slack
    bound = constants.gamma * 0.5 * (upper + lower) + slack
    return shift, bound * (1.0 + 1e-14), rounding * (1.0 + 1e-14)
