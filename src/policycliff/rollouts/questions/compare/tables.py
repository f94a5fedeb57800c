"""Two tables of one reward: two checkpoints on the same prompts, or a table and what curation left of it (Model-3).

Groups of different size are not compared as they are, for ties and best-of-n depend on it: every figure is the expected
one in a group of a common size. Independent samples of the same prompts get paired tests. Where one table is the other
with rows removed, the rows are not new draws: then the question is how removal alone moves the figures, and whether
removing as many prompts at random would have done the same.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.analyses.group_size import common_group_size
from policycliff.rollouts.intervals import with_intervals
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.compare.growth import growth
from policycliff.rollouts.questions.compare.matching import Matching, Overlap, is_part, match, overlap
from policycliff.rollouts.questions.compare.prompts import removed_prompts, sample_prompts
from policycliff.rollouts.questions.compare.removal import removal_figures
from policycliff.rollouts.questions.compare.samples import sample_figures
from policycliff.rollouts.questions.compare.statistics import AtSize, at_size
from policycliff.rollouts.questions.compare.table_tables import table_tables
from policycliff.rollouts.questions.compare.table_words import table_findings, table_limits
from policycliff.rollouts.reading.load import LoadedRollouts
from policycliff.rollouts.scores import Reward, Scored, Scorer, column_reward, effective_reward_of, scorer_of


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two tables, scored by its effective reward."""

    name: str
    loaded: LoadedRollouts
    reward: Reward
    truth: Reward | None
    scorer: Scorer

    @property
    def scored(self) -> Scored:
        """The effective reward on its prompts."""
        return self.scorer(self.reward)


def compare_tables(
    first: LoadedRollouts, second: LoadedRollouts, *, common_size: int | None, permutations: int, progress: Progress
) -> Answer:
    """Compare two tables by their effective reward.

    Args:
        first: A.
        second: B.
        common_size: Group size to compare at; None for the smaller usual one.
        permutations: Draws of the permutation tests.
        progress: Called as work goes on.

    Raises:
        InvalidInputError: The tables have other rewards, or the common size is too large.
        TableError: A table has no prompt with two scored completions.
    """
    _require_comparable(first, second)
    a, b = _side("A", first), _side("B", second)
    sizes = {side.name: common_group_size(side.scored.layout.group_sizes) for side in (a, b)}
    k = _common(sizes, common_size, (a, b))
    progress("matching", 0.1)
    matching = match(first, second)
    shared = overlap(first.table, second.table, matching)
    whole, part, matching, relation = _relation(a, b, matching, shared)
    seed = first.settings.seed
    found = []
    for position, side in enumerate((whole, part)):
        progress(f"figures of {side.name}", 0.2 + 0.2 * position)
        found.append(at_size(side.loaded.table, side.scorer, side.reward, side.truth, k=k, seed=seed + position))
    progress("tests", 0.6)
    test = removal_figures if relation == "removal" else sample_figures
    rows = test(found[0], found[1], matching, permutations=permutations, seed=seed)
    tree: dict[str, Any] = {
        "relation": relation,
        "whole": whole.name,
        "part": part.name,
        "a": first.source,
        "b": second.source,
        "reward": dict(first.rewards),
        "truth": None if first.table.truth is None else first.table.truth.name,
        "common_size": k,
        "usual_size": sizes,
        "matching": _matching_figures(whole, part, matching, found),
        "overlap": {"b_in_a": shared.second_in_first, "a_in_b": shared.first_in_second, "texts": shared.texts},
        "figures": rows,
        "growth": growth((whole.scored, part.scored), matching if relation == "samples" else None, k),
    }
    progress("intervals", 0.8)
    n_prompts = max(whole.loaded.table.n_groups, part.loaded.table.n_groups, len(matching.first))
    figures = with_intervals(tree, n_prompts=n_prompts, seed=seed)
    tables = (whole.loaded.table, part.loaded.table)
    describe = removed_prompts if relation == "removal" else sample_prompts
    figures["drivers"] = describe(tables, found, matching, figures["figures"], limit=first.settings.look_at, seed=seed)
    progress("done", 1.0)
    return answer(
        "compare",
        f"{second.source} beside {first.source}, in groups of {k}",
        tables=table_tables(figures),
        findings=table_findings(figures),
        figures=figures,
        settings={
            **settings_of(first),
            "table_b": settings_of(second),
            "common_size": k,
            "permutations": permutations,
        },
        limits=table_limits(figures),
    )


