"""The advantage estimators, as the trainers compute them; each completion counts once.

With r the weighted sum of a completion's rewards, m and s the mean and standard deviation (n - 1) of its group, and B
its batch:

- `grpo`: (r - m) / (s + epsilon). TRL's default, verl's `grpo`, OpenRLHF's `group_norm`.
- `dr_grpo`: r - m. TRL's `scale_rewards="none"`, verl without `norm_adv_by_std_in_grpo`, OpenRLHF's `dr_grpo`.
- `rloo`: r minus the mean of the others, n / (n - 1) (r - m).
- `batch`: (r - m) / (std of r in B + epsilon). TRL's `scale_rewards="batch"`.
- `gdpo`: each reward in its group as in `grpo`, their weighted sum S, then S / (std of S in B + epsilon). TRL's
  `normalize_then_sum`. The mean of S in B is 0.
- `reinforce_pp`: (r - mean of r in B) / sqrt(variance of r in B + epsilon^2). verl whitens with 1e-8, that is 1e-4^2.
- `reinforce_pp_baseline`: the same of r - m, whose mean is 0.
- `loo_normalised`: NeMo RL with a leave-one-out baseline and `normalize_rewards`: r minus the mean of the others, over
  the std of the others + epsilon; not divided where the others are all equal. Releases after September 2026 leave more
  groups undivided.

Every advantage is a factor times a base: r - m ("group"), r minus its mean in the batch ("batch") or S ("decoupled").
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from policycliff.rollouts.exact import UNIT_ROUNDOFF, weighted_sum_error
from policycliff.rollouts.questions.estimators.sample import Sample
from policycliff.rollouts.segments import segment_max, segment_mean, segment_min, segment_std, segment_sum
from policycliff.shapes import Float64, Int64

TITLES: Mapping[str, str] = {
    "grpo": "GRPO",
    "dr_grpo": "Dr. GRPO",
    "rloo": "RLOO",
    "batch": "batch-std GRPO",
    "gdpo": "GDPO",
    "reinforce_pp": "REINFORCE++",
    "reinforce_pp_baseline": "REINFORCE++ baseline",
    "loo_normalised": "LOO std (NeMo)",
}
"""Key to name of every estimator, in the order of the tables."""


@dataclass(frozen=True, slots=True)
class Decoupled:
    """Rewards normalised one by one in their group.

    Attributes:
        parts: (components, rows) weight times normalised reward; 0 where the reward is missing.
        total: (rows,) their sum S; what rounding alone keeps from 0 is 0.
        spread: (components, groups) standard deviation of each reward in each group.
        error: (rows,) bound on the rounding error of S.
    """

    parts: Float64[np.ndarray, "components rows"]
    total: Float64[np.ndarray, " rows"]
    spread: Float64[np.ndarray, "components groups"]
    error: Float64[np.ndarray, " rows"]


@dataclass(frozen=True, slots=True)
class Bases:
    """What the estimators multiply by a factor."""

    group: Float64[np.ndarray, " rows"]
    batch: Float64[np.ndarray, " rows"]
    decoupled: Decoupled


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimator's advantages.

    Attributes:
        key: As in `TITLES`.
        base: "group", "batch" or "decoupled".
        factor: (rows,) what the base is multiplied by.
        advantage: (rows,) the product.
    """

    key: str
    base: str
    factor: Float64[np.ndarray, " rows"]
    advantage: Float64[np.ndarray, " rows"]


def estimates(sample: Sample, epsilon: float) -> tuple[Bases, dict[str, Estimate]]:
    """The advantages of every estimator, by key, and the bases behind them."""
    bases = Bases(
        group=group_centred(sample.totals, sample),
        batch=_batch_centred(sample.totals, sample.batch),
        decoupled=decoupled(sample, epsilon),
    )
    size = sample.sizes[sample.group]
    leave_one_out = size / (size - 1.0)
    group_std = segment_std(sample.totals, sample.offsets)[sample.group]
    batch_std = np.sqrt(_batch_variance(bases.batch, sample.batch))
    others_std = _std_of_others(sample, bases.group)
    factors = {
        "grpo": ("group", 1.0 / (group_std + epsilon)),
        "dr_grpo": ("group", np.ones(len(size))),
        "rloo": ("group", leave_one_out),
        "batch": ("group", 1.0 / (batch_std + epsilon)),
        "gdpo": ("decoupled", 1.0 / (np.sqrt(_batch_variance(bases.decoupled.total, sample.batch)) + epsilon)),
        "reinforce_pp": ("batch", 1.0 / np.hypot(batch_std, epsilon)),
        "reinforce_pp_baseline": (
            "group",
            1.0 / np.hypot(np.sqrt(_batch_variance(bases.group, sample.batch)), epsilon),
        ),
        "loo_normalised": ("group", leave_one_out / np.where(np.isnan(others_std), 1.0, others_std + epsilon)),
    }
    totals = {"group": bases.group, "batch": bases.batch, "decoupled": bases.decoupled.total}
    return bases, {key: Estimate(key, base, factor, factor * totals[base]) for key, (base, factor) in factors.items()}


