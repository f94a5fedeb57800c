"""The reference of the JSON result and the results themselves name the same keys, with the same types."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_examples import every_result

from policycliff.rollouts.audit import SCHEMA_VERSION

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "audit-json.md"
FROM_THE_DATA = {
    "rewards",
    "settings.rewards",
    "settings.derive",
    "settings.max_reward",
    "settings.noise",
    "settings.rerun",
    "settings.versions",
    "settings.columns.derived",
    "counts.unusable_scores",
    "rewards.{}.tied_size_histogram",
    "prompts_to_look_at[].competing[].scores",
    "advice.drop_list_counts",
}
NUMBERS_OR_NULL = {"sample.prompts[].completions[].scores", "sample.prompts[].completions[].terms"}
"""Lists whose elements have a line of their own."""
STRATA = ("all", "with_spread", "zero_spread")
QUANTILES = {"p05", "p25", "p50", "p75", "p95"}
SCALARS = {bool: "boolean", int: "integer", float: "number", str: "text", type(None): "null"}
TYPES = {"share", "figure", "quantiles", "map", "object", "list", *SCALARS.values()}


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    return every_result()


@pytest.fixture(scope="module")
def documented() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `([^`]+)` \| ([a-z ]+) \|", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    return {key: {part.strip() for part in types.split(" or ")} for key, types in rows}


def kind(value: Any, path: str) -> str:
    if type(value) in SCALARS:
        return SCALARS[type(value)]
    if path in NUMBERS_OR_NULL:
        return "list"
    if isinstance(value, list):
        inner = {SCALARS.get(type(item), "") for item in value}
        return f"list of {inner.pop()}" if len(inner) == 1 and "" not in inner else "list"
    if path in FROM_THE_DATA:
        return "map"
    keys = set(value)
    if keys == {"value", "low", "high", "count", "total"}:
        return "share"
    if keys == {"value", "low", "high"}:
        return "figure"
    return "quantiles" if keys == QUANTILES else "object"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a result with the type of its value; an object that is an element of a list goes without a key."""
    found = kind(value, path)
    if path and not (path.endswith("[]") and found == "object"):
        yield path, found
    if found == "list":
        for item in value:
            yield from leaves(item, f"{path}[]")
    if found in ("object", "map"):
        for key, item in value.items():
            name = "{}" if found == "map" or (path == "truth" and key in STRATA) else key
            yield from leaves(item, f"{path}.{name}" if path else name)


@pytest.fixture(scope="module")
def observed(results: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = {}
    for result in results.values():
        for path, found in leaves(result):
            seen.setdefault(path, set()).add(found)
    return seen


def test_every_key_of_a_result_is_documented(observed, documented):
    assert sorted(set(observed) - set(documented)) == []


def test_every_documented_key_appears_in_some_result(observed, documented):
    assert sorted(set(documented) - set(observed)) == []


def test_types_are_the_documented_ones(observed, documented):
    def fits(found: str, said: set[str]) -> bool:
        empty_list = found == "list" and any(item.startswith("list of") for item in said)
        return found in said or empty_list or (found == "integer" and "number" in said and "list" not in said)

    wrong = {path: found for path, found in observed.items() if not all(fits(item, documented[path]) for item in found)}
    assert wrong == {}


def test_documented_types_exist(documented):
    said = {item.removeprefix("list of ") for types in documented.values() for item in types}
    assert said <= TYPES


def test_what_may_be_unknown_is_unknown_somewhere(observed, documented):
    """`or null` is no excuse: every such key outside the settings is null in one of the examples or held to be here."""
    never = {
        "verdict[].figure.value": "absent where there is none",
        "verdict[].figure.low": "absent where there is none",
        "verdict[].figure.high": "absent where there is none",
        "steps[].first": "rows without a step",
        "steps[].last": "rows without a step",
        "rewards.{}.radius.quantiles": "null only where every prompt has a single behaviour",
        "prompts_to_look_at[].radius": "only with a single behaviour, and then nothing competes",
        "sample": "only where nothing may be embedded, or prompts have thousands of completions",
        "prompts_to_look_at[].competing[].scores.{}": "needs a missing score in a prompt that is looked at",
    }
    nullable = {path for path, types in documented.items() if "null" in types and not path.startswith("settings.")}
    assert {path for path in nullable if "null" not in observed[path]} <= set(never)


def test_results_survive_json(results):
    for result in results.values():
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert result["schema_version"] == SCHEMA_VERSION


def test_bounds_hold_their_value(results):
    def figures(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(value, dict):
            if kind(value, path) in ("share", "figure"):
                yield path, value
            for key, item in value.items():
                yield from figures(item, f"{path}.{key}")
        elif isinstance(value, list):
            for position, item in enumerate(value):
                yield from figures(item, f"{path}[{position}]")

    for result in results.values():
        for path, figure in figures(result):
            if figure["value"] is not None and figure["high"] is not None:
                assert figure["low"] <= figure["value"] <= figure["high"], path
