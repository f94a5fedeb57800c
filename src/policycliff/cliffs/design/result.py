"""What `design_tie_breaker` returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.shapes import Float64, Int64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TieBreakerDesign:
    """A change of the reward that makes a target policy uniquely optimal with a margin.

    Attributes:
        status: "solved" (`size` is the least one up to 1e-6 of itself), "bracket" (the change does it; the least size
            is known to lie between `lower_bound` and `size`), "impossible" (no allowed change does it: `reason`), or
            "unresolved" (the solver found no change with the margin, and no proof that there is none).
        target_policy: (pairs,) what is made optimal.
        rewards: (pairs,) the changed reward.
        change: (pairs,) what was added to the MDP's reward; 0 where nothing was found.
        coefficients: (features,) with `change` = coefficients @ features; None without features.
        norm: "inf", "1" or "2", of the `measure`: the "change" or the "coefficients".
        measure: see `norm`.
        size: the norm; inf where nothing was found.
        lower_bound: proven: no allowed change with the margin is smaller (inf or very large where impossible).
        margin: what was asked for.
        attained_margin: proven: every other action is worse by at least this under `rewards`, in the states that count.
        is_unique: proven: the target is the only optimal policy there.
        reachable_only: whether only states that the target reaches count.
        changed: (some,) pairs whose reward changed.
        active_rivals: (some,) pairs that hold the change up: their margin is used to the full, heaviest first; where
            impossible, the pairs whose demands collide.
        largest_margin: where impossible: what allowed changes can attain, up to rounding (negative: the target cannot
            become optimal).
        scope: "target" (least for this target), or from a true reward "every best policy" (least over all policies that
            attain the best true return) or "one best policy".
        reason: one sentence.
    """

    status: str
    target_policy: Float64[np.ndarray, " pairs"]
    rewards: Float64[np.ndarray, " pairs"]
    change: Float64[np.ndarray, " pairs"]
    coefficients: Float64[np.ndarray, " features"] | None
    norm: str
    measure: str
    size: float
    lower_bound: float
    margin: float
    attained_margin: float
    is_unique: bool
    reachable_only: bool
    changed: Int64[np.ndarray, " changed"]
    active_rivals: Int64[np.ndarray, " active"]
    largest_margin: float | None
    scope: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "status": self.status,
            "target_policy": self.target_policy.tolist(),
            "rewards": self.rewards.tolist(),
            "change": self.change.tolist(),
            "coefficients": None if self.coefficients is None else self.coefficients.tolist(),
            "norm": self.norm,
            "measure": self.measure,
            "size": _finite(self.size),
            "lower_bound": _finite(self.lower_bound),
            "margin": self.margin,
            "attained_margin": _finite(self.attained_margin),
            "is_unique": self.is_unique,
            "reachable_only": self.reachable_only,
            "changed": self.changed.tolist(),
            "active_rivals": self.active_rivals.tolist(),
            "largest_margin": self.largest_margin,
            "scope": self.scope,
            "reason": self.reason,
        }

    def __repr__(self) -> str:
        what = f"{self.norm}-norm of the {self.measure}"
        unique = "uniquely optimal" if self.is_unique else "not uniquely optimal"
        where = ", reached states only" if self.reachable_only else ""
        return (
            f"TieBreakerDesign({self.status}: {what} {self.size:.6g}, at least {self.lower_bound:.6g}; "
            f"margin {self.attained_margin:.4g} of {self.margin:.4g}, {unique}{where}; "
            f"{self.changed.size} rewards changed. {self.reason})"
        )


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
