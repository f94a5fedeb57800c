"""What `solve_many` returns: the optima of one MDP under many rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64, Int64
from policycliff.values.backup_kernels import greedy_weights, soft_weights
from policycliff.values.regularizers import Regularizer
from policycliff.values.solution import CONVERGED, Solution


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Solutions(Sequence[Solution]):
    """The optima of one MDP under N rewards; item i is the `Solution` of reward i.

    Attributes:
        mdp: the MDP; its own reward plays no part.
        rewards: (N, pairs) the rewards.
        values: (N, states) optimal values, or soft ones.
        q_values: (N, pairs) optimal Q-values.
        error_bounds: (N,) proven bounds on the sup-norm errors of the Q-values.
        iterations: (N,) sweeps over all pairs.
        statuses: N times "converged", "rounding_floor" or "iteration_limit", as in `Solution`.
        tolerance: what was asked for.
        method: the method that ran.
        regularizer: None, `Entropy` or `KL`.
    """

    mdp: MDP
    rewards: Float64[np.ndarray, "rewards pairs"]
    values: Float64[np.ndarray, "rewards states"]
    q_values: Float64[np.ndarray, "rewards pairs"]
    error_bounds: Float64[np.ndarray, " rewards"]
    iterations: Int64[np.ndarray, " rewards"]
    statuses: tuple[str, ...]
    tolerance: float
    method: str
    regularizer: Regularizer | None

    def __len__(self) -> int:
        return len(self.statuses)

    @overload
    def __getitem__(self, index: int) -> Solution: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Solution]: ...
    def __getitem__(self, index: int | slice) -> Solution | Sequence[Solution]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        policy, q = np.empty(self.mdp.n_pairs), self.q_values[place]
        if self.regularizer is None:
            greedy_weights(self.mdp.offsets, q, policy)
        else:
            soft_weights(self.mdp.offsets, q, self.regularizer.base(self.mdp), self.regularizer.temperature, policy)
        return Solution(
            mdp=self.mdp.with_rewards(self.rewards[place]),
            values=self.values[place],
            q_values=q,
            policy=frozen(policy),
            error_bound=float(self.error_bounds[place]),
            tolerance=self.tolerance,
            iterations=int(self.iterations[place]),
            method=self.method,
            status=self.statuses[place],
            regularizer=self.regularizer,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "mdp": self.mdp.to_dict(),
            "rewards": self.rewards.tolist(),
            "values": self.values.tolist(),
            "q_values": self.q_values.tolist(),
            "error_bounds": self.error_bounds.tolist(),
            "iterations": self.iterations.tolist(),
            "statuses": list(self.statuses),
            "tolerance": self.tolerance,
            "method": self.method,
            "regularizer": None if self.regularizer is None else self.regularizer.to_dict(),
        }

    def __repr__(self) -> str:
        soft = "" if self.regularizer is None else f", {self.regularizer!r}"
        done = sum(status == CONVERGED for status in self.statuses)
        return (
            f"Solutions({len(self)} rewards, {done} converged by {self.method}{soft}; "
            f"|Q - Q*| <= {self.error_bounds.max(initial=0.0):.2g}; {self.mdp!r})"
        )
