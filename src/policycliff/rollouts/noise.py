"""Scorer noise: what is known of it, and how often it decides the winner.

Noise is estimated only from completions that are the same: byte-identical texts of one prompt that were scored apart,
or a named second score of the same completion. Different texts of one behaviour differ for other reasons.

The flip probability is the probability that, were every completion scored again, no best behaviour of today would still
be best. It is simulated over all competitors: with Gaussian errors of the given or estimated size, or, where a second
score exists, with its residuals resampled. A pair's residual carries the noise of both scores, and today's winner owes
part of its lead to luck, so the prediction is set beside the flips that the second scores show.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import chdtri

from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.layout import Layout
from policycliff.rollouts.scores import Reward, Scored, Scorer, column_reward
from policycliff.rollouts.segments import segment_max, segment_mean, segment_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable

NOISE_MARGIN = 1.96
"""Standard errors within which two scores count as indistinguishable (95 %)."""

MIN_NOISE_SAMPLES = 10
"""Repeats beyond the first (or pairs) below which noise is not estimable."""

_FEWEST_DRAWS, _MOST_DRAWS, _PROMPT_DRAWS = 32, 1000, 4_000_000
_BLOCK_VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class Noise:
    """What is known of the error of one score.

    Attributes:
        sigma: Standard deviation of one score, in reward units; None if it is not known.
        origin: "given", "identical completions", "rerun COLUMN", "components" or "not estimable".
        samples: Degrees of freedom behind an estimate (repeats beyond the first, or pairs); 0 if given.
        residuals: Second score minus first, where there are second scores; else None.
        left_out: Components of the effective reward whose noise is not known and counts as 0.
    """

    sigma: float | None
    origin: str
    samples: int = 0
    residuals: Float64[np.ndarray, " pairs"] | None = None
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form, with the 95 % chi-square interval of an estimated sigma."""
        low = high = self.sigma
        if self.sigma == 0.0 and self.samples > 0:
            high = None  # no repeat differed, and that bounds no size
        elif self.sigma is not None and self.samples > 0:
            low = self.sigma * float(np.sqrt(self.samples / chdtri(self.samples, 0.025)))
            high = self.sigma * float(np.sqrt(self.samples / chdtri(self.samples, 0.975)))
        return {
            "sigma": None if self.sigma is None else {"value": self.sigma, "low": low, "high": high},
            "origin": self.origin,
            "samples": self.samples,
            "left_out": list(self.left_out),
            "method": "resampled residuals" if self.residuals is not None else "Gaussian",
        }


NOT_ESTIMABLE = Noise(None, "not estimable")


def noise_of_column(table: RolloutTable, reward: Reward, settings: AuditSettings) -> Noise:
    """Noise of one reward column: given, else from its second score, else from identical completions."""
    given = _given(reward.name, settings)
    if given is not None or settings.noise is None:
        return Noise(given, "given" if given is not None else "not asked")
    if reward.name in table.reruns:
        return _from_rerun(reward.scores, table.reruns[reward.name].scores, table.reruns[reward.name].name)
    return _from_identical(table, reward)


def noise_of_effective(
    table: RolloutTable, reward: Reward, components: dict[str, Noise], settings: AuditSettings
) -> Noise:
    """Noise of the weighted sum.

    From second scores: the weighted sum of the components' residuals, completion by completion (a component without a
    second score counts as noiseless). From given values: independent errors add in squares. Else from identical
    completions, which sees how the components' errors hang together. Under `normalize_then_sum` the size of an error
    differs from prompt to prompt, and no single figure holds.
    """
    if settings.noise is None:
        return Noise(None, "not asked")
    if settings.aggregation == "normalize_then_sum":
        return NOT_ESTIMABLE
    names = [name for name, _ in reward.components]
    reruns = [name for name in names if components[name].residuals is not None]
    if reruns:
        left_out = tuple(name for name in names if name not in reruns and components[name].sigma != 0.0)
        return replace(_effective_from_reruns(table, reward, reruns), left_out=left_out)
    if isinstance(settings.noise, tuple):
        known = [(weight, components[name].sigma) for name, weight in reward.components]
        if all(sigma is None for _, sigma in known):
            return NOT_ESTIMABLE
        variance = sum((weight * sigma) ** 2 for weight, sigma in known if sigma is not None)
        left_out = tuple(name for name in names if components[name].sigma is None)
        return Noise(float(np.sqrt(variance)), "components", left_out=left_out)
    return _from_identical(table, reward)


