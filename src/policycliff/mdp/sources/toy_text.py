"""Gymnasium environments that publish their model: `env.unwrapped.P[s][a] = [(probability, next, reward, terminated)]`.

A transition flagged `terminated` ends the episode, wherever it leads: its successor becomes an absorbing state with
reward 0. If the same state is also entered by transitions that do not end the episode, or can be the first one, it is
doubled: "... (end)" is the absorbing copy. Rows of absorbing states, and states that cannot be reached, are left out.

The table is believed only as far as it goes with the environment: some options change `step` and not `P`. So the
environment takes real steps, and each must be in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.messages import fail
from policycliff.mdp.sources.reachable import reachable_states, restrict_table
from policycliff.mdp.sources.source import GridLayout, MDPSource, PairTable, make_source
from policycliff.shapes import Bool, Float64, Int64

_ACTIONS = {
    "FrozenLakeEnv": ("left", "down", "right", "up"),
    "CliffWalkingEnv": ("up", "right", "down", "left"),
    "TaxiEnv": ("south", "north", "east", "west", "pick up", "drop off"),
}
_TAXI_PLACES = ("red", "green", "yellow", "blue")
_REHEARSAL_EPISODES, _REHEARSAL_STEPS = 20, 200

Rows = Mapping[int, Mapping[int, Any]]


@dataclass(frozen=True, slots=True)
class _Entries:
    """All transitions of the table, one after another."""

    states: Int64[np.ndarray, " entries"]
    actions: Int64[np.ndarray, " entries"]
    targets: Int64[np.ndarray, " entries"]
    probabilities: Float64[np.ndarray, " entries"]
    rewards: Float64[np.ndarray, " entries"]
    ends: Bool[np.ndarray, " entries"]


def toy_text_source(env: Any, name: str, *, gamma: float | None, notes: tuple[str, ...] = ()) -> MDPSource:
    """The model of an environment with a table `P`.

    Args:
        env: the unwrapped environment.
        name: what the source is called.
        gamma: discount; None for the default.
        notes: sentences to keep with it.

    Raises:
        InvalidInputError: the table is not complete, or the environment does not follow it.
    """
    start = np.asarray(getattr(env, "initial_state_distrib", None), dtype=np.float64)
    if start.ndim != 1:
        raise fail(
            got=f"{name} without `initial_state_distrib`",
            expected="a tabular environment with its initial distribution",
            remedy="Set the attribute, or write the model to a .npz or .json file.",
        )
    entries = _entries(env.P, start.size, name)
    _check_rehearsal(env, entries, name)
    table, doubled = _table(entries, start)
    cells, layers, layer_names = _grid(env, start.size)
    keep = reachable_states(table)
    origin = np.concatenate([np.arange(start.size), doubled])
    names = _names(env, cells, layers, layer_names, origin, n_plain=start.size)
    table = restrict_table(
        PairTable(
            states=table.states,
            actions=table.actions,
            kernel=table.kernel,
            rewards=table.rewards,
            terminal=table.terminal,
            initial=table.initial,
            state_names=names,
            action_names=_action_names(env, int(entries.actions.max()) + 1),
        ),
        keep,
    )
    layout = None if cells is None else _layout(cells[origin[keep]], layers[origin[keep]], layer_names)
    dropped = int((~keep).sum())
    told = [*notes, *([f"{dropped} states that cannot be reached from the start are left out."] if dropped else [])]
    return make_source(name, table, reward_names=("reward",), gamma=gamma, notes=told, layout=layout)


def _entries(rows: Rows, n_states: int, name: str) -> _Entries:
    """The table as arrays.

    Raises:
        InvalidInputError: a state is missing, or a transition is not four numbers in range.
    """
    listed = []
    for state in range(n_states):
        if state not in rows:
            raise fail(got=f"{name} without P[{state}]", expected=f"{n_states} states", remedy="Complete the table.")
        for action in sorted(rows[state]):
            for entry in rows[state][action]:
                if len(entry) != 4 or not 0 <= int(entry[1]) < n_states:
                    raise fail(
                        got=f"P[{state}][{action}] with the entry {entry!r}",
                        expected="(probability, next state, reward, terminated)",
                        remedy="Correct the table.",
                    )
                listed.append((state, int(action), int(entry[1]), float(entry[0]), float(entry[2]), bool(entry[3])))
    columns = list(zip(*(item for item in listed if item[3] != 0.0), strict=True))
    return _Entries(
        states=np.array(columns[0], np.int64),
        actions=np.array(columns[1], np.int64),
        targets=np.array(columns[2], np.int64),
        probabilities=np.array(columns[3]),
        rewards=np.array(columns[4]),
        ends=np.array(columns[5], dtype=bool),
    )


def _table(entries: _Entries, start: Float64[np.ndarray, " states"]) -> tuple[PairTable, Int64[np.ndarray, " doubled"]]:
    """The pairs with absorbing ends, and the states that were doubled."""
    n_states = start.size
    ended = np.zeros(n_states, dtype=bool)
    ended[entries.targets[entries.ends]] = True
    live = _entered_alive(entries, start)
    doubled = np.flatnonzero(ended & live)
    terminal = np.concatenate([ended & ~live, np.ones(doubled.size, dtype=bool)])
    copy = np.full(n_states, -1)
    copy[doubled] = n_states + np.arange(doubled.size)
    moved = entries.ends & live[entries.targets]
    targets = np.where(moved, copy[entries.targets], entries.targets)
    inner = ~terminal[entries.states]
    keys = entries.states[inner] * (int(entries.actions.max()) + 1) + entries.actions[inner]
    pairs, rows = np.unique(keys, return_inverse=True)
    rows = rows.reshape(-1)
    weights = entries.probabilities[inner]
    kernel = sp.coo_array((weights, (rows, targets[inner])), shape=(pairs.size, terminal.size)).tocsr()
    rewards = expected(entries.rewards[inner][:, None], weights, rows, pairs.size)
    table = PairTable(
        states=pairs // (int(entries.actions.max()) + 1),
        actions=pairs % (int(entries.actions.max()) + 1),
        kernel=sp.csr_array(kernel),
        rewards=rewards,
        terminal=terminal,
        initial=np.concatenate([start, np.zeros(doubled.size)]),
    )
    return table, doubled


def expected(
    rewards: Float64[np.ndarray, "entries components"],
    weights: Float64[np.ndarray, " entries"],
    rows: Int64[np.ndarray, " entries"],
    n_rows: int,
) -> Float64[np.ndarray, "rows components"]:
    """Expected rewards of each row; exactly the reward itself where all entries of a row have the same."""
    result = np.empty((n_rows, rewards.shape[1]))
    for k, column in enumerate(rewards.T):
        low, high = np.full(n_rows, np.inf), np.full(n_rows, -np.inf)
        np.minimum.at(low, rows, column)
        np.maximum.at(high, rows, column)
        mean = np.bincount(rows, weights * column, minlength=n_rows)
        result[:, k] = np.where(low == high, low, mean)
    return result


def _entered_alive(entries: _Entries, start: Float64[np.ndarray, " states"]) -> Bool[np.ndarray, " states"]:
    """(states,) which are first states or entered, from a state that an episode can be in, without ending it."""
    alive = start > 0.0
    onward = ~entries.ends
    while True:
        reached = entries.targets[onward & alive[entries.states]]
        before = int(alive.sum())
        alive[reached] = True
        if int(alive.sum()) == before:
            return alive


def _check_rehearsal(env: Any, entries: _Entries, name: str) -> None:
    """Let the environment take real steps; each must be in its table.

    Raises:
        InvalidInputError: one is not.
    """
    known = set(
        zip(
            *(
                entries.states.tolist(),
                entries.actions.tolist(),
                entries.targets.tolist(),
                entries.rewards.tolist(),
                entries.ends.tolist(),
            ),
            strict=True,
        )
    )
    rng = np.random.default_rng(0)
    n_actions = int(entries.actions.max()) + 1
    for episode in range(_REHEARSAL_EPISODES):
        state = int(env.reset(seed=episode)[0])
        for _ in range(_REHEARSAL_STEPS):
            action = int(rng.integers(n_actions))
            target, reward, ends, _, _ = env.step(action)
            if (state, action, int(target), float(reward), bool(ends)) not in known:
                raise fail(
                    got=f"{name}, which stepped from state {state} with action {action} to state {int(target)}",
                    expected="a step that its table `P` has",
                    remedy="Its options change `step` but not `P` (such as fickle_passenger of Taxi): leave them out.",
                )
            state = int(target)
            if ends:
                break


def _grid(
    env: Any, n_states: int
) -> tuple[Int64[np.ndarray, "states two"] | None, Int64[np.ndarray, " states"], tuple[str, ...]]:
    """Rows and columns, layers and their names, where the environment says how its states lie."""
    numbers, none = np.arange(n_states), np.zeros(n_states, np.int64)
    if type(env).__name__ == "TaxiEnv":
        places = [*_TAXI_PLACES, "the taxi"]
        layers = [f"passenger in {places[p]}, to {_TAXI_PLACES[d]}" for p in range(5) for d in range(4)]
        return np.stack([numbers // 100, numbers // 20 % 5], axis=1), numbers % 20, tuple(layers)
    for shape in (np.shape(getattr(env, "desc", ())), getattr(env, "shape", ())):
        if len(shape) == 2 and int(np.prod(shape)) == n_states:
            return np.stack(np.divmod(numbers, shape[1]), axis=1), none, ("",)
    return None, none, ("",)


def _names(
    env: Any,
    cells: Int64[np.ndarray, "states two"] | None,
    layers: Int64[np.ndarray, " states"],
    layer_names: tuple[str, ...],
    origin: Int64[np.ndarray, " all"],
    *,
    n_plain: int,
) -> list[str] | None:
    """Names of all states, copies included."""
    marks = np.asarray(getattr(env, "desc", np.zeros(()))).ravel()
    result = []
    for position, state in enumerate(origin.tolist()):
        if cells is None:
            name = str(state)
        else:
            row, column = cells[state].tolist()
            layer = layer_names[layers[state]]
            name = f"({row}, {column})" + (f" {layer}" if layer else "")
            if layer == "" and marks.size == cells.shape[0] and marks.dtype.kind == "S":
                name += {b"S": " start", b"H": " hole", b"G": " goal"}.get(bytes(marks[state]), "")
        result.append(name if position < n_plain else f"{name} (end)")
    return result


def _action_names(env: Any, n_actions: int) -> tuple[str, ...] | None:
    names = _ACTIONS.get(type(env).__name__)
    return names if names is not None and len(names) == n_actions else None


def _layout(
    cells: Int64[np.ndarray, "states two"], layers: Int64[np.ndarray, " states"], names: tuple[str, ...]
) -> GridLayout:
    """The layout with the layers that still have states."""
    kept, renumbered = np.unique(layers, return_inverse=True)
    return GridLayout(cells, renumbered.reshape(-1), tuple(names[layer] for layer in kept.tolist()))
