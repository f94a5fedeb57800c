"""The effective reward through a gate, R_eff(s, a) = sum_k w_k(s; R) R_k(s, a).

Computed weights and rewards are within a proven bound of the true ones (`rounding`): logits are sums of products, and
logits that are off by e move softmax weights by at most tanh(e / (2 T)) in total variation, so the mixture by that
times the spread of the components. Logits b of a `reward_gate` are taken as given: they are what defines it; those of a
`softmax_gate` are sums of products too.

Cost: O(K^2 S + K pairs).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_shape, fail
from policycliff.mdp.model import MDP, check_mdp
from policycliff.rewards.effective import effective_reward
from policycliff.rewards.gates.gate import Gate, check_size
from policycliff.shapes import Bool, Float64

UNIT = 2.0**-53

Components = Float64[np.ndarray, "components pairs"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GatedReward:
    """The weights of a gate at a reward tuple, and the effective reward.

    Attributes:
        mdp: the MDP, its rewards replaced by the effective reward.
        gate: the gate.
        components: (K, pairs) the tuple.
        logits: (K, S) the logits there.
        weights: (K, S) the weights; columns sum to 1.
        rewards: (pairs,) the effective reward.
        logit_error: (S,) bound on the rounding of any logit.
        rounding: bound on the rounding of any entry of `rewards` (of a hard gate: as long as no logits are tied).
    """

    mdp: MDP
    gate: Gate
    components: Components
    logits: Float64[np.ndarray, "components states"]
    weights: Float64[np.ndarray, "components states"]
    rewards: Float64[np.ndarray, " pairs"]
    logit_error: Float64[np.ndarray, " states"]
    rounding: float

    @property
    def spread(self) -> Float64[np.ndarray, " pairs"]:
        """(pairs,) D(s, a) = max_k R_k(s, a) - min_k R_k(s, a): how far the components disagree."""
        return np.asarray(self.components.max(axis=0) - self.components.min(axis=0))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "gate": self.gate.to_dict(),
            "components": self.components.tolist(),
            "logits": self.logits.tolist(),
            "weights": self.weights.tolist(),
            "rewards": self.rewards.tolist(),
            "rounding": self.rounding,
        }

    def __repr__(self) -> str:
        return (
            f"GatedReward({len(self.components)} components, weights {self.weights.min():.4g} to "
            f"{self.weights.max():.4g}, effective reward {self.rewards.min():.6g} to {self.rewards.max():.6g}; "
            f"{self.gate!r})"
        )


def gated_reward(mdp: MDP, rewards: Any, gate: Gate) -> GatedReward:
    """R_eff(s, a) = sum_k w_k(s; R) R_k(s, a) with the weights of a gate (sections 4.1 and 4.6).

    Args:
        mdp: the MDP; its own rewards do not matter.
        rewards: K components, (K, pairs) or (K, S, A); finite, 0 at terminal states.
        gate: from `softmax_gate` or `reward_gate`.

    Returns:
        A `GatedReward`: `weights` (K, S) and `rewards` (pairs,), each within its rounding.

    Raises:
        InvalidInputError: a tuple or a gate that does not fit the MDP or each other.

    Example:
        >>> from policycliff import MDP, gated_reward, reward_gate
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
        >>> mixed = gated_reward(bandit, [[1.0, 0.0], [0.0, 3.0]], reward_gate(1.0, temperature=0.5))
        >>> mixed.weights.round(4).tolist(), mixed.rewards.round(4).tolist()
        ([[0.1192], [0.8808]], [0.1192, 2.6424])
    """
    check_mdp(mdp)
    components = check_components(mdp, rewards)
    check_gate(mdp, gate, len(components))
    return gate_components(mdp, components, gate)


def gate_components(mdp: MDP, components: Components, gate: Gate) -> GatedReward:
    """The same for a tuple and a gate that were checked."""
    statistics, terms = read_statistics(mdp, components, gate)
    base = given_logits(mdp, gate, len(components))
    gain = gate.gain_matrix(len(components))
    logits = base + gain @ statistics
    error = _feature_error(mdp, gate)
    if gate.reads_rewards:
        size = (np.abs(base) + np.abs(gain) @ terms) * terms.any(axis=0)
        error = error + ((len(components) + 8 + _terms(mdp)) * UNIT * size).max(axis=0)
    weights = softmax(logits, gate.temperature, error)
    rewards = effective_reward(components, weights, mdp=mdp)
    return GatedReward(
        mdp=mdp.with_rewards(np.where(mdp.terminal[mdp.pair_states], 0.0, rewards)),
        gate=gate,
        components=frozen(components),
        logits=frozen(logits),
        weights=frozen(weights),
        rewards=frozen(rewards),
        logit_error=frozen(error),
        rounding=_rounding(components, gate.temperature, float(error.max())),
    )


def read_statistics(
    mdp: MDP, components: Components, gate: Gate
) -> tuple[Float64[np.ndarray, "components states"], Float64[np.ndarray, "components states"]]:
    """(K, S) the statistics, and the sums of the sizes of what was added up for them."""
    starts = mdp.offsets[:-1]
    if isinstance(gate.statistic, str) and gate.statistic == "max":
        found = np.maximum.reduceat(components, starts, axis=1)
        return found, np.abs(found)
    weighted = statistic_coefficients(mdp, gate) * components
    return np.add.reduceat(weighted, starts, axis=1), np.add.reduceat(np.abs(weighted), starts, axis=1)


def statistic_coefficients(mdp: MDP, gate: Gate) -> Float64[np.ndarray, " pairs"]:
    """(pairs,) c(s, a) of a linear statistic; for the mean 1 / (number of actions)."""
    if not isinstance(gate.statistic, str):
        return gate.statistic
    return np.asarray((1.0 / np.diff(mdp.offsets))[mdp.pair_states])


def statistic_size(mdp: MDP, gate: Gate) -> Float64[np.ndarray, " states"]:
    """(S,) the Lipschitz constant of the statistic in the sup norm: 1 for mean and max, else the sum of |c|."""
    if isinstance(gate.statistic, str):
        return np.where(mdp.terminal, 0.0, 1.0)
    sizes = np.add.reduceat(np.abs(gate.statistic), mdp.offsets[:-1])
    return np.where(mdp.terminal, 0.0, sizes * (1.0 + 1e-12))


def given_logits(mdp: MDP, gate: Gate, components: int) -> Float64[np.ndarray, "components states"]:
    """(K, S) the logits that no reward enters."""
    base = gate.logits[:, None] if gate.logits.ndim == 1 else gate.logits
    return np.broadcast_to(base, (components, mdp.n_states)).copy()


def softmax(
    logits: Float64[np.ndarray, "components states"], temperature: float, error: Float64[np.ndarray, " states"]
) -> Float64[np.ndarray, "components states"]:
    """Softmax of each column; at temperature 0 equal shares of the largest, as far as the error can tell."""
    below = logits - logits.max(axis=0)
    shares = top_logits(logits, error).astype(np.float64) if temperature == 0.0 else np.exp(below / temperature)
    return np.asarray(shares / shares.sum(axis=0))


def top_logits(
    logits: Float64[np.ndarray, "components states"], error: Float64[np.ndarray, " states"]
) -> Bool[np.ndarray, "components states"]:
    """Which logits may be the largest of their state."""
    return np.asarray(logits.max(axis=0) - logits <= 2.0 * error)


def with_move(gated: GatedReward, *, rewards: Components, parameters: np.ndarray | None = None) -> GatedReward:
    """The gated reward after the components, and the parameters of a `softmax_gate`, have moved."""
    gate = gated.gate
    if parameters is not None and gate.features is not None and gate.parameters is not None:
        moved = gate.parameters + parameters
        gate = replace(gate, logits=frozen((gate.features @ moved).T), parameters=frozen(moved))
    return gate_components(gated.mdp, gated.components + rewards, gate)


def softened(gated: GatedReward, temperature: float) -> GatedReward:
    """The same gate at another temperature of its own."""
    return gate_components(gated.mdp, gated.components, replace(gated.gate, temperature=temperature))


def check_components(mdp: MDP, rewards: Any) -> Components:
    """(K, pairs) components of a tuple, each checked as a reward of the MDP."""
    listed = list(rewards) if np.iterable(rewards) and not isinstance(rewards, str | dict) else []
    arrays = [as_float_vector(f"rewards[{place}]", component) for place, component in enumerate(listed)]
    if not arrays or arrays[0].ndim == 0:
        raise fail(
            got="`rewards` that is not a list of components",
            expected="K components, (K, pairs) or (K, S, A)",
            remedy="Put the components on the first axis.",
        )
    for place, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise fail(
                got=f"`rewards[{place}]` of shape {array.shape} beside `rewards[0]` of shape {arrays[0].shape}",
                expected="components of one shape",
                remedy="Give every component a reward for each pair.",
            )
    names = [f"rewards[{place}]" for place in range(len(arrays))]
    components = [mdp.with_rewards(array, name=name).rewards for name, array in zip(names, arrays, strict=True)]
    for name, component in zip(names, components, strict=True):
        check_size(name, component)
    return np.stack(components)


def check_gate(mdp: MDP, gate: Any, components: int) -> None:
    """Raise unless the gate fits the number of components, of states and of pairs."""
    if not isinstance(gate, Gate):
        raise fail(got=f"gate = {gate!r}", expected="a Gate", remedy="Build it with softmax_gate or reward_gate.")
    shape = gate.logits.shape
    if shape not in {(), (components,), (components, mdp.n_states)}:
        raise fail(
            got=f"logits of shape {shape} of the gate",
            expected=f"({components}, {mdp.n_states}) or ({components},), for {components} components",
            remedy="Check the features, the parameters or the bias against the tuple and the MDP.",
        )
    if gate.gain.ndim == 2:
        check_shape("gain", gate.gain, (components, components), meaning="one row and one column a component")
    if not isinstance(gate.statistic, str):
        check_shape("statistic", gate.statistic, (mdp.n_pairs,), meaning="one coefficient a pair")


def _feature_error(mdp: MDP, gate: Gate) -> Float64[np.ndarray, " states"]:
    """(states,) bound on the rounding of Theta^T phi."""
    if gate.features is None or gate.parameters is None:
        return np.zeros(mdp.n_states)
    sizes = np.abs(gate.features) @ np.abs(gate.parameters)
    return np.asarray((gate.features.shape[1] + 4) * UNIT * sizes.max(axis=1))


def _terms(mdp: MDP) -> int:
    return int(np.diff(mdp.offsets).max())


def _rounding(components: Components, temperature: float, logit_error: float) -> float:
    """Bound on the rounding of the mixture."""
    count, size = len(components), float(np.abs(components).max())
    spread = float((components.max(axis=0) - components.min(axis=0)).max())
    moved = np.tanh(logit_error / (2.0 * temperature)) if temperature > 0.0 else 0.0
    return float((count + 4) * UNIT * size + spread * (moved + (count + 8) * UNIT)) * (1.0 + 1e-9)
