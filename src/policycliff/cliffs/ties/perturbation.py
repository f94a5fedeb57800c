"""What `cliff_perturbation` returns: a small reward change, and the sets of optimal actions before and after it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.actions.kernels import UNRESOLVED
from policycliff.actions.optimal import OptimalActions
from policycliff.shapes import Float64, Int32, Int64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CliffPerturbation:
    """A reward change of at most `epsilon` after which one tied action alone is optimal at a state.

    Attributes:
        before: sets of optimal actions under the given reward (`before.mdp`).
        after: sets of optimal actions under the changed reward (`after.mdp`), found by solving.
        state: s0.
        action: index of the action a2 that wins there.
        epsilon: the size that was asked for, in units of reward.
        construction: "paper", "sharp" or "pair".
        height: e', the height of the bump in Q ("pair": the change of the one reward).
        shape: (pairs,) the bump phi.
        change: (pairs,) new minus old reward.
        status: "certified" (before: tied with a2 in the set; after: a2 alone; both proven), "unresolved" (floating
            point cannot tell; try `exact=True`) or "missed" (proven otherwise: epsilon is near the rewards' rounding).
        greedy_jump: total variation at s0 of the policies that take the first optimal action: 1, or 0 if a2 was first.
        uniform_jump: the same for uniform selection: (m - 1) / m with m tied actions (Prop 2.10).
    """

    before: OptimalActions
    after: OptimalActions
    state: int
    action: int
    epsilon: float
    construction: str
    height: float
    shape: Float64[np.ndarray, " pairs"]
    change: Float64[np.ndarray, " pairs"]
    status: str
    greedy_jump: float
    uniform_jump: float

    @property
    def rewards(self) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) the changed rewards R_e."""
        return self.after.mdp.rewards

    @property
    def norm(self) -> float:
        """Sup norm of the change; its relative rounding error is at most 2^-52."""
        return float(np.abs(self.change).max())

    @property
    def change_range(self) -> tuple[float, float]:
        """Least and largest change: within [-gamma e', e']."""
        return float(self.change.min()), float(self.change.max())

    @property
    def actions_before(self) -> Int32[np.ndarray, " tied"]:
        """Indices of the optimal actions at s0 under the given reward."""
        return self.before.mdp.actions[self.before.pairs(self.state)]

    @property
    def actions_after(self) -> Int32[np.ndarray, " left"]:
        """Indices of the optimal actions at s0 under the changed reward."""
        return self.after.mdp.actions[self.after.pairs(self.state)]

    @property
    def states_changed(self) -> Int64[np.ndarray, " changed"]:
        """States whose set of optimal actions is proven to have changed, s0 among them."""
        return np.flatnonzero(self._differs() & self._resolved())

    @property
    def states_unresolved(self) -> Int64[np.ndarray, " open"]:
        """States of which floating point cannot tell whether their set changed."""
        return np.flatnonzero(~self._resolved())

    def selection_jump(self, policy: Float64[np.ndarray, " pairs"]) -> float:
        """Total variation at s0 from any selection of optimal actions to a2: 1 - policy(a2 | s0).

        Chosen over the tied actions, the largest is 1 - min policy >= (m - 1) / m: uniform selection is the least bad.
        """
        return 1.0 - float(policy[self.before.mdp.pair(self.state, self.action)])

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "state": self.state,
            "action": self.action,
            "epsilon": self.epsilon,
            "construction": self.construction,
            "height": self.height,
            "status": self.status,
            "norm": self.norm,
            "change_range": list(self.change_range),
            "actions_before": self.actions_before.tolist(),
            "actions_after": self.actions_after.tolist(),
            "greedy_jump": self.greedy_jump,
            "uniform_jump": self.uniform_jump,
            "states_changed": self.states_changed.tolist(),
            "states_unresolved": self.states_unresolved.tolist(),
            "shape": self.shape.tolist(),
            "change": self.change.tolist(),
            "rewards": self.rewards.tolist(),
        }

    def __repr__(self) -> str:
        mdp, low_high = self.before.mdp, self.change_range
        return (
            f"CliffPerturbation({self.status}: at {mdp.state_name(self.state)} the optimal actions "
            f"{self.actions_before.tolist()} become {self.actions_after.tolist()} under a change of {self.norm:.4g} "
            f"(asked: {self.epsilon:.4g}, by {self.construction!r}), in [{low_high[0]:.4g}, {low_high[1]:.4g}]; "
            f"total variation {self.greedy_jump:g} greedy, {self.uniform_jump:.4g} uniform; "
            f"{self.states_changed.size} states change, {self.states_unresolved.size} unresolved)"
        )

    def _resolved(self) -> np.ndarray:
        return (self.before.codes != UNRESOLVED) & (self.after.codes != UNRESOLVED)

    def _differs(self) -> np.ndarray:
        return np.add.reduceat(self.before.members != self.after.members, self.before.mdp.offsets[:-1]) > 0
