"""Scorer noise: what is known of it, and how often it decides the winner.

Noise is estimated only from completions that are the same: byte-identical texts of one prompt that were scored apart,
or a named second score of the same completion. Different texts of one behaviour differ for other reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import chdtri

from policycliff.rollouts.leaves import Figure, every, total
from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.segments import segment_mean, segment_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.rollouts.trees import finished_figures
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
    return column_noise(reward.name, finished_figures(column_evidence(table, reward, settings)), settings)


def noise_of_effective(
    table: RolloutTable, reward: Reward, components: Mapping[str, Noise], settings: AuditSettings
) -> Noise:
    """Noise of the weighted sum.

    From second scores: the weighted sum of the components' residuals, completion by completion (a component without a
    second score counts as noiseless). From given values: independent errors add in squares. Else from identical
    completions, which sees how the components' errors hang together. Under `normalize_then_sum` the size of an error
    differs from prompt to prompt, and no single figure holds.
    """
    evidence = finished_figures(effective_evidence(table, reward, settings))
    return effective_noise(reward.components, components, evidence, settings)


def column_evidence(table: RolloutTable, reward: Reward, settings: AuditSettings) -> dict[str, Any]:
    """What one column's noise is estimated from, as figures that add up; empty where it is not estimated."""
    if settings.noise is None or _given(reward.name, settings) is not None:
        return {}
    if reward.name in table.reruns:
        second = table.reruns[reward.name]
        return {"rerun": second.name, "pairs": _pairs(reward.scores, reward.sign * second.scores)}
    return _identical(table, reward)


def column_noise(name: str, evidence: Mapping[str, Any], settings: AuditSettings) -> Noise:
    """Noise of one column from the finished evidence of the whole table."""
    given = _given(name, settings)
    if given is not None or settings.noise is None:
        return Noise(given, "given" if given is not None else "not asked")
    return _from_evidence(evidence)


def effective_evidence(table: RolloutTable, reward: Reward, settings: AuditSettings) -> dict[str, Any]:
    """As `column_evidence`, for the weighted sum."""
    if settings.noise is None or settings.aggregation == "normalize_then_sum":
        return {}
    names = [name for name, _ in reward.components if name in table.reruns and _given(name, settings) is None]
    if names:
        second = reward.scores + _residual(table, reward, names)
        described = " + ".join(table.reruns[name].name for name in names)
        return {"rerun": described, "names": names, "pairs": _pairs(reward.scores, second)}
    return {} if isinstance(settings.noise, tuple) else _identical(table, reward)


def effective_noise(
    weights: tuple[tuple[str, float], ...],
    components: Mapping[str, Noise],
    evidence: Mapping[str, Any],
    settings: AuditSettings,
) -> Noise:
    """Noise of the weighted sum from that of its components and the finished evidence of the whole table."""
    if settings.noise is None:
        return Noise(None, "not asked")
    if settings.aggregation == "normalize_then_sum":
        return Noise(None, "differs from prompt to prompt under normalize_then_sum")
    if "rerun" in evidence:
        others = [name for name, _ in weights if name not in evidence["names"]]
        left_out = tuple(name for name in others if components[name].sigma != 0.0)
        return replace(_from_evidence(evidence), left_out=left_out)
    if isinstance(settings.noise, tuple):
        known = [(weight, components[name].sigma) for name, weight in weights]
        if all(sigma is None for _, sigma in known):
            return NOT_ESTIMABLE
        variance = sum((weight * sigma) ** 2 for weight, sigma in known if sigma is not None)
        left_out = tuple(name for name, _ in weights if components[name].sigma is None)
        return Noise(float(np.sqrt(variance)), "components", left_out=left_out)
    return _from_evidence(evidence)


def _given(name: str, settings: AuditSettings) -> float | None:
    if not isinstance(settings.noise, tuple):
        return None
    sigmas = dict(settings.noise)
    return sigmas.get(name, sigmas.get("*"))


def _pairs(first: Float64[np.ndarray, " rows"], second: Float64[np.ndarray, " rows"]) -> Figure:
    """First scores and residuals of the completions that have both, a row a completion."""
    both = np.flatnonzero(~np.isnan(first) & ~np.isnan(second))
    return every(np.stack([first[both], second[both] - first[both]], axis=1), np.asarray)


def _residual(table: RolloutTable, reward: Reward, names: list[str]) -> Float64[np.ndarray, " rows"]:
    weights, columns = dict(reward.components), {column.name: column.scores for column in table.rewards}
    return np.sum([weights[name] * (table.reruns[name].scores - columns[name]) for name in names], axis=0)


def _identical(table: RolloutTable, reward: Reward) -> dict[str, Any]:
    """Squared deviations among byte-identical completions of one prompt, and their degrees of freedom."""
    if table.text is None:
        return {}
    # Sorted by text, so that repeats that agree have deviation 0 exactly and not the rounding of their mean.
    rows = np.argsort(table.text, kind="stable")
    rows = rows[reward.usable[rows]]
    if len(rows) == 0:
        return {"freedom": total(0), "squares": total(0.0)}
    text, scores = table.text[rows], reward.scores[rows]
    draws = np.concatenate(([0], np.flatnonzero(text[1:] != text[:-1]) + 1, [len(rows)]))
    deviation = scores - segment_mean(scores, draws)[segment_of(draws)]
    return {"freedom": total(len(rows) - len(draws) + 1), "squares": total(float((deviation**2).sum()))}


def _from_evidence(evidence: Mapping[str, Any]) -> Noise:
    if "rerun" in evidence:
        return _from_pairs(evidence["pairs"], evidence["rerun"])
    if "freedom" not in evidence:
        return NOT_ESTIMABLE
    freedom = evidence["freedom"]
    if freedom < MIN_NOISE_SAMPLES:
        return Noise(None, "not estimable", freedom)
    return Noise(float(np.sqrt(evidence["squares"] / freedom)), "identical completions", freedom)


def _from_pairs(found: Float64[np.ndarray, "pairs 2"], column: str) -> Noise:
    if len(found) < MIN_NOISE_SAMPLES:
        return Noise(None, "not estimable", len(found))
    ordered = found[np.argsort(found[:, 0], kind="stable")]
    pairs = RerunPairs(np.ascontiguousarray(ordered[:, 0]), np.ascontiguousarray(ordered[:, 1]))
    # A residual is the difference of two independent errors: its mean square is twice the variance of one.
    sigma = float(np.sqrt(np.mean(pairs.residuals**2) / 2.0))
    return Noise(sigma, f"rerun {column}", len(found), pairs)


def noisy_spread(scored: Scored, noise: Noise) -> Bool[np.ndarray, " prompts"] | None:
    """Prompts whose spread is positive but no greater than the noise of one score; None where noise is unknown."""
    if noise.sigma is None:
        return None
    return ~scored.zero_spread & (scored.spread <= noise.sigma)
