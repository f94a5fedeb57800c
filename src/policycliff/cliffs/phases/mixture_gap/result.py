"""What `mixture_gap` returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.radius.result import finite
from policycliff.shapes import Float64, Int64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixtureGap:
    """What the effective reward loses against the mixture objective, and why.

    Attributes:
        gap: stationary minus effective return; the lower end of `bracket` where status is "bracket".
        bracket: (low, high), which contains it.
        effective_return: mixture return of the policy that is optimal for the effective reward (the first one).
        effective_range: least and largest mixture return among all deterministic policies that are optimal for the
            effective reward in every state, where policies were enumerated and at most 2000 are tied; else None.
        stationary_return: the most that a policy of the state earns (status "bracket": that local search found).
        remembered_return: the most that a policy earns which remembers its first state.
        class_seen_return: the most that a policy earns which is told the class.
        effective_policy: (pairs,) the policy behind the first.
        stationary_policy: (pairs,) the deterministic policy behind the second.
        states: states in which the two policies differ.
        error_bound: each return is off by at most this.
        policies: deterministic policies that were compared; 0 where they are too many.
        status: "exact" (the best of all stationary policies, stochastic ones included) or "bracket".
    """

    gap: float
    bracket: tuple[float, float]
    effective_return: float
    effective_range: tuple[float, float] | None
    stationary_return: float
    remembered_return: float
    class_seen_return: float
    effective_policy: Float64[np.ndarray, " pairs"]
    stationary_policy: Float64[np.ndarray, " pairs"]
    states: Int64[np.ndarray, " some"]
    error_bound: float
    policies: int
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "gap": self.gap,
            "bracket": [finite(end) for end in self.bracket],
            "effective_return": self.effective_return,
            "effective_range": None if self.effective_range is None else list(self.effective_range),
            "stationary_return": self.stationary_return,
            "remembered_return": self.remembered_return,
            "class_seen_return": self.class_seen_return,
            "effective_policy": np.flatnonzero(self.effective_policy).tolist(),
            "stationary_policy": np.flatnonzero(self.stationary_policy).tolist(),
            "states": self.states.tolist(),
            "error_bound": finite(self.error_bound),
            "policies": self.policies,
            "status": self.status,
        }

    def __repr__(self) -> str:
        return (
            f"MixtureGap({self.gap:.6g}, {self.status}: effective {self.effective_return:.6g}, stationary "
            f"{self.stationary_return:.6g}, start remembered {self.remembered_return:.6g}, class seen "
            f"{self.class_seen_return:.6g}; {self.states.size} states differ)"
        )
