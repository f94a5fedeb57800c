"""The compiled backward pass of acyclic MDPs, with the exact rounding errors of its operations. Cost: O(nonzeros)."""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import numpy as np

from policycliff.mdp.compilation import Floats, Indices, Integers, compiled
from policycliff.values.backup_kernels import UNIT_ROUNDOFF, soft_value


@compiled
def product_error(x: float, y: float) -> float:
    """Exact error of the rounded product x * y (Dekker), or a bound on it where splitting would overflow."""
    product = x * y
    if abs(x) > 1e140 or abs(y) > 1e140 or (abs(product) < 1e-250 and x != 0.0 and y != 0.0):
        return UNIT_ROUNDOFF * abs(product) + 1e-300
    split_x = 134217729.0 * x
    split_y = 134217729.0 * y
    x_high = split_x - (split_x - x)
    y_high = split_y - (split_y - y)
    x_low = x - x_high
    y_low = y - y_high
    return abs(x_low * y_low - (((product - x_high * y_high) - x_low * y_high) - x_high * y_low))


@compiled
def sum_error(x: float, y: float) -> float:
    """Exact error of the rounded sum x + y (Knuth)."""
    total = x + y
    y_part = total - x
    return abs((x - (total - y_part)) + (y - y_part))


@compiled
def _continuation(
    start: int, end: int, successors: Indices, probabilities: Floats, v: Floats, error: Floats
) -> tuple[float, float]:
    """Expected value of the successors start:end, and a bound on its error."""
    total, size, carried = 0.0, 0.0, 0.0
    for k in range(start, end):
        total += probabilities[k] * v[successors[k]]
        size += probabilities[k] * abs(v[successors[k]])
        carried += probabilities[k] * error[successors[k]]
    if end == start + 1 and probabilities[start] == 1.0:
        return total, carried
    return total, carried + (end - start + 1) * UNIT_ROUNDOFF * size + 1e-300


@compiled
def _exact_backup(reward: float, gamma: float, total: float, inherited: float, length: int) -> tuple[float, float]:
    """The sum of reward and gamma * total, and a bound on its error given that of `total`."""
    discounted = total
    bound = gamma * inherited
    if gamma != 1.0:
        discounted = gamma * total
        bound += product_error(gamma, total)
    bound += sum_error(reward, discounted)
    return reward + discounted, bound * (1.0 + (length + 16) * 2.0 * UNIT_ROUNDOFF)


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
) -> float:
    """Solve in one pass, successors first, and return an upper bound on the error of q (see `values.backward`).

    temperature 0 is the hard maximum. `slack` bounds the rounding of one soft maximum apart from its last addition.
    """
    error = np.zeros(v.size)
    worst = 0.0
    for state in order:
        first, last = offsets[state], offsets[state + 1]
        state_error = 0.0
        top = -np.inf
        for pair in range(first, last):
            start, end = indptr[pair], indptr[pair + 1]
            q[pair] = rewards[pair]
            if start < end and gamma != 0.0:
                total, inherited = _continuation(start, end, successors, probabilities, v, error)
                q[pair], bound = _exact_backup(rewards[pair], gamma, total, inherited, end - start)
                state_error = max(state_error, bound)
            top = max(top, q[pair])
        worst = max(worst, state_error)
        v[state] = top
        if temperature > 0.0 and (last - first > 1 or base[first] != 1.0):
            v[state] = soft_value(q, base, first, last, temperature)
            state_error += slack + 4.0 * UNIT_ROUNDOFF * abs(v[state])
        error[state] = state_error
    return worst
