"""Storm's DRN files: one file a model, `@type: MDP`.

    @type: MDP
    @reward_models
    steps
    @nr_states
    2
    @model
    state 0 [1] init
        action go [0.5]
            0 : 0.25
            1 : 0.75
    state 1
        action 0
            1 : 1

The numbers in brackets are rewards, one a reward model: of the state, and of the choice. DTMCs have one choice.
POMDPs, continuous-time models (CTMC, MA), stochastic games, intervals and parameters are refused. What DRN cannot hold
(discount, names, a start that is not uniform) is kept in comments `//policycliff {...}`, which Storm skips.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from policycliff.mdp.sources.explicit import Choice, ExplicitModel, explicit_source
from policycliff.mdp.sources.lines import Line, file_fail, read_lines
from policycliff.mdp.sources.source import MDPSource

KEPT = "//policycliff "
REFUSED = {
    "POMDP": "a partially observable model: its policies depend on the past, not on the state",
    "CTMC": "a continuous-time model: its rates are not probabilities",
    "MA": "a continuous-time model (Markov automaton): its rates are not probabilities",
    "SMG": "a stochastic game: several players choose",
}
_BRACKET = re.compile(r"\[([^\]]*)\]")
_LABEL = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_UNNAMED = "__NOLABEL__"


@dataclass(slots=True)
class _Head:
    """What stands before `@model`."""

    type: str | None = None
    rewards: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    n_states: int | None = None
    n_choices: int | None = None
    value_type: str = "double"
    kept: dict[str, Any] = field(default_factory=dict)


def read_drn(path: Path, *, gamma: float | None) -> MDPSource:
    """The MDP in a DRN file.

    Raises:
        InvalidInputError: another kind of model, or a file that is broken; names the line.
    """
    lines = read_lines(path)
    head = _head(lines, path)
    _check_head(head, path)
    n_states = head.n_states or 0
    body = _Body(head, path, n_states)
    for line in lines:
        body.take(line)
    body.finish()
    names = [body.names[s] for s in range(n_states)] if len(body.names) == n_states else None
    model = ExplicitModel(
        path=path,
        n_states=n_states,
        choices=body.choices,
        reward_names=head.rewards,
        state_rewards=np.array(body.state_rewards, np.float64).reshape(n_states, len(head.rewards)),
        labels=body.labels,
        names=names,
        gamma=head.kept.get("gamma"),
        initial=body.start(),
        action_names=head.kept.get("action_names"),
    )
    return explicit_source(model, gamma=gamma)


def _head(lines: Iterator[Line], path: Path) -> _Head:
    """Everything up to `@model`."""
    head, section = _Head(), ""
    for line in lines:
        if line.text.startswith(KEPT):
            head.kept |= _checked_head(line)
        elif line.text.startswith("//"):
            continue
        elif line.text.startswith("@"):
            section, _, value = line.text.partition(":")
            if section == "@model":
                return head
            _inline(head, section, value.strip())
        else:
            _below(head, section, line)
    raise file_fail(
        path,
        got="no line `@model`",
        expected="a complete DRN file",
        remedy="Export it again; it may have been cut off.",
    )


def _inline(head: _Head, section: str, value: str) -> None:
    """A section whose value stands on its own line."""
    if section == "@type":
        head.type = value.upper()
    elif section == "@value_type":
        head.value_type = value


def _below(head: _Head, section: str, line: Line) -> None:
    """A section whose values stand on the lines below it."""
    if section == "@parameters":
        head.parameters += line.text.split()
    elif section == "@reward_models":
        head.rewards += line.text.split()
    elif section == "@nr_states":
        head.n_states = line.whole(line.text, "the number of states")
    elif section == "@nr_choices":
        head.n_choices = line.whole(line.text, "the number of choices")


def _check_head(head: _Head, path: Path) -> None:
    """Refuse models that are not one finite MDP, with the reason."""
    if head.type not in {"MDP", "DTMC"}:
        reason = REFUSED.get(head.type or "", "no model type that is known here")
        raise file_fail(
            path, got=f"`@type: {head.type}`, {reason}", expected="@type: MDP (or DTMC)", remedy="Export an MDP."
        )
    if head.parameters or "param" in head.value_type:
        raise file_fail(
            path,
            got=f"a parametric model (parameters {', '.join(head.parameters)})",
            expected="numbers",
            remedy="Instantiate the parameters first.",
        )
    if "interval" in head.value_type:
        raise file_fail(
            path,
            got="an interval model",
            expected="one probability a transition",
            remedy="Choose a probability in each interval.",
        )
    if head.n_states is None or head.n_states == 0:
        raise file_fail(path, got="no number of states", expected="@nr_states", remedy="Export it again.")
    if not head.rewards:
        raise file_fail(
            path,
            got="no reward model",
            expected="at least one under @reward_models",
            remedy="Export the model with rewards; without them there is nothing to analyse.",
        )
    if len(set(head.rewards)) != len(head.rewards):
        raise file_fail(path, got="a reward model named twice", expected="distinct names", remedy="Rename one.")


class _Body:
    """The states and choices, line by line."""

    def __init__(self, head: _Head, path: Path, n_states: int) -> None:
        self._head, self._path, self._n_states = head, path, n_states
        self.choices: list[Choice] = []
        self.state_rewards: list[list[float]] = []
        self.labels: dict[str, list[int]] = {}
        self.names: dict[int, str] = {}
        self._start: dict[int, float] = {}
        self._closed = True

    def take(self, line: Line) -> None:
        """One line."""
        if line.text.startswith(KEPT):
            self._keep(line)
        elif line.text.startswith("//"):
            return
        elif line.text.startswith("state "):
            self._state(line)
        elif line.text.startswith("action "):
            self._action(line)
        else:
            self._transition(line)

    def finish(self) -> None:
        """Check what only the end can show."""
        self._close()
        if len(self.state_rewards) != self._n_states:
            raise file_fail(
                self._path,
                got=f"{len(self.state_rewards)} states",
                expected=f"{self._n_states}, as @nr_states says",
                remedy="Export it again; the file may end early.",
            )
        if self._head.n_choices is not None and len(self.choices) != self._head.n_choices:
            raise file_fail(
                self._path,
                got=f"{len(self.choices)} choices",
                expected=f"{self._head.n_choices}, as @nr_choices says",
                remedy="Export it again; the file may end early.",
            )

    def start(self) -> Any:
        """The start distribution from comments, or None."""
        if not self._start:
            return None
        result = np.zeros(self._n_states)
        result[list(self._start)] = list(self._start.values())
        return result

    def _state(self, line: Line) -> None:
        self._close()
        word, _, rest = line.text[len("state ") :].strip().partition(" ")
        number, expected = line.whole(word, "the state", below=self._n_states), len(self.state_rewards)
        if number != expected:
            twice = number < expected
            raise line.fail(
                got=f"state {number}" + (" a second time" if twice else ""),
                expected=f"state {expected}: each state once, in ascending order",
                remedy="Merge its choices with the first." if twice else "Sort the states, or add those missing.",
            )
        if rest.lstrip().startswith(("!", "{")):
            raise line.fail(
                got="a rate or an observation",
                expected="an MDP's state: rewards and labels only",
                remedy="Export an MDP.",
            )
        rewards, rest = self._rewards(line, rest)
        self.state_rewards.append(rewards)
        for quoted, plain in _LABEL.findall(rest):
            self.labels.setdefault(quoted or plain, []).append(number)

    def _action(self, line: Line) -> None:
        self._close()
        if not self.state_rewards:
            raise line.fail(got="a choice before the first state", expected="state 0", remedy="Export it again.")
        rest = line.text[len("action ") :].strip()
        rewards, name = self._rewards(line, rest)
        match = _LABEL.match(name.strip())
        word = _UNNAMED if match is None else match[1] or match[2]
        state = len(self.state_rewards) - 1
        self.choices.append(Choice(line, state, None if word == _UNNAMED else word, [], rewards))
        self._closed = False

    def _transition(self, line: Line) -> None:
        target, colon, probability = (word.strip() for word in line.text.partition(":"))
        if not colon or self._closed:
            raise line.fail(
                got=repr(line.text[:40]),
                expected="`state`, `action`, or `target : probability` under an action",
                remedy="Correct the line.",
            )
        number = line.whole(target, "the successor", below=self._n_states)
        self.choices[-1].successors.append((number, line.probability(probability)))

    def _close(self) -> None:
        """Check the choice that is complete now."""
        if not self._closed:
            self.choices[-1].check(f"a choice of state {self.choices[-1].state}")
        self._closed = True

    def _rewards(self, line: Line, text: str) -> tuple[list[float], str]:
        """Rewards in brackets (0 without them), and the text around them."""
        size = len(self._head.rewards)
        match = _BRACKET.search(text)
        if match is None:
            return [0.0] * size, text
        values = [line.number_of(word.strip(), "the reward") for word in match[1].split(",")]
        if len(values) != size:
            raise line.fail(
                got=f"{len(values)} rewards", expected=f"{size}, one a reward model", remedy="Export it again."
            )
        return values, text[: match.start()] + " " + text[match.end() :]

    def _keep(self, line: Line) -> None:
        """A comment of ours on the state that stands above it."""
        fields, state = _kept(line), len(self.state_rewards) - 1
        if state < 0:
            raise line.fail(got="a comment on a state before the first state", expected="state 0", remedy="Move it.")
        if "name" in fields:
            self.names[state] = str(fields["name"])
        if "initial" in fields:
            self._start[state] = line.number_of(str(fields["initial"]), "the initial probability")


def _checked_head(line: Line) -> dict[str, Any]:
    """A comment of ours before the states: discount, and action names in the order of their indices."""
    fields = _kept(line)
    gamma, names = fields.get("gamma", 0.0), fields.get("action_names", [])
    if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0.0 <= gamma <= 1.0:
        raise line.fail(got=f"the discount {gamma!r}", expected="a number in [0, 1]", remedy="Correct the comment.")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise line.fail(got=f"`action_names` {names!r}", expected="a list of names", remedy="Correct the comment.")
    return fields


def _kept(line: Line) -> dict[str, Any]:
    try:
        value = json.loads(line.text[len(KEPT) :])
    except ValueError as error:
        raise line.fail(got=f"a comment {KEPT!r} without JSON", expected="an object", remedy="Take it out.") from error
    return value if isinstance(value, dict) else {}
