"""MDPs in JSON, to be written by hand: states with actions with successors.

    {"gamma": 0.9,
     "states": [{"name": "start", "initial": 1.0,
                 "actions": [{"name": "go", "reward": 1.0, "next": {"end": 0.5, "start": 0.5}}]},
                {"name": "end", "terminal": true}]}

Required are gamma, states, and for each action reward and next. `name`s are optional, for all states or for none;
without them successors are called by their number, "0" for the first state. `initial` is a state's initial
probability (all 0: none is known). `next` may also be a list of [state, probability]. An action may have its index as
`action` where it has no name; where `action_names` stands beside gamma it says the order of the names. Probabilities
sum to 1 within 1e-9.

Several rewards: each action has `rewards`, a list, in place of `reward`; `reward_names` and `weights` stand beside
gamma (by default reward_0, ... and equal weights). The MDP's reward is the mixture.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff.mdp.messages import fail
from policycliff.mdp.model import MDP
from policycliff.mdp.stored_bits import keep_bits

_TOP = {"gamma", "states", "action_names", "reward_names", "weights"}
_STATE = {"name", "initial", "terminal", "actions"}
_ACTION = {"name", "action", "reward", "rewards", "next"}


@dataclass(frozen=True, slots=True)
class _Step:
    """One action of one state, as the file has it."""

    state: int
    label: str | int
    rewards: list[float]
    successors: list[tuple[int, float]]


@dataclass(frozen=True, slots=True, eq=False)
class JsonComponents:
    """The rewards of a file: one list a component over the pairs of the file, their names and weights."""

    rewards: np.ndarray
    names: list[str]
    weights: np.ndarray


def read_json(path: Path) -> MDP:
    """The MDP in the file; where it has several rewards, under their mixture."""
    return read_json_components(path)[0]


def read_json_components(path: Path) -> tuple[MDP, JsonComponents]:
    """The MDP in the file, and its rewards (pairs of terminal states left out)."""
    top = _fields(_parsed(path), "the file", known=_TOP, required=("gamma", "states"))
    if not isinstance(top["states"], list) or not top["states"]:
        raise fail(
            got=f"`states` that is {_kind(top['states'])}",
            expected="a list of states",
            remedy="Write one object a state.",
        )
    listed = [_fields(entry, f"state {i}", known=_STATE) for i, entry in enumerate(top["states"])]
    names = _state_names(listed)
    numbers = {name: i for i, name in enumerate(names or [str(i) for i in range(len(listed))])}
    steps = [step for i, entry in enumerate(listed) for step in _steps(i, entry, names, numbers)]
    labels, action_names = _action_indices(steps, top.get("action_names"))
    rewards = _components(steps, top)
    mdp = _build(listed, steps, rewards, names=names, labels=labels, action_names=action_names, gamma=top["gamma"])
    inner = [i for i, step in enumerate(steps) if not mdp.terminal[step.state]]
    return mdp, JsonComponents(rewards.rewards[:, inner], rewards.names, rewards.weights)


def write_json(
    mdp: MDP,
    path: Path,
    *,
    components: np.ndarray | None = None,
    reward_names: Sequence[str] = (),
    weights: Sequence[float] = (),
) -> None:
    """Write the MDP, a line an action; with (K, pairs) `components` several rewards."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"gamma": ' + json.dumps(mdp.gamma) + ",\n")
        if mdp.action_names is not None:
            file.write(' "action_names": ' + json.dumps(list(mdp.action_names)) + ",\n")
        if components is not None:
            file.write(' "reward_names": ' + json.dumps(list(reward_names)) + ",\n")
            file.write(' "weights": ' + json.dumps([float(weight) for weight in weights]) + ",\n")
        file.write(' "states": [\n')
        for state in range(mdp.n_states):
            file.write(_state_text(mdp, state, components) + ("" if state == mdp.n_states - 1 else ",") + "\n")
        file.write(" ]}\n")


def _state_text(mdp: MDP, state: int, components: np.ndarray | None) -> str:
    head: dict[str, Any] = {} if mdp.state_names is None else {"name": mdp.state_names[state]}
    if mdp.initial is not None:
        head["initial"] = float(mdp.initial[state])
    if mdp.terminal[state]:
        return "  " + json.dumps({**head, "terminal": True})
    pairs = range(int(mdp.offsets[state]), int(mdp.offsets[state + 1]))
    actions = ",\n".join("    " + json.dumps(_action(mdp, pair, components)) for pair in pairs)
    return "  " + json.dumps(head)[:-1] + (", " if head else "") + '"actions": [\n' + actions + "]}"


