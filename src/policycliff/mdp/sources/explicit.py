"""An explicit model as a reader collects it, choice by choice, and what all explicit formats have in common.

Choices of a state are numbered 0, 1, ... in the order of the file. A state reward is earned once a step, whatever is
chosen: it is added to each of the state's pairs. Transition rewards enter as their expectation. A state whose every
choice returns to it with probability 1 and pays nothing is terminal, unless the file labels terminal states itself
(`terminal`, as written by policycliff). Several `init` states get equal probabilities.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.sources.lines import Line, file_fail
from policycliff.mdp.sources.source import MDPSource, PairTable, make_source
from policycliff.shapes import Bool, Float64, Int64

ROW_SUM_TOLERANCE = 1e-9
TERMINAL_LABEL = "terminal"


@dataclass(slots=True)
class Choice:
    """One choice of a state: where the file has it, where it leads, and its action reward a component."""

    line: Line
    state: int
    name: str | None
    successors: list[tuple[int, float]] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)

    def check(self, called: str) -> None:
        """Raise unless its probabilities sum to 1 and no successor is there twice."""
        total = fsum(p for _, p in self.successors)
        if abs(total - 1.0) > ROW_SUM_TOLERANCE:
            raise self.line.fail(
                got=f"{called} whose probabilities sum to {total!r}",
                expected=f"1 within {ROW_SUM_TOLERANCE:g}",
                remedy="Correct them; the file may end early.",
            )
        targets = [target for target, _ in self.successors]
        if len(set(targets)) != len(targets):
            twice = next(target for i, target in enumerate(targets) if target in targets[:i])
            raise self.line.fail(
                got=f"{called} with successor {twice} twice", expected="each successor once", remedy="Add them up."
            )


@dataclass(slots=True)
class ExplicitModel:
    """All of a model.

    Attributes:
        path: the file it is from.
        n_states: number of states.
        choices: in the order of states.
        reward_names: one name a component.
        state_rewards: (states, components).
        labels: states by label.
        names: names of states, or None.
        gamma: discount, or None where the file has none.
        initial: (states,) where the file has probabilities, or None.
        action_names: in the order of their indices, where the file has them.
    """

    path: Path
    n_states: int
    choices: list[Choice]
    reward_names: Sequence[str]
    state_rewards: Float64[np.ndarray, "states components"]
    labels: dict[str, list[int]]
    names: Sequence[str] | None = None
    gamma: float | None = None
    initial: Float64[np.ndarray, " states"] | None = None
    action_names: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)


def explicit_source(model: ExplicitModel, *, gamma: float | None) -> MDPSource:
    """The model as an MDP.

    Args:
        model: what was read; every choice is checked.
        gamma: discount; None for the file's, or the default.

    Raises:
        InvalidInputError: a state without a choice, or anything that the builders refuse.
    """
    owners = np.array([choice.state for choice in model.choices], np.int64)
    counts = np.bincount(owners, minlength=model.n_states)
    if (counts == 0).any() and TERMINAL_LABEL not in model.labels:
        raise file_fail(
            model.path,
            got=f"no choice for state {int(np.argmax(counts == 0))}",
            expected="at least one in each state",
            remedy="Give a final state a choice that returns to it with probability 1; the file may end early.",
        )
    rewards = _pair_rewards(model, owners)
    terminal = _terminal(model, owners, rewards)
    inner = np.flatnonzero(~terminal[owners])
    first = np.cumsum(counts) - counts
    actions = np.arange(owners.size) - first[owners]
    named, names = _named_actions(model, actions)
    kept = [model.choices[i].successors for i in inner.tolist()]
    sizes = np.array([len(row) for row in kept], np.int64)
    kernel = sp.csr_array(
        (
            np.array([p for row in kept for _, p in row], np.float64),
            np.array([target for row in kept for target, _ in row], np.int64),
            np.concatenate([[0], np.cumsum(sizes)]),
        ),
        shape=(inner.size, model.n_states),
    )
    kernel.sort_indices()
    table = PairTable(
        states=owners[inner],
        actions=named[inner],
        kernel=kernel,
        rewards=rewards[inner],
        terminal=terminal,
        initial=_initial(model),
        state_names=model.names,
        action_names=names,
    )
    used = model.gamma if gamma is None else gamma
    return make_source(model.path.name, table, reward_names=model.reward_names, gamma=used, notes=model.notes)


def _pair_rewards(model: ExplicitModel, owners: Int64[np.ndarray, " pairs"]) -> Float64[np.ndarray, "pairs components"]:
    chosen = np.array([choice.rewards for choice in model.choices], np.float64)
    shape = (owners.size, len(model.reward_names))
    return chosen.reshape(shape) + model.state_rewards.reshape(model.n_states, shape[1])[owners]


def _terminal(
    model: ExplicitModel, owners: Int64[np.ndarray, " pairs"], rewards: Float64[np.ndarray, "pairs components"]
) -> Bool[np.ndarray, " states"]:
    """(states,) which are terminal: as labelled, or absorbing without reward."""
    if TERMINAL_LABEL in model.labels:
        result = np.zeros(model.n_states, dtype=bool)
        result[model.labels[TERMINAL_LABEL]] = True
        return result
    stays = np.array([[target for target, _ in choice.successors] == [choice.state] for choice in model.choices])
    moving = np.zeros(model.n_states, dtype=bool)
    moving[owners[~(stays & (rewards == 0.0).all(axis=1))]] = True
    return ~moving


def _initial(model: ExplicitModel) -> Float64[np.ndarray, " states"] | None:
    if model.initial is not None:
        return model.initial
    first = sorted(set(model.labels.get("init", [])))
    if not first:
        return None
    if len(first) > 1:
        model.notes.append(f"{len(first)} states are labelled `init`: each gets the probability 1/{len(first)}.")
    initial = np.zeros(model.n_states)
    initial[first] = 1.0 / len(first)
    return initial


def action_word(name: str) -> str:
    """An action's name as one word, for formats in which it must be one."""
    word = re.sub(r"[^\w.-]+", "_", name)
    return word if word[:1].isalpha() or word[:1] == "_" else f"a_{word}"


def action_words(names: Sequence[str]) -> list[str]:
    """`action_word` of each name; one that is another's word too gets its index."""
    words: list[str] = []
    for i, name in enumerate(names):
        word = action_word(name)
        while word in words:
            word += f"_{i}"
        words.append(word)
    return words


def _named_actions(
    model: ExplicitModel, positions: Int64[np.ndarray, " pairs"]
) -> tuple[Int64[np.ndarray, " pairs"], list[str] | None]:
    """Action indices: by name where choices have names; numbers as they are; else the position in the state.

    A name that a state has twice is numbered.
    """
    given = [choice.name for choice in model.choices]
    labels = [(choice.state, choice.name) for choice in model.choices]
    distinct = len(set(labels)) == len(labels)
    if all(name is None or name.isdecimal() for name in given):
        if distinct and None not in given:
            return np.array([int(name or 0) for name in given], np.int64), None
        return positions, None
    words = {word: i for i, word in enumerate(action_words(model.action_names or ()))}
    if distinct and all(name in words for name in given):
        return np.array([words[name or ""] for name in given], np.int64), list(model.action_names or ())
    order: dict[str, int] = {}
    used: set[tuple[int, str]] = set()
    indices = []
    for choice, position in zip(model.choices, positions.tolist(), strict=True):
        name = choice.name or f"choice {position}"
        if (choice.state, name) in used:
            name = f"{name} (choice {position})"
        used.add((choice.state, name))
        indices.append(order.setdefault(name, len(order)))
    return np.array(indices, np.int64), list(order)
