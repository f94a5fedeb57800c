"""The description of the results is that of the reference; a tree that departs from it is refused, with its place."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_examples import every_result

from policycliff.report.schema.check import first_fault, kind_of
from policycliff.report.schema.description import NAMES, TEXTS, described, lines_of
from policycliff.rollouts.audit import SCHEMA_VERSION
from policycliff.rollouts.questions.answer import SCHEMA_VERSION as ANSWER_VERSION

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
FULL = every_result()["two rewards, truth, second scores"]
STEPS = every_result()["behaviours, steps, given noise"]["steps"]


def test_the_description_of_an_audit_is_the_reference():
    text = (REFERENCE / "audit-json.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ([a-z ]+) \|([^|]*)\|", text, re.MULTILINE)
    described_rows = [(key, types, "part" in notes) for key, types, notes in lines_of("audit")]
    parts = [
        (key, types, unit.strip() == "share" and ("number" in types or "figure" in types)) for key, types, unit in rows
    ]
    assert described_rows == parts


def test_the_description_of_an_answer_is_the_reference():
    text = (REFERENCE / "answers-json.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| ([a-z ]+) \|", text, re.MULTILINE)
    documented = {key: types for keys, types in rows for key in re.findall("`([^`]+)`", keys)}
    types_of = {key: types for key, types, _ in lines_of("answer")}
    assert {key: types_of.get(key) for key in documented} == documented
    assert {key for key in types_of if not set(key) & set(".[")} == {
        key for key in documented if not set(key) & set(".[")
    }


def test_versions_are_those_that_are_written():
    assert described("audit").children["schema_version"].version == SCHEMA_VERSION
    assert described("answer").children["schema_version"].version == ANSWER_VERSION


def test_of_every_text_of_an_audit_it_is_said_what_it_is():
    for key, types, notes in lines_of("audit"):
        said = [note for note in notes if note in TEXTS or note.startswith("one of")]
        assert len(said) == ("text" in types.split() or types == "list of text"), key


@pytest.mark.parametrize("name", every_result())
def test_every_audit_is_accepted(name):
    result = json.loads(json.dumps(every_result()[name]))
    assert kind_of(result) == "audit"
    assert first_fault(result, "audit") is None


def small(value: Any) -> Any:
    """A copy with one element of every list of objects, and one reward: each place once, and quick to check."""
    if isinstance(value, dict):
        return {key: small(item) for key, item in value.items() if key not in {"passes", "style"}}
    if isinstance(value, list):
        return [small(item) for item in (value[:1] if value and isinstance(value[0], dict) else value)]
    return value


SMALL = small(FULL | {"steps": STEPS})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every part of a tree; of a list only the first element."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def named(path: tuple[Any, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


FROM_THE_DATA = re.compile(
    r"settings\.(rewards|derive|max_reward|noise|rerun|versions|columns\.derived)\.[^.]+$|counts\.unusable_scores\.\w+$"
    r"|rewards\.(?!effective)\w+$|tied_size_histogram\.\d+$|scores\.\w+$|drop_list_counts\."
)
MAY_BE_ABSENT = re.compile(
    r"zero_spread_(un)?solved_share$|noise_draws$|figure\.(value|low|high)$|steps\[0\]\.(noise_spread|best_changed)_share$"
    r"|steps\[0\]\.truth(_of_best)?_mean$|^sample$|^settings\.embed$"
)


def test_a_missing_key_is_named():
    changed = small(SMALL)
    assert first_fault(changed, "audit") is None
    for path in list(places(SMALL))[::3]:
        if isinstance(path[-1], int):
            continue
        holder, name = at(changed, path[:-1]), named(path)
        before = dict(holder)
        del holder[path[-1]]
        expected = None if FROM_THE_DATA.search(name) or MAY_BE_ABSENT.search(name) else f"{name} is missing"
        assert first_fault(changed, "audit") == expected, name
        holder |= before


@pytest.mark.parametrize("wrong", [["a list"], float("nan")])
def test_a_wrong_type_is_named(wrong):
    changed = small(SMALL)
    for path in list(places(SMALL))[::5]:
        holder, before = at(changed, path[:-1]), at(changed, path)
        if isinstance(wrong, list) and isinstance(before, list):
            continue
        holder[path[-1]] = wrong
        fault = first_fault(changed, "audit")
        assert fault is not None, named(path)
        assert fault.startswith(f"{named(path)} is "), fault
        holder[path[-1]] = before


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("rewards.effective.tied_share.value", 1.5, "is 1.5; expected a number from 0 to 1 or null"),
        ("rewards.effective.tied_share.low", -0.1, "is -0.1; expected a number from 0 to 1 or null"),
        ("rewards.effective.uniform_jump_mean.value", 2, "is 2; expected a number from 0 to 1 or null"),
        ("settings.max_shift", 1.01, "is 1.01; expected a number from 0 to 1"),
        ("counts.prompts", True, "is true; expected an integer"),
        ("counts.prompts", 30.0, "is 30.0; expected an integer"),
        ("advice.beta", 10**400, "expected a number"),
        ("counts.prompts", "30", 'is the text "30"; expected an integer'),
        ("settings.missing", "drop", 'is the text "drop"; expected one of omit, zero, error'),
        ("rewards.effective.tied_share", None, "is null; expected a share"),
    ],
)
def test_what_cannot_be_is_said(path, value, fault):
    changed = copy.deepcopy(FULL)
    *parents, last = path.split(".")
    at(changed, tuple(parents))[last] = value
    found = first_fault(changed, "audit")
    assert found.startswith(f"{path} is ")
    assert fault in found


def test_a_value_outside_its_interval_is_named():
    changed = copy.deepcopy(FULL)
    changed["rewards"]["effective"]["tied_share"]["low"] = 0.9
    assert first_fault(changed, "audit").startswith("rewards.effective.tied_share lies outside its own interval")


def test_unknown_keys_are_tolerated():
    changed = copy.deepcopy(FULL)
    changed["new"] = {"deep": [1, {"text": "x"}]}
    changed["truth"]["new"] = 3
    changed["rewards"]["effective"]["tied_share"]["new"] = "x"
    changed["verdict"][0]["new"] = None
    assert first_fault(changed, "audit") is None
    changed["new"]["deep"][1]["number"] = float("nan")
    assert first_fault(changed, "audit") == "new.deep[1].number is nan; expected a number, or null"


@pytest.mark.parametrize("tree", [None, [], {}, 3, "audit", {"a": 1}, {"settings": {}, "verdict": []}])
def test_other_json_is_no_result(tree):
    assert kind_of(tree) is None


def test_an_audit_of_an_older_version_is_accepted():
    older = copy.deepcopy(FULL)
    del older["sample"], older["settings"]["embed"]
    assert kind_of(older) == "audit"
    assert first_fault(older, "audit") is None


def test_the_descriptions_are_told_apart():
    for name in NAMES:
        assert kind_of(dict.fromkeys(described(name).children)) == name