def parts_of_base(sample: Sample, bases: Bases, base: str) -> Float64[np.ndarray, "components rows"]:
    """What each component adds to a base; a missing score adds what a score of 0 would."""
    if base == "decoupled":
        return bases.decoupled.parts
    weighted = sample.weights[:, None] * np.nan_to_num(sample.components, nan=0.0)
    if base == "group":
        return np.stack([values - segment_mean(values, sample.offsets)[sample.group] for values in weighted])
    return np.stack([_batch_centred(values, sample.batch) for values in weighted])


def group_centred(values: Float64[np.ndarray, " rows"], sample: Sample) -> Float64[np.ndarray, " rows"]:
    """Values minus the mean of their group; what rounding alone keeps from 0 is 0."""
    centred = values - segment_mean(values, sample.offsets)[sample.group]
    # A mean of n numbers rounds about n times, relative to the largest of them.
    dust = UNIT_ROUNDOFF * (sample.sizes + 4) * segment_max(np.abs(values), sample.offsets)
    return np.where(np.abs(centred) <= dust[sample.group], 0.0, centred)


def decoupled(sample: Sample, epsilon: float) -> Decoupled:
    """Each reward minus its mean in the group, over its standard deviation plus epsilon; missing scores left out."""
    parts, spreads, largest = [], [], []
    for values, weight in zip(sample.components, sample.weights, strict=True):
        deviation, spread = _deviation(values, sample)
        scale = spread[sample.group] + epsilon
        parts.append(weight * deviation / scale)
        spreads.append(spread)
        largest.append(segment_max(np.abs(np.nan_to_num(values, nan=0.0)), sample.offsets)[sample.group] / scale)
    error = weighted_sum_error(np.stack(largest), sample.weights) * (sample.sizes[sample.group] + 4)
    total = np.sum(parts, axis=0)
    return Decoupled(np.stack(parts), np.where(np.abs(total) <= error, 0.0, total), np.stack(spreads), error)


def _deviation(
    values: Float64[np.ndarray, " rows"], sample: Sample
) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " groups"]]:
    """Deviation from the group's mean (0 where missing) and the standard deviation, over the scores that are there."""
    known = ~np.isnan(values)
    count = segment_sum(known, sample.offsets)
    low = segment_min(np.where(known, values, np.inf), sample.offsets)
    high = segment_max(np.where(known, values, -np.inf), sample.offsets)
    mean = segment_sum(np.where(known, values, 0.0), sample.offsets) / np.maximum(count, 1)
    centre = np.where(low == high, low, mean)
    deviation = np.where(known, values - centre[sample.group], 0.0)
    variance = segment_sum(deviation**2, sample.offsets) / np.maximum(count - 1, 1)
    return deviation, np.sqrt(variance)


def _std_of_others(sample: Sample, centred: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """Standard deviation (n - 1) of the other completions of the group; NaN where they are all equal, or only one."""
    offsets, group = sample.offsets, sample.group
    size = sample.sizes[group]
    low, high = segment_min(sample.totals, offsets)[group], segment_max(sample.totals, offsets)[group]
    lowest = segment_sum(sample.totals == low, offsets)[group]
    highest = segment_sum(sample.totals == high, offsets)[group]
    alone_above = (sample.totals == high) & (lowest == size - 1)
    alone_below = (sample.totals == low) & (highest == size - 1)
    squares = segment_sum(centred**2, offsets)[group] - centred**2 * size / (size - 1.0)
    std = np.sqrt(np.maximum(squares, 0.0) / np.maximum(size - 2, 1))
    return np.where((low == high) | alone_above | alone_below | (size == 2), np.nan, std)


def _batch_centred(
    values: Float64[np.ndarray, " rows"], batch: Int64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " rows"]:
    count = np.bincount(batch)
    centred = values - (np.bincount(batch, weights=values) / count)[batch]
    largest = np.zeros(len(count))
    np.maximum.at(largest, batch, np.abs(values))
    dust = UNIT_ROUNDOFF * (count + 4) * largest
    return np.where(np.abs(centred) <= dust[batch], 0.0, centred)


def _batch_variance(
    centred: Float64[np.ndarray, " rows"], batch: Int64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " rows"]:
    """Variance (n - 1) in the batch of values whose mean there is 0, for each row."""
    count = np.bincount(batch)
    return (np.bincount(batch, weights=centred**2) / np.maximum(count - 1, 1))[batch]
