"""Learned weights w_k(s; R) of a mixture: a softmax gate over features, or one that reads the rewards.

Section 4.6 of the paper leaves weights open that are learned or that depend on the rewards. A gate here is

    w(s; R) = softmax over k of z(s; R) / T,    z_k(s; R) = b_k(s) + sum_j A_kj m_j(s; R_j),

with b the logits that no reward enters (Theta^T phi(s) for features phi and parameters Theta), A the gain and m_j a
statistic of component j over the actions of the state: their mean, their largest, or any linear one. Its temperature T
is not the temperature of the policy. T = 0 is the hard gate: all weight on the largest logit, shared equally
among those that the rounding of the logits cannot tell apart.

Assumptions: a statistic belongs to one component and one state. Cost: O(K^2 S + K pairs).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.messages import as_float_vector, as_number, check_finite, fail
from policycliff.shapes import Float64

STATISTICS = ("mean", "max")

LARGEST, COLDEST = 1e60, 1e-60
"""Products of five numbers up to this size, such as a constant of a gate times a reward, stay finite."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gate:
    """A rule that turns features or rewards into weights; build it with `softmax_gate` or `reward_gate`.

    Attributes:
        logits: (K, S), (K,) or () the part of the logits that no reward enters.
        gain: (K, K) how strongly each logit follows each statistic, or () for the same gain on each own statistic.
        statistic: "mean", "max", or (pairs,) coefficients of a linear one.
        temperature: of the gate, at least 0.
        features: (S, d) of a `softmax_gate`, else None.
        parameters: (d, K) of a `softmax_gate`, else None.
    """

    logits: Float64[np.ndarray, "*logits"]
    gain: Float64[np.ndarray, "*gain"]
    statistic: str | Float64[np.ndarray, " pairs"]
    temperature: float
    features: Float64[np.ndarray, "states features"] | None = None
    parameters: Float64[np.ndarray, "features components"] | None = None

    @property
    def reads_rewards(self) -> bool:
        """Whether any logit depends on the rewards."""
        return bool(self.gain.any())

    def gain_matrix(self, components: int) -> Float64[np.ndarray, "components components"]:
        """(K, K) the gain."""
        return np.eye(components) * self.gain if self.gain.ndim == 0 else self.gain

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "logits": self.logits.tolist(),
            "gain": self.gain.tolist(),
            "statistic": self.statistic if isinstance(self.statistic, str) else self.statistic.tolist(),
            "temperature": self.temperature,
            "features": None if self.features is None else self.features.tolist(),
            "parameters": None if self.parameters is None else self.parameters.tolist(),
        }

    def __repr__(self) -> str:
        if not self.reads_rewards:
            return f"Gate(logits {self.logits.shape}, temperature {self.temperature:g}, reads no rewards)"
        what = self.statistic if isinstance(self.statistic, str) else "linear statistic"
        size = float(np.abs(self.gain).max())
        return f"Gate({what} of the rewards, gain up to {size:g}, temperature {self.temperature:g})"


def softmax_gate(features: Any, parameters: Any, *, temperature: float = 1.0) -> Gate:
    """w(s) = softmax(Theta^T phi(s) / T): weights learned from features of the state (section 4.6, open there).

    Args:
        features: (S, d) phi(s), finite.
        parameters: (d, K) Theta, finite.
        temperature: T, at least 0; 0 is the hard gate.

    Returns:
        A `Gate` that reads no rewards: the effective reward stays 1-Lipschitz in them (Lemma 4.2 as it stands).

    Raises:
        InvalidInputError: shapes that do not match, numbers that are not finite, a negative temperature.

    Example:
        >>> softmax_gate([[0.0], [1.0]], [[2.0, 0.0]])
        Gate(logits (2, 2), temperature 1, reads no rewards)
    """
    phi, theta = as_float_vector("features", features), as_float_vector("parameters", parameters)
    check_size("features", phi)
    check_size("parameters", theta)
    if phi.ndim != 2 or theta.ndim != 2 or phi.shape[1] != theta.shape[0] or theta.shape[1] == 0:
        raise fail(
            got=f"`features` of shape {phi.shape} and `parameters` of shape {theta.shape}",
            expected="(S, d) and (d, K)",
            remedy="One row of features a state, one column of parameters a reward component.",
        )
    logits = (phi @ theta).T
    check_size("features @ parameters", logits)
    return Gate(
        logits=_kept(logits),
        gain=_kept(np.zeros(())),
        statistic="mean",
        temperature=_check_temperature(temperature),
        features=_kept(phi),
        parameters=_kept(theta),
    )


