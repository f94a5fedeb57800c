"""Where in the text: the prefix tree of each prompt's completions, and where its best ones part."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.intervals import with_intervals
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.prefix_tree.examples import losing_examples, tied_examples
from policycliff.rollouts.questions.prefix_tree.figures import quotient_figures, step_figures, tree_figures
from policycliff.rollouts.questions.prefix_tree.list_columns import read_columns
from policycliff.rollouts.questions.prefix_tree.quotient import Keys, keys_of, quotient_of
from policycliff.rollouts.questions.prefix_tree.step_rewards import (
    StepRewards,
    returns_of,
    step_radii_of,
    step_rewards_of,
)
from policycliff.rollouts.questions.prefix_tree.tables import tables_of
from policycliff.rollouts.questions.prefix_tree.traces import DEFAULT_SPLIT, Pieces, Traces, traces_of
from policycliff.rollouts.questions.prefix_tree.tree import Sorted, prefix_tree_of, sorted_traces
from policycliff.rollouts.questions.prefix_tree.words import findings_of, limits_of
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.scores import effective_reward_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows
from policycliff.shapes import Bool


@dataclass(frozen=True, slots=True)
class Read:
    """A table with the traces of its rows, and what else was asked for."""

    loaded: LoadedRollouts
    traces: Traces
    steps: StepRewards | None
    keys: Keys | None


def prefix_tree(
    table: Any,
    *,
    tokens: str | None = None,
    steps: str | None = None,
    split: str | None = None,
    step_rewards: str | None = None,
    merge: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Ask where in the text the best completions of a prompt part, from each other and from the rest.

    Args:
        table: As in `policycliff.audit`.
        tokens: Column with each completion's list of tokens: ids, strings, or JSON text of a list.
        steps: Column with its list of reasoning steps, in place of tokens.
        split: How to cut the completion's text where there are neither: `words` (the default), `lines`, `characters`,
            or a regular expression of what separates pieces.
        step_rewards: Column with a list of rewards, one a piece, and one more for the end if the table likes; their
            sum takes the place of the reward columns.
        merge: Column with a list of keys, the state reached after each piece: prefixes with equal keys become one.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`.

    Raises:
        TableError: The table is broken, lacks a column, or its lists do not fit each other.
        InvalidInputError: Options that exclude each other.

    >>> import polars as pl
    >>> rows = pl.DataFrame({"prompt": ["p"] * 3, "completion": ["so x is 2", "so x = 2", "so y"],
    ...                      "reward": [1.0, 1.0, 0.0]})
    >>> figures = prefix_tree(rows).to_dict()["figures"]["tree"]
    >>> figures["several_share"]["value"], figures["first_parting_depth"]["value"], figures["decisions"]["value"]
    (1.0, 2.0, 1.0)
    """
    pieces = Pieces(tokens=tokens, steps=steps, split=split)
    settings = settings_from_options(options)
    return ask_prefix_tree(table, settings, pieces, step_rewards=step_rewards, merge=merge, progress=progress)


def ask_prefix_tree(
    table: Any,
    settings: AuditSettings,
    pieces: Pieces,
    *,
    step_rewards: str | None = None,
    merge: str | None = None,
    progress: Progress | None = None,
) -> Answer:
    """The same with settings that are made already."""
    if step_rewards is not None and merge is not None:
        raise InvalidInputError(
            "step_rewards and merge cannot be given together: a merged state is reached by ways that were paid "
            "differently. Ask for one of them, or put their sum into a reward column."
        )
    report: Callable[[str, float], None] = progress or (lambda _stage, _share: None)
    read = _read(table, settings, pieces, step_rewards=step_rewards, merge=merge)
    report("traces", 0.4)
    usable, read = _usable(read)
    rows = sorted_traces(read.loaded.table, read.traces, usable)
    _require_prompts(rows, read.traces.unit)
    report("tree", 0.6)
    asked = {
        "tokens": pieces.tokens,
        "steps": pieces.steps,
        "split": (pieces.split or DEFAULT_SPLIT) if not pieces.roles else None,
        "step_rewards": step_rewards,
        "merge": merge,
    }
    return _answer_of(read, rows, asked, report)


