"""Curation: what removing prompts and rows does to the figures, by itself.

The rows that stay are the same rows, so nothing here is a difference of samples. The change has two parts: prompts that
are gone (the mean over the prompts kept less that over all) and rows that are gone from the prompts kept (both at one
group size). Whether either was removed blindly is a question with a test. Prompts: had as many been removed at random,
how often would a figure have moved as far? Rows: every closed form here averages over all subsets of k, so removing
rows at random changes it by 0 in expectation, prompt by prompt; the sign test takes these changes as symmetric.
"""

from typing import Any

import numpy as np

from policycliff.rollouts.questions.compare.matching import Matching
from policycliff.rollouts.questions.compare.permutation import difference, holm, label_tests, sign_flip_test
from policycliff.rollouts.questions.compare.samples import Figures, change_of, mean_of

_NO_TEST: dict[str, Any] = {"p": None, "low": None, "high": None, "method": "nothing to test", "draws": 0}


def removal_figures(
    whole: Figures, part: Figures, matching: Matching, *, permutations: int, seed: int
) -> list[dict[str, Any]]:
    """A row a figure: the whole table, the prompts kept and removed, the part; and the two parts of the change.

    Args:
        whole: Figures of the table before, by group.
        part: Figures of the table after.
        matching: Pairs of a group of the whole and the same group of the part.
        permutations: Draws of the tests.
        seed: Of the tests.
    """
    names = [name for name in whole if name in part]
    before = np.stack([whole[name].values for name in names], axis=1)
    is_kept = np.isin(np.arange(len(before)), matching.first)
    tests = [None] * len(names) if is_kept.all() else label_tests(before, is_kept, permutations=permutations, seed=seed)
    rows = []
    for name, values, tested in zip(names, before.T, tests, strict=True):
        after = part[name].values[matching.second]
        both = np.isfinite(values[matching.first]) & np.isfinite(after)
        change = difference(values[matching.first][both], after[both])
        by_rows = sign_flip_test(change, permutations=permutations, seed=seed) if change.any() else None
        rows.append(
            {
                "name": name,
                "monte_carlo_error": float(np.hypot(whole[name].error, part[name].error)),
                "all": _mean(name, values, np.ones(len(values), dtype=bool)),
                "kept": _mean(name, values, is_kept),
                "removed": _mean(name, values, ~is_kept),
                "after": mean_of(name, matching.first, after),
                "by_prompts": _shift(values, is_kept),
                "by_rows": change_of(name, matching.first[both], change),
                "prompts": _NO_TEST if tested is None else tested.to_dict(),
                "rows": _NO_TEST if by_rows is None else by_rows.to_dict(),
            }
        )
    for test in ("prompts", "rows"):
        asked = [row for row in rows if row[test]["p"] is not None]
        adjusted = holm([row[test]["p"] for row in asked])
        for row in rows:
            row[f"p_{test}"] = None
        for row, p in zip(asked, adjusted, strict=True):
            row[f"p_{test}"] = p
    return rows


def _mean(name: str, values: np.ndarray, members: np.ndarray) -> Any:
    return mean_of(name, np.flatnonzero(members), values[members])


def _shift(values: np.ndarray, is_kept: np.ndarray) -> float | None:
    """Mean over the prompts kept less that over all."""
    known = np.isfinite(values)
    if not (known & is_kept).any():
        return None
    return float(values[known & is_kept].mean() - values[known].mean())
