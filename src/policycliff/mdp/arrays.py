"""`MDP.from_arrays`: one list of actions for all states, kernels as an array or SciPy sparse matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.blocks import (
    Blocks,
    Frame,
    PairList,
    as_csr,
    assemble,
    check_rewards,
    check_terminal_rows,
    make_frame,
)
from policycliff.mdp.messages import as_float_vector, check_flag, check_mask, fail, first_true
from policycliff.mdp.rewards_input import expected_rewards
from policycliff.shapes import Bool, Float64


def blocks_from_arrays(
    transitions: Any,
    rewards: Any,
    gamma: float,
    *,
    available: Any,
    terminal: Any,
    initial: Any,
    state_names: Sequence[str] | None,
    action_names: Sequence[str] | None,
    copy: bool,
) -> Blocks:
    """Check everything and return the stored arrays; see `MDP.from_arrays`."""
    check_flag("copy", copy)
    kernel, n_states, n_actions = stacked_kernel(transitions)
    frame = make_frame(
        n_states,
        n_actions,
        gamma,
        terminal=terminal,
        initial=initial,
        state_names=state_names,
        action_names=action_names,
    )
    mask = None
    if available is not None:
        mask = check_mask("available", available, (n_states, n_actions), meaning="one entry a state and action")
    pairs = _list_pairs(mask, n_actions, frame)
    flat = _flat_rewards(rewards, kernel, n_states, n_actions, copy=copy)
    if frame.terminal.any():
        stored = np.ones((n_states, n_actions), dtype=bool) if mask is None else mask
        rows = np.flatnonzero(stored & frame.terminal[:, None])
        check_terminal_rows(kernel, flat, rows, rows // n_actions, frame)
        stored_rows = pairs.listed()
        flat = np.where(stored_rows >= 0, flat[stored_rows], 0.0)
    elif mask is not None:
        flat = flat[pairs.listed()]
    check_rewards(flat, pairs, frame)
    return assemble(kernel, flat, pairs, frame, copy=copy)


def stacked_kernel(transitions: Any) -> tuple[sp.csr_array, int, int]:
    """The kernel as a sparse (S * A, S) array whose row s * A + a belongs to (s, a); with S and A."""
    if sp.issparse(transitions):
        return _from_stacked(transitions)
    if isinstance(transitions, Sequence) and len(transitions) > 0 and all(sp.issparse(m) for m in transitions):
        return _from_list(transitions)
    array = as_float_vector("transitions", transitions)
    if array.ndim != 3 or array.shape[0] != array.shape[2] or array.shape[1] == 0:
        raise fail(
            got=f"`transitions` of shape {array.shape}",
            expected="an (S, A, S) array, a list of A sparse (S, S) matrices, or a sparse (S * A, S) matrix",
            remedy="An array in the order (A, S, S) becomes one with numpy.moveaxis(transitions, 0, 1).",
        )
    n_states, n_actions, _ = array.shape
    return as_csr(array.reshape(n_states * n_actions, n_states)), n_states, n_actions


def _from_stacked(matrix: Any) -> tuple[sp.csr_array, int, int]:
    n_rows, n_states = matrix.shape
    if n_states == 0 or n_rows == 0 or n_rows % n_states:
        raise fail(
            got=f"a sparse matrix of shape {(n_rows, n_states)}",
            expected="(S * A, S): the number of rows a multiple of the number of columns",
            remedy="For different numbers of actions use MDP.from_pairs.",
        )
    return as_csr(matrix), n_states, n_rows // n_states


def _from_list(matrices: Sequence[Any]) -> tuple[sp.csr_array, int, int]:
    n_states = matrices[0].shape[0]
    for action, matrix in enumerate(matrices):
        if matrix.shape != (n_states, n_states):
            raise fail(
                got=f"a matrix of shape {matrix.shape} for action {action}",
                expected=f"{(n_states, n_states)}, as for action 0 and square",
                remedy="Give one square matrix an action.",
            )
    n_actions = len(matrices)
    stacked = as_csr(sp.vstack([as_csr(matrix) for matrix in matrices]))
    by_state = np.arange(n_states * n_actions).reshape(n_actions, n_states).T.ravel()
    return as_csr(stacked[by_state]), n_states, n_actions


def _list_pairs(mask: Bool[np.ndarray, "states actions"] | None, n_actions: int, frame: Frame) -> PairList:
    """The available pairs in the order (s, a); a terminal state keeps one, with row -1."""
    n_states = frame.n_states
    if mask is None and not frame.terminal.any():
        offsets = np.arange(n_states + 1) * n_actions
        actions = np.tile(np.arange(n_actions, dtype=np.int32), n_states)
        return PairList(offsets=offsets, actions=actions, rows=None)
    keep = np.ones((n_states, n_actions), dtype=bool) if mask is None else mask.copy()
    empty = first_true(~keep.any(axis=1) & ~frame.terminal)
    if empty >= 0:
        raise fail(
            got=f"no available action at {frame.state(empty)}",
            expected="at least one action in every state",
            remedy="Mark an end state with `terminal`.",
        )
    keep[frame.terminal] = np.arange(n_actions) == 0
    chosen = np.flatnonzero(keep)
    offsets = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    rows = np.where(frame.terminal[chosen // n_actions], -1, chosen)
    return PairList(offsets=offsets, actions=chosen % n_actions, rows=rows)


def _flat_rewards(
    rewards: Any, kernel: sp.csr_array, n_states: int, n_actions: int, *, copy: bool
) -> Float64[np.ndarray, " rows"]:
    """Rewards of all S * A rows as a vector, a new one with `copy`."""
    array = as_float_vector("rewards", rewards)
    if array.shape == (n_states, n_actions):
        return array.ravel().copy() if copy else array.ravel()
    if array.shape == (n_states,):
        return np.repeat(array, n_actions)
    if array.shape == (n_states, n_actions, n_states):
        return expected_rewards(array, kernel, np.arange(n_states * n_actions))
    raise fail(
        got=f"`rewards` of shape {array.shape}",
        expected=f"{(n_states, n_actions)}, {(n_states, n_actions, n_states)} or {(n_states,)}",
        remedy="Reshape `rewards`, or use MDP.from_pairs for a vector over pairs.",
    )
