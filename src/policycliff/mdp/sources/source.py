"""What every reader returns: an MDP, its reward components, how its states lie on a grid, and what to know about it.

Conventions, the same for all sources. A transition that ends the episode leads to an absorbing state with reward 0; its
reward stays on the pair that takes it. Time limits (truncation) are not part of a model. A reward that depends on the
successor enters as its expectation over successors. States that cannot be reached are left out where a source has an
initial distribution and does not fix the numbering.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_float_vector, check_finite, fail
from policycliff.mdp.model import MDP
from policycliff.mdp.stored_bits import keep_bits
from policycliff.shapes import Bool, Float64, Int64

DEFAULT_GAMMA = 0.99


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GridLayout:
    """Where states lie on a grid; several layers where more than the position counts (what is carried, for example).

    Attributes:
        cells: (states, 2) row and column of each state, -1 where it has none.
        layers: (states,) index of each state's layer.
        layer_names: one name a layer.
    """

    cells: Int64[np.ndarray, "states two"]
    layers: Int64[np.ndarray, " states"]
    layer_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MDPSource:
    """An MDP as a source gave it.

    Attributes:
        name: what the source is called.
        mdp: the MDP; its reward is the mixture of the components with `weights`.
        rewards: (components, pairs) the reward components; one row where there is one reward.
        reward_names: one name a component.
        weights: (components,) the weights of the source, or equal ones where it has none.
        notes: sentences on conventions and on what was left out.
        layout: where states lie on a grid, or None.
    """

    name: str
    mdp: MDP
    rewards: Float64[np.ndarray, "components pairs"]
    reward_names: tuple[str, ...]
    weights: Float64[np.ndarray, " components"]
    notes: tuple[str, ...] = ()
    layout: GridLayout | None = None

    def to_dict(self) -> dict[str, Any]:
        """Sizes, names and notes as JSON types (not the kernel)."""
        return {
            "name": self.name,
            **self.mdp.to_dict(),
            "reward_names": list(self.reward_names),
            "weights": self.weights.tolist(),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return f"MDPSource({self.name}: rewards {', '.join(self.reward_names)}; {self.mdp!r})"


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """Arrays of an MDP as a reader collects them; terminal states have no pairs here.

    Attributes:
        states: (pairs,) in ascending order.
        actions: (pairs,) ascending within a state.
        kernel: (pairs, states).
        rewards: (pairs, components).
        terminal: (states,).
        initial: (states,) or None.
    """

    states: Int64[np.ndarray, " pairs"]
    actions: Int64[np.ndarray, " pairs"]
    kernel: sp.csr_array
    rewards: Float64[np.ndarray, "pairs components"]
    terminal: Bool[np.ndarray, " states"]
    initial: Float64[np.ndarray, " states"] | None
    state_names: Sequence[str] | None = None
    action_names: Sequence[str] | None = None


def make_source(
    name: str,
    table: PairTable,
    *,
    reward_names: Sequence[str],
    gamma: float | None,
    weights: Any = None,
    notes: Sequence[str] = (),
    layout: GridLayout | None = None,
) -> MDPSource:
    """Check the arrays by building the MDP, and add what goes with it."""
    told = list(notes)
    if gamma is None:
        told.append(f"The source has no discount; {DEFAULT_GAMMA} is used.")
    zero = np.zeros(table.states.size)
    kernel = table.kernel.copy()
    kernel.sum_duplicates()
    mdp = MDP.from_pairs(
        table.states,
        kernel,
        zero,
        DEFAULT_GAMMA if gamma is None else gamma,
        actions=table.actions,
        terminal=table.terminal,
        initial=table.initial,
        state_names=table.state_names,
        action_names=table.action_names,
    )
    mdp = keep_bits(mdp, kernel.data, table.initial)
    components = np.zeros((table.rewards.shape[1], mdp.n_pairs))
    components[:, ~mdp.terminal[mdp.pair_states]] = table.rewards.T
    return with_components(
        MDPSource(name, mdp, components, tuple(reward_names), equal_weights(len(components)), tuple(told), layout),
        components,
        reward_names=reward_names,
        weights=weights,
    )


def with_components(
    source: MDPSource, rewards: Float64[np.ndarray, "components pairs"], *, reward_names: Sequence[str], weights: Any
) -> MDPSource:
    """The source under the mixture of these components; equal weights where none are given."""
    mixture = equal_weights(len(rewards)) if weights is None else check_weights(weights, len(rewards))
    check_finite("rewards", rewards)
    mdp = source.mdp.with_rewards(rewards[0] if len(rewards) == 1 and mixture[0] == 1.0 else mixture @ rewards)
    return replace(
        source,
        mdp=mdp,
        rewards=frozen(rewards.copy()),
        reward_names=tuple(reward_names),
        weights=frozen(mixture),
    )


def equal_weights(size: int) -> Float64[np.ndarray, " components"]:
    """1 / K each."""
    return np.full(size, 1.0 / size)


def check_weights(weights: Any, size: int) -> Float64[np.ndarray, " components"]:
    """One finite weight a component."""
    mixture = as_float_vector("weights", weights)
    if mixture.shape != (size,):
        raise fail(
            got=f"`weights` of shape {mixture.shape}",
            expected=f"({size},), one a reward component",
            remedy="Give the weights in the order of the reward names.",
        )
    check_finite("weights", mixture)
    return mixture.copy()


def plain_source(mdp: MDP, *, name: str = "MDP") -> MDPSource:
    """An MDP with its own reward as the only component."""
    return MDPSource(name, mdp, mdp.rewards[None, :], ("reward",), frozen(np.ones(1)))
