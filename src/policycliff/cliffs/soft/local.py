"""The local modulus of the soft policy: its derivative in the reward, from the sup norm to total variation.

At a state it is the maximum over sets B of actions of the 1-norm (weighted by half-widths) of the summed rows of the
Jacobian: half the L1 norm of a change of a distribution is what its gaining set gains. Up to 12 actions that is exact
up to the error of the solves, beyond it is bracketed (`partition`), also by the covariance form: p (1 - p) times the
largest span of dQ.
"""

import numpy as np

from policycliff.cliffs.soft.jacobian import SoftMap, StateRows
from policycliff.cliffs.soft.partition import largest_subset
from policycliff.cliffs.soft.problem import SoftProblem
from policycliff.cliffs.soft.search import Witnesses
from policycliff.shapes import Bool, Float64, Int64

PAIRWISE_LIMIT = 2e7
"""Entries of all differences of rows up to which the largest span is computed and not bounded."""


def rows_of(soft_map: SoftMap, states: Int64[np.ndarray, " chosen"]) -> list[StateRows]:
    """The derivative at those of the states that have a choice."""
    sizes = np.diff(soft_map.mdp.offsets)
    return [soft_map.rows(state) for state in states.tolist() if sizes[state] > 1]


def local_moduli(
    problem: SoftProblem, soft_map: SoftMap, rows: list[StateRows]
) -> tuple[Float64[np.ndarray, " states"], Float64[np.ndarray, " states"], Witnesses]:
    """Local modulus of each state, lower and upper end (0 without a choice, NaN where not asked), and gaining sets."""
    mdp, temperature = problem.mdp, soft_map.temperature
    low = np.where(problem.choices > 1, np.nan, 0.0)
    high, witnesses = low.copy(), dict[int, tuple[float, Bool[np.ndarray, " actions"]]]()
    mean = soft_map.mean_widths(problem.half_widths)
    widest = float(problem.half_widths.max(initial=0.0))
    for block in rows:
        own = problem.half_widths[int(mdp.offsets[block.state]) : int(mdp.offsets[block.state + 1])]
        weighted = block.weighted(own, mean)
        found = largest_subset(block.policy[:, None] * weighted)
        slack = 0.5 * float(block.policy @ block.error) * widest
        low[block.state] = max(found.low - slack, 0.0) / temperature
        high[block.state] = min(found.high, _covariance_bound(block.policy, weighted)) / temperature
        high[block.state] = max(high[block.state], found.low / temperature) + slack / temperature
        witnesses[block.state] = (low[block.state], found.members)
    return low, high, witnesses


def _covariance_bound(
    policy: Float64[np.ndarray, " actions"], weighted: Float64[np.ndarray, "actions columns"]
) -> float:
    """An upper end: the largest p (1 - p) of a set times the largest span of dQ, where subsets are too many."""
    top = max(float(policy.max(initial=0.0)), 0.5)
    if len(weighted) * weighted.size <= PAIRWISE_LIMIT:
        spread = max(float(np.abs(weighted - row).sum(axis=1).max()) for row in weighted)
    else:
        spread = 2.0 * float(np.abs(weighted).sum(axis=1).max())
    return top * (1.0 - top) * spread
