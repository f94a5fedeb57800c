"""The forms in which a reward may be given, brought to one vector over pairs."""

from typing import Any

import numpy as np

from policycliff.mdp.messages import as_float_vector, fail
from policycliff.shapes import Float64, Int, Int64


def pair_rewards(
    rewards: Any,
    states: Int64[np.ndarray, " pairs"],
    actions: Int[np.ndarray, " pairs"],
    n_states: int,
    *,
    name: str = "rewards",
) -> Float64[np.ndarray, " pairs"]:
    """A new vector over pairs from rewards of shape (pairs,), (S,) or (S, A)."""
    array = as_float_vector(name, rewards)
    if array.shape == states.shape:
        return array.copy()
    if array.shape == (n_states,):
        return array[states]
    if array.ndim == 2 and array.shape[0] == n_states and array.shape[1] > actions.max():
        return array[states, actions]
    raise fail(
        got=f"`{name}` of shape {array.shape}",
        expected=f"({states.size},) for pairs, ({n_states},) for states or "
        f"({n_states}, {int(actions.max()) + 1}) for states and actions",
        remedy=f"Reshape `{name}`.",
    )


def expected_rewards(
    rewards: Float64[np.ndarray, "states actions states"], kernel: Any, rows: Int64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " pairs"]:
    """R(s, a) = sum of P(s' | s, a) R(s, a, s') over the successors that have a probability; -1 rows get 0.

    Rewards of successors without a probability are not looked at.
    """
    flat = rewards.reshape(-1, rewards.shape[2])
    entries = kernel.tocoo()
    with np.errstate(invalid="ignore", over="ignore"):
        weighted = np.where(entries.data != 0.0, entries.data * flat[entries.row, entries.col], 0.0)
    sums = np.bincount(entries.row, weights=weighted, minlength=flat.shape[0])
    return np.where(rows >= 0, sums[rows], 0.0)
