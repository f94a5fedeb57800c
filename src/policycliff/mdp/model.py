"""The finite MDP (S, A, P, R, gamma) of section 2 of the paper, as one immutable value.

Layout. The available (state, action) pairs stand one after another, grouped by state: the pairs of state s are
`offsets[s]:offsets[s + 1]`. The kernel is a CSR matrix pairs x states, rewards are a vector over pairs. Terminal
states are absorbing with reward 0: they own one pair whose kernel row is stored empty, so that their value is 0
exactly and they drop out of every sum, also at gamma = 1.

Assumptions. Finite states and actions, every state has an action, gamma in [0, 1); gamma = 1 only where the MDP is
acyclic apart from terminal states. The stored float64 numbers *are* the MDP: rows that summed to 1 only within 1e-9
were divided by their sum when it was built, and what rounding is left in a row sum is known
(`row_sum_error`) and enters every error bound.

Cost. Memory: 12 bytes a stored probability, 16 a pair and 9 a state. Building: one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.arrays import blocks_from_arrays
from policycliff.mdp.blocks import Blocks
from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import as_integer, check_finite, check_kind, fail
from policycliff.mdp.native import blocks_from_pairs
from policycliff.mdp.rewards_input import pair_rewards
from policycliff.shapes import Bool, Float64, Int, Int32, Int64


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MDP:
    """A finite MDP; build it with `from_arrays`, `from_pairs` or `token_tree` (this constructor checks nothing).

    Attributes:
        offsets: (states + 1,) first pair of each state; the last entry is the number of pairs.
        actions: (pairs,) index of each pair's action, into `action_names` where there are names.
        indptr: (pairs + 1,) where each pair's successors start; int32 where that holds their number, as in SciPy.
        successors: (nonzeros,) successor states.
        probabilities: (nonzeros,) their probabilities, all positive.
        rewards: (pairs,) expected reward of each pair.
        gamma: discount in [0, 1].
        terminal: (states,) which states are terminal.
        initial: (states,) initial distribution, or None.
        state_names: one name a state, or None.
        action_names: one name an action, or None.
        order: (states,) states with successors first, or None where the MDP has a cycle.
        row_sum_error: upper bound on how far an exact row sum of the stored probabilities is from 1.
    """

    offsets: Int64[np.ndarray, " offsets"]
    actions: Int32[np.ndarray, " pairs"]
    indptr: Int[np.ndarray, " rows"]
    successors: Int32[np.ndarray, " nonzeros"]
    probabilities: Float64[np.ndarray, " nonzeros"]
    rewards: Float64[np.ndarray, " pairs"]
    gamma: float
    terminal: Bool[np.ndarray, " states"]
    initial: Float64[np.ndarray, " states"] | None
    state_names: tuple[str, ...] | None
    action_names: tuple[str, ...] | None
    order: Int64[np.ndarray, " states"] | None
    row_sum_error: float
    # What follows from the kernel alone, computed once and shared by all rewards on it.
    _derived: dict[str, Any] = field(default_factory=dict, init=False)

    @classmethod
    def from_arrays(
        cls,
        transitions: Any,
        rewards: Any,
        gamma: float,
        *,
        available: Any = None,
        terminal: Any = None,
        initial: Any = None,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        copy: bool = True,
    ) -> "MDP":
        """Build an MDP in which all states share one list of actions.

        Args:
            transitions: P(s' | s, a) as an (S, A, S) array, a list of A SciPy sparse (S, S) matrices, or one sparse
                (S * A, S) matrix whose row s * A + a belongs to state s and action a. Rows sum to 1 within 1e-9.
            rewards: (S, A), (S, A, S) (averaged over the successors) or (S,); any finite numbers.
            gamma: discount in [0, 1); 1 is accepted where the MDP is acyclic.
            available: (S, A) boolean mask of the actions there are; by default all. Other entries are ignored.
            terminal: (S,) boolean mask. Their rows must be zero or return to the state, their rewards 0.
            initial: (S,) initial distribution.
            state_names: S distinct names, used in messages and results.
            action_names: A distinct names.
            copy: False shares the arrays of a sparse (S * A, S) matrix (CSR with int32 indices, no zeros, rows that sum
                to 1) and of (S, A) rewards of type float64, where they can be stored as they are; do not change them
                afterwards.

        Returns:
            The MDP; its pairs are the available ones in the order (s, a). A terminal state has one pair.

        Raises:
            InvalidInputError: a shape, a number, a row sum, gamma or a state without an action is wrong; the message
                names the state and the action.

        Example:
            >>> import numpy as np
            >>> stay, swap = np.eye(2), np.eye(2)[::-1]
            >>> MDP.from_arrays(np.stack([stay, swap], axis=1), [[0.0, 0.0], [1.0, 0.0]], 0.9)
            MDP(2 states, 4 pairs, 4 nonzeros, gamma=0.9, rewards 0 to 1, 0 terminal, has cycles)
        """
        blocks = blocks_from_arrays(
            transitions,
            rewards,
            gamma,
            available=available,
            terminal=terminal,
            initial=initial,
            state_names=state_names,
            action_names=action_names,
            copy=copy,
        )
        return cls._from_blocks(blocks)

    @classmethod
    def from_pairs(
        cls,
        states: Any,
        transitions: Any,
        rewards: Any,
        gamma: float,
        *,
        actions: Any = None,
        terminal: Any = None,
        initial: Any = None,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
    ) -> "MDP":
        """Build an MDP from a list of (state, action) pairs: states may have different numbers of actions.

        Args:
            states: (pairs,) state of each pair, in ascending order.
            transitions: (pairs, S) kernel, SciPy sparse or an array; rows sum to 1 within 1e-9.
            rewards: (pairs,) finite numbers.
            gamma: discount in [0, 1); 1 is accepted where the MDP is acyclic.
            actions: (pairs,) index of each pair's action; by default 0, 1, ... within each state.
            terminal: (S,) boolean mask. A terminal state needs no pair: it always ends up with exactly one.
            initial: (S,) initial distribution.
            state_names: S distinct names.
            action_names: distinct names, more than the largest action index.

        Returns:
            The MDP. Where no state is terminal its pairs are the given ones, in the given order.

        Raises:
            InvalidInputError: as for `from_arrays`; also if pairs are not grouped by state or repeat an action.

        Example:
            >>> import numpy as np
            >>> kernel = np.array([[0.0, 1.0], [0.5, 0.5]])
            >>> MDP.from_pairs([0, 0], kernel, [1.0, 2.0], 0.5, terminal=np.array([False, True])).n_pairs
            3
        """
        blocks = blocks_from_pairs(
            states,
            transitions,
            rewards,
            gamma,
            actions=actions,
            terminal=terminal,
            initial=initial,
            state_names=state_names,
            action_names=action_names,
        )
        return cls._from_blocks(blocks)

    @classmethod
    def _from_blocks(cls, blocks: Blocks) -> "MDP":
        return cls(**blocks)

    def with_rewards(self, rewards: Any, *, name: str = "rewards") -> "MDP":
        """The same world under another reward; kernel, names and structure are shared, not copied.

        Args:
            rewards: (pairs,), (S,) or, where every action index is below A, (S, A); finite, and 0 at terminal states.
            name: what messages call them.

        Raises:
            InvalidInputError: wrong shape, a number that is not finite, or a reward at a terminal state.

        Example:
            >>> import numpy as np
            >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
            >>> bandit.with_rewards([0.0, 1.0]).rewards
            array([0., 1.])
        """
        vector = pair_rewards(rewards, self.pair_states, self.actions, self.n_states, name=name)
        check_finite(name, vector)
        stuck = self.terminal[self.pair_states] & (vector != 0.0)
        if stuck.any():
            pair = int(np.argmax(stuck))
            raise fail(
                got=f"{vector[pair]} in `{name}` at terminal {self.state_name(int(self.pair_states[pair]))}",
                expected="0 (terminal states are absorbing with reward 0)",
                remedy="Put the reward on the pairs that enter the state.",
            )
        changed = replace(self, rewards=frozen(vector))
        object.__setattr__(changed, "_derived", self._derived)
        return changed

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.terminal.size

    @property
    def n_pairs(self) -> int:
        """Number of available (state, action) pairs X."""
        return self.actions.size

    @property
    def pair_states(self) -> Int64[np.ndarray, " pairs"]:
        """(pairs,) the state of each pair."""
        if "pair_states" not in self._derived:
            self._derived["pair_states"] = frozen(np.repeat(np.arange(self.n_states), np.diff(self.offsets)))
        return np.asarray(self._derived["pair_states"])

    @property
    def transitions(self) -> sp.csr_array:
        """The kernel as a SciPy CSR array pairs x states that shares memory; rows of terminal pairs are empty."""
        if "transitions" not in self._derived:
            shape = (self.n_pairs, self.n_states)
            self._derived["transitions"] = sp.csr_array((self.probabilities, self.successors, self.indptr), shape=shape)
        kernel: sp.csr_array = self._derived["transitions"]
        return kernel

    @property
    def first_successors(self) -> Int[np.ndarray, " offsets"]:
        """(states + 1,) where each state's successors (of all its pairs) start."""
        return frozen(self.indptr[self.offsets])

    @property
    def is_acyclic(self) -> bool:
        """Whether no state can come back to itself (terminal states aside)."""
        return self.order is not None

    def state_name(self, state: int) -> str:
        """How messages call a state: `state 3`, or with its name."""
        return f"state {state}" if self.state_names is None else f"state {state} ({self.state_names[state]!r})"

    def action_name(self, pair: int) -> str:
        """How messages call the action of a pair: `action 1`, or with its name."""
        action = int(self.actions[pair])
        return f"action {action}" if self.action_names is None else f"action {action} ({self.action_names[action]!r})"

    def pair(self, state: int, action: int) -> int:
        """Index of the pair (state, action).

        Raises:
            InvalidInputError: the state does not exist or the action is not available there.
        """
        state, action = as_integer("state", state), as_integer("action", action)
        if not 0 <= state < self.n_states:
            raise fail(got=f"state {state}", expected=f"0 to {self.n_states - 1}", remedy="Check the index.")
        first = int(self.offsets[state])
        here = self.actions[first : self.offsets[state + 1]]
        matches = np.flatnonzero(here == action)
        if matches.size == 0:
            raise fail(
                got=f"action {action} at {self.state_name(state)}",
                expected=f"one of the available actions {here.tolist()}",
                remedy="Check the index.",
            )
        return first + int(matches[0])

    def table(self, vector: Float64[np.ndarray, " pairs"]) -> Float64[np.ndarray, "states actions"]:
        """A vector over pairs as an (S, A) array, NaN where an action is not available. For small MDPs."""
        result = np.full((self.n_states, int(self.actions.max()) + 1), np.nan)
        result[self.pair_states, self.actions] = vector
        return result

    def to_dict(self) -> dict[str, Any]:
        """Sizes and settings as JSON types (not the kernel)."""
        return {
            "n_states": self.n_states,
            "n_pairs": self.n_pairs,
            "n_nonzeros": int(self.successors.size),
            "gamma": self.gamma,
            "n_terminal": int(self.terminal.sum()),
            "is_acyclic": self.is_acyclic,
        }

    def __repr__(self) -> str:
        shape = "acyclic" if self.is_acyclic else "has cycles"
        return (
            f"MDP({self.n_states} states, {self.n_pairs} pairs, {self.successors.size} nonzeros, gamma={self.gamma:g}, "
            f"rewards {self.rewards.min():g} to {self.rewards.max():g}, {int(self.terminal.sum())} terminal, {shape})"
        )


def check_mdp(mdp: Any) -> None:
    """Raise unless this is an MDP: a source, a solution or an array is easily passed in its place."""
    check_kind("mdp", mdp, MDP, made_by="MDP.from_arrays; what `read_source` gives holds one as `.mdp`")
