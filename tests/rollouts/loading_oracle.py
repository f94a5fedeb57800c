"""Groups and behaviours by plain dictionaries and loops: written to be obviously right, not fast."""

import math
from typing import Any

Row = dict[str, Any]


def expected_groups(
    rows: list[Row],
    *,
    key: str | None,
    step: str | None,
    size: int | None,
    behaviour: str | None,
    completion: str | None,
    rewards: list[str],
) -> list[list[list[int]]]:
    """Groups in order of their first row; in each, behaviours in order of theirs; in each, row numbers."""
    by_key: dict[Any, list[int]] = {}
    for number, row in enumerate(rows):
        if key is not None and row[key] is None:
            continue
        name = (row[step] if step else None, row[key] if key else None)
        by_key.setdefault(name, []).append(number)
    groups = list(by_key.values())
    if size is not None:
        groups = [group[i : i + size] for group in groups for i in range(0, len(group) - size + 1, size)]
    groups = [[number for number in group if _has_score(rows[number], rewards)] for group in groups]
    return [_behaviours(rows, group, behaviour, completion) for group in sorted(group for group in groups if group)]


def _has_score(row: Row, rewards: list[str]) -> bool:
    return any(row[name] is not None and math.isfinite(row[name]) for name in rewards)


def _behaviours(rows: list[Row], group: list[int], behaviour: str | None, completion: str | None) -> list[list[int]]:
    found: dict[Any, list[int]] = {}
    for number in group:
        if behaviour is not None:
            value: Any = ("behaviour", rows[number][behaviour])
        elif completion is not None and rows[number][completion] is not None:
            value = ("text", rows[number][completion])
        else:
            value = ("row", number)
        found.setdefault(value, []).append(number)
    return list(found.values())
