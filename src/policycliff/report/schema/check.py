"""Holds a JSON tree against its description and says the first thing that is wrong with it, and where."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from policycliff.report.schema.description import ELEMENT, NAMES, Field, Name, described
from policycliff.report.text import one_line, short


def kind_of(tree: Any) -> Name | None:
    """Which kind of result a tree is: the one of whose keys it has the largest part, at least half; None for none."""
    if not isinstance(tree, dict):
        return None
    parts = {name: _part_of(tree, described(name)) for name in NAMES}
    best = max(NAMES, key=lambda name: parts[name])
    return best if parts[best] >= 0.5 else None


def version_of(tree: Mapping[str, Any], name: Name) -> tuple[Any, int | None]:
    """The version of a tree's layout, None where it does not say, and the one that is read, None for any."""
    known = described(name).children.get("schema_version")
    return tree.get("schema_version"), None if known is None else known.version


def first_fault(tree: Any, name: Name) -> str | None:
    """What is wrong with a tree, on one line and with its place; None where nothing is."""
    return next(_faults(tree, described(name), ""), None)


def _part_of(tree: Mapping[str, Any], root: Field) -> float:
    return sum(key in tree for key in root.children) / len(root.children)


def _faults(value: Any, field: Field | None, path: str) -> Iterator[str]:
    if field is not None and (wrong := _wrong(value, field)) is not None:
        yield f"{path or 'the whole'} {wrong}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path} is {value}; expected a number, or null"
    elif isinstance(value, dict):
        yield from _faults_of_object(value, field, path)
    elif isinstance(value, list):
        inner = None if field is None else field.children.get(ELEMENT)
        for position, item in enumerate(value):
            yield from _faults(item, inner, f"{path}[{position}]")


def _faults_of_object(value: Mapping[str, Any], field: Field | None, path: str) -> Iterator[str]:
    for key in () if field is None else field.required(value):
        if key not in value:
            yield f"{_under(path, key)} is missing"
    for key, item in value.items():
        yield from _faults(item, None if field is None else field.child(key), _under(path, key))
    if field is not None and {"share", "figure"} & set(field.types):
        bounds = [value[key] for key in ("low", "value", "high") if value[key] is not None]
        if bounds != sorted(bounds) and value["value"] is not None:
            yield f"{path} lies outside its own interval: low, value and high are {', '.join(map(str, bounds))}"


def _wrong(value: Any, field: Field) -> str | None:
    if not any(_FITS[name](value) for name in field.types):
        expected = " or ".join(_WORDS.get(name, name) for name in field.types)
        return f"is {_shown(value)}; expected {expected}"
    if field.choices and isinstance(value, str) and value not in field.choices:
        return f"is {_shown(value)}; expected one of {', '.join(field.choices)}"
    return None


def _under(path: str, key: str) -> str:
    name = short(key, 60)
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, str):
        return f'the text "{one_line(value, 40)}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, float) else short(str(value), 40)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 1.7e308  # no NaN, nothing infinite, no integer that no figure could be


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "integer": _is_integer,
    "number": _is_number,
    "part": lambda value: _is_number(value) and 0.0 <= value <= 1.0,
    "text": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "list": lambda value: isinstance(value, list),
    **dict.fromkeys(("object", "map", "share", "figure", "quantiles"), _is_object),
}
_WORDS = {
    "integer": "an integer",
    "number": "a number",
    "part": "a number from 0 to 1",
    "text": "a text",
    "boolean": "true or false",
    "list": "a list",
    "object": "an object",
    "map": "an object",
    "share": 'a share, {"value", "low", "high", "count", "total"}',
    "figure": 'a figure, {"value", "low", "high"}',
    "quantiles": 'quantiles, {"p05", ..., "p95"}',
}
