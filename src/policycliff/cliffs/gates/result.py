"""What `gate_bounds` returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.rewards.gates.gated import GatedReward
from policycliff.shapes import Float64, Int64

COLUMNS = ("linear", "sharp", "mixing", "certified", "first_order", "measured")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GateBounds:
    """How far reward, Q-values and soft policy move if the components of a tuple move by at most epsilon each.

    Attributes:
        gated: weights and effective reward at the tuple.
        epsilon: how far each component may move, in units of reward.
        parameter_epsilon: how far each parameter of a `softmax_gate` may move.
        temperature: alpha of the soft policy, or beta for KL.
        growth: theorem: Lipschitz constant of R -> R_eff from this tuple, 1 + the gate's extra term; 1 if the gate
            reads no rewards, inf for a hard gate that reads them.
        parameter_growth: theorem: Lipschitz constant of Theta -> R_eff, 0 without parameters.
        weight_shift: (states,) theorem: total variation of the weights.
        reward_shift: (pairs,) theorem: |R_eff' - R_eff|, at most epsilon * growth + parameter_epsilon *
            parameter_growth.
        reward_first_order: (pairs,) the largest first-order move: exact for small epsilon, no bound; inf at a tie of a
            hard gate.
        reward_measured: largest |R_eff' - R_eff| found.
        q_bound: theorem: sup |Q*' - Q*| for the optimal Q-values.
        q_measured: the largest found.
        paper_form: Prop 4.7 with the constant of the gate, (epsilon growth + ...) / (2 alpha (1 - gamma)); inf at
            gamma = 1.
        states: the states that the columns below are about.
        linear: (states,) theorem: total variation of the soft policy, Prop 4.7 with the horizon of this world.
        sharp: (states,) theorem: tanh(linear).
        mixing: (states,) theorem: from the span of the change of Q.
        certified: (states,) theorem for this effective reward; the smallest of the bounds.
        first_order: (states,) the derivative through the gate times the size: exact for small epsilon, no bound; NaN
            where it was not computed.
        measured: (states,) largest total variation found: a lower bound on the worst case.
        change: (K, pairs) the move of the components behind the largest `measured`.
        parameter_change: (d, K) the move of the parameters with it, or None.
        policy: (pairs,) the soft policy at the tuple.
        solves: perturbed soft MDPs that were solved.
    """

    gated: GatedReward
    epsilon: float
    parameter_epsilon: float
    temperature: float
    growth: float
    parameter_growth: float
    weight_shift: Float64[np.ndarray, " all_states"]
    reward_shift: Float64[np.ndarray, " pairs"]
    reward_first_order: Float64[np.ndarray, " pairs"]
    reward_measured: float
    q_bound: float
    q_measured: float
    paper_form: float
    states: Int64[np.ndarray, " states"]
    linear: Float64[np.ndarray, " states"]
    sharp: Float64[np.ndarray, " states"]
    mixing: Float64[np.ndarray, " states"]
    certified: Float64[np.ndarray, " states"]
    first_order: Float64[np.ndarray, " states"]
    measured: Float64[np.ndarray, " states"]
    change: Float64[np.ndarray, "components pairs"]
    parameter_change: Float64[np.ndarray, "features components"] | None
    policy: Float64[np.ndarray, " pairs"]
    solves: int

    def worst(self, column: str) -> float:
        """The largest entry of a column, such as "certified", over the states; NaN if none was computed."""
        entries = getattr(self, column)
        known = entries[~np.isnan(entries)]
        return float(known.max()) if known.size else np.nan

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (a number that is not finite is None)."""
        numbers = ("epsilon", "parameter_epsilon", "temperature", "growth", "parameter_growth", "reward_measured")
        more = ("q_bound", "q_measured", "paper_form")
        vectors = ("weight_shift", "reward_shift", "reward_first_order", *COLUMNS)
        return {
            "gated": self.gated.to_dict(),
            **{name: _finite(getattr(self, name)) for name in (*numbers, *more)},
            **{name: [_finite(entry) for entry in getattr(self, name).tolist()] for name in vectors},
            "states": self.states.tolist(),
            "change": self.change.tolist(),
            "parameter_change": None if self.parameter_change is None else self.parameter_change.tolist(),
            "policy": self.policy.tolist(),
            "solves": self.solves,
        }

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name} {self.worst(name):.4g}" for name in ("linear", "sharp", "mixing", "certified"))
        parameters = f" and parameters within {self.parameter_epsilon:g}" if self.parameter_epsilon else ""
        return (
            f"GateBounds(components within {self.epsilon:g}{parameters} through {self.gated.gate!r}: constant "
            f"{self.growth:.4g}; effective reward moves by at most {self.reward_shift.max():.4g}, measured "
            f"{self.reward_measured:.4g}; Q* by at most {self.q_bound:.4g}, measured {self.q_measured:.4g}; "
            f"soft policy at temperature {self.temperature:g}: proven {bounds}; "
            f"measured {self.worst('measured'):.4g})"
        )


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
