"""From enumerated inner states to an MDP: merge what shows and behaves the same, name states, average rewards."""

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.sources.exploration import Exploration, Step
from policycliff.mdp.sources.known_environments import KnownEnvironment
from policycliff.mdp.sources.source import GridLayout, MDPSource, PairTable, make_source
from policycliff.shapes import Int64


def model_source(
    found: Exploration,
    name: str,
    *,
    known: KnownEnvironment,
    n_actions: int,
    gamma: float | None,
    notes: Sequence[str],
) -> MDPSource:
    """The source of an exploration."""
    blocks = merged_blocks(found)
    n_blocks = int(blocks.max()) + 1
    first = np.unique(blocks, return_index=True)[1]
    size = _reward_size(found)
    rows: list[int] = []
    columns: list[int] = []
    data: list[float] = []
    owners: list[int] = []
    rewards: list[list[float]] = []
    for block, state in enumerate(first.tolist()):
        for action, steps in enumerate(found.steps[state]):
            for target, probability in _shares(steps, blocks).items():
                rows.append(len(owners))
                columns.append(target)
                data.append(float(probability))
            rewards.append([float(mean) for mean in _means(steps)])
            owners.append(block * n_actions + action)
    pairs = np.array(owners, np.int64)
    initial = np.zeros(n_blocks)
    for state, probability in found.initial.items():
        initial[blocks[state]] += float(probability)
    table = PairTable(
        states=pairs // n_actions,
        actions=pairs % n_actions,
        kernel=sp.csr_array((data, (rows, columns)), shape=(pairs.size, n_blocks)),
        rewards=np.array(rewards, dtype=np.float64).reshape(pairs.size, size),
        terminal=np.array(found.terminal)[first],
        initial=initial,
        state_names=_names(found, first),
        action_names=known.actions if len(known.actions) == n_actions else None,
    )
    merged = len(found.states) - n_blocks
    told = [*notes, *([f"{merged} inner states that show and behave the same are merged."] if merged else [])]
    names = known.rewards if len(known.rewards) == size else tuple(f"reward_{k}" for k in range(size))
    layout = _layout([found.observations[state] for state in first.tolist()], known)
    return make_source(name, table, reward_names=names, gamma=gamma, notes=told, layout=layout)


def merged_blocks(found: Exploration) -> Int64[np.ndarray, " states"]:
    """(states,) the coarsest partition that agrees in observations, expected rewards and probabilities of blocks.

    Blocks are numbered by their first state.
    """
    keys: list[Any] = list(zip(found.observations, found.terminal, strict=True))
    keys = [(key, tuple(_means(steps) for steps in found.steps[state])) for state, key in enumerate(keys)]
    moves = [[_counted(steps) for steps in of_state] for of_state in found.steps]
    blocks, count = _numbered(keys)
    while count < len(keys):
        now = blocks.tolist()
        finer, finer_count = _numbered(
            [(now[state], *(_into_blocks(pair, now) for pair in pairs)) for state, pairs in enumerate(moves)]
        )
        if finer_count == count:
            break
        blocks, count = finer, finer_count
    return blocks


def _means(steps: Sequence[Step]) -> tuple[Fraction, ...]:
    """Expected rewards of a pair."""
    return tuple(
        sum((s.probability * Fraction(s.rewards[k]) for s in steps), Fraction(0)) for k in range(len(steps[0].rewards))
    )


def _counted(steps: Sequence[Step]) -> tuple[int, list[tuple[int, int]]]:
    """Probabilities as whole numbers over one denominator, with their targets."""
    denominator = lcm(*(step.probability.denominator for step in steps))
    return denominator, [(step.target, int(step.probability * denominator)) for step in steps]


def _into_blocks(pair: tuple[int, list[tuple[int, int]]], blocks: Sequence[int]) -> tuple[int, frozenset[Any]]:
    denominator, moves = pair
    shares: dict[int, int] = {}
    for target, weight in moves:
        shares[blocks[target]] = shares.get(blocks[target], 0) + weight
    common = gcd(denominator, *shares.values())
    return denominator // common, frozenset((block, weight // common) for block, weight in shares.items())


def _shares(steps: Sequence[Step], blocks: Int64[np.ndarray, " states"]) -> dict[int, Fraction]:
    """Probability of each next block."""
    result: dict[int, Fraction] = {}
    for step in steps:
        block = int(blocks[step.target])
        result[block] = result.get(block, Fraction(0)) + step.probability
    return result


def _numbered(keys: Sequence[Any]) -> tuple[Int64[np.ndarray, " states"], int]:
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64), len(numbers)


def _reward_size(found: Exploration) -> int:
    return next(len(steps[0][0].rewards) for steps in found.steps if steps)


def _names(found: Exploration, first: Int64[np.ndarray, " blocks"]) -> list[str]:
    """Observations as lists; where several states show the same, with what tells them apart."""
    alike: dict[str, list[int]] = {}
    for state in first.tolist():
        alike.setdefault(_shown(found.observations[state]), []).append(state)
    names: dict[int, str] = {}
    for shown, states in alike.items():
        for state in states:
            names[state] = shown if len(states) == 1 else f"{shown} {_told_apart(found, state, states)}".rstrip()
    used: set[str] = set()
    for state in first.tolist():
        if names[state] in used:
            names[state] += f" #{state}"
        used.add(names[state])
    return [names[state] for state in first.tolist()]


def _told_apart(found: Exploration, state: int, states: Sequence[int]) -> str:
    """What tells a state from others that show the same: that it ends the episode, or its hidden attributes."""
    if found.terminal[state]:
        return "end"
    others = [other for other in states if not found.terminal[other]]
    if len(others) == 1:
        return ""
    return ", ".join(
        f"{name.strip('_')}={value}"
        for name, value in found.states[state].items()
        if isinstance(value, int | float | str) and any(found.states[other].get(name) != value for other in others)
    )


def _shown(observation: Sequence[Any]) -> str:
    return "[" + ", ".join(f"{item:.6g}" if isinstance(item, float) else str(item) for item in observation) + "]"


def _layout(observations: Sequence[Sequence[Any]], known: KnownEnvironment) -> GridLayout | None:
    """Rows, columns and layers, where the environment is known to lie on a grid of whole numbers."""
    if known.cell is None or known.layer is None:
        return None
    if not all(isinstance(item, int) for item in observations[0]):
        return None
    cells = np.array([known.cell(observation) for observation in observations], np.int64)
    layers, count = _numbered([known.layer(observation) for observation in observations])
    first = np.unique(layers, return_index=True)[1]
    names = tuple(known.layer(observations[state]) for state in first.tolist())
    return GridLayout(cells, layers, names[:count])
