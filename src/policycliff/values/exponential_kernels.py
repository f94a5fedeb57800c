"""The exponential function of whole arrays, written so that compilers handle several entries at once.

A call of the C library an entry is what soft backups would spend half of their time on.
"""

import math

import numpy as np

from policycliff.mdp.compilation import Floats, compiled

# Below this, the exponential rounds to 0 in double precision.
LOWEST = -746.0
# Adding this rounds to an integer; adding the other leaves the integer in the last bits.
ROUNDING = 1.5 * 2.0**52
BITS = 2.0**52
# log 2 = HIGH + LOW; HIGH ends in 21 zero bits, so that its products with the exponents here are exact.
PER_DOUBLING = 1.0 / math.log(2.0)
HIGH, LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
# Both powers of two below have exponents of normal numbers, also where their product has not.
BIAS = 2048.0
ONE, EXPONENT_AT, LAST = np.uint64(1), np.uint64(52), np.uint64(0xFFF)
C2, C3, C4, C5, C6, C7 = (1.0 / math.factorial(n) for n in range(2, 8))
C8, C9, C10, C11, C12, C13 = (1.0 / math.factorial(n) for n in range(8, 14))


@compiled
def exponentials(x: Floats, size: int, divisor: float) -> None:
    """Replace the first `size` entries of x by exp(x), within 2 units in the last place; entries above 0 count as 0.

    With k the nearest integer to x / log 2 and r = x - k log 2, abs(r) <= 0.3466: exp(x) = 2^k exp(r), and the Taylor
    polynomial of degree 13 leaves 5e-18 of exp(r).
    """
    for i in range(size):
        bounded = min(max(x[i] / divisor, LOWEST), 0.0)
        k = (bounded * PER_DOUBLING + ROUNDING) - ROUNDING
        r = (bounded - k * HIGH) - k * LOW
        r2 = r * r
        r4 = r2 * r2
        low = (C2 + C3 * r) + r2 * (C4 + C5 * r)
        middle = (C6 + C7 * r) + r2 * (C8 + C9 * r)
        high = (C10 + C11 * r) + r2 * (C12 + C13 * r)
        power = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)))
        exponent = np.uint64(np.float64(k + BIAS + BITS).view(np.int64)) & LAST
        half = exponent >> ONE
        one = np.uint64((half - ONE) << EXPONENT_AT).view(np.float64)
        other = np.uint64((exponent - half - ONE) << EXPONENT_AT).view(np.float64)
        x[i] = power * one * other
