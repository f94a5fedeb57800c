"""Explicit files of PRISM and Storm: `.tra` with rewards, labels and states beside it.

`model.tra` holds `state choice successor probability [action]`, after a first line `mdp` (Storm) or three counts
`states choices transitions` (PRISM). Beside it, with the same stem:

    model.lab                        labels: `#DECLARATION ... #END` (Storm) or `0="init" ...` (PRISM)
    model.sta                        `(x,y)` and then `0:(0,1)`: names of states
    model.srew, .trew, .rew          state or transition rewards; model.NAME.srew and so on name a component, also
    model.NAME.state.rew, .trans.rew Storm's endings

State rewards have two columns, transition rewards four; a first line of counts and comments `#` are skipped. DTMCs
(three columns, `dtmc`) are MDPs with one choice. Continuous-time files are refused. The format has no discount.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from policycliff.mdp.sources.drn_reader import REFUSED
from policycliff.mdp.sources.explicit import Choice, ExplicitModel, explicit_source
from policycliff.mdp.sources.lines import Line, file_fail, read_lines
from policycliff.mdp.sources.source import MDPSource
from policycliff.shapes import Float64

_ENDINGS = (".state.rew", ".trans.rew", ".srew", ".trew", ".rew")
_PRISM_LABEL = re.compile(r'(\d+)="([^"]*)"')
_CONTINUOUS = {"ctmc": "CTMC", "ma": "MA", "ctmdp": "MA"}


def read_tra(path: Path, *, gamma: float | None) -> MDPSource:
    """The MDP in a `.tra` file and those beside it.

    Raises:
        InvalidInputError: another kind of model, no rewards, or a broken file; names file and line.
    """
    choices, n_states = _transitions(path)
    labels = _labels(path.with_suffix(".lab"), n_states)
    rewards = reward_files(path)
    if not rewards:
        raise file_fail(
            path,
            got="no reward file beside it",
            expected=f"{path.stem}.srew, {path.stem}.trew or {path.stem}.NAME.trew",
            remedy="Export the model with rewards; without them there is nothing to analyse.",
        )
    states = np.zeros((n_states, len(rewards)))
    for k, files in enumerate(rewards.values()):
        for choice in choices:
            choice.rewards.append(0.0)
        for file in files:
            _add_rewards(file, choices, states[:, k])
    model = ExplicitModel(
        path=path,
        n_states=n_states,
        choices=choices,
        reward_names=tuple(rewards),
        state_rewards=states,
        labels=labels,
        names=_state_names(path.with_suffix(".sta"), n_states),
    )
    return explicit_source(model, gamma=gamma)


def reward_files(path: Path) -> dict[str, list[Path]]:
    """The reward files beside a `.tra`, by component, in alphabetical order."""
    found: dict[str, list[Path]] = {}
    for file in sorted(path.parent.glob("*rew")):
        rest = file.name.removeprefix(path.stem)
        ending = next((ending for ending in _ENDINGS if rest.endswith(ending)), None)
        if rest == file.name or ending is None:
            continue
        name = rest.removesuffix(ending).strip(".")
        if rest.removesuffix(ending) == "" or rest.startswith("."):
            found.setdefault(name or "reward", []).append(file)
    return found


def _transitions(path: Path) -> tuple[list[Choice], int]:
    """All choices in order, and the number of states."""
    lines = iter(read_lines(path, ended=True))
    first = next(lines, None)
    if first is None:
        raise file_fail(path, got="an empty file", expected="transitions", remedy="Export it again.")
    chain, counts = _first_line(first)
    table = _Transitions(chain=chain, limit=None if counts is None else counts[0])
    read = 0
    for line in lines:
        table.take(line)
        read += 1
    table.close()
    if counts is not None and read != counts[-1]:
        raise file_fail(
            path,
            got=f"{read} transitions",
            expected=f"{counts[-1]}, as its first line says",
            remedy="Export it again; the file may end early.",
        )
    if not table.choices:
        raise file_fail(path, got="no transitions", expected="at least one", remedy="Export it again.")
    return table.choices, table.largest + 1 if counts is None else counts[0]


def _first_line(line: Line) -> tuple[bool, list[int] | None]:
    """Whether it is a chain without choices, and the counts of PRISM's first line."""
    words = line.text.split()
    kind = words[0].lower()
    if kind in _CONTINUOUS:
        reason = REFUSED[_CONTINUOUS[kind]]
        raise line.fail(got=f"`{words[0]}`, {reason}", expected="an MDP", remedy="Export an MDP.")
    if kind in {"mdp", "dtmc"} and len(words) == 1:
        return kind == "dtmc", None
    if kind.isdecimal() and len(words) in {2, 3}:
        return len(words) == 2, [line.whole(word, "a count") for word in words]
    raise line.fail(
        got=repr(line.text[:40]),
        expected="`mdp` (Storm), or `states choices transitions` (PRISM)",
        remedy="Add the first line, or export an MDP.",
    )


