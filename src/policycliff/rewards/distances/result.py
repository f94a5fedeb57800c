"""What `reward_distance` returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.shapes import Float64

CERTIFIED, UNRESOLVED = "certified", "unresolved"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RewardDistance:
    """How far two rewards are from each other.

    Attributes:
        value: the distance. In units of reward for "sup" and "shaping", else a number without unit.
        kind: "sup", "shaping", "epic", "dard" or "starc".
        error_bound: the true distance differs from `value` by at most this.
        status: "certified", or "unresolved": a canonical reward cannot be told from 0, or the linear program was not
            solved; `error_bound` then covers whatever the distance may be.
        settings: the options that were used, in words.
        scales: what the two canonical rewards were divided by (0 for one that is proven to be 0, or cannot be told
            from it); None for "sup" and "shaping".
        potential: (states,) for "shaping": the potential Phi that brings r1 - r2 closest to gamma P Phi - Phi; else
            None.
    """

    value: float
    kind: str
    error_bound: float
    status: str
    settings: Mapping[str, str]
    scales: tuple[float, float] | None
    potential: Float64[np.ndarray, " states"] | None

    @property
    def bracket(self) -> tuple[float, float]:
        """(low, high), which contains the true distance."""
        low = np.nextafter(self.value - self.error_bound, -np.inf) if self.error_bound > 0.0 else self.value
        high = np.nextafter(self.value + self.error_bound, np.inf) if self.error_bound > 0.0 else self.value
        return max(float(low), 0.0), float(high)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        return {
            "value": self.value,
            "kind": self.kind,
            "error_bound": _finite(self.error_bound),
            "status": self.status,
            "settings": dict(self.settings),
            "scales": None if self.scales is None else [_finite(scale) for scale in self.scales],
            "potential": None if self.potential is None else self.potential.tolist(),
        }

    def __repr__(self) -> str:
        how = "".join(f", {name} {value}" for name, value in self.settings.items())
        return f"RewardDistance({self.value:.6g}, {self.kind}{how}; {self.status} within {self.error_bound:.2g})"


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
