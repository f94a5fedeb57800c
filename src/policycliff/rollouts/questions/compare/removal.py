"""Curation: what removing prompts and rows does to the figures, by itself.

The rows that stay are the same rows, so nothing here is a difference of samples. The change has two parts: prompts that
are gone (the mean over the prompts kept less that over all) and rows that are gone from the prompts kept (both at one
group size, so that fewer rows as such change nothing in expectation). Whether prompts were removed blindly is a
question with a test: had as many been removed at random, how often would a figure have moved as far?
"""

from typing import Any

import numpy as np

from policycliff.rollouts.questions.compare.matching import Matching
from policycliff.rollouts.questions.compare.permutation import difference, holm, label_tests
from policycliff.rollouts.questions.compare.samples import Figures, mean_of
from policycliff.shapes import Float64


def removal_figures(
    whole: Figures, part: Figures, matching: Matching, *, permutations: int, seed: int
) -> list[dict[str, Any]]:
    """A row a figure: the whole table, the prompts kept and removed, the part; and the two parts of the change.

    Args:
        whole: Figures of the table before, by group.
        part: Figures of the table after.
        matching: Pairs of a group of the whole and the same group of the part.
        permutations: Draws of the test.
        seed: Of the test.
    """
    rows = []
    for name, before in whole.items():
        known = np.flatnonzero(np.isfinite(before.values))
        is_kept = np.isin(known, matching.first)
        values = before.values[known]
        after = part[name].values[matching.second] if name in part else np.full(len(matching.second), np.nan)
        changed = _row_change(before.values[matching.first], after)
        rows.append(
            {
                "name": name,
                "monte_carlo_error": before.error,
                "all": mean_of(name, known, values),
                "kept": mean_of(name, known[is_kept], values[is_kept]),
                "removed": mean_of(name, known[~is_kept], values[~is_kept]),
                "after": mean_of(name, matching.first, after),
                "by_prompts": float(values[is_kept].mean() - values.mean()) if is_kept.any() else None,
                "by_rows": float(changed.mean()) if len(changed) else None,
                **_test(values, is_kept, permutations, seed),
            }
        )
    tested = [row for row in rows if row["p"] is not None]
    adjusted = dict(zip([row["name"] for row in tested], holm([row["p"] for row in tested]), strict=True))
    return [row | {"p_holm": adjusted.get(row["name"])} for row in rows]


def _row_change(
    before: Float64[np.ndarray, " pairs"], after: Float64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " known"]:
    known = np.isfinite(before) & np.isfinite(after)
    return difference(before[known], after[known])


def _test(values: Float64[np.ndarray, " known"], is_kept: np.ndarray, permutations: int, seed: int) -> dict[str, Any]:
    """Kept against removed; nothing to test where none or all are gone."""
    if is_kept.all() or not is_kept.any():
        return {"p": None, "low": None, "high": None, "method": "nothing to test", "draws": 0}
    return label_tests(values[:, None], is_kept, permutations=permutations, seed=seed)[0].to_dict()
