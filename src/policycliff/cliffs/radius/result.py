"""What `stability_radius` returns for a ball of rewards."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.shapes import Float64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StabilityRadius:
    """Distance from a reward to the nearest change of the optimal policy.

    Attributes:
        radius: the radius, in units of reward (of `half_widths` where given). Where status is "bracket" or "unresolved"
            it is the lower end of `bracket`; inf where no allowed perturbation changes the policy.
        bracket: (low, high), which contains the true radius; nearly equal where status is "exact".
        lower_bound: what Proposition 2.4 alone certifies.
        witness: (pairs,) a change of the (effective) reward of that norm after which the minimiser is tied.
        component_witness: (K, pairs) the changes of the components behind it; None unless components move.
        state: state of the minimiser, -1 if there is none.
        action: its action index, -1 if there is none.
        status: "exact"; "tied" (the optimum is tied: radius 0); "unresolved" (a gap is below the solver's error, so
            the radius may be 0); "bracket" (reachable states only, not a tree).
        norm: "inf" or "2".
        moving: "reward", "component" or "components".
        reachable_only: whether only behaviour from the initial distribution counts.
        rows_solved: rows of the resolvent that were needed.
        state_radii: (states,) the least rho of each state, or None if it was not asked for.
    """

    radius: float
    bracket: tuple[float, float]
    lower_bound: float
    witness: Float64[np.ndarray, " pairs"]
    component_witness: Float64[np.ndarray, "components pairs"] | None
    state: int
    action: int
    status: str
    norm: str
    moving: str
    reachable_only: bool
    rows_solved: int
    state_radii: Float64[np.ndarray, " states"] | None

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        radii = None if self.state_radii is None else [finite(radius) for radius in self.state_radii.tolist()]
        return {
            "radius": finite(self.radius),
            "bracket": [finite(end) for end in self.bracket],
            "lower_bound": finite(self.lower_bound),
            "witness": self.witness.tolist(),
            "component_witness": None if self.component_witness is None else self.component_witness.tolist(),
            "state": self.state,
            "action": self.action,
            "status": self.status,
            "norm": self.norm,
            "moving": self.moving,
            "reachable_only": self.reachable_only,
            "rows_solved": self.rows_solved,
            "state_radii": radii,
        }

    def __repr__(self) -> str:
        where = f"state {self.state}, action {self.action}" if self.state >= 0 else "no pair"
        scope = ", reachable states only" if self.reachable_only else ""
        what = "" if self.moving == "reward" else f" of the {self.moving}"
        return (
            f"StabilityRadius({self.radius:.6g} in the {self.norm}-norm{what}, {self.status}{scope}; at {where}; "
            f"between {self.bracket[0]:.6g} and {self.bracket[1]:.6g}; Prop 2.4 alone gives {self.lower_bound:.4g})"
        )


def finite(number: float) -> float | None:
    """The number, or None if it is infinite or not a number."""
    return number if np.isfinite(number) else None
