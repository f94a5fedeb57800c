"""A tie between optimal actions, and the reward change that lets one of them win (Prop 2.9).

With Q_e = Q* + e' phi the values rise by V_e - V* = max_a (e' phi - (V* - Q*)), so the inverse Bellman map changes the
reward by e' phi - gamma P (V_e - V*): computed from gaps, it is no difference of large numbers. Cost: one solve.
"""

from dataclasses import dataclass

import numpy as np

from policycliff.actions.kernels import UNRESOLVED
from policycliff.actions.optimal import OptimalActions
from policycliff.cliffs.degeneracy.optimal_sets import settled
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail
from policycliff.mdp.metric import MetricGrid
from policycliff.mdp.model import MDP
from policycliff.rewards.bump import bump, metrics_of
from policycliff.shapes import Float64
from policycliff.values.solution import Solution
from policycliff.values.solve import solve, tight_tolerance


@dataclass(frozen=True, slots=True, eq=False)
class Tie:
    """A tie at `state` that `action` (of index `pair`) is to win, with what the constructions need to know of it.

    `shape` is the bump and `gaps` (pairs,) are V* - Q*, 0 where that is proven.
    """

    before: OptimalActions
    state: int
    action: int
    pair: int
    shape: Float64[np.ndarray, " pairs"]
    gaps: Float64[np.ndarray, " pairs"]

    def lift(self, height: float) -> Float64[np.ndarray, " pairs"]:
        """What the inverse Bellman map makes of Q* + height * shape, minus R: height * shape - gamma P (V_e - V*)."""
        mdp = self.before.mdp
        raised = height * self.shape
        rise = np.maximum(np.maximum.reduceat(raised - self.gaps, mdp.offsets[:-1]), 0.0)
        return np.asarray(raised - mdp.gamma * (mdp.transitions @ rise))

    def support(self) -> np.ndarray:
        """(pairs,) whose rewards `lift` can change."""
        mdp = self.before.mdp
        raised = np.maximum.reduceat(self.shape, mdp.offsets[:-1])
        return (self.shape > 0.0) | (mdp.gamma * (mdp.transitions @ raised) > 0.0)


def find_tie(
    mdp: MDP,
    state: int,
    action: int,
    *,
    width: float | None,
    state_metric: MetricGrid | None,
    action_metric: MetricGrid | None,
    exact: bool,
) -> Tie:
    """The tie that the action takes part in.

    Raises:
        InvalidInputError: there is no such tie.
    """
    pair = mdp.pair(state, action)
    metrics_of(mdp, state_metric, action_metric)
    if width is not None:
        bump(mdp, state, action, width=width)
    if mdp.terminal[state]:
        raise fail(
            got=f"terminal {mdp.state_name(state)}", expected="a state with a choice", remedy="Take one before the end."
        )
    solution = solve(mdp, tolerance=tight_tolerance(mdp.rewards))
    before = settled(solution, exact=exact)
    _check_tied(solution, before, state, pair)
    if width is None:
        _, actions = metrics_of(mdp, state_metric, action_metric)
        others = np.setdiff1d(mdp.actions[before.pairs(state)], [action])
        width = float(actions.distances_from(action)[others].min())
    shape = bump(mdp, state, action, width=width, state_metric=state_metric, action_metric=action_metric)
    owners = mdp.pair_states
    proven = before.members & (before.codes[owners] != UNRESOLVED)
    gaps = np.where(proven, 0.0, np.maximum(solution.values[owners] - solution.q_values, 0.0))
    at_tie = before.members & (owners == state)
    return Tie(
        before=before,
        state=state,
        action=action,
        pair=pair,
        shape=frozen(np.where(mdp.terminal[owners], 0.0, shape)),
        gaps=frozen(np.where(at_tie, 0.0, gaps)),
    )


def _check_tied(solution: Solution, before: OptimalActions, state: int, pair: int) -> None:
    """Raise unless the pair is optimal, or cannot be told from it, and is not the only one."""
    mdp = solution.mdp
    optimal = mdp.actions[before.pairs(state)].tolist()
    if not before.members[pair]:
        gap = float(solution.values[state] - solution.q_values[pair])
        raise fail(
            got=f"{mdp.action_name(pair)} at {mdp.state_name(state)}, whose Q-value is {gap:.6g} below the best",
            expected=f"one of the optimal actions {optimal}",
            remedy="Arbitrarily small changes decide ties only; stability_radius says how far others must go.",
        )
    if len(optimal) == 1:
        raise fail(
            got=f"{mdp.action_name(pair)}, the only optimal action at {mdp.state_name(state)}",
            expected="a state with two or more optimal actions",
            remedy="There is no tie to break: the policy is locally constant here (Thm 2.7). "
            "stability_radius says how far.",
        )
