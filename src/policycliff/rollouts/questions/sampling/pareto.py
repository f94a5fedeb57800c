"""The Pareto diagnostic of importance ratios (Vehtari, Simpson, Gelman, Yao and Gabry 2024).

The greatest ratios are fitted by a generalised Pareto law. Its shape k says how many moments the ratios have: for
k < 1/2 the variance is finite, for k >= 1 not even the mean is, and the estimate is in the hands of draws not yet seen.
The fit is that of Zhang and Stephens (2009): a weighted mean over a grid of one parameter, without optimisation.
"""

import numpy as np

from policycliff.shapes import Float64

_LEAST_TAIL = 5
_PRIOR_DRAWS, _PRIOR_SHAPE = 10.0, 0.5
_LEAST_LOG_RATIO = -600.0


def pareto_shape(log_ratios: Float64[np.ndarray, " n"]) -> float | None:
    """The shape k of the upper tail of the ratios; any constant may be added to their logarithms.

    None where there are too few distinct ratios to fit a tail; minus infinity where the greatest ratios are all equal,
    so that there is no tail; infinity where a few are greater than the others by more than numbers can hold.
    """
    count = len(log_ratios)
    size = int(np.ceil(min(0.2 * count, 3.0 * np.sqrt(count))))
    if size < _LEAST_TAIL:
        return None
    ordered = np.sort(log_ratios) - log_ratios.max()
    cutoff = ordered[-size - 1]
    if cutoff < _LEAST_LOG_RATIO:
        return np.inf
    excesses = np.exp(ordered[-size:]) - np.exp(cutoff)
    tail = excesses[excesses > 0]
    if len(tail) == 0:
        return -np.inf
    if len(tail) < _LEAST_TAIL:
        return None
    shape = generalised_pareto_shape(tail)
    return (shape * len(tail) + _PRIOR_SHAPE * _PRIOR_DRAWS) / (len(tail) + _PRIOR_DRAWS)


def generalised_pareto_shape(excesses: Float64[np.ndarray, " n"]) -> float:
    """Shape of the generalised Pareto law of positive, ascending excesses over a threshold, by Zhang and Stephens."""
    count = len(excesses)
    steps = 30 + int(np.sqrt(count))
    grid = 1.0 - np.sqrt(steps / (np.arange(steps) + 0.5))
    theta = 1.0 / excesses[-1] + grid / (3.0 * excesses[int(count / 4 + 0.5) - 1])
    shapes = np.log1p(-theta[:, None] * excesses).mean(axis=1)
    likelihood = count * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(likelihood - likelihood.max())
    return float(np.log1p(-(weights @ theta / weights.sum()) * excesses).mean())


def reliable_below(count: int) -> float:
    """The shape below which that many ratios give a dependable mean.

    >>> round(reliable_below(100), 3), reliable_below(10_000)
    (0.5, 0.7)
    """
    return min(1.0 - 1.0 / float(np.log10(count)), 0.7) if count > 10 else 0.0