def _action(mdp: MDP, pair: int, components: np.ndarray | None) -> dict[str, Any]:
    label = int(mdp.actions[pair])
    head = {"action": label} if mdp.action_names is None else {"name": mdp.action_names[label]}
    span = slice(int(mdp.indptr[pair]), int(mdp.indptr[pair + 1]))
    targets = mdp.successors[span].tolist()
    called = [str(t) if mdp.state_names is None else mdp.state_names[t] for t in targets]
    following = list(zip(called, mdp.probabilities[span].tolist(), strict=True))
    successors = dict(following) if len(set(called)) == len(called) else [list(item) for item in following]
    if components is not None:
        return {**head, "rewards": components[:, pair].tolist(), "next": successors}
    return {**head, "reward": float(mdp.rewards[pair]), "next": successors}


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_repeats)
    except json.JSONDecodeError as error:
        early = error.pos >= len(error.doc.rstrip())
        where = "ends early" if early else f"breaks at line {error.lineno}, column {error.colno}"
        raise fail(
            got=f"JSON that {where} ({error.msg})",
            expected="one complete JSON object",
            remedy="Complete the file; it may have been cut off." if early else "Correct it there.",
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise fail(
            got=f"a file that is not JSON in UTF-8 ({error})", expected="JSON", remedy="Save it again."
        ) from error


def _no_repeats(items: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(items)
    if len(result) != len(items):
        keys = [key for key, _ in items]
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise fail(
            got=f"{twice!r} twice in one object",
            expected="each name once",
            remedy="Add the probabilities of a successor that is there twice.",
        )
    return result


def _fields(value: Any, where: str, *, known: set[str], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object with known keys only."""
    if not isinstance(value, dict):
        raise fail(
            got=f"{where} that is {_kind(value)}", expected=f"an object with {sorted(known)}", remedy="Correct it."
        )
    for key in value:
        if key not in known:
            close = get_close_matches(key, known, 1)
            remedy = f"Did you mean {close[0]!r}?" if close else "Take it out."
            raise fail(got=f"the key {key!r} in {where}", expected=f"keys among {sorted(known)}", remedy=remedy)
    for key in required:
        if key not in value:
            raise fail(got=f"no {key!r} in {where}", expected="it to be there", remedy=f"Add {key!r}.")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number") + (" without entries" if value in ([], {}) else "")


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise fail(got=f"{where} that is {_kind(value)}", expected="a number", remedy="Write it without quotes.")
    try:
        return float(value)
    except OverflowError as error:
        raise fail(got=f"{where} that is too large", expected="a number below 1e308", remedy="Rescale it.") from error


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise fail(got=f"{where} that is {_kind(value)}", expected="true or false", remedy="Correct it.")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise fail(got=f"{where} that is {_kind(value)}", expected="a text", remedy="Put it in quotes.")
    return value


def _state_names(listed: list[dict[str, Any]]) -> list[str] | None:
    named = [i for i, entry in enumerate(listed) if "name" in entry]
    if not named:
        return None
    if len(named) != len(listed):
        bare = next(i for i, entry in enumerate(listed) if "name" not in entry)
        raise fail(
            got=f"no name for state {bare}, while state {named[0]} has one",
            expected="a name for every state or for none",
            remedy="Complete the names.",
        )
    names = [_text(entry["name"], f"the name of state {i}") for i, entry in enumerate(listed)]
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if first.setdefault(name, i) != i:
            raise fail(
                got=f"the name {name!r} for state {first[name]} and for state {i}",
                expected="distinct names",
                remedy="Rename one, or merge their actions.",
            )
    return names


def _steps(state: int, entry: dict[str, Any], names: list[str] | None, numbers: dict[str, int]) -> Iterator[_Step]:
    """The actions of one state."""
    called = f"state {state}" if names is None else f"state {state} ({names[state]!r})"
    actions = entry.get("actions", [])
    if not isinstance(actions, list):
        raise fail(got=f"`actions` of {called} that is {_kind(actions)}", expected="a list", remedy="Correct it.")
    for position, item in enumerate(actions):
        where = f"action {position} of {called}"
        fields = _fields(item, where, known=_ACTION, required=("next",))
        label: str | int = _label(fields, position, where)
        if isinstance(label, str):
            where = f"action {position} ({label!r}) of {called}"
        yield _Step(state, label, _rewards(fields, where), _successors(fields["next"], where, numbers))


def _rewards(fields: dict[str, Any], where: str) -> list[float]:
    """One reward, or the list of several."""
    if ("reward" in fields) == ("rewards" in fields):
        got = "both 'reward' and 'rewards'" if "reward" in fields else "no 'reward'"
        raise fail(got=f"{got} in {where}", expected="one of 'reward' and 'rewards'", remedy="Correct it.")
    if "reward" in fields:
        return [_number(fields["reward"], f"the reward of {where}")]
    listed = fields["rewards"]
    if not isinstance(listed, list) or not listed:
        raise fail(got=f"`rewards` of {where} that is {_kind(listed)}", expected="a list", remedy="Correct it.")
    return [_number(value, f"reward {k} of {where}") for k, value in enumerate(listed)]


def _components(steps: list[_Step], top: dict[str, Any]) -> JsonComponents:
    """The rewards of all actions: as many for each, with names and weights."""
    sizes = {len(step.rewards) for step in steps}
    if len(sizes) > 1:
        odd = next(step for step in steps if len(step.rewards) != len(steps[0].rewards))
        raise fail(
            got=f"{len(odd.rewards)} rewards at state {odd.state}, while state {steps[0].state} has "
            f"{len(steps[0].rewards)}",
            expected="as many for every action",
            remedy="Write 0 where a component pays nothing.",
        )
    # Where all states are terminal only the names say how many rewards there are.
    given = top.get("reward_names")
    size = sizes.pop() if sizes else len(given) if isinstance(given, list) and given else 1
    names = top.get("reward_names", ["reward"] if size == 1 else [f"reward_{k}" for k in range(size)])
    weights = top.get("weights", [1.0 / size] * size)
    for key, listed in (("reward_names", names), ("weights", weights)):
        if not isinstance(listed, list) or len(listed) != size:
            raise fail(
                got=f"`{key}` that is {_kind(listed)}" if not isinstance(listed, list) else f"{len(listed)} `{key}`",
                expected=f"a list of {size}, one a reward",
                remedy="Correct it.",
            )
    return JsonComponents(
        np.array([step.rewards for step in steps], np.float64).reshape(len(steps), size).T,
        [_text(name, "an entry of `reward_names`") for name in names],
        np.array([_number(weight, "an entry of `weights`") for weight in weights]),
    )


def _label(fields: dict[str, Any], position: int, where: str) -> str | int:
    if "name" in fields:
        return _text(fields["name"], f"the name of {where}")
    index = fields.get("action", position)
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise fail(got=f"`action` of {where} that is {index!r}", expected="an index from 0", remedy="Correct it.")
    return index


def _successors(value: Any, where: str, numbers: dict[str, int]) -> list[tuple[int, float]]:
    items = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(items, list) or not all(len(item) == 2 for item in items if isinstance(item, list | tuple)):
        raise fail(
            got=f"`next` of {where} that is {_kind(value)}", expected='{"state": probability}', remedy="Correct it."
        )
    result = []
    for item in items:
        if not isinstance(item, list | tuple):
            raise fail(got=f"{_kind(item)} in `next` of {where}", expected="[state, probability]", remedy="Correct it.")
        target, probability = str(item[0]), _number(item[1], f"a probability of {where}")
        if target not in numbers:
            close = get_close_matches(target, numbers, 1)
            raise fail(
                got=f"the unknown successor {target!r} in {where}",
                expected=f"one of the {len(numbers)} states of the file",
                remedy=f"Did you mean {close[0]!r}?" if close else "Add the state, or correct the name.",
            )
        result.append((numbers[target], probability))
    return result


def _action_indices(steps: list[_Step], given: Any) -> tuple[list[int], list[str] | None]:
    """Index of each action, and the names by index."""
    named = [step for step in steps if isinstance(step.label, str)]
    if not named and given is None:
        return [int(step.label) for step in steps], None
    if len(named) != len(steps):
        bare = next(step for step in steps if not isinstance(step.label, str))
        raise fail(
            got=f"an action without a name at state {bare.state}, while others have one",
            expected="names for all actions or for none",
            remedy="Complete the names.",
        )
    if given is not None and not isinstance(given, list):
        raise fail(got=f"`action_names` that is {_kind(given)}", expected="a list", remedy="Correct it.")
    names = [_text(name, "an entry of `action_names`") for name in given or []]
    order = {name: i for i, name in enumerate(names)}
    for step in named:
        if given is not None and step.label not in order:
            raise fail(
                got=f"the action {step.label!r} at state {step.state}",
                expected="one of `action_names`",
                remedy="Complete `action_names`, or leave it out.",
            )
        order.setdefault(str(step.label), len(order))
    return [order[str(step.label)] for step in steps], names if given is not None else list(order)


def _build(
    listed: list[dict[str, Any]],
    steps: list[_Step],
    rewards: JsonComponents,
    *,
    names: list[str] | None,
    labels: list[int],
    action_names: list[str] | None,
    gamma: Any,
) -> MDP:
    """From what was read to the MDP."""
    terminal = np.array(
        [_flag(entry.get("terminal", False), f"`terminal` of state {i}") for i, entry in enumerate(listed)]
    )
    start = np.array([_number(entry.get("initial", 0.0), f"`initial` of state {i}") for i, entry in enumerate(listed)])
    initial = start if start.any() or any("initial" in entry for entry in listed) else None
    entries = [item for step in steps for item in step.successors]
    data = np.array([p for _, p in entries], dtype=np.float64)
    columns = np.array([s for s, _ in entries], dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum([len(step.successors) for step in steps], dtype=np.int64)])
    mdp = MDP.from_pairs(
        np.array([step.state for step in steps], dtype=np.int64),
        sp.csr_array((data, columns, indptr), shape=(len(steps), len(listed))),
        rewards.rewards[0]
        if len(rewards.names) == 1 and rewards.weights[0] == 1.0
        else rewards.weights @ rewards.rewards,
        _number(gamma, "`gamma`"),
        actions=np.array(labels, dtype=np.int64),
        terminal=terminal,
        initial=initial,
        state_names=names,
        action_names=action_names,
    )
    return keep_bits(mdp, data, initial)