def _read(table: Any, settings: AuditSettings, pieces: Pieces, *, step_rewards: str | None, merge: str | None) -> Read:
    loaded = load_rollouts(table, settings)
    roles = pieces.roles
    roles |= {} if step_rewards is None else {"step rewards": step_rewards}
    roles |= {} if merge is None else {"merge": merge}
    columns = read_columns(table, loaded.settings, roles)
    traces = traces_of(loaded.table, pieces, {role: columns[role] for role in pieces.roles})
    return Read(
        loaded,
        traces,
        None if step_rewards is None else step_rewards_of(loaded.table, columns["step rewards"], traces),
        None if merge is None else keys_of(loaded.table, columns["merge"], traces),
    )


def _usable(read: Read) -> tuple[Bool[np.ndarray, " rows"], Read]:
    """Rows with all that was asked for; the others are counted among what was left out."""
    table = read.loaded.table
    usable = np.ones(table.n_rows, dtype=bool)
    reasons = [("no usable trace (missing, or a missing piece)", read.traces.lists.lengths >= 0)]
    if read.steps is not None:
        reasons.append(("no usable step rewards (missing, or not finite)", read.steps.usable))
    else:
        reasons.append(("no effective reward", _reward(read.loaded).usable))
    if read.keys is not None:
        reasons.append(("no usable keys to merge by", read.keys.lists.lengths >= 0))
    skipped = []
    for reason, has in reasons:
        skipped.append(SkippedRows(reason, int((usable & ~has).sum())))
        usable = usable & has
    groups = np.repeat(np.arange(table.n_groups), np.diff(table.offsets))
    few = np.bincount(groups[usable], minlength=table.n_groups) < 2
    skipped.append(SkippedRows("fewer than two usable completions", int(few.sum()), "prompts"))
    told = tuple(item for item in skipped if item.count)
    table = replace(table, skipped=(*table.skipped, *told))
    return usable, replace(read, loaded=replace(read.loaded, table=table))


def _reward(loaded: LoadedRollouts) -> Any:
    weights = dict(loaded.rewards)
    if not any(weights.values()):
        raise InvalidInputError("every reward has weight 0, so nothing is optimised. Give one a weight with --reward.")
    return effective_reward_of(loaded.table, weights, loaded.settings)


def _require_prompts(rows: Sorted, unit: str) -> None:
    if rows.layout.n_prompts == 0:
        raise TableError(
            f"no prompt has two completions with a list of {unit}s and a reward, so nothing can part. Check --group, "
            "--missing and the columns named."
        )


def _answer_of(read: Read, rows: Sorted, asked: dict[str, Any], report: Callable[[str, float], None]) -> Answer:
    table, settings = read.loaded.table, read.loaded.settings
    reward, disputed = (_reward(read.loaded), 0) if read.steps is None else returns_of(table, rows, read.steps)
    tree = prefix_tree_of(rows, reward)
    truth = None if table.truth is None else table.truth.scores
    trees = tree_figures(tree, truth)
    figures: dict[str, Any] = {"unit": read.traces.unit, "tree": trees, "steps": None, "quotient": None}
    if read.steps is not None:
        figures["steps"] = step_figures(step_radii_of(tree, with_end=read.steps.with_end), tree, disputed)
    if read.keys is not None:
        report("quotient", 0.7)
        figures["quotient"] = quotient_figures(tree, quotient_of(tree, read.traces, read.keys, reward))
    report("intervals", 0.8)
    figures = with_intervals(figures, n_prompts=table.n_groups, seed=settings.seed)
    figures["tied_examples"] = tied_examples(table, read.traces, tree)
    figures["losing_examples"] = losing_examples(table, read.traces, tree)
    return answer(
        "prefix-tree",
        f"Where the best of {rows.layout.n_prompts:,} prompts' completions part, by {read.traces.unit}s",
        tables=tables_of(figures),
        findings=findings_of(figures),
        figures=figures,
        settings=settings_of(read.loaded) | asked,
        limits=limits_of(figures),
    )
