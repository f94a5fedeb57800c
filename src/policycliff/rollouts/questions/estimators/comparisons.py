"""What estimators make of the same group: which combinations of rewards they tell apart, and which way they push."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from policycliff.rollouts.exact import round_exactly
from policycliff.rollouts.intervals import Mean, mean_over, share, wilson
from policycliff.rollouts.questions.estimators.advantages import Bases, Estimate, parts_of_base
from policycliff.rollouts.questions.estimators.ratios import ratios
from policycliff.rollouts.questions.estimators.sample import Sample
from policycliff.rollouts.segments import level_starts, segment_mean, segment_sum, sort_within
from policycliff.shapes import Float64, Int64


def distinct_values(
    values: Float64[np.ndarray, " rows"], offsets: Int64[np.ndarray, " groups_plus_1"]
) -> Int64[np.ndarray, " groups"]:
    """Number of distinct values in each group."""
    return segment_sum(level_starts(values[sort_within(values, offsets)], offsets), offsets)


def distinct_combinations(sample: Sample) -> Int64[np.ndarray, " groups"]:
    """Number of distinct combinations of component scores in each group; missing scores are equal."""
    keys = np.nan_to_num(sample.components, nan=np.inf)
    order = np.lexsort((*keys, sample.group))
    ordered = keys[:, order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    starts[sample.offsets[:-1]] = True
    return segment_sum(starts, sample.offsets)


def collapse(sample: Sample, bases: Bases, *, seed: int) -> dict[str, Any]:
    """How many of the distinct combinations of a group keep an advantage of their own.

    Ties of the weighted sum are decided exactly; those of normalised rewards, which are irrational, up to a bound on
    rounding, and what stays in doubt counts as tied and is counted.
    """
    combinations = distinct_combinations(sample)
    parts = bases.decoupled
    key = np.nan_to_num(sample.components, nan=np.inf).T
    separated, in_doubt = round_exactly(parts.total, error=parts.error, key=key, offsets=sample.offsets, exact=None)
    levels = {
        "sum": distinct_values(sample.totals, sample.offsets),
        "decoupled": distinct_values(separated, sample.offsets),
    }
    several = combinations > 1
    unseen = wilson(0, len(combinations))[1]
    lost = ratios(
        np.stack([(combinations - found).astype(np.float64) for found in levels.values()]),
        np.stack([combinations.astype(np.float64)] * len(levels)),
        seed=seed,
    )
    return {
        "combinations": int(combinations.sum()),
        "groups_with_several": int(several.sum()),
        "in_doubt": in_doubt,
        "of": {
            name: {
                "levels": int(found.sum()),
                "lost_share": lost[position] if lost[position]["value"] else lost[position] | {"high": unseen},
                "groups_that_lose": share((found < combinations)[several]),
            }
            for position, (name, found) in enumerate(levels.items())
        },
    }


def sign_differences(sample: Sample, found: Mapping[str, Estimate], reference: str) -> dict[str, dict[str, Mean]]:
    """Share of a group's completions that are pushed the other way, or by only one of both, against one estimator.

    Only of estimators with another base: with the same one they agree by their form.
    """
    groups = np.arange(len(sample.sizes))
    base, against = found[reference].base, np.sign(found[reference].advantage)
    signs = {key: np.sign(estimate.advantage) for key, estimate in found.items() if estimate.base != base}

    def over_groups(flags: np.ndarray) -> Mean:
        values = segment_mean(flags.astype(np.float64), sample.offsets)
        return mean_over(groups, values, lowest=0.0, highest=1.0)

    return {
        key: {
            "opposite": over_groups(sign * against < 0),
            "only_one": over_groups((sign == 0) != (against == 0)),
        }
        for key, sign in signs.items()
    }


def component_shares(
    sample: Sample, bases: Bases, found: Mapping[str, Estimate], *, seed: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Share of each component in the mean squared advantage, an estimator each: mean of A times its part, over A².

    The parts of an advantage sum to it, so the shares sum to 1; one is negative where a component mostly opposes the
    others.
    """
    base_parts = {base: parts_of_base(sample, bases, base) for base in ("group", "batch", "decoupled")}
    parts, wholes = [], []
    for estimate in found.values():
        whole = segment_sum(estimate.advantage**2, sample.offsets)
        pull = estimate.advantage * estimate.factor
        for part in base_parts[estimate.base]:
            parts.append(segment_sum(pull * part, sample.offsets))
            wholes.append(whole)
    figures = iter(ratios(np.stack(parts), np.stack(wholes), seed=seed))
    return {key: {name: next(figures) for name in sample.names} for key in found}
