"""Ties of computed scores, decided in rational arithmetic.

In a column of given numbers `==` is exact. A weighted sum or a mean is rounded, and then `==` both misses ties
(0.8 + 0.2 against 1.0) and invents them. Scores that lie closer together than their rounding error are recomputed here
as fractions of the decimal numbers that the user wrote (the shortest decimal of each double: 0.1 is one tenth), and
rounded once, correctly: after that, equal means equal to 53 bits.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np

from policycliff.rollouts.segments import segment_max, segment_of, sort_within
from policycliff.shapes import Bool, Float64, Int64, Shaped

UNIT_ROUNDOFF = 2.0**-53
_LEAST_SUBNORMAL = 2.0**-1074

ExactValues = Callable[[Int64[np.ndarray, " k"]], list[Fraction]]
"""The exact values at some positions, as fractions."""


@lru_cache(maxsize=65536)
def decimal_fraction(value: float) -> Fraction:
    """The shortest decimal that identifies the double, as a fraction.

    >>> decimal_fraction(0.1)
    Fraction(1, 10)
    """
    return Fraction(repr(float(value)))


def weighted_sums(
    components: Float64[np.ndarray, "components rows"], weights: Float64[np.ndarray, " components"]
) -> Float64[np.ndarray, " rows"]:
    """Rounded weighted sum of every row; rows of equal components have equal sums, wherever they stand.

    A matrix product does not promise that: BLAS may add in another order at the end of an array.
    """
    sums = np.zeros(components.shape[1])
    for weight, values in zip(weights, components, strict=True):
        sums += weight * values
    return sums


def weighted_sum_error(
    components: Float64[np.ndarray, "components rows"], weights: Float64[np.ndarray, " components"]
) -> Float64[np.ndarray, " rows"]:
    """Bound on the difference between a rounded weighted sum and the exact one of the decimals.

    A sum of K products rounds at most K + 1 times along each path, and weight and score were each rounded once from
    their decimal: K + 3 relative errors of one unit roundoff, and one more for their second-order terms.
    """
    # Below the normal range rounding is absolute: half the least subnormal number a product.
    return (len(weights) + 4) * (UNIT_ROUNDOFF * (np.abs(weights) @ np.abs(components)) + _LEAST_SUBNORMAL)


def weighted_fractions(
    components: Float64[np.ndarray, "components rows"], weights: Float64[np.ndarray, " components"]
) -> list[Fraction]:
    """Exact weighted sums of the decimals; each distinct combination of components is computed once."""
    exact_weights = [decimal_fraction(weight) for weight in weights]
    distinct, inverse = np.unique(components, axis=1, return_inverse=True)
    sums = [
        sum((w * decimal_fraction(x) for w, x in zip(exact_weights, column, strict=True)), Fraction(0))
        for column in distinct.T
    ]
    return [sums[position] for position in inverse]


def round_exactly(
    values: Float64[np.ndarray, " n"],
    *,
    error: Float64[np.ndarray, " n"],
    key: Shaped[np.ndarray, "n parts"],
    offsets: Int64[np.ndarray, " segments_plus_1"],
    exact: ExactValues | None,
) -> tuple[Float64[np.ndarray, " n"], int]:
    """Decide which values of a segment are equal although they were rounded.

    Args:
        values: (n,) computed values.
        error: (n,) bound on the rounding error of each.
        key: (n, parts) what the value was computed from: equal keys have equal values, whatever the rounding.
        offsets: Segments within which values are compared.
        exact: Gives fractions; None where values are irrational.

    Returns:
        The values, correctly rounded wherever a tie was in doubt; and how many stayed in doubt because there is no
        exact form: those that cannot be told apart are set equal.
    """
    order, cluster = _clusters(values, error, offsets)
    suspect = _mixed(cluster, key[order])
    positions = order[suspect]
    if len(positions) == 0:
        return values, 0
    rounded = values.copy()
    if exact is not None:
        rounded[positions] = [float(fraction) for fraction in exact(positions)]
        return rounded, 0
    first_of_cluster = np.searchsorted(cluster, cluster[suspect])
    rounded[positions] = values[order[first_of_cluster]]
    return rounded, len(positions)


def _clusters(
    values: Float64[np.ndarray, " n"],
    error: Float64[np.ndarray, " n"],
    offsets: Int64[np.ndarray, " segments_plus_1"],
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Sorting permutation and, along it, the number of the cluster of values that rounding cannot tell apart.

    With the segment's greatest error for all its values, any two that could be equal have only close
    neighbours between them.
    """
    order = sort_within(values, offsets)
    where = segment_of(offsets)
    reach = 2.0 * segment_max(error, offsets)[where[1:]]
    apart = (np.diff(values[order]) > reach) | (where[1:] != where[:-1])
    return order, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(apart)])


def _mixed(cluster: Int64[np.ndarray, " n"], key: Shaped[np.ndarray, "n parts"]) -> Bool[np.ndarray, " n"]:
    """Members of clusters in which two neighbours were computed from different things."""
    differs = (key[1:] != key[:-1]).any(axis=1) & (cluster[1:] == cluster[:-1])
    is_mixed = np.zeros(int(cluster[-1]) + 1, dtype=bool)
    is_mixed[cluster[1:][differs]] = True
    return is_mixed[cluster]
