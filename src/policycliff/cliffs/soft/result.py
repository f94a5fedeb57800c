"""What `soft_policy_bounds` returns."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from policycliff.cliffs.soft.sequences import SequenceBounds
from policycliff.shapes import Float64, Int64

COLUMNS = ("linear", "sharp", "mixing", "certified", "local", "local_high", "measured")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SoftPolicyBounds:
    """How far the soft policy moves, in total variation, for rewards within epsilon; arrays are over `states`.

    Attributes:
        epsilon: radius of the ball, in units of reward (of `half_widths` where given).
        temperature: alpha, or beta for KL.
        kind: "entropy" or "kl".
        paper_bound: Proposition 4.7 as it stands, epsilon max(u) / (2 alpha (1 - gamma)); inf at gamma = 1.
        states: the states that were looked at.
        linear: theorem: epsilon * horizon / (2 alpha).
        sharp: theorem: tanh(linear).
        mixing: theorem: from the span of the change of Q.
        certified: theorem for this reward: at most `mixing`; equal to it where the MDP is too large for it.
        local: derivative at this reward, total variation per unit of epsilon: no bound. Lower end where bracketed.
        local_high: its upper end, equal to `local` for states with up to 12 actions, up to the error of the solve.
        measured: largest total variation found: a lower bound on the worst case.
        means: occupancy-weighted mean of each column over `states`, or None without an initial distribution. For
            "measured" it is the largest mean under one perturbation.
        change: (pairs,) the perturbation that moved some state most.
        policy: (pairs,) the soft policy.
        policy_error: bound on its total variation to the soft optimum.
        sequence: bounds for whole completions on deterministic trees at gamma = 1, else None.
        solves: perturbed MDPs that were solved.
    """

    epsilon: float
    temperature: float
    kind: str
    paper_bound: float
    states: Int64[np.ndarray, " states"]
    linear: Float64[np.ndarray, " states"]
    sharp: Float64[np.ndarray, " states"]
    mixing: Float64[np.ndarray, " states"]
    certified: Float64[np.ndarray, " states"]
    local: Float64[np.ndarray, " states"]
    local_high: Float64[np.ndarray, " states"]
    measured: Float64[np.ndarray, " states"]
    means: dict[str, float] | None
    change: Float64[np.ndarray, " pairs"]
    policy: Float64[np.ndarray, " pairs"]
    policy_error: float
    sequence: SequenceBounds | None
    solves: int

    def worst(self, column: str) -> float:
        """The largest entry of a column, such as "certified", over the states."""
        return float(getattr(self, column).max(initial=0.0))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        result: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            result[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
        result["paper_bound"] = self.paper_bound if np.isfinite(self.paper_bound) else None
        result["sequence"] = None if self.sequence is None else self.sequence.to_dict()
        result["worst"] = {name: self.worst(name) for name in COLUMNS}
        return result

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name} {self.worst(name):.4g}" for name in COLUMNS[:4])
        tail = "" if self.sequence is None else f"; {self.sequence!r}"
        return (
            f"SoftPolicyBounds(total variation for rewards within {self.epsilon:g} at {self.kind} temperature "
            f"{self.temperature:g}, largest of {self.states.size} states: Prop 4.7 {self.paper_bound:.4g}; "
            f"proven {bounds}; first order {self.epsilon * self.worst('local'):.4g}; "
            f"measured {self.worst('measured'):.4g}{tail})"
        )