class _Transitions:
    """Choices, collected line by line."""

    def __init__(self, *, chain: bool, limit: int | None) -> None:
        self._chain, self._limit = chain, limit
        self.choices: list[Choice] = []
        self.largest = -1
        self._state, self._position = -1, -1

    def take(self, line: Line) -> None:
        """One line."""
        words = line.text.split()
        if len(words) not in ({3} if self._chain else {4, 5}):
            names = (
                "state, successor, probability" if self._chain else "state, choice, successor, probability[, action]"
            )
            raise line.fail(
                got=f"{len(words)} columns", expected=names, remedy="Export it again; the file may end early."
            )
        state = line.whole(words[0], "the state", below=self._limit)
        position = 0 if self._chain else line.whole(words[1], "the choice")
        if self._chain:
            words = [words[0], "0", *words[1:]]
        target = line.whole(words[2], "the successor", below=self._limit)
        if (state, position) != (self._state, self._position):
            self._open(line, state, position, words[4] if len(words) == 5 else None)
        self.choices[-1].successors.append((target, line.probability(words[3])))
        self.largest = max(self.largest, target, state)

    def close(self) -> None:
        """Check the choice that is complete now."""
        if self.choices:
            self.choices[-1].check(f"choice {self._position} of state {self._state}")

    def _open(self, line: Line, state: int, position: int, name: str | None) -> None:
        self.close()
        expected = self._position + 1 if state == self._state else 0
        if state < self._state or position != expected:
            where = f"state {state}, choice {position} after state {self._state}, choice {self._position}"
            raise line.fail(
                got=where,
                expected="states and choices in ascending order, each once, choices from 0",
                remedy="Sort the lines by state and choice.",
            )
        self._state, self._position = state, position
        self.choices.append(Choice(line, state, name))


def _add_rewards(path: Path, choices: list[Choice], states: Float64[np.ndarray, " states"]) -> None:
    """Add a component from a file of state rewards (two columns) or transition rewards (four; three for chains)."""
    first = np.full(states.size + 1, len(choices))
    for i, choice in reversed(list(enumerate(choices))):
        first[choice.state] = i
    paid: dict[int, dict[int, float]] = {}
    seen: set[int] = set()
    for line in _reward_lines(path):
        words = line.text.split()
        state = line.whole(words[0], "the state", below=states.size)
        if len(words) == 2:
            if state in seen:
                raise line.fail(got=f"state {state} twice", expected="each state once", remedy="Add the rewards up.")
            seen.add(state)
            states[state] += line.number_of(words[1], "the reward")
            continue
        position = line.whole(words[1], "the choice") if len(words) == 4 else 0
        index = int(first[state]) + position
        if index >= len(choices) or choices[index].state != state:
            raise line.fail(
                got=f"choice {position} of state {state}", expected="a choice that the .tra has", remedy="Correct it."
            )
        target = line.whole(words[-2], "the successor", below=states.size)
        if target in paid.setdefault(index, {}) or target not in dict(choices[index].successors):
            raise line.fail(
                got=f"the transition to {target} twice, or not in the .tra",
                expected="each transition of the .tra at most once",
                remedy="Correct it.",
            )
        paid[index][target] = line.number_of(words[-1], "the reward")
    for index, choice in enumerate(choices):
        choice.rewards[-1] += _expected(choice, paid.get(index, {}))


def _expected(choice: Choice, paid: dict[int, float]) -> float:
    """The expected transition reward; exactly the reward itself where all transitions have the same."""
    values = {paid.get(target, 0.0) for target, _ in choice.successors}
    if len(values) == 1:
        return values.pop()
    return float(sum(p * paid.get(target, 0.0) for target, p in choice.successors))


