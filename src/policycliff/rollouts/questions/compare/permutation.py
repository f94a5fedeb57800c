"""Tests by permutation: of paired differences by their signs, of two sets of prompts by their labels.

Paired: if A and B are exchangeable within every prompt, each prompt's difference has either sign with equal
probability. Equal sizes make it a binomial (McNemar's exact test); few prompts are enumerated; else signs are drawn,
and the p-value is (b + 1) / (m + 1) for b of m draws at least as far from 0. Beyond `MOST_UNITS` differences, random
blocks of prompts change their sign together: a subgroup of the same symmetry, so the level still holds.

Unpaired: if the prompts of both sets are exchangeable, every choice of as many of them is equally likely to be the
first set. Beyond `_MOST_RELABELLED` prompts the normal approximation of a sum drawn without replacement takes over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import bdtrc, ndtr

from policycliff.rollouts.intervals import MOST_UNITS, wilson
from policycliff.shapes import Bool, Float64

_ENUMERATED = 14
_AT_ONCE = 1000
_MOST_RELABELLED = 2000
_DUST = 1e-12


@dataclass(frozen=True, slots=True)
class Tested:
    """A two-sided p-value; `low` and `high` are its 95 % Monte-Carlo interval, equal to it where it is exact."""

    p: float
    low: float
    high: float
    method: str
    draws: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"p": self.p, "low": self.low, "high": self.high, "method": self.method, "draws": self.draws}


def difference(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Second minus first; exactly 0 where they differ by rounding only.

    >>> difference(np.array([0.3, 1.0]), np.array([0.1 + 0.2, 2.0]))
    array([0., 1.])
    """
    raw = second - first
    return np.where(np.abs(raw) <= _DUST * np.maximum(np.abs(first), np.abs(second)), 0.0, raw)


def sign_flip_test(differences: Float64[np.ndarray, " n"], *, permutations: int, seed: int) -> Tested:
    """Two-sided test of paired differences by random signs.

    >>> sign_flip_test(np.array([1.0, 1.0, 1.0, 1.0]), permutations=99, seed=0).p
    0.125
    """
    moved = differences[differences != 0.0]
    if len(moved) == 0:
        return _exact(1.0)
    if np.ptp(np.abs(moved)) == 0.0:
        return _exact(_binomial(int((moved > 0).sum()), len(moved)))
    if len(moved) <= _ENUMERATED:
        signs = 1.0 - 2.0 * ((np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1)
        return _exact(float(_as_far(signs @ moved, moved).mean()))
    rng = np.random.default_rng(seed)
    units = moved
    if len(moved) > MOST_UNITS:
        units = np.bincount(rng.permutation(len(moved)) % MOST_UNITS, weights=moved, minlength=MOST_UNITS)
    hits = 0
    for size in _chunks(permutations):
        signs = 2.0 * rng.integers(0, 2, size=(size, len(units))) - 1.0
        hits += int(_as_far(signs @ units, units).sum())
    return _sampled(hits, permutations)


def label_tests(
    values: Float64[np.ndarray, "n figures"], in_first: Bool[np.ndarray, " n"], *, permutations: int, seed: int
) -> list[Tested | None]:
    """Two-sided tests, a figure each, of the difference of means between the first prompts and the others.

    NaN is a prompt without the figure. None where a figure is on one side only.
    """
    known = np.isfinite(values)
    filled = np.where(known, values - _means(values, known), 0.0)
    present = known.astype(np.float64)
    possible = known[in_first].any(axis=0) & known[~in_first].any(axis=0)
    if len(values) > _MOST_RELABELLED:
        return [
            _by_normal(filled[known[:, i], i], in_first[known[:, i]]) if possible[i] else None
            for i in range(values.shape[1])
        ]
    observed = _differences(in_first[None, :].astype(np.float64), filled, present)[0]
    # Differences that only rounding tells apart count as equal.
    slack = _DUST * np.abs(filled).max(axis=0, initial=0.0)
    rng, chosen = np.random.default_rng(seed), int(in_first.sum())
    hits = np.zeros(values.shape[1], dtype=np.int64)
    for size in _chunks(permutations):
        masks = np.zeros((size, len(values)))
        for mask in masks:
            mask[rng.permutation(len(values))[:chosen]] = 1.0
        hits += (np.abs(_differences(masks, filled, present)) >= np.abs(observed) - slack).sum(axis=0)
    return [_sampled(int(count), permutations) if there else None for count, there in zip(hits, possible, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: all claims at once hold at the level of one.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, position in enumerate(order.tolist()):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = least
    return adjusted


def _differences(
    masks: Float64[np.ndarray, "draws n"],
    filled: Float64[np.ndarray, "n figures"],
    present: Float64[np.ndarray, "n figures"],
) -> Float64[np.ndarray, "draws figures"]:
    """Mean of the prompts in the mask less that of the others; infinite where one side has none."""
    sums, counts = masks @ filled, masks @ present
    rest, others = filled.sum(axis=0) - sums, present.sum(axis=0) - counts
    both = (counts > 0) & (others > 0)
    first = np.divide(sums, counts, out=np.full_like(sums, np.inf), where=both)
    return first - np.divide(rest, others, out=np.zeros_like(rest), where=both)


def _means(values: Float64[np.ndarray, "n figures"], known: Bool[np.ndarray, "n figures"]) -> np.ndarray:
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _by_normal(centred: Float64[np.ndarray, " n"], in_first: Bool[np.ndarray, " n"]) -> Tested:
    """The sum over the first prompts, as if drawn without replacement."""
    total, chosen = len(centred), int(in_first.sum())
    variance = float((centred**2).sum()) * chosen * (total - chosen) / (total * (total - 1.0))
    z = abs(float(centred[in_first].sum())) / np.sqrt(variance) if variance > 0 else 0.0
    p = float(2.0 * ndtr(-z))
    return Tested(p, p, p, "normal approximation", 0)


def _binomial(positive: int, total: int) -> float:
    """Probability that one of two signs comes at least as often as the more frequent one did."""
    most = max(positive, total - positive)
    return min(1.0, 2.0 * float(bdtrc(most - 1, total, 0.5)))


def _as_far(sums: Float64[np.ndarray, " draws"], units: Float64[np.ndarray, " units"]) -> Bool[np.ndarray, " draws"]:
    return np.abs(sums) >= abs(float(units.sum())) - _DUST * float(np.abs(units).sum())


def _chunks(draws: int) -> list[int]:
    return [min(_AT_ONCE, draws - start) for start in range(0, draws, _AT_ONCE)]


def _exact(p: float) -> Tested:
    return Tested(p, p, p, "exact", 0)


def _sampled(hits: int, draws: int) -> Tested:
    """Counting the observed one makes it a p-value of its own right, never 0."""
    low, high = wilson(hits, draws)
    p = (hits + 1) / (draws + 1)
    return Tested(p, min(low, p), max(high, p), "sampled", draws)
