"""What was read and what was left out."""

from typing import Any

import numpy as np

from policycliff.rollouts.leaves import After, Figure, expanded, tally, tally_of, total
from policycliff.rollouts.scores import Reward, Scored
from policycliff.rollouts.table import RolloutTable


def counts_of(table: RolloutTable, effective: Reward, main: Scored) -> After:
    """The counts of a part of a table; `main` is the effective reward on it."""
    scored = (*table.rewards, *([] if table.truth is None else [table.truth]))
    sizes = np.diff(table.offsets)
    return After(
        _described,
        {
            "prompts": total(table.n_groups),
            "completions": total(table.n_rows),
            "behaviours": total(int(table.behaviour[-1]) + 1 if table.n_rows else 0),
            "group_sizes": tally_of(sizes),
            "single_behaviour_prompts": total(int((main.layout.n_behaviours == 1).sum())),
            "duplicate_rows": total(table.duplicate_rows),
            "unusable_scores": {
                column.name: {
                    "missing": total(column.missing),
                    "nan": total(column.nan),
                    "infinite": total(column.infinite),
                }
                for column in scored
            },
            "without_effective_reward": total(int((~effective.usable).sum())),
            "skipped": skipped_rows(table),
        },
    )


def skipped_rows(table: RolloutTable) -> Figure:
    """What was left out of a part, by reason and unit."""
    found: dict[tuple[str, str], int] = {}
    for item in table.skipped:
        found[item.reason, item.unit] = found.get((item.reason, item.unit), 0) + item.count
    return tally(found, _largest_first)


def _largest_first(found: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """In an order that does not depend on the parts."""
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _described(found: dict[str, Any]) -> dict[str, Any]:
    sizes = found["group_sizes"]
    every = expanded(sizes)
    return {
        "prompts": found["prompts"],
        "completions": found["completions"],
        "behaviours": found["behaviours"],
        "group_sizes": {"min": int(every.min()), "median": float(np.median(every)), "max": int(every.max())},
        "single_completion_prompts": sizes.get(1, 0),
        **{
            name: found[name]
            for name in (
                "single_behaviour_prompts",
                "duplicate_rows",
                "unusable_scores",
                "without_effective_reward",
            )
        },
        "skipped": [
            {"reason": reason, "count": count, "unit": unit} for (reason, unit), count in found["skipped"].items()
        ],
    }