def reward_gate(gain: Any, *, statistic: Any = "mean", bias: Any = 0.0, temperature: float = 1.0) -> Gate:
    """w(s; R) = softmax((b(s) + A m(s; R)) / T): weights that read the rewards they mix (section 4.6, open there).

    Args:
        gain: A, a number g (logit k follows statistic k with gain g) or (K, K); finite, of any sign.
        statistic: m_j(s): "mean" or "max" of component j over the actions of s, or (pairs,) coefficients c of the
            linear statistic sum_a c(s, a) R_j(s, a).
        bias: b, logits without rewards: a number, (K,) or (K, S).
        temperature: T, at least 0; 0 is the hard gate.

    Returns:
        A `Gate`; the effective reward is Lipschitz in the rewards for T > 0 and jumps at ties of the logits for T = 0.

    Raises:
        InvalidInputError: an unknown statistic, a wrong shape, numbers that are not finite, a negative temperature.

    Example:
        >>> reward_gate(2.0, statistic="max", temperature=0.5)
        Gate(max of the rewards, gain up to 2, temperature 0.5)
    """
    strength, offset = as_float_vector("gain", gain), as_float_vector("bias", bias)
    check_size("gain", strength)
    check_size("bias", offset)
    square = strength.ndim == 2 and strength.shape[0] == strength.shape[1] > 0
    fits = offset.ndim == 0 or strength.ndim == 0 or offset.shape[0] == strength.shape[0]
    if not (strength.ndim == 0 or square) or offset.ndim > 2 or offset.size == 0 or not fits:
        raise fail(
            got=f"`gain` of shape {strength.shape} and `bias` of shape {offset.shape}",
            expected="a number or (K, K), and a number, (K,) or (K, S)",
            remedy="A plain number gives every logit the same gain on its own component.",
        )
    return Gate(
        logits=_kept(offset),
        gain=_kept(strength),
        statistic=_check_statistic(statistic),
        temperature=_check_temperature(temperature),
    )


def _check_temperature(temperature: float) -> float:
    value = as_number("temperature", temperature)
    if not (value == 0.0 or COLDEST <= value <= LARGEST):
        raise fail(
            got=f"temperature = {temperature!r}",
            expected=f"a finite number of at least 0: 0, or {COLDEST:g} to {LARGEST:g}",
            remedy="0 is the hard gate, large temperatures are nearly uniform weights.",
        )
    return value


def _check_statistic(statistic: Any) -> str | Float64[np.ndarray, " pairs"]:
    if isinstance(statistic, str):
        if statistic in STATISTICS:
            return statistic
        raise fail(
            got=f"statistic = {statistic!r}",
            expected=f"one of {STATISTICS}, or (pairs,) coefficients",
            remedy="Choose one.",
        )
    coefficients = as_float_vector("statistic", statistic)
    check_size("statistic", coefficients)
    if coefficients.ndim != 1 or coefficients.size == 0:
        raise fail(
            got=f"`statistic` of shape {coefficients.shape}",
            expected=f"one of {STATISTICS}, or (pairs,) coefficients",
            remedy="Give one coefficient for each pair of the MDP.",
        )
    return _kept(coefficients)


def check_size(name: str, array: np.ndarray) -> None:
    """Raise unless all numbers are finite and so small that no product of them overflows."""
    check_finite(name, array)
    if (np.abs(array) > LARGEST).any():
        where = tuple(int(i) for i in np.argwhere(np.abs(array) > LARGEST)[0])
        raise fail(
            got=f"{array[where]} in `{name}` at index {where}",
            expected=f"finite numbers of at most {LARGEST:g} in size",
            remedy="Rewards, logits and the gate's temperature may share another unit.",
        )


def _kept(array: np.ndarray) -> np.ndarray:
    """A read-only copy that keeps its number of axes, none included."""
    copy = np.array(array, dtype=np.float64)
    copy.flags.writeable = False
    return copy
