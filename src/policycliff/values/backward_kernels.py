"""The compiled backward pass of acyclic MDPs, with the exact rounding errors of its operations. Cost: O(nonzeros)."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import float64
from numba.extending import intrinsic

from policycliff.mdp.compilation import Floats, Indices, Integers, compiled
from policycliff.mdp.kernels import UNIT_ROUNDOFF
from policycliff.values.backup_kernels import ONE, soft_value


def _fused(_typing: Any, _x: Any, _y: Any, _z: Any) -> Any:
    """What Numba inserts for x * y + z with one rounding: an instruction, or the C library where there is none."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return float64(float64, float64, float64), generate


fused = cast("Callable[[float, float, float], float]", intrinsic(_fused))


@compiled
def product_error(x: float, y: float) -> float:
    """Exact error of the rounded product x * y, or a bound on it where it could underflow."""
    product = x * y
    if abs(product) < 1e-250 and x != 0.0 and y != 0.0:
        return UNIT_ROUNDOFF * abs(product) + 1e-300
    return abs(fused(x, y, -product))


@compiled
def sum_error(x: float, y: float) -> float:
    """Exact error of the rounded sum x + y (Knuth)."""
    total = x + y
    y_part = total - x
    return abs((x - (total - y_part)) + (y - y_part))


@compiled
def _continuation(
    start: np.uint64, end: np.uint64, successors: Indices, probabilities: Floats, v: Floats, error: Floats
) -> tuple[float, float]:
    """Expected value of the successors start:end, and a bound on its error."""
    if end - start == ONE and probabilities[start] == 1.0:
        ahead = np.uint32(successors[start])
        return v[ahead], error[ahead]
    total, size, carried = 0.0, 0.0, 0.0
    for k in range(start, end):
        ahead = np.uint32(successors[k])
        total += probabilities[k] * v[ahead]
        size += probabilities[k] * abs(v[ahead])
        carried += probabilities[k] * error[ahead]
    return total, carried + (np.float64(end - start) + 1.0) * UNIT_ROUNDOFF * size + 1e-300


@compiled
def _exact_backup(
    reward: float, gamma: float, total: float, inherited: float, length: np.uint64
) -> tuple[float, float]:
    """The sum of reward and gamma * total, and a bound on its error given that of `total`."""
    discounted = total
    bound = gamma * inherited
    if gamma != 1.0:
        discounted = gamma * total
        bound += product_error(gamma, total)
    bound += sum_error(reward, discounted)
    if not math.isfinite(reward + discounted):
        # Overflow: the errors above are no numbers, and a maximum of bounds would pass over them.
        return reward + discounted, math.inf
    return reward + discounted, bound * (1.0 + (np.float64(length) + 16.0) * 2.0 * UNIT_ROUNDOFF)


@compiled
def backward_pass(
    order: Integers,
    offsets: Integers,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    rewards: Floats,
    gamma: float,
    base: Floats,
    temperature: float,
    slack: float,
    q: Floats,
    v: Floats,
    policy: Floats,
) -> float:
    """Solve in one pass, successors first, and return an upper bound on the error of q (see `values.backward`).

    `policy` gets 1 at the first maximiser of each state. temperature 0 is the hard maximum. `slack` bounds the rounding
    of one soft maximum apart from its last addition.
    """
    error = np.zeros(v.size)
    worst = 0.0
    for place in range(order.size):
        state = np.uint64(order[place])
        first, last = np.uint64(offsets[state]), np.uint64(offsets[state + ONE])
        state_error = 0.0
        best: int | np.uint64 = first
        top = -np.inf
        end = np.uint64(indptr[first])
        for pair in range(first, last):
            start, end = end, np.uint64(indptr[pair + ONE])
            value = rewards[pair]
            if start < end and gamma != 0.0:
                total, inherited = _continuation(start, end, successors, probabilities, v, error)
                value, bound = _exact_backup(value, gamma, total, inherited, end - start)
                state_error = max(state_error, bound)
            q[pair] = value
            best = pair if value > top else best
            top = max(top, value)
        policy[best] = 1.0
        worst = max(worst, state_error)
        v[state] = top
        if temperature > 0.0 and (last - first > ONE or base[first] != 1.0):
            v[state] = soft_value(q, base, first, last, temperature)
            state_error += slack + 4.0 * UNIT_ROUNDOFF * abs(v[state])
        error[state] = state_error
    return worst
