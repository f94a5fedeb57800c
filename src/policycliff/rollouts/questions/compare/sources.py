"""Who wins under each reward, by source: which model, decoder or person gains from the change of reward."""

from typing import Any

import numpy as np

from policycliff.rollouts.intervals import mean_over, share
from policycliff.rollouts.questions.compare.permutation import difference, holm, sign_flip_test
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.segments import segment_max, segment_min, segment_sum
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Float64, Int64

MOST_SOURCES = 20


def sources(
    table: RolloutTable,
    one: Scored,
    two: Scored,
    changed: Bool[np.ndarray, " prompts"],
    *,
    permutations: int,
    seed: int,
) -> dict[str, Any] | None:
    """By source, the most frequent first; None without sources.

    Where sources compete within prompts: the share of wins under each reward (tied bests share a win), with the
    test of its change. Where each prompt has one source: the share of that source's prompts whose choice changes.
    """
    if table.source is None or one.layout.n_prompts == 0:
        return None
    of_row = table.source[one.layout.rows]
    names, counts = np.unique(of_row[of_row >= 0], return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")][:MOST_SOURCES]
    offsets = one.layout.row_offsets
    low, high = segment_min(of_row, offsets), segment_max(of_row, offsets)
    compete = bool((low != high).any())
    rows = (
        _wins(table, one, two, kept, permutations=permutations, seed=seed)
        if compete
        else [_changes(table, one, low == source, changed, of_row == source) for source in kept]
    )
    return {"compete": compete, "rows": rows, "left_out": len(names) - len(kept)}


def _wins(
    table: RolloutTable, one: Scored, two: Scored, kept: Int64[np.ndarray, " kept"], *, permutations: int, seed: int
) -> list[dict[str, Any]]:
    rows, prompts = [], one.layout.prompts
    of_row = table.source[one.layout.rows] if table.source is not None else one.layout.rows
    for source in kept:
        member = of_row == source
        written = segment_sum(member, one.layout.row_offsets) / one.layout.group_sizes
        first, second = _win_share(one, member), _win_share(two, member)
        change = difference(first, second)
        tested = sign_flip_test(change, permutations=permutations, seed=seed)
        rows.append(
            {
                "source": _name(table, one, member),
                "completions": mean_over(prompts, written, lowest=0.0, highest=1.0),
                "wins_a": mean_over(prompts, first, lowest=0.0, highest=1.0),
                "wins_b": mean_over(prompts, second, lowest=0.0, highest=1.0),
                "change": mean_over(prompts, change, lowest=-1.0, highest=1.0),
                **tested.to_dict(),
            }
        )
    adjusted = holm([row["p"] for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _changes(
    table: RolloutTable,
    one: Scored,
    member: Bool[np.ndarray, " prompts"],
    changed: Bool[np.ndarray, " prompts"],
    rows: Bool[np.ndarray, " rows"],
) -> dict[str, Any]:
    return {"source": _name(table, one, rows), "prompts": int(member.sum()), "changes": share(changed[member])}


def _win_share(scored: Scored, member: Bool[np.ndarray, " rows"]) -> Float64[np.ndarray, " prompts"]:
    best = np.repeat(scored.best, scored.layout.draws)
    offsets = scored.layout.row_offsets
    return segment_sum(best & member, offsets) / segment_sum(best, offsets)


def _name(table: RolloutTable, scored: Scored, rows: Bool[np.ndarray, " rows"]) -> str:
    return str(table.frame["__source"][int(scored.layout.rows[np.argmax(rows)])])