def flip_probability(scored: Scored, noise: Noise, *, seed: int) -> tuple[Float64[np.ndarray, " prompts"], int]:
    """Probability, prompt by prompt, that a new score leaves today's best set altogether; and the draws it rests on.

    A prompt in which every behaviour is tied cannot leave its best set: 0.
    """
    layout = scored.layout
    probability = np.zeros(layout.n_prompts)
    # Many prompts average out what few draws leave open in each.
    draws = int(np.clip(_PROMPT_DRAWS // max(layout.n_prompts, 1), _FEWEST_DRAWS, _MOST_DRAWS))
    if noise.sigma == 0.0 and noise.residuals is None:
        return probability, draws
    open_prompts = np.flatnonzero(np.isfinite(scored.next_value))
    rng = np.random.default_rng(seed)
    for block in _blocks(open_prompts, layout, draws):
        probability[block] = _simulate(scored, noise, block, draws, rng)
    return probability, draws


def flips(scored: Scored, noise: Noise, *, seed: int) -> dict[str, Any]:
    """Mean flip probability, over all prompts and over those with a unique best behaviour."""
    if noise.sigma is None:
        return {"flip_probability_mean": None, "unique_loses_probability_mean": None}
    probability, draws = flip_probability(scored, noise, seed=seed)
    prompts, unique = scored.layout.prompts, scored.is_unique
    return {
        "flip_probability_mean": mean_over(prompts, probability, lowest=0.0, highest=1.0),
        "unique_loses_probability_mean": mean_over(prompts[unique], probability[unique], lowest=0.0, highest=1.0),
        "noise_draws": draws,
    }


def rerun_check(
    table: RolloutTable, scorer: Scorer, reward: Reward, noise: Noise, *, seed: int
) -> dict[str, Any] | None:
    """Predicted against observed flips, on the completions that have a second score."""
    if reward.name not in table.reruns or noise.residuals is None:
        return None
    second = column_reward(table.reruns[reward.name].name, table.reruns[reward.name].scores)
    first, again = scorer(reward, second), scorer(second, reward)
    layout = first.layout
    if layout.n_prompts == 0:
        return None
    kept = segment_max(first.best & again.best, layout.behaviour_offsets)
    predicted, _ = flip_probability(first, noise, seed=seed)
    return {
        "column": second.name,
        "prompts": layout.n_prompts,
        "observed_flip_share": share(~kept),
        "predicted_flip_probability_mean": mean_over(layout.prompts, predicted, lowest=0.0, highest=1.0),
        "observed_unique_loses_share": share(~kept[first.is_unique]),
    }


def _given(name: str, settings: AuditSettings) -> float | None:
    if not isinstance(settings.noise, tuple):
        return None
    sigmas = dict(settings.noise)
    return sigmas.get(name, sigmas.get("*"))


def _from_rerun(first: Float64[np.ndarray, " rows"], second: Float64[np.ndarray, " rows"], column: str) -> Noise:
    residuals = second - first
    residuals = residuals[~np.isnan(residuals)]
    if len(residuals) < MIN_NOISE_SAMPLES:
        return Noise(None, "not estimable", len(residuals))
    # A residual is the difference of two independent errors: its mean square is twice the variance of one.
    sigma = float(np.sqrt(np.mean(residuals**2) / 2.0))
    return Noise(sigma, f"rerun {column}", len(residuals), residuals)


def _effective_from_reruns(table: RolloutTable, reward: Reward, names: list[str]) -> Noise:
    weights, columns = dict(reward.components), {column.name: column.scores for column in table.rewards}
    residual = np.sum([weights[name] * (table.reruns[name].scores - columns[name]) for name in names], axis=0)
    labels = " + ".join(table.reruns[name].name for name in names)
    return _from_rerun(np.zeros_like(residual), residual, labels)


def _from_identical(table: RolloutTable, reward: Reward) -> Noise:
    """Pooled variance among byte-identical completions of one prompt (degrees of freedom: repeats beyond the first)."""
    if table.text is None:
        return NOT_ESTIMABLE
    usable = np.flatnonzero(reward.usable)
    _, text, repeats = np.unique(table.text[usable], return_inverse=True, return_counts=True)
    freedom = int((repeats - 1).sum())
    if freedom < MIN_NOISE_SAMPLES:
        return Noise(None, "not estimable", freedom)
    scores = reward.scores[usable]
    # Sorted by text, so that repeats that agree have deviation 0 exactly and not the rounding of their mean.
    order = np.argsort(text, kind="stable")
    draws = np.append(0, np.cumsum(repeats))
    ordered = scores[order]
    deviation = ordered - segment_mean(ordered, draws)[segment_of(draws)]
    return Noise(float(np.sqrt((deviation**2).sum() / freedom)), "identical completions", freedom)


def _blocks(prompts: np.ndarray, layout: Layout, draws: int) -> list[np.ndarray]:
    """Consecutive prompts, few enough that draws x rows stays small."""
    rows = np.cumsum(layout.group_sizes[prompts])
    return [block for block in np.split(prompts, _cuts(rows, max(1, _BLOCK_VALUES // draws))) if len(block)]


def _cuts(cumulative: np.ndarray, size: int) -> np.ndarray:
    if len(cumulative) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.searchsorted(cumulative, np.arange(size, int(cumulative[-1]) + 1, size))


def _simulate(
    scored: Scored, noise: Noise, block: np.ndarray, draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, " block"]:
    """Share of draws in which the greatest noisy value lies outside today's best set."""
    layout = scored.layout
    sizes = layout.n_behaviours[block]
    starts = np.append(0, np.cumsum(sizes))
    behaviours = np.repeat(layout.behaviour_offsets[block] - starts[:-1], sizes) + np.arange(starts[-1])
    noisy = scored.values[behaviours] + _errors(layout, noise, behaviours, draws, rng)
    best = scored.best[behaviours]
    inside = np.maximum.reduceat(np.where(best, noisy, -np.inf), starts[:-1], axis=1)
    outside = np.maximum.reduceat(np.where(best, -np.inf, noisy), starts[:-1], axis=1)
    # Residuals of a coarse score tie often; a tie keeps the best set, for some best behaviour still is best.
    return (outside > inside).mean(axis=0)


def _errors(
    layout: Layout, noise: Noise, behaviours: np.ndarray, draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, "draws behaviours"]:
    """Errors of the behaviours' mean scores: an error of its own for every completion."""
    completions = layout.draws[behaviours]
    if noise.residuals is None:
        return rng.standard_normal((draws, len(behaviours))) * ((noise.sigma or 0.0) / np.sqrt(completions))
    drawn = rng.choice(noise.residuals, size=(draws, int(completions.sum())))
    starts = np.append(0, np.cumsum(completions))[:-1]
    return np.add.reduceat(drawn, starts, axis=1) / completions


def noisy_spread(scored: Scored, noise: Noise) -> Bool[np.ndarray, " prompts"] | None:
    """Prompts whose spread is positive but no greater than the noise of one score; None where noise is unknown."""
    if noise.sigma is None:
        return None
    return ~scored.zero_spread & (scored.spread <= noise.sigma)
