"""The two regularizers of the paper: entropy (Proposition 4.7) and KL towards a reference policy (section 3.4).

Entropy(alpha) maximises E sum gamma^t (R + alpha H(pi)), KL(beta, reference) maximises
E sum gamma^t (R - beta KL(pi || reference)). Both turn the maximum of the Bellman operator into a soft maximum,
temperature * log sum_a base(a|s) exp(Q(s, a) / temperature), with base = 1 for entropy and base = reference for KL,
and the optimum into the one policy proportional to base * exp(Q / temperature).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, as_number, check_finite, check_shape, fail, first_true
from policycliff.mdp.model import MDP
from policycliff.shapes import Float64


def _check_temperature(temperature: float) -> None:
    if not 0.0 < as_number("temperature", temperature) < np.inf:
        raise fail(
            got=f"temperature = {temperature!r}",
            expected="a positive finite number",
            remedy="For no regularization pass regularizer=None.",
        )


@dataclass(frozen=True, slots=True)
class Entropy:
    """Entropy regularization with temperature alpha > 0 (units of reward; Prop 4.7).

    Raises:
        InvalidInputError: the temperature is not a positive finite number.

    Example:
        >>> Entropy(0.5)
        Entropy(temperature=0.5)
    """

    temperature: float

    def __post_init__(self) -> None:
        _check_temperature(self.temperature)

    def base(self, mdp: MDP) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) the measure that the soft maximum weighs actions with: 1 each."""
        return frozen(np.ones(mdp.n_pairs))

    def to_dict(self) -> dict[str, Any]:
        """Kind and temperature as JSON types."""
        return {"kind": "entropy", "temperature": self.temperature}


@dataclass(frozen=True, slots=True, eq=False)
class KL:
    """KL regularization with coefficient beta > 0 towards a reference policy (section 3.4).

    Args:
        temperature: beta, in units of reward.
        reference_policy: (pairs,) probabilities that sum to 1 within 1e-9 in each state; actions of probability 0
            get probability 0.

    Raises:
        InvalidInputError: a number is out of range (the sums are checked when the MDP is known).

    Example:
        >>> import numpy as np
        >>> KL(0.1, np.array([0.5, 0.5])).temperature
        0.1
    """

    temperature: float
    reference_policy: Any

    def __post_init__(self) -> None:
        _check_temperature(self.temperature)
        policy = as_float_vector("reference_policy", self.reference_policy).copy()
        check_finite("reference_policy", policy)
        object.__setattr__(self, "reference_policy", frozen(policy))

    def base(self, mdp: MDP) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) the reference policy, checked against the MDP and renormalised."""
        return frozen(check_policy("reference_policy", self.reference_policy, mdp))

    def to_dict(self) -> dict[str, Any]:
        """Kind and temperature as JSON types."""
        return {"kind": "kl", "temperature": self.temperature}

    def __repr__(self) -> str:
        return f"KL(temperature={self.temperature:g}, reference_policy over {self.reference_policy.size} pairs)"


Regularizer = Entropy | KL


def check_policy(name: str, policy: Any, mdp: MDP) -> Float64[np.ndarray, " pairs"]:
    """A policy over pairs, non-negative and renormalised; raises where a state's sum is not 1 within 1e-9."""
    vector = as_float_vector(name, policy)
    check_shape(name, vector, (mdp.n_pairs,), meaning="one probability a pair")
    check_finite(name, vector)
    sums = np.add.reduceat(vector, mdp.offsets[:-1])
    negative = np.minimum.reduceat(vector, mdp.offsets[:-1]) < 0.0
    bad = first_true(negative | (np.abs(sums - 1.0) > 1e-9))
    if bad >= 0:
        here = vector[mdp.offsets[bad] : mdp.offsets[bad + 1]]
        raise fail(
            got=f"`{name}` with minimum {here.min()} and sum {float(here.sum())!r} at {mdp.state_name(bad)}",
            expected="non-negative probabilities that sum to 1 within 1e-9 in each state",
            remedy="Divide by the sum in each state.",
        )
    off = np.abs(sums - 1.0) > 1e-15
    return np.where(np.repeat(off, np.diff(mdp.offsets)), vector / np.repeat(sums, np.diff(mdp.offsets)), vector)
