"""Two samples of rollouts: the differences of their figures, paired by prompt or not, with tests and intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from policycliff.rollouts.intervals import MOST_UNITS, RESAMPLES, Mean, mean_over
from policycliff.rollouts.questions.compare.matching import Matching
from policycliff.rollouts.questions.compare.permutation import difference, holm, label_tests, sign_flip_test
from policycliff.rollouts.questions.compare.statistics import AtSize
from policycliff.shapes import Float64

BOUNDED = ("tied", "zero_spread")
"""Figures that are probabilities."""

Figures = Mapping[str, AtSize]


def sample_figures(
    first: Figures, second: Figures, matching: Matching, *, permutations: int, seed: int
) -> list[dict[str, Any]]:
    """A row a figure: both means, the difference, its Monte-Carlo error, and its test with Holm's correction."""
    names = [name for name in first if name in second]
    if matching.by == "nothing":
        rows = _unpaired(names, first, second, permutations, seed)
    else:
        rows = [
            _paired(name, first[name].values[matching.first], second[name].values[matching.second], permutations, seed)
            for name in names
        ]
    errors = [float(np.hypot(first[name].error, second[name].error)) for name in names]
    kept: list[dict[str, Any]] = [
        {"name": name, "monte_carlo_error": error} | row
        for name, error, row in zip(names, errors, rows, strict=True)
        if row is not None
    ]
    adjusted = holm([row["p"] for row in kept])
    return [row | {"p_holm": p} for row, p in zip(kept, adjusted, strict=True)]


def mean_of(name: str, prompts: np.ndarray, values: Float64[np.ndarray, " prompts"]) -> Mean:
    """Mean of a figure, with the range that is known of it."""
    return mean_over(prompts, values, lowest=0.0, highest=1.0) if name in BOUNDED else mean_over(prompts, values)


def change_of(name: str, prompts: np.ndarray, change: Float64[np.ndarray, " prompts"]) -> Mean:
    """Mean of a difference of a figure."""
    return mean_over(prompts, change, lowest=-1.0, highest=1.0) if name in BOUNDED else mean_over(prompts, change)


def effect(differences: Float64[np.ndarray, " prompts"]) -> float:
    """Mean difference in units of its standard error: how clearly a figure moves; inf where all agree."""
    if len(differences) < 2 or not differences.any():
        return 0.0
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return abs(float(differences.mean())) / error if error > 0 else np.inf


def _paired(
    name: str,
    first: Float64[np.ndarray, " pairs"],
    second: Float64[np.ndarray, " pairs"],
    permutations: int,
    seed: int,
) -> dict[str, Any] | None:
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return None
    pairs, change = np.flatnonzero(known), difference(first[known], second[known])
    tested = sign_flip_test(change, permutations=permutations, seed=seed)
    return {
        "prompts_a": len(pairs),
        "prompts_b": len(pairs),
        "a": mean_of(name, pairs, first[known]),
        "b": mean_of(name, pairs, second[known]),
        "change": change_of(name, pairs, change),
        "effect": effect(change),
        **tested.to_dict(),
    }


def _unpaired(
    names: list[str], first: Figures, second: Figures, permutations: int, seed: int
) -> list[dict[str, Any] | None]:
    """Relabelled prompts for the tests, a bootstrap of each table for the intervals of the differences."""
    together = np.stack([np.concatenate([first[name].values, second[name].values]) for name in names], axis=1)
    in_first = np.arange(len(together)) < len(first[names[0]].values)
    tests = label_tests(together, in_first, permutations=permutations, seed=seed)
    return [
        None if tested is None else _two_samples(name, column[in_first], column[~in_first], seed) | tested.to_dict()
        for name, column, tested in zip(names, together.T, tests, strict=True)
    ]


def _two_samples(
    name: str, first: Float64[np.ndarray, " groups_a"], second: Float64[np.ndarray, " groups_b"], seed: int
) -> dict[str, Any]:
    sides = [values[np.isfinite(values)] for values in (first, second)]
    means = [_resampled(values, seed + position) for position, values in enumerate(sides)]
    shift = float(sides[1].mean() - sides[0].mean())
    low, high = np.quantile(means[1] - means[0], [0.025, 0.975]).tolist()
    error = float(np.sqrt(sum(float(values.var()) / len(values) for values in sides)))
    return {
        "prompts_a": len(sides[0]),
        "prompts_b": len(sides[1]),
        "a": mean_of(name, np.arange(len(sides[0])), sides[0]),
        "b": mean_of(name, np.arange(len(sides[1])), sides[1]),
        "change": {"value": shift, "low": min(low, shift), "high": max(high, shift)},
        "effect": abs(shift) / error if error > 0 else 0.0,
    }


def _resampled(values: Float64[np.ndarray, " n"], seed: int) -> Float64[np.ndarray, " resamples"]:
    """Means of bootstrap resamples; of many prompts, of random blocks of them."""
    rng = np.random.default_rng(seed)
    units = min(len(values), MOST_UNITS)
    unit_of = rng.permutation(len(values)) % units
    sums, counts = np.bincount(unit_of, weights=values), np.bincount(unit_of)
    drawn = rng.integers(0, units, size=(RESAMPLES, units))
    return sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
