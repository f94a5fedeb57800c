"""What `solve` returns: values, Q-values and a policy, with a proven bound on the error."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.model import MDP
from policycliff.shapes import Float64
from policycliff.values.regularizers import Regularizer

CONVERGED, ROUNDING_FLOOR, ITERATION_LIMIT = "converged", "rounding_floor", "iteration_limit"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Solution:
    """The optimum of an MDP up to `error_bound`.

    Attributes:
        mdp: the MDP that was solved.
        values: (states,) optimal values V*; their error is at most `error_bound` (for a soft maximum, up to its own
            rounding).
        q_values: (pairs,) optimal Q*.
        policy: (pairs,) probabilities: one maximiser of q_values in each state (the first), or the soft policy.
        error_bound: proven upper bound on the sup-norm error of `q_values`, rounding included; inf if unknown.
        tolerance: what was asked for.
        iterations: sweeps over all pairs.
        method: the method that ran.
        status: "converged" (error_bound <= tolerance), "rounding_floor" (the tolerance is below what double precision
            can prove; error_bound says what was reached) or "iteration_limit".
        regularizer: None, `Entropy` or `KL`.
    """

    mdp: MDP
    values: Float64[np.ndarray, " states"]
    q_values: Float64[np.ndarray, " pairs"]
    policy: Float64[np.ndarray, " pairs"]
    error_bound: float
    tolerance: float
    iterations: int
    method: str
    status: str
    regularizer: Regularizer | None

    @property
    def policy_error_bound(self) -> float:
        """Bound on the total variation between `policy` and the optimal soft policy: tanh(error / (2 temperature)).

        1 without a regularizer, where the optimal policy can be any selection of the optimal actions.
        """
        if self.regularizer is None:
            return 1.0
        return float(np.tanh(self.error_bound / (2.0 * self.regularizer.temperature)))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "mdp": self.mdp.to_dict(),
            "values": self.values.tolist(),
            "q_values": self.q_values.tolist(),
            "policy": self.policy.tolist(),
            "error_bound": self.error_bound,
            "tolerance": self.tolerance,
            "iterations": self.iterations,
            "method": self.method,
            "status": self.status,
            "regularizer": None if self.regularizer is None else self.regularizer.to_dict(),
        }

    def __repr__(self) -> str:
        soft = "" if self.regularizer is None else f", {self.regularizer!r}"
        return (
            f"Solution({self.status} by {self.method} in {self.iterations} sweeps{soft}; "
            f"values {self.values.min():.6g} to {self.values.max():.6g}, |Q - Q*| <= {self.error_bound:.2g}; "
            f"{self.mdp!r})"
        )