def _reward_lines(path: Path) -> Iterator[Line]:
    """The lines with rewards; a first line of counts is told by its columns."""
    lines = [line for line in read_lines(path, ended=True) if not line.text.startswith("#")]
    if (len(lines) > 1 and len(lines[0].text.split()) != len(lines[1].text.split())) or (
        len(lines) > 1 and path.name.endswith(".srew") and _is_header(lines)
    ):
        _check_count(lines)
        lines = lines[1:]
    width = len(lines[0].text.split()) if lines else 2
    for line in lines:
        if len(line.text.split()) != width or width not in {2, 3, 4}:
            raise line.fail(
                got=f"{len(line.text.split())} columns",
                expected="state, reward; or state, choice, successor, reward",
                remedy="Export it again; the file may end early.",
            )
        yield line


def _check_count(lines: list[Line]) -> None:
    """Raise unless as many lines follow the first one as its last count says."""
    header = lines[0].text.split()
    if len(header) in {2, 3} and all(word.isdecimal() for word in header):
        count = lines[0].whole(header[-1], "the number of rewards")
        if count != len(lines) - 1:
            raise lines[0].fail(
                got=f"{len(lines) - 1} lines with rewards",
                expected=f"{count}, as this first line says",
                remedy="Export it again; the file may end early.",
            )


def _is_header(lines: list[Line]) -> bool:
    """Whether PRISM's two counts `states nonzeros` stand first: the second is the number of lines that follow."""
    words = lines[0].text.split()
    return words[1].isdecimal() and int(words[1]) == len(lines) - 1 and int(lines[1].text.split()[0]) <= int(words[0])


def _labels(path: Path, n_states: int) -> dict[str, list[int]]:
    """States by label; empty where there is no file."""
    labels: dict[str, list[int]] = {}
    if not path.is_file():
        return labels
    prism: dict[str, str] | None = None
    declared, inside = False, False
    for line in read_lines(path, ended=True):
        if line.text in {"#DECLARATION", "#END"}:
            inside, declared = line.text == "#DECLARATION", True
        elif inside:
            labels |= {name: [] for name in line.text.split()}
        elif prism is None and not declared and _PRISM_LABEL.search(line.text):
            prism = dict(_PRISM_LABEL.findall(line.text))
        else:
            state, names = _labelled(line, prism, n_states)
            for name in names:
                if declared and name not in labels:
                    raise line.fail(got=f"the label {name!r}", expected="one that is declared", remedy="Declare it.")
                labels.setdefault(name, []).append(state)
    return {name: states for name, states in labels.items() if states}


def _labelled(line: Line, prism: dict[str, str] | None, n_states: int) -> tuple[int, list[str]]:
    first, *rest = line.text.replace(":", " ", 1).split() or [""]
    state = line.whole(first, "the state", below=n_states)
    if prism is None:
        return state, rest
    for word in rest:
        if word not in prism:
            raise line.fail(got=f"the label number {word}", expected="one of the first line", remedy="Correct it.")
    return state, [prism[word] for word in rest]


def _state_names(path: Path, n_states: int) -> list[str] | None:
    """Names from the variables' values; None where there is no file."""
    if not path.is_file():
        return None
    lines = list(read_lines(path, ended=True))
    variables = lines[0].text.strip("()").split(",") if lines else []
    names: dict[int, str] = {}
    for line in lines[1:]:
        number, _, values = line.text.partition(":")
        state = line.whole(number.strip(), "the state", below=n_states)
        if state in names:
            raise line.fail(got=f"state {state} twice", expected="each state once", remedy="Take one out.")
        names[state] = _state_name(values.strip(), variables)
    if len(names) != n_states:
        raise file_fail(path, got=f"{len(names)} states", expected=f"{n_states}", remedy="The file may end early.")
    return [names[state] for state in range(n_states)]


def _state_name(values: str, variables: list[str]) -> str:
    inner = values.removeprefix("(").removesuffix(")")
    if inner.startswith('"'):
        try:
            return str(json.loads(inner))
        except json.JSONDecodeError:
            return inner
    parts = inner.split(",")
    if len(parts) != len(variables):
        return inner
    return ", ".join(f"{name}={value}" for name, value in zip(variables, parts, strict=True))
