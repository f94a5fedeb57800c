"""Lemma 2.5 as something that runs: how the set of optimal actions moves when the reward moves.

R -> A*(s; R) is upper hemi-continuous: as t goes to 0, A*(s; R + tD) lies in ever smaller neighbourhoods of A*(s; R),
so the excess of the first over the second ("outward") goes to 0. It is not lower hemi-continuous: at a tie the excess
of A*(s; R) over A*(s; R + tD) ("inward") stays as large as the set, however small t is. On a finite set of actions the
outward excess is 0 as soon as t is small enough: rewards that move by t |D| move Q*(s, a) by at most t H(s, a), with H
the horizon of |D| (Prop 2.4), so no action enters while t (H(s, a) + H(s, b)) < V*(s) - Q*(s, a) for an optimal b.

Distances need a metric of actions; by default all are 1 apart, and an excess of 0 means that the set is contained.
Cost: one solve a step.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.kernels import UNRESOLVED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.optimal_sets import settled, settled_actions
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, check_shape, fail
from policycliff.mdp.metric import MetricGrid
from policycliff.mdp.model import MDP, check_mdp
from policycliff.policies.distances import excess
from policycliff.rewards.bump import metrics_of
from policycliff.shapes import Bool, Float64
from policycliff.values.horizon import reward_horizon
from policycliff.values.solution import Solution
from policycliff.values.solve import solve, tight_tolerance


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ArgmaxDrift:
    """How far sets of optimal actions reach beyond each other along R + t D.

    Attributes:
        steps: (n,) the values of t.
        outward: (n, states) excess of A*(s; R + tD) over A*(s; R), in the unit of the metric: goes to 0 with t.
        inward: (n, states) excess of A*(s; R) over A*(s; R + tD): stays away from 0 where a tie breaks.
        resolved: (n, states) whether both sets are proven; elsewhere they may be too large.
        containment_step: proven: below this |t| every A*(s; R + tD) is part of the given set of A*(s; R).
    """

    steps: Float64[np.ndarray, " n"]
    outward: Float64[np.ndarray, "n states"]
    inward: Float64[np.ndarray, "n states"]
    resolved: Bool[np.ndarray, "n states"]
    containment_step: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        limit = self.containment_step
        return {
            "steps": self.steps.tolist(),
            "outward": self.outward.tolist(),
            "inward": self.inward.tolist(),
            "resolved": self.resolved.tolist(),
            "containment_step": limit if np.isfinite(limit) else None,
        }

    def __repr__(self) -> str:
        return (
            f"ArgmaxDrift({self.steps.size} steps of {self.outward.shape[1]} states: sets grow by up to "
            f"{self.outward.max():.4g} and lose up to {self.inward.max():.4g}; contained below t = "
            f"{self.containment_step:.4g}; {int((~self.resolved).sum())} unresolved)"
        )


def argmax_drift(
    mdp: MDP, direction: Any, steps: Any, *, action_metric: MetricGrid | None = None, exact: bool = False
) -> ArgmaxDrift:
    """Excess of A*(s; R + t D) over A*(s; R), and the reverse, at given t (Lemma 2.5).

    Args:
        mdp: the MDP, whose reward is R.
        direction: (pairs,) D, finite, 0 at terminal states.
        steps: (n,) values of t, finite, of any sign.
        action_metric: distances of action indices; by default all are 1 apart.
        exact: decide what is optimal in rational arithmetic (done by itself up to 40 states).

    Returns:
        An `ArgmaxDrift`.

    Raises:
        InvalidInputError: a shape or number is wrong, or a direction that moves the reward of a terminal state.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, MetricGrid, argmax_drift
        >>> bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.0)
        >>> line = MetricGrid.from_points([-5.0, 0.0, 5.0])
        >>> drift = argmax_drift(bandit, [0.0, 0.0, 1.0], [1e-2, 1e-9], action_metric=line)
        >>> drift.outward.ravel(), drift.inward.ravel()
        (array([0., 0.]), array([10., 10.]))
    """
    check_mdp(mdp)
    push, times = as_float_vector("direction", direction), as_float_vector("steps", steps)
    check_shape("direction", push, (mdp.n_pairs,), meaning="one entry a pair")
    check_finite("direction", push)
    if times.ndim != 1 or times.size == 0:
        raise fail(got=f"`steps` of shape {times.shape}", expected="(n,), not empty", remedy="Pass a list of t.")
    check_finite("steps", times)
    _, metric = metrics_of(mdp, None, action_metric)
    mdp.with_rewards(push)
    solution = solve(mdp, tolerance=tight_tolerance(mdp.rewards))
    before = settled(solution, exact=exact)
    sets = [settled_actions(mdp.with_rewards(mdp.rewards + t * push), exact=exact) for t in times]
    return ArgmaxDrift(
        steps=frozen(times.copy()),
        outward=frozen(np.array([_excesses(after, before, metric) for after in sets])),
        inward=frozen(np.array([_excesses(before, after, metric) for after in sets])),
        resolved=frozen(np.array([(before.codes != UNRESOLVED) & (after.codes != UNRESOLVED) for after in sets])),
        containment_step=_containment_step(solution, before, np.abs(push)),
    )


def _excesses(first: OptimalActions, second: OptimalActions, metric: MetricGrid) -> Float64[np.ndarray, " states"]:
    """Excess in every state; only states whose sets differ are looked at."""
    mdp = first.mdp
    differs = np.add.reduceat(first.members != second.members, mdp.offsets[:-1]) > 0
    result = np.zeros(mdp.n_states)
    for state in np.flatnonzero(differs).tolist():
        here, there = mdp.actions[first.pairs(state)], mdp.actions[second.pairs(state)]
        result[state] = excess(here, there, metric=metric)
    return result


def _containment_step(solution: Solution, before: OptimalActions, widths: Float64[np.ndarray, " pairs"]) -> float:
    """The t below which t (H(s, a) + H(s, b)) is less than the gap of a for every a outside and some b inside."""
    mdp = solution.mdp
    owners, reach = mdp.pair_states, reward_horizon(mdp, widths)
    outside = ~before.members
    if not outside.any():
        return float("inf")
    # Every optimal action is inside, but not every one inside need be optimal: the largest H is safe.
    inside = np.maximum.reduceat(np.where(before.members, reach, 0.0), mdp.offsets[:-1])[owners]
    gaps = np.maximum(solution.values[owners] - solution.q_values - 2.0 * solution.error_bound, 0.0)
    moves = (reach + inside) * (1.0 + 1e-12)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratios = np.where(moves > 0.0, gaps / moves, np.inf)
    return float(ratios[outside].min())
