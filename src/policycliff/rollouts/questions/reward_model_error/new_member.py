"""A further member drawn like these: how often would it pick another best behaviour than the mean of these does?

The model: a member's values of a prompt's behaviours are those of a common truth plus an error, errors are independent
over members and Gaussian within a prompt. Then what the next member says of any difference of two behaviours is a
Student t with m - 1 degrees of freedom about the members' mean difference, scaled by their standard deviation and
sqrt(1 + 1/m). One joint law with exactly these margins is

    new = mean + sqrt(1 + 1/m) * sum_j z_j (value_j - mean) / sqrt(chi2),

with z standard Gaussian in the m members and chi2 of m - 1 degrees: that is what is simulated. Without the simulation,
the chance that one rival overtakes the single best behaviour is exact; the largest over rivals and their sum bracket
the chance that any does.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_sum
from policycliff.shapes import Float64, Int64

_MOST_DRAWS, _FEWEST_DRAWS = 1000, 32
_MOST_VALUES, _BATCH_VALUES = 60_000_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Flips:
    """Chances that a new member's best set is disjoint from the mean's, by prompt.

    Attributes:
        probability: (prompts,) simulated; 0 where all behaviours are tied under the mean.
        low: (prompts,) the likeliest single rival, exact; NaN where the mean's best is tied.
        high: (prompts,) the sum over rivals, at most 1; NaN where the mean's best is tied.
        draws: Simulated members a prompt.
    """

    probability: Float64[np.ndarray, " prompts"]
    low: Float64[np.ndarray, " prompts"]
    high: Float64[np.ndarray, " prompts"]
    draws: int


def new_member_flips(
    values: Float64[np.ndarray, "members behaviours"], mean: Scored, *, seed: int, most_draws: int = _MOST_DRAWS
) -> Flips:
    """Chance that one member more, drawn like those of `values`, picks no best behaviour of their `mean`."""
    # Many prompts average out what few draws leave open in each.
    affordable = _MOST_VALUES // max(values.size, 1)
    draws = int(np.clip(affordable, _FEWEST_DRAWS, max(most_draws, _FEWEST_DRAWS)))
    return Flips(_simulated(values, mean, draws, np.random.default_rng(seed)), *_bracket(values, mean), draws)


def overtaking(
    values: Float64[np.ndarray, "members behaviours"], best: Int64[np.ndarray, " behaviours"]
) -> Float64[np.ndarray, " behaviours"]:
    """Chance, exact under the model, that a new member puts each behaviour above the one that `best` names for it.

    >>> values = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]])  # leads 1, 3 and 2: t = -2 / sqrt(4/3), 2 degrees
    >>> overtaking(values, np.array([0, 0])).round(4).tolist()
    [0.0, 0.1127]
    """
    count = len(values)
    lead = values[:, best] - values
    mean, spread = lead.mean(axis=0), lead.std(axis=0, ddof=1) * np.sqrt(1.0 + 1.0 / count)
    statistic = np.divide(-mean, spread, out=np.zeros(len(mean)), where=spread > 0)
    return np.where(spread > 0, stdtr(count - 1, statistic), 0.0)


def _bracket(
    values: Float64[np.ndarray, "members behaviours"], mean: Scored
) -> tuple[Float64[np.ndarray, " prompts"], Float64[np.ndarray, " prompts"]]:
    offsets, where = mean.layout.behaviour_offsets, mean.layout.prompt_of_behaviour
    first_best = segment_max(np.where(mean.best, np.arange(len(where)), -1), offsets)
    chances = overtaking(values, first_best[where])
    unique = mean.tied_size == 1
    low, high = segment_max(chances, offsets), np.minimum(segment_sum(chances, offsets), 1.0)
    return np.where(unique, low, np.nan), np.where(unique, high, np.nan)


def _simulated(
    values: Float64[np.ndarray, "members behaviours"], mean: Scored, draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, " prompts"]:
    """Share of simulated members under which the greatest value lies outside the mean's best set."""
    layout, count = mean.layout, len(values)
    offsets, where = layout.behaviour_offsets, layout.prompt_of_behaviour
    residuals = (values - values.mean(axis=0)) * np.sqrt(1.0 + 1.0 / count)
    inside, outside = np.where(mean.best, 0.0, -np.inf), np.where(mean.best, -np.inf, 0.0)
    flipped, left = np.zeros(layout.n_prompts, dtype=np.int64), draws
    while left:
        batch = min(left, max(1, _BATCH_VALUES // values.size))
        z = rng.standard_normal((batch, count, layout.n_prompts))
        z /= np.sqrt(rng.chisquare(count - 1, (batch, 1, layout.n_prompts)))
        new = mean.values + np.einsum("jb,kjb->kb", residuals, z[:, :, where])
        best, other = (np.maximum.reduceat(new + mask, offsets[:-1], axis=1) for mask in (inside, outside))
        flipped += (other > best).sum(axis=0)
        left -= batch
    return flipped / draws
