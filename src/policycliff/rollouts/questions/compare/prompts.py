"""The prompts that move a figure most between two tables."""

from typing import Any

import numpy as np

from policycliff.rollouts.questions.compare.drivers import carried, order_of, snippet
from policycliff.rollouts.questions.compare.matching import Matching
from policycliff.rollouts.questions.compare.permutation import difference
from policycliff.rollouts.questions.compare.samples import Figures
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Float64

SHOWN = ("tied", "mean")


def sample_prompts(
    tables: tuple[RolloutTable, RolloutTable],
    found: list[Any],
    matching: Matching,
    rows: list[dict[str, Any]],
    *,
    limit: int,
    seed: int,
) -> dict[str, Any]:
    """Of the figure that moves most clearly: the matched prompts that move it most, in the direction it moves."""
    moved = [row for row in rows if row["change"]["value"]]
    if matching.by == "nothing" or not moved:
        return {"figure": None, "prompts": [], "carry_half": 0, "contributing": 0}
    row = max(moved, key=lambda item: item["effect"])
    return _matched(tables, found, matching, row["name"], row["change"]["value"], limit=limit, seed=seed)


def removed_prompts(
    tables: tuple[RolloutTable, RolloutTable],
    found: list[Any],
    matching: Matching,
    rows: list[dict[str, Any]],
    *,
    limit: int,
    seed: int,
) -> dict[str, Any]:
    """The removed prompts that move a figure most; where none is gone, the prompts whose rows are."""
    tested = [row for row in rows if row["p_prompts"] is not None and row["by_prompts"]]
    if not tested:
        moved = [row for row in rows if row["by_rows"]["value"]]
        if not moved:
            return {"figure": None, "prompts": [], "carry_half": 0, "contributing": 0}
        row = min(moved, key=lambda item: (item["p_rows"], -_size(found[0], item["name"], item["by_rows"]["value"])))
        return _matched(tables, found, matching, row["name"], row["by_rows"]["value"], limit=limit, seed=seed)
    row = min(tested, key=lambda item: (item["p_prompts"], -_size(found[0], item["name"], item["by_prompts"])))
    values = found[0][row["name"]].values
    gone = np.isfinite(values) & ~np.isin(np.arange(len(values)), matching.first)
    contribution = np.where(gone, (np.nanmean(values) - values) * np.sign(row["by_prompts"]), 0.0)
    chosen = order_of(contribution, limit=limit, seed=seed)
    listed = [_named(tables[0], group) | _sides(found, group, None, row["name"]) for group in chosen]
    return _told(row["name"], listed, contribution)


def _matched(
    tables: tuple[RolloutTable, RolloutTable],
    found: list[Any],
    matching: Matching,
    name: str,
    direction: float,
    *,
    limit: int,
    seed: int,
) -> dict[str, Any]:
    first, second = found[0][name].values[matching.first], found[1][name].values[matching.second]
    known = np.isfinite(first) & np.isfinite(second)
    change = np.zeros(len(first))
    change[known] = difference(first[known], second[known])
    contribution = np.maximum(change * np.sign(direction), 0.0)
    listed = [
        _named(tables[0], int(matching.first[pair]))
        | _sides(found, int(matching.first[pair]), int(matching.second[pair]), name)
        for pair in order_of(contribution, limit=limit, seed=seed)
    ]
    return _told(name, listed, contribution)


def _told(name: str, listed: list[dict[str, Any]], contribution: Float64[np.ndarray, " n"]) -> dict[str, Any]:
    return {
        "figure": name,
        "prompts": listed,
        "carry_half": carried(contribution, 0.5),
        "contributing": int((contribution > 0).sum()),
    }


def _named(table: RolloutTable, group: int) -> dict[str, Any]:
    row = int(table.offsets[group])
    return {"prompt": str(table.frame["__prompt_id"][row]), "prompt_text": snippet(table, "__prompt", row)}


def _sides(found: list[Figures], first: int, second: int | None, name: str) -> dict[str, Any]:
    """The figure that moves, and the usual ones, of both sides; None for a side that lacks the prompt."""
    shown = {}
    for key in dict.fromkeys((name, *SHOWN)):
        shown[f"{key}_whole"] = _number(found[0][key].values[first])
        shown[f"{key}_part"] = None if second is None else _number(found[1][key].values[second])
    return shown


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _size(figures: Figures, name: str, change: float) -> float:
    """A change in standard deviations of the figure over prompts."""
    scale = float(np.nanstd(figures[name].values))
    return abs(change) / scale if scale > 0 else 0.0