def _side(name: str, loaded: LoadedRollouts) -> Side:
    table, weights = loaded.table, dict(loaded.rewards)
    if all(weight == 0.0 for weight in weights.values()):
        raise InvalidInputError("every reward has weight 0, so there is no effective reward. Give one a weight.")
    truth = None if table.truth is None else column_reward(f"truth {table.truth.name}", table.truth.scores)
    side = Side(name, loaded, effective_reward_of(table, weights, loaded.settings), truth, scorer_of(table))
    if side.scored.layout.n_prompts == 0:
        raise TableError(f"{name} ({loaded.source}) has no prompt with two completions with a usable reward.")
    return side


def _require_comparable(first: LoadedRollouts, second: LoadedRollouts) -> None:
    if first.settings.sample is not None:
        raise InvalidInputError(
            "sample would draw other prompts from A than from B, and few would match. Leave it out."
        )
    if dict(first.rewards) != dict(second.rewards):
        told = [", ".join(f"{name}={weight:g}" for name, weight in side.rewards) for side in (first, second)]
        raise InvalidInputError(
            f"A and B have other rewards ({told[0]} against {told[1]}), so their figures cannot be compared. Name "
            "those that both have with --reward."
        )


def _common(sizes: dict[str, int], asked: int | None, sides: tuple[Side, Side]) -> int:
    """The group size to compare at."""
    k = min(sizes.values()) if asked is None else asked
    if k < 2:
        raise InvalidInputError(f"the common size must be 2 or more, got {k}: a group of one has nothing to choose.")
    for side in sides:
        most = int(side.scored.layout.group_sizes.max())
        if most < k:
            raise InvalidInputError(
                f"no prompt of {side.name} ({side.loaded.source}) has {k} scored completions; the most is {most}. "
                "Give a smaller common size."
            )
    return k


def _relation(a: Side, b: Side, matching: Matching, shared: Overlap) -> tuple[Side, Side, Matching, str]:
    """The larger table first where one is the other with rows removed; else A and B as two samples."""
    turned = replace(matching, first=matching.second, second=matching.first)
    for contained, whole, part, pairs in (
        (shared.second_in_first, a, b, matching),
        (shared.first_in_second, b, a, turned),
    ):
        if contained == 1.0 and is_part(whole.loaded.table, part.loaded.table, (pairs.first, pairs.second)):
            return whole, part, pairs, "removal"
    return a, b, matching, "samples"


def _matching_figures(whole: Side, part: Side, matching: Matching, found: list[dict[str, AtSize]]) -> dict[str, Any]:
    """How many prompts and rows stand against each other, and how many do not."""
    before, after = (side.loaded.table for side in (whole, part))
    rows_kept = int(np.diff(before.offsets)[matching.first].sum())
    counts = {
        "by": matching.by,
        "matched": len(matching.first),
        "repeated": matching.repeated,
        "notes": list(matching.notes),
    }
    for side, groups, values in ((whole, matching.first, found[0]), (part, matching.second, found[1])):
        table = side.loaded.table
        name = side.name.lower()
        counts[f"prompts_{name}"] = table.n_groups
        counts[f"rows_{name}"] = table.n_rows
        counts[f"unmatched_{name}"] = table.n_groups - len(groups)
        counts[f"too_small_{name}"] = int(np.isnan(values["mean"].values).sum())
    return counts | {"rows_removed_from_kept": rows_kept - after.n_rows}
