"""All figures of the question, as a tree of JSON types."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from policycliff.rollouts.analyses.normalisation import main_reward_name
from policycliff.rollouts.intervals import share, with_intervals
from policycliff.rollouts.questions.estimators.advantages import TITLES, Bases, Estimate, estimates
from policycliff.rollouts.questions.estimators.batches import Batches
from policycliff.rollouts.questions.estimators.comparisons import collapse, component_shares, sign_differences
from policycliff.rollouts.questions.estimators.kinds_of_groups import kinds_of_groups, near_threshold, noises_of
from policycliff.rollouts.questions.estimators.logged import compare_advantages, compare_scalar, estimators_that_fit
from policycliff.rollouts.questions.estimators.noise import known_sigmas, noise_effect
from policycliff.rollouts.questions.estimators.ratios import subset_shares
from policycliff.rollouts.questions.estimators.sample import Sample
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_any, segment_max, segment_sum
from policycliff.shapes import Bool, Float64

Logged = tuple[str, bool, Float64[np.ndarray, " rows"]] | None
CURVE = tuple(step / 10 for step in range(11))


def estimator_figures(
    loaded: LoadedRollouts,
    scored: Scored,
    sample: Sample,
    batches: Batches,
    *,
    near: float,
    scalar: Logged,
    advantages: Logged,
    report: Callable[[str, float], None],
) -> dict[str, Any]:
    """Everything that the tables and findings are made of."""
    settings = loaded.settings
    bases, found = estimates(sample, settings.epsilon)
    noises, effective_noise = noises_of(loaded)
    threshold, origin = near_threshold(scored, effective_noise, near)
    subsets = kinds_of_groups(loaded, scored, threshold)
    report("shares of the signal", 0.35)
    energies = np.stack([segment_sum(item.advantage**2, sample.offsets) for item in found.values()])
    signal = {
        name: None if subset is None else subset_shares(subset, energies, seed=settings.seed)
        for name, subset in subsets.items()
    }
    report("noise", 0.5)
    sigmas = known_sigmas(sample, noises)
    noise = (
        None
        if sigmas is None
        else noise_effect(sample, found, sigmas, scored.zero_spread, epsilon=settings.epsilon, seed=settings.seed)
    )
    report("comparisons", 0.75)
    names = loaded.table.frame["__prompt_id"]
    several = len(sample.names) > 1
    parts = component_shares(sample, bases, found, seed=settings.seed) if several else None
    signs = sign_differences(sample, found, "grpo")
    tree = {
        "epsilon": settings.epsilon,
        "weights": dict(zip(sample.names, sample.weights.tolist(), strict=True)),
        "completions": len(sample.totals),
        "groups": {
            "total": len(sample.sizes),
            "left_out": loaded.table.n_groups - len(sample.sizes),
            "largest_size": int(sample.sizes.max()),
            **{name: None if subset is None else share(subset) for name, subset in subsets.items()},
            "near_threshold": {"value": threshold, "origin": origin},
            "main_reward": main_reward_name(settings, dict(loaded.rewards)) if several else None,
        },
        "batches": {"count": int(sample.batch.max()) + 1, "origin": batches.origin},
        "noise": {
            "sigmas": None if sigmas is None else dict(zip(sample.names, sigmas.tolist(), strict=True)),
            "draws": 0 if noise is None else noise.draws,
            "unknown": [name for name in sample.names if noises[name].sigma is None],
        },
        "estimators": {
            key: {
                "title": TITLES[key],
                **_size(sample, bases, estimate, scored, names=names, epsilon=settings.epsilon),
                **_silence(sample, estimate, scored.zero_spread),
                "signal": {name: None if figures is None else figures[position] for name, figures in signal.items()},
                "noise": None if noise is None else {"overall": noise.overall[key], "tied": noise.tied[key]},
                "against_grpo": signs.get(key),
                "components": None if parts is None else parts[key],
            }
            for position, (key, estimate) in enumerate(found.items())
        },
        "collapse": collapse(sample, bases, seed=settings.seed) if several else None,
        "curve": _curve(scored.spread, dict(zip(found, energies, strict=True))),
        "logged_scalar": None if scalar is None else _named(scalar) | compare_scalar(sample, scalar[2]),
        "logged_advantages": None if advantages is None else _named(advantages) | _fits(advantages, found),
    }
    return dict(with_intervals(tree, n_prompts=len(sample.sizes), seed=settings.seed))


def _size(
    sample: Sample, bases: Bases, estimate: Estimate, scored: Scored, *, names: pl.Series, epsilon: float
) -> dict[str, Any]:
    """Root mean square and largest advantage, and the gain on a difference of rewards over groups with spread."""
    first_row = scored.layout.rows[scored.layout.row_offsets[:-1]]
    size = np.abs(estimate.advantage)
    typical, largest = float(np.sqrt(np.mean(size**2))), int(np.argmax(size))
    gains = _gains(sample, bases, estimate, scored.zero_spread, epsilon)
    known = np.flatnonzero(np.isfinite(gains))
    gain: dict[str, Any] = {"median": None, "largest": None, "ratio": None, "group": None}
    if len(known):
        top, median = known[np.argmax(gains[known])], float(np.median(gains[known]))
        gain = {
            "median": median,
            "largest": float(gains[top]),
            "ratio": float(gains[top]) / median,
            "group": names[int(first_row[top])],
        }
    return {
        "rms": typical,
        "largest": float(size[largest]),
        "largest_in_rms": None if typical == 0.0 else float(size[largest]) / typical,
        "largest_group": names[int(first_row[sample.group[largest]])],
        "gain": gain,
    }


def _gains(
    sample: Sample, bases: Bases, estimate: Estimate, tied: Bool[np.ndarray, " groups"], epsilon: float
) -> Float64[np.ndarray, " groups"]:
    """What a difference of weighted rewards in a group is multiplied by, the largest of the group; NaN where tied.

    Under GDPO that differs by component: the largest over those that differ in the group.
    """
    factor = segment_max(estimate.factor, sample.offsets)
    if estimate.base != "decoupled":
        return np.where(tied, np.nan, factor)
    spread = bases.decoupled.spread
    least = np.where(spread > 0.0, spread, np.inf).min(axis=0)
    return np.where(np.isfinite(least), factor / (least + epsilon), np.nan)


def _silence(sample: Sample, estimate: Estimate, tied: Bool[np.ndarray, " groups"]) -> dict[str, Any]:
    pushed = segment_any(estimate.advantage != 0.0, sample.offsets)
    return {"silent": share(~pushed), "tied_pushed": share(pushed[tied])}


def _curve(spread: Float64[np.ndarray, " groups"], energies: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Share of the signal that the groups of least spread hold, at each share of the groups."""
    order = np.argsort(spread, kind="stable")
    at = [int(part * len(order)) for part in CURVE]
    curves = {}
    for key, energy in energies.items():
        summed = np.append(0.0, np.cumsum(energy[order]))
        curves[key] = summed[at] / summed[-1] if summed[-1] > 0.0 else np.full(len(at), np.nan)
    return [
        {"groups": part} | {key: float(values[position]) for key, values in curves.items()}
        for position, part in enumerate(CURVE)
    ]


def _named(logged: tuple[str, bool, np.ndarray]) -> dict[str, Any]:
    return {"column": logged[0], "given": logged[1]}


def _fits(logged: tuple[str, bool, np.ndarray], found: Mapping[str, Estimate]) -> dict[str, Any]:
    fits = compare_advantages(logged[2], found)
    return {"fits": fits, "equal": estimators_that_fit(fits)}
