"""Conditions of `--fail-on`: a dotted path into the JSON result, a comparison, a number.

`tied_share>0.3` means `rewards.effective.tied_share>0.3`; a path with a dot starts at the top of the result, such as
`rewards.judge.zero_spread_share>=0.5` or `pairs.0.best_changes_share>0.2`. A name that itself holds a dot or a
comparison sign may stand in double quotes. An object {value, low, high} is compared by its value.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from policycliff.errors import InvalidInputError

_CONDITION = re.compile(r'\s*((?:"[^"]*"|[^"<>=])+?)\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*')
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NEAR = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on the result."""

    text: str
    path: str
    comparison: str
    limit: float

    def holds(self, result: dict[str, Any]) -> tuple[bool, float]:
        """Whether the condition holds, and the figure.

        Raises:
            InvalidInputError: The result has no such figure, or it could not be estimated.
        """
        value = _figure(self, result)
        return _COMPARE[self.comparison](value, self.limit), value


def parse_condition(text: str) -> Condition:
    """Read a condition.

    >>> parse_condition("tied_share>0.3").path
    'rewards.effective.tied_share'

    Raises:
        InvalidInputError: Not of the form KEY>NUMBER.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InvalidInputError(
            f"fail-on {text!r}: expected KEY>NUMBER, with one of > >= < <=, such as 'tied_share>0.3'. Quote it for the "
            "shell."
        )
    key, comparison, limit = match.groups()
    bare = "." not in re.sub(r'"[^"]*"', "", key)
    return Condition(text.strip(), f"rewards.effective.{key}" if bare else key, comparison, float(limit))


def _figure(condition: Condition, result: dict[str, Any]) -> float:
    found, value = _look_up(result, condition.path.replace('"', ""))
    if isinstance(value, dict) and "value" in value:
        value = value["value"]
    if found and value is None:
        raise InvalidInputError(f"fail-on {condition.text!r}: this figure is not estimable from the table.")
    if not found or isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInputError(f"fail-on {condition.text!r}: the result has no such figure.{_near(condition, result)}")
    return float(value)


def _look_up(tree: Any, path: str) -> tuple[bool, Any]:
    """The value at a path; keys may hold dots, so longer keys are tried first."""
    if not path:
        return True, tree
    for key in sorted(_keys(tree), key=len, reverse=True):
        if path == key or path.startswith(f"{key}."):
            found, value = _look_up(tree[int(key)] if isinstance(tree, list) else tree[key], path[len(key) + 1 :])
            if found:
                return True, value
    return False, None


def _keys(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return list(tree)
    return [str(index) for index in range(len(tree))] if isinstance(tree, list) else []


def _near(condition: Condition, result: dict[str, Any]) -> str:
    known = list(_figures(result, ""))
    wanted = condition.path.replace('"', "")
    close = get_close_matches(wanted, known, n=_NEAR, cutoff=0.5)
    last = wanted.rpartition(".")[2]
    same = [path for path in known if path.endswith(f".{last}")]
    listed = list(dict.fromkeys([*same[:_NEAR], *close]))[:_NEAR] or known[:_NEAR]
    return f" Near it: {', '.join(listed)}." if listed else ""


def _figures(tree: Any, prefix: str) -> Iterator[str]:
    """Paths of all numbers; lists are left out but for their first item."""
    if isinstance(tree, dict):
        if prefix and isinstance(tree.get("value"), int | float):
            yield prefix
            return
        for key, value in tree.items():
            yield from _figures(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(tree, list):
        if tree:
            yield from _figures(tree[0], f"{prefix}.0")
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield prefix
