"""Is it more than noise? How often scoring the same completions again by the same reward would change its choice.

Two scorings of one reward differ by two errors. A Gaussian error therefore enters with sqrt(2) sigma; residuals between
first and second scores hold both errors already. If B were nothing but A scored again, the number of prompts whose best
sets have nothing in common would be a sum of independent 0/1 draws with these probabilities (a Poisson binomial).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr

from policycliff.rollouts.analyses.flips import flip_probability, simulation_of
from policycliff.rollouts.analyses.noise import Noise, RerunPairs, noise_of_column, noise_of_effective
from policycliff.rollouts.scores import Reward, Scored, column_reward
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

_MOST_EXACT = 2000
_RESAMPLES, _MOST_ROWS_RESAMPLED = 19, 100_000


@dataclass(frozen=True, slots=True)
class Rescoring:
    """What scoring again by the same reward would do.

    Attributes:
        probability: (prompts,) that the new best set has nothing in common with today's.
        draws: Simulations behind each probability.
        share_at_most: Their mean with the greatest noise that the estimate allows (95 %).
        p: Probability of as many changed prompts as observed, or more, if the other reward were this one scored again.
        p_at_most: The same with that noise; equal to `p` where sigma is given.
    """

    probability: Float64[np.ndarray, " prompts"]
    draws: int
    share_at_most: float
    p: float
    p_at_most: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: the expected share with a 95 % range of what one scoring may show."""
        expected = float(self.probability.mean())
        n = len(self.probability)
        half = 1.96 * _deviation(self.probability, self.draws) / n
        low, high = max(0.0, expected - half), min(1.0, expected + half)
        return {
            "expected_share": {"value": expected, "low": low, "high": high},
            "expected_share_at_most": self.share_at_most,
            "draws": self.draws,
            "p": self.p,
            "p_at_most": self.p_at_most,
        }


def noise_of(table: RolloutTable, reward: Reward, settings: AuditSettings) -> Noise:
    """Noise of a mixture of the table's reward columns."""
    columns = {column.name: column for column in table.rewards}
    parts = {
        name: noise_of_column(table, column_reward(name, columns[name].scores, weight=weight), settings)
        for name, weight in reward.components
    }
    return noise_of_effective(table, reward, parts, settings)


def rescored(scored: Scored, noise: Noise, *, observed: int, seed: int) -> Rescoring | None:
    """Compare an observed number of prompts whose choice changed with scoring again; None where noise is not known."""
    if noise.sigma is None:
        return None
    simulation = simulation_of(scored, seed)
    draws = simulation.draws
    probability = flip_probability(scored, _of_a_difference(noise, noise.sigma), simulation)
    p = at_least(probability, observed, draws)
    most = [_at_noise(scored, item, observed, seed) for item in _greater(scored, noise, seed)]
    largest = max([float(probability.mean()), *(share for share, _ in most)])
    return Rescoring(probability, draws, largest, p, max([p, *(p for _, p in most)]))


def _greater(scored: Scored, noise: Noise, seed: int) -> Iterator[Noise]:
    """As much noise as its estimate allows (95 %): the end of sigma's interval, or 19 resamples of the pairs of scores.

    None where it is given, where no repeat differed, and for tables too large to do it 19 times.
    """
    if noise.pairs is not None:
        yield from _resampled(noise, seed) if len(scored.layout.rows) <= _MOST_ROWS_RESAMPLED else ()
        return
    high = (noise.to_dict()["sigma"] or {}).get("high")
    if high is not None and noise.sigma is not None and high > noise.sigma:
        yield _of_a_difference(noise, high)


def _at_noise(scored: Scored, noise: Noise, observed: int, seed: int) -> tuple[float, float]:
    """Expected share of changed choices, and the probability of as many as observed."""
    simulation = simulation_of(scored, seed)
    draws = simulation.draws
    probability = flip_probability(scored, noise, simulation)
    return float(probability.mean()), at_least(probability, observed, draws)


def _resampled(noise: Noise, seed: int) -> Iterator[Noise]:
    """Resamples of the pairs of scores: the greatest of 19 figures is a 95 % bound."""
    rng = np.random.default_rng(seed)
    if noise.pairs is None:
        return
    for _ in range(_RESAMPLES):
        drawn = np.sort(rng.integers(0, len(noise.pairs.first), size=len(noise.pairs.first)))
        yield replace(noise, pairs=RerunPairs(noise.pairs.first[drawn], noise.pairs.residuals[drawn]))


def at_least(probability: Float64[np.ndarray, " prompts"], observed: int, draws: int) -> float:
    """Probability of at least `observed` successes: exact for few prompts, else normal with a continuity correction.

    >>> at_least(np.array([0.5, 0.5]), 2, 100)
    0.25
    """
    uncertain = probability[probability > 0]
    if observed <= 0:
        return 1.0
    if observed > len(uncertain):
        return 0.0
    if len(uncertain) > _MOST_EXACT:
        deviation = _deviation(uncertain, draws)
        return float(ndtr((uncertain.sum() - observed + 0.5) / deviation)) if deviation > 0 else 0.0
    counts = np.zeros(len(uncertain) + 1)
    counts[0] = 1.0
    for chance in uncertain:  # the distribution of the count, a prompt at a time
        counts[1:] = counts[1:] * (1.0 - chance) + counts[:-1] * chance
        counts[0] *= 1.0 - chance
    return float(min(1.0, counts[observed:].sum()))


def _of_a_difference(noise: Noise, sigma: float) -> Noise:
    return noise if noise.pairs is not None else replace(noise, sigma=float(np.sqrt(2.0)) * sigma)


def _deviation(probability: Float64[np.ndarray, " prompts"], draws: int) -> float:
    """Of the count: chance of the prompts, and of the simulation that gave the probabilities."""
    return float(np.sqrt((probability * (1.0 - probability)).sum() * (1.0 + 1.0 / draws)))
