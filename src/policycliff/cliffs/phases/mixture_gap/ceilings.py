"""What no policy of the state can exceed: the optimum with the first state remembered, and with the class seen.

The first is one MDP for each posterior P(k | s0) over classes, the second one for each class.
"""

import numpy as np

from policycliff.cliffs.phases.mixture_gap.classes import Classes
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.operator import amplification
from policycliff.values.solve import solve, tight_tolerance


def ceilings(classes: Classes) -> tuple[float, float, float]:
    """Returns with the start remembered and with the class seen, and the error of both."""
    mdp, mass, largest = classes.mdp, classes.mass, float(np.abs(classes.rewards).max())
    together = mass.sum(axis=0)
    remembered = seen = error = 0.0
    # States with the same posterior over classes share one MDP.
    seeds = np.flatnonzero(together > 0.0)
    posteriors, groups = np.unique((mass[:, seeds] / together[seeds]).T, axis=0, return_inverse=True)
    for index, posterior in enumerate(posteriors):
        start = np.zeros(mdp.n_states)
        start[seeds[groups.ravel() == index]] = together[seeds[groups.ravel() == index]]
        value, slack = _optimum(mdp, posterior @ classes.rewards, start, largest)
        remembered, error = remembered + value, error + slack
    for row, reward in zip(mass, classes.rewards, strict=True):
        value, slack = _optimum(mdp, reward, row, largest)
        seen, error = seen + value, max(error, slack)
    return remembered, seen, error * (len(mass) + 1.0)


def _optimum(
    mdp: MDP, reward: Float64[np.ndarray, " pairs"], start: Float64[np.ndarray, " states"], largest: float
) -> tuple[float, float]:
    """The optimal return and its error; `largest` is the largest reward of any class."""
    solution = solve(mdp.with_rewards(reward), tolerance=tight_tolerance(reward))
    # The reward is a mixture that was rounded, and so are the sums.
    formed = 2.0**-45 * largest * amplification(mdp)
    return float(start @ solution.values), float(start.sum()) * (solution.error_bound + formed)
