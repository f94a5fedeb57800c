"""Scorer noise: what is known of it, and how often it decides the winner.

Noise is estimated only from completions that are the same: byte-identical texts of one prompt that were scored apart,
or a named second score of the same completion. Different texts of one behaviour differ for other reasons.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import chdtri

from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.segments import segment_mean, segment_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64

NOISE_MARGIN = 1.96
"""Standard errors within which two scores count as indistinguishable (95 %)."""

MIN_NOISE_SAMPLES = 10
"""Repeats beyond the first (or pairs) below which noise is not estimable."""


@dataclass(frozen=True, slots=True)
class RerunPairs:
    """Pairs of a first and a second score of one completion, sorted by the first.

    `residuals` are second minus first.
    """

    first: Float64[np.ndarray, " pairs"]
    residuals: Float64[np.ndarray, " pairs"]


@dataclass(frozen=True, slots=True)
class Noise:
    """What is known of the error of one score.

    Attributes:
        sigma: Standard deviation of one score, in reward units; None if it is not known.
        origin: "given", "identical completions", "rerun COLUMN", "components" or "not estimable".
        samples: Degrees of freedom behind an estimate (repeats beyond the first, or pairs); 0 if given.
        pairs: First scores and residuals, where there are second scores; else None.
        left_out: Components of the effective reward whose noise is not known and counts as 0.
    """

    sigma: float | None
    origin: str
    samples: int = 0
    pairs: RerunPairs | None = None
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
            "method": "resampled residuals" if self.pairs is not None else "Gaussian",
        }


NOT_ESTIMABLE = Noise(None, "not estimable")


def noise_of_column(table: RolloutTable, reward: Reward, settings: AuditSettings) -> Noise:
    """Noise of one reward column: given, else from its second score, else from identical completions."""
    given = _given(reward.name, settings)
    if given is not None or settings.noise is None:
        return Noise(given, "given" if given is not None else "not asked")
    if reward.name in table.reruns:
        second = table.reruns[reward.name]
        return _from_rerun(reward.scores, reward.sign * second.scores, second.name)
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
        return Noise(None, "differs from prompt to prompt under normalize_then_sum")
    names = [name for name, _ in reward.components]
    reruns = [name for name in names if components[name].pairs is not None]
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


def _given(name: str, settings: AuditSettings) -> float | None:
    if not isinstance(settings.noise, tuple):
        return None
    sigmas = dict(settings.noise)
    return sigmas.get(name, sigmas.get("*"))


def _from_rerun(first: Float64[np.ndarray, " rows"], second: Float64[np.ndarray, " rows"], column: str) -> Noise:
    both = np.flatnonzero(~np.isnan(first) & ~np.isnan(second))
    if len(both) < MIN_NOISE_SAMPLES:
        return Noise(None, "not estimable", len(both))
    ordered = both[np.argsort(first[both], kind="stable")]
    pairs = RerunPairs(first[ordered], second[ordered] - first[ordered])
    # A residual is the difference of two independent errors: its mean square is twice the variance of one.
    sigma = float(np.sqrt(np.mean(pairs.residuals**2) / 2.0))
    return Noise(sigma, f"rerun {column}", len(both), pairs)


def _effective_from_reruns(table: RolloutTable, reward: Reward, names: list[str]) -> Noise:
    weights, columns = dict(reward.components), {column.name: column.scores for column in table.rewards}
    residual = np.sum([weights[name] * (table.reruns[name].scores - columns[name]) for name in names], axis=0)
    return _from_rerun(reward.scores, reward.scores + residual, " + ".join(table.reruns[name].name for name in names))


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


def noisy_spread(scored: Scored, noise: Noise) -> Bool[np.ndarray, " prompts"] | None:
    """Prompts whose spread is positive but no greater than the noise of one score; None where noise is unknown."""
    if noise.sigma is None:
        return None
    return ~scored.zero_spread & (scored.spread <= noise.sigma)
