"""Compiled passes of lumping: keys of pairs and states modulo a prime, and the exact comparison of masses.

Keys guess which masses are equal, `same_masses` decides it. A probability m 2^e counts as the residue of m 2^e modulo
the prime 2^61 - 1: equal real sums have equal keys, whatever the order of the terms, and different sums hardly ever.
"""
# Kernels take the arrays of an MDP one by one, by position.
# ruff: noqa: PLR0917

import math

import numpy as np

from policycliff.mdp.compilation import Flags, Floats, Indices, Integers, compiled

PRIME = 2**61 - 1
# Masses are compared as integers high 2^-62 + low 2^-124.
LIMB = 2**62


@compiled
def _multiply(a: int, b: int) -> int:
    """The product of two residues modulo 2^61 - 1, in 64 bits."""
    a_high, a_low = a >> 31, a & 0x7FFFFFFF
    b_high, b_low = b >> 31, b & 0x7FFFFFFF
    middle = a_low * b_high + a_high * b_low
    total = a_high * b_high * 2 + (middle >> 30) + ((middle & 0x3FFFFFFF) << 31) + a_low * b_low
    total = (total & PRIME) + (total >> 61)
    return total - PRIME if total >= PRIME else total


@compiled
def residues(probabilities: Floats) -> Integers:
    """(nonzeros,) each probability m 2^e modulo 2^61 - 1, where 2^61 is 1."""
    out = np.empty(probabilities.size, np.int64)
    for k in range(probabilities.size):
        mantissa, exponent = math.frexp(probabilities[k])
        whole, shift = np.int64(mantissa * 2.0**53), (exponent - 53) % 61
        out[k] = ((whole << shift) & PRIME) | (whole >> (61 - shift))
    return out


@compiled
def mass_keys(indptr: Integers, successors: Indices, residue: Integers, weights: Integers) -> Integers:
    """(pairs,) sum of probability times the weight of the successor's block; weight 0 leaves a block out."""
    out = np.empty(indptr.size - 1, np.int64)
    for pair in range(out.size):
        total = 0
        for k in range(indptr[pair], indptr[pair + 1]):
            total += _multiply(weights[successors[k]], residue[k])
            if total >= PRIME:
                total -= PRIME
        out[pair] = total
    return out


@compiled
def _sort(pairs: Integers, size: int, masses: Integers, rewards: Floats) -> None:
    """Sort the first `size` pairs in place by mass key and reward (Shell sort: pairs of a state are mostly few)."""
    gap = 1
    while 3 * gap < size:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, size):
            pair, j = pairs[i], i
            while j >= gap:
                other = pairs[j - gap]
                if masses[other] < masses[pair] or (masses[other] == masses[pair] and rewards[other] <= rewards[pair]):
                    break
                pairs[j] = other
                j -= gap
            pairs[j] = pair
        gap //= 3


@compiled
def _set_key(pairs: Integers, size: int, masses: Integers, marks: Integers) -> tuple[int, int]:
    """Sum of squares of (mass key + mark) over the last sorted pair of each mass key, and the number of such pairs."""
    total, count = 0, 0
    for i in range(size):
        pair = pairs[i]
        if i + 1 == size or masses[pairs[i + 1]] != masses[pair]:
            key = (masses[pair] + marks[pair]) % PRIME
            total = (total + _multiply(key, key)) % PRIME
            count += 1
    return total, count


@compiled
def set_keys(
    offsets: Integers, masses: Integers, rewards: Floats, marks: Integers, open_states: Flags, largest: int
) -> tuple[Integers, int]:
    """(states,) keys of the sets of (masses, largest reward) of each state; how many open ones have two equal masses.

    `marks` (pairs,) are random residues, one a reward; `largest` is the most pairs of a state. Two pairs of equal
    masses are tied, or one is better: either way something is learnt.
    """
    out = np.empty(offsets.size - 1, np.int64)
    pairs = np.empty(largest, np.int64)
    hopeful = 0
    for state in range(out.size):
        start, size = offsets[state], offsets[state + 1] - offsets[state]
        for i in range(size):
            pairs[i] = start + i
        _sort(pairs, size, masses, rewards)
        out[state], count = _set_key(pairs, size, masses, marks)
        hopeful += open_states[state] and count < size
    return out, hopeful


@compiled
def _add(p: float, sign: int, block: int, high: Integers, low: Integers) -> bool:
    """Add or subtract a probability, as high 2^-62 + low 2^-124 with 0 <= low < 2^62; false if it has smaller bits."""
    # All floating-point operations here are exact: powers of two, a floor, and dropping leading bits.
    scaled = p * 2.0**62
    whole = math.floor(scaled)
    rest = (scaled - whole) * 2.0**62
    if rest != math.floor(rest):
        return False
    high[block] += sign * np.int64(whole)
    low[block] += sign * np.int64(rest)
    if low[block] >= LIMB:
        low[block] -= LIMB
        high[block] += 1
    elif low[block] < 0:
        low[block] += LIMB
        high[block] -= 1
    return True


@compiled
def _same_row(
    pair: int,
    other: int,
    indptr: Integers,
    successors: Indices,
    probabilities: Floats,
    blocks: Integers,
    high: Integers,
    low: Integers,
) -> bool:
    """Whether two pairs put the same mass into each block, as real numbers; `high` and `low` are 0 before and after."""
    proven = True
    for row, sign in ((pair, 1), (other, -1)):
        for k in range(indptr[row], indptr[row + 1]):
            block = blocks[successors[k]]
            if block != 0:
                proven = _add(probabilities[k], sign, block, high, low) and proven
    for row in (pair, other):
        for k in range(indptr[row], indptr[row + 1]):
            block = blocks[successors[k]]
            proven = proven and high[block] == 0 and low[block] == 0
            high[block], low[block] = 0, 0
    return proven


@compiled
def same_masses(
    indptr: Integers, successors: Indices, probabilities: Floats, blocks: Integers, n_blocks: int, models: Integers
) -> Flags:
    """(pairs,) whether each pair provably has the masses of its model, another pair, in every block but block 0."""
    high, low = np.zeros(n_blocks, np.int64), np.zeros(n_blocks, np.int64)
    out = np.empty(models.size, np.bool_)
    for pair in range(models.size):
        model = models[pair]
        out[pair] = pair == model or _same_row(pair, model, indptr, successors, probabilities, blocks, high, low)
    return out
