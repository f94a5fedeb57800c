"""The Pearson distance sqrt((1 - rho) / 2) between two canonical rewards, with a proven error bound.

It is computed as half the distance of the standardised rewards (mean 0, standard deviation 1 under the coverage
distribution), which is the same number and does not lose half its digits near 0, as the root of 1 - rho does. A
constant canonical reward has no correlation with anything; its standardised form is 0 here (as STARC standardises),
which makes the distance of two constants 0, that of a constant to any other reward 1/2, and keeps the triangle
inequality.

Error. Let c be the centred canonical reward, off by at most eta in the 2-norm of the coverage distribution. Then
c / ||c|| is off by at most 2 eta / ||c||; sums of n numbers are added in pairs and err by at most (32 + log2 n) units.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.rewards.distances.coverage import Coverage
from policycliff.rewards.distances.forms import UNIT_ROUNDOFF
from policycliff.rewards.distances.result import CERTIFIED, UNRESOLVED
from policycliff.shapes import Float64

Part = tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalReward:
    """C(s, a, s') = table[(s, a), s'] + pairs[(s, a)] + successors[s'], up to a constant.

    Attributes:
        pairs: (pairs,) what depends on the pair only.
        successors: (states,) what depends on the next state only.
        table: (pairs, states) the rest, or None.
        error: bound on the error of an entry.
        size: bound on the size of an entry.
        is_zero: whether C is known to be constant.
    """

    pairs: Float64[np.ndarray, " pairs"]
    successors: Float64[np.ndarray, " states"]
    table: Float64[np.ndarray, "pairs states"] | None
    error: float
    size: float
    is_zero: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Centred:
    """Entries with mean 0 under the weights, their 2-norm and a bound on the 2-norm of their error."""

    entries: Float64[np.ndarray, " n"]
    norm: float
    error: float
    is_zero: bool

    @property
    def is_settled(self) -> bool:
        """Whether it is known to be 0 or known not to be."""
        return self.is_zero or self.norm > 2.0 * self.error


def pearson_distance(
    first: CanonicalReward, second: CanonicalReward, coverage: Coverage
) -> tuple[float, float, str, tuple[float, float]]:
    """(distance, error bound, status, the two standard deviations)."""
    whole = first.table is not None or second.table is not None or coverage.product is None
    a, weights = _centred(first, coverage, whole=whole)
    b, _ = _centred(second, coverage, whole=whole)
    rounding = sum_rounding(weights.size) + coverage.error
    entries = _standardised(a) - _standardised(b)
    value = 0.5 * float(np.sqrt((weights * entries**2).sum()))
    scales = (_scale(a), _scale(b))
    if not (a.is_settled and b.is_settled):
        return value, max(value, 1.0 - value), UNRESOLVED, scales
    error = sum(0.0 if c.is_zero else c.error / c.norm + 2.0 * rounding for c in (a, b))
    return value, error + rounding * value, CERTIFIED, scales


def sum_rounding(count: int) -> float:
    """Bound on the relative error of a weighted sum of `count` squares, added in pairs as NumPy does, and its root."""
    return (40.0 + float(np.log2(max(count, 1)))) * UNIT_ROUNDOFF


def _centred(reward: CanonicalReward, coverage: Coverage, *, whole: bool) -> tuple[_Centred, Float64[np.ndarray, " n"]]:
    """The centred entries and their weights.

    Under a product distribution the parts of the pair and of the next state are independent: the variance is the sum
    of theirs, and no list of all transitions is needed.
    """
    if whole:
        pairs, successors, weights = coverage.listed()
        entries = reward.pairs[pairs] + reward.successors[successors]
        parts: list[Part] = [(entries if reward.table is None else reward.table[pairs, successors] + entries, weights)]
    else:
        product = coverage.product or (np.zeros(0), np.zeros(0))
        parts = [(reward.pairs, product[0]), (reward.successors, product[1])]
    centred = np.concatenate([values - (values * w).sum() / w.sum() for values, w in parts])
    weights = np.concatenate([w for _, w in parts])
    norm = float(np.sqrt((weights * centred**2).sum()))
    slack = sum_rounding(weights.size) + coverage.error
    error = 2.0 * len(parts) * (reward.error + 2.0 * slack * reward.size)
    return _Centred(centred, norm, error, reward.is_zero), weights


def _standardised(reward: _Centred) -> Float64[np.ndarray, " n"]:
    scale = _scale(reward)
    return reward.entries / scale if scale > 0.0 else np.zeros_like(reward.entries)


def _scale(reward: _Centred) -> float:
    return 0.0 if reward.is_zero or not reward.is_settled else reward.norm
