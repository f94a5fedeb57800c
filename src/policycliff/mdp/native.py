"""`MDP.from_pairs`: the native layout, with different numbers of actions in different states."""

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
from policycliff.mdp.messages import as_float_vector, check_shape, fail, first_true
from policycliff.shapes import Int64


def blocks_from_pairs(
    states: Any,
    transitions: Any,
    rewards: Any,
    gamma: float,
    *,
    actions: Any,
    terminal: Any,
    initial: Any,
    state_names: Sequence[str] | None,
    action_names: Sequence[str] | None,
) -> Blocks:
    """Check everything and return the stored arrays; see `MDP.from_pairs`."""
    kernel = _kernel(transitions)
    n_pairs, n_states = kernel.shape
    owners = _owners(states, n_pairs, n_states)
    labels = _labels(actions, owners)
    n_actions = int(labels.max(initial=0)) + 1 if action_names is None else len(action_names)
    if labels.max(initial=0) >= n_actions:
        raise fail(
            got=f"action index {labels.max()} and {n_actions} action names",
            expected="a name for every action index",
            remedy="Complete `action_names`.",
        )
    frame = make_frame(
        n_states,
        n_actions,
        gamma,
        terminal=terminal,
        initial=initial,
        state_names=state_names,
        action_names=action_names,
    )
    vector = as_float_vector("rewards", rewards)
    check_shape("rewards", vector, (n_pairs,), meaning="one reward a pair")
    _check_repeats(owners, labels, frame)
    pairs = _list_pairs(owners, labels, frame)
    rows = np.flatnonzero(frame.terminal[owners])
    check_terminal_rows(kernel, vector, rows, owners[rows], frame)
    from_row = pairs.listed()
    stored = np.where(from_row >= 0, vector[from_row], 0.0) if n_pairs else np.zeros(from_row.size)
    check_rewards(stored, pairs, frame)
    return assemble(kernel, stored, pairs, frame)


def _kernel(transitions: Any) -> sp.csr_array:
    if sp.issparse(transitions):
        return as_csr(transitions)
    array = as_float_vector("transitions", transitions)
    if array.ndim != 2:
        raise fail(
            got=f"`transitions` of shape {array.shape}",
            expected="(pairs, S), sparse or an array",
            remedy="For an (S, A, S) array use MDP.from_arrays.",
        )
    return as_csr(array)


def _integers(name: str, value: Any, size: int) -> Int64[np.ndarray, " pairs"]:
    array = np.asarray(value)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise fail(got=f"`{name}` of type {array.dtype}", expected="integers", remedy=f"Index `{name}` from 0.")
    check_shape(name, array, (size,), meaning="one entry a pair")
    return array.astype(np.int64)


def _owners(states: Any, n_pairs: int, n_states: int) -> Int64[np.ndarray, " pairs"]:
    owners = _integers("states", states, n_pairs)
    outside = first_true((owners < 0) | (owners >= n_states))
    if outside >= 0:
        raise fail(
            got=f"state {owners[outside]} at pair {outside}",
            expected=f"0 to {n_states - 1} (the kernel has {n_states} columns)",
            remedy="Check `states` or add columns to the kernel.",
        )
    down = first_true(np.diff(owners) < 0)
    if down >= 0:
        raise fail(
            got=f"state {owners[down + 1]} after state {owners[down]} at pair {down + 1}",
            expected="pairs grouped by state, in ascending order",
            remedy="Sort all arguments with numpy.argsort(states, kind='stable').",
        )
    return owners


def _labels(actions: Any, owners: Int64[np.ndarray, " pairs"]) -> Int64[np.ndarray, " pairs"]:
    """Action indices; by default the position within the state."""
    if actions is None:
        return np.arange(owners.size) - np.searchsorted(owners, owners)
    labels = _integers("actions", actions, owners.size)
    negative = first_true(labels < 0)
    if negative >= 0:
        raise fail(
            got=f"action {labels[negative]} at pair {negative}", expected="0 or more", remedy="Index actions from 0."
        )
    large = first_true(labels > np.iinfo(np.int32).max)
    if large >= 0:
        raise fail(
            got=f"action {labels[large]} at pair {large}",
            expected=f"at most {np.iinfo(np.int32).max}",
            remedy="Index actions from 0.",
        )
    return labels


def _check_repeats(owners: Int64[np.ndarray, " pairs"], labels: Int64[np.ndarray, " pairs"], frame: Frame) -> None:
    order = np.lexsort((labels, owners))
    same = (np.diff(owners[order]) == 0) & (np.diff(labels[order]) == 0)
    twice = first_true(same)
    if twice >= 0:
        pair = int(order[twice])
        raise fail(
            got=f"{frame.action(int(labels[pair]))} twice at {frame.state(int(owners[pair]))}",
            expected="each action once a state",
            remedy="Merge the two pairs, or give the second another action index.",
        )


def _list_pairs(owners: Int64[np.ndarray, " pairs"], labels: Int64[np.ndarray, " pairs"], frame: Frame) -> PairList:
    """The given pairs, with exactly one pair (row -1) for every terminal state."""
    counts = np.bincount(owners, minlength=frame.n_states)
    empty = first_true((counts == 0) & ~frame.terminal)
    if empty >= 0:
        raise fail(
            got=f"no pair for {frame.state(empty)}",
            expected="at least one action in every state",
            remedy="Mark an end state with `terminal`.",
        )
    if not frame.terminal.any():
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return PairList(offsets=offsets, actions=labels, rows=None)
    kept = np.flatnonzero(~frame.terminal[owners])
    ends = np.flatnonzero(frame.terminal)
    place = np.argsort(np.concatenate([owners[kept], ends]), kind="stable")
    rows = np.concatenate([kept, np.full(ends.size, -1)])[place]
    stored = np.concatenate([labels[kept], np.zeros(ends.size, dtype=np.int64)])[place]
    offsets = np.concatenate([[0], np.cumsum(np.where(frame.terminal, 1, counts))])
    return PairList(offsets=offsets, actions=stored, rows=rows)
