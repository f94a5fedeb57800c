"""Leave out what cannot be reached from the initial distribution."""

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.kernels import reached_states
from policycliff.mdp.sources.source import PairTable
from policycliff.shapes import Bool


def reachable_states(table: PairTable) -> Bool[np.ndarray, " states"]:
    """(states,) which states some policy reaches from the initial distribution."""
    kernel = table.kernel
    first = np.concatenate([[0], np.cumsum(np.bincount(table.states, minlength=table.terminal.size))])
    seeds = np.ones(table.terminal.size, dtype=bool) if table.initial is None else table.initial > 0.0
    starts = frozen(kernel.indptr.astype(np.int64)[first])
    return np.asarray(reached_states(starts, frozen(kernel.indices.astype(np.int32)), frozen(seeds)))


def restrict_table(table: PairTable, keep: Bool[np.ndarray, " states"]) -> PairTable:
    """The table of these states alone, renumbered in their order; they must be closed under transitions."""
    rows = keep[table.states]
    number = np.cumsum(keep) - 1
    names = table.state_names
    return PairTable(
        states=number[table.states[rows]],
        actions=table.actions[rows],
        kernel=table.kernel[np.flatnonzero(rows)][:, np.flatnonzero(keep)],
        rewards=table.rewards[rows],
        terminal=table.terminal[keep],
        initial=None if table.initial is None else table.initial[keep],
        state_names=None if names is None else [name for name, kept in zip(names, keep, strict=True) if kept],
        action_names=table.action_names,
    )
