"""Lines of rewards by enumeration: every deterministic policy is a line in t, the optimum is their upper envelope."""

from dataclasses import dataclass

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.statements.measure import Pairs, can_enumerate, n_policies, policies

LIMIT = 600
BATCH_ENTRIES = 1_000_000
# Kinks closer than this share of the line's length are one.
NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Envelope:
    """Values (policies, states) of all deterministic policies under the reward and under the direction."""

    levels: Float64[np.ndarray, "policies states"]
    slopes: Float64[np.ndarray, "policies states"]

    def kinks(self, t_min: float, t_max: float) -> list[float]:
        """Where the optimum of some state changes its slope, inside the line; near ones are one."""
        found = [t for state in range(self.levels.shape[1]) for t in self._walk(state, t_min, t_max)]
        return inner(found, t_min, t_max)

    def _walk(self, state: int, t_min: float, t_max: float) -> list[float]:
        """Kinks of one state's upper envelope, from the left."""
        level, slope = self.levels[:, state], self.slopes[:, state]
        scale = 1e-12 * (1.0 + float(np.abs(slope).max()))
        result: list[float] = []
        value = level + t_min * slope
        here = _steepest(value, slope)
        while True:
            steeper = np.flatnonzero(slope > slope[here] + scale)
            if steeper.size == 0:
                return result
            crossing = (level[here] - level[steeper]) / (slope[steeper] - slope[here])
            t = max(float(crossing.min()), t_min)
            if t > t_max:
                return result
            result.append(t)
            here = int(steeper[_steepest(-np.maximum(crossing, t_min), slope[steeper])])


def _steepest(value: np.ndarray, slope: np.ndarray) -> int:
    """The entry of largest value, and of largest slope among those that are as large up to rounding."""
    close = np.flatnonzero(value >= value.max() - 1e-12 * (1.0 + abs(float(value.max()))))
    return int(close[np.argmax(slope[close])])


def make_envelope(mdp: MDP, direction: Pairs) -> Envelope | None:
    """All policies as lines; None where there are too many."""
    values = all_values(mdp, np.array([mdp.rewards, direction]))
    return None if values is None else Envelope(values[:, :, 0], values[:, :, 1])


def all_values(
    mdp: MDP, rewards: Float64[np.ndarray, "rewards pairs"]
) -> Float64[np.ndarray, "policies states rewards"] | None:
    """Values of all deterministic policies under each reward; None where there are too many policies.

    Dense solves, many at a time, and one correction with the residual in long double; 0 at terminal states.
    """
    if not can_enumerate(mdp) or n_policies(mdp) > LIMIT + 0.5:
        return None
    choices, kernel = np.array(list(policies(mdp))), mdp.gamma * mdp.transitions.toarray()
    alive = ~mdp.terminal[mdp.pair_states]
    kernel, paid = kernel * alive[:, None], (rewards * alive).T
    parts = np.array_split(choices, max(choices.shape[0] * mdp.n_states**2 // BATCH_ENTRIES, 1))
    return np.concatenate([_refined(kernel[part], paid[part]) for part in parts])


def _refined(chains: np.ndarray, paid: np.ndarray) -> Float64[np.ndarray, "policies states rewards"]:
    system = np.eye(chains.shape[1]) - chains
    values = np.linalg.solve(system, paid)
    residual = paid + chains.astype(np.longdouble) @ values - values
    return np.asarray(values + np.linalg.solve(system, np.asarray(residual, dtype=np.float64)))


def inner(points: list[float], t_min: float, t_max: float) -> list[float]:
    """The points inside the line in order; of those that rounding cannot tell apart the first, none at the ends."""
    result: list[float] = []
    width = NEAR * (t_max - t_min)
    for t in sorted(points):
        if t_min + width < t < t_max - width and (not result or t - result[-1] > width):
            result.append(t)
    return result
