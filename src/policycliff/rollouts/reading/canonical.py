"""Rows to the canonical `RolloutTable`: grouped, their behaviours numbered, sorted, with what was left out counted."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from policycliff.rollouts.reading.columns import Columns
from policycliff.rollouts.reading.groups import (
    Grouping,
    draw_groups,
    first_equal,
    renumber,
    sort_rows,
    within_groups,
)
from policycliff.rollouts.reading.rows import RowsRead, grouping_of, unusable_in
from policycliff.rollouts.reading.score_columns import require_complete
from policycliff.rollouts.reading.texts import readable, short_name
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable, SkippedRows
from policycliff.shapes import Bool, Int64


@dataclass(frozen=True, slots=True)
class PartOfTable:
    """Where the rows read stand in a table that is read in parts.

    Attributes:
        drawn: (groups,) which of the groups with a usable score belong to the sample; None to draw it here.
        blocks: Every how many of the table's blocks of rows is in this part, and the first: for tables without names.
    """

    drawn: Bool[np.ndarray, " groups"] | None = None
    blocks: tuple[int, int] = (1, 0)


WHOLE = PartOfTable()


def canonical_table(
    columns: Columns, read: RowsRead, settings: AuditSettings, part: PartOfTable = WHOLE
) -> RolloutTable:
    """The canonical table of the rows read; empty where no row is left.

    Raises:
        TableError: Nothing says which rows belong together, or a score is missing where none may be.
    """
    grouping = grouping_of(columns, read, settings)
    group, skipped = _usable_groups(columns, read, grouping, settings, part)
    text = read.label(columns.completion)
    text_number = None if text is None else within_groups(group, text, nulls_equal=False)
    chosen = read.label(columns.behaviour)
    if chosen is not None:
        behaviour = within_groups(group, chosen, nulls_equal=True)
    else:
        behaviour = within_groups(group, None, nulls_equal=False) if text_number is None else text_number
    rows, offsets, numbers = sort_rows(group, behaviour)
    source = read.label(columns.source)
    return RolloutTable(
        offsets=_frozen(offsets),
        row_index=_frozen(rows if read.positions is None else read.positions[rows]),
        behaviour=_frozen(numbers),
        text=None if text_number is None else _frozen(text_number[rows]),
        rewards=tuple(read.scores[name].take(rows) for name, _ in columns.rewards),
        truth=None if columns.truth.column is None else read.scores[columns.truth.column].take(rows),
        reruns={reward: read.scores[name].take(rows) for reward, name in columns.reruns},
        candidates=tuple(read.scores[name].take(rows) for name in columns.candidates),
        source=None if source is None else _frozen(_source_numbers(source)[rows]),
        frame=_shown(columns, read, _renumbered(grouping, part), rows, offsets),
        duplicate_rows=read.repeated,
        skipped=(*skipped, *_worth_knowing(columns, read, rows)),
    )


def _usable_groups(
    columns: Columns, read: RowsRead, grouping: Grouping, settings: AuditSettings, part: PartOfTable
) -> tuple[Int64[np.ndarray, " rows"], tuple[SkippedRows, ...]]:
    """The groups without rows that have no score at all, sampled if asked."""
    grouped = grouping.group >= 0
    if settings.missing == "error":
        require_complete(unusable_in(columns, read, grouping))
    scored: Bool[np.ndarray, " rows"] = np.logical_or.reduce(
        [read.scores[name].usable() for name, _ in columns.rewards]
    )
    group = renumber(grouping.group, grouped & scored)
    lost = int(grouping.group.max(initial=-1)) - int(group.max(initial=-1))
    skipped = [
        *grouping.skipped,
        SkippedRows("no usable score in any reward column", int((grouped & ~scored).sum())),
        SkippedRows("no usable score in any of its rows", lost, "prompts"),
    ]
    if settings.sample is not None:
        n_groups = int(group.max(initial=-1)) + 1
        drawn = draw_groups(n_groups, settings.sample, settings.seed) if part.drawn is None else part.drawn
        kept = renumber(group, np.append(drawn, False)[group])
        left = int(group.max(initial=-1)) - int(kept.max(initial=-1))
        skipped.append(SkippedRows("not drawn into the sample", left, "prompts"))
        group = kept
    return group, tuple(item for item in skipped if item.count)


def _renumbered(grouping: Grouping, part: PartOfTable) -> Grouping:
    """The blocks by their numbers in the whole table."""
    if grouping.block is None or part.blocks == (1, 0):
        return grouping
    step, first = part.blocks
    return replace(grouping, block=grouping.block * step + first)


def _worth_knowing(columns: Columns, read: RowsRead, rows: Int64[np.ndarray, " kept"]) -> tuple[SkippedRows, ...]:
    found = []
    text, behaviour = read.label(columns.completion), read.label(columns.behaviour)
    if text is not None and text.null_count():
        reason = "no completion text (kept; each is a text of its own)"
        found.append(SkippedRows(reason, text.gather(rows).null_count()))
    if text is not None and text.dtype == pl.String:
        found.append(SkippedRows("empty completion text (kept)", int((text.gather(rows) == "").sum())))
    if behaviour is not None and behaviour.null_count():
        reason = f"no value in the behaviour column {behaviour.name!r} (kept; one behaviour in its group)"
        found.append(SkippedRows(reason, behaviour.gather(rows).null_count()))
    return tuple(item for item in found if item.count)


def _source_numbers(column: pl.Series) -> Int64[np.ndarray, " rows"]:
    """Number the sources in order of appearance, -1 for null."""
    return renumber(first_equal([column], len(column)), column.is_not_null().to_numpy())


def _shown(
    columns: Columns,
    read: RowsRead,
    grouping: Grouping,
    rows: Int64[np.ndarray, " kept"],
    offsets: Int64[np.ndarray, " groups_plus_1"],
) -> pl.DataFrame:
    """The text columns that the report shows, along the sorted rows."""
    names = _group_names(columns, read, grouping, rows[offsets[:-1]])
    of_group = np.repeat(np.arange(len(names)), np.diff(offsets))
    shown = {"__prompt_id": names.gather(of_group)}
    for role in ("prompt", "completion", "behaviour", "source"):
        column = read.label(getattr(columns, role))
        if column is not None:
            shown[f"__{role}"] = readable(column.gather(rows))
    step = read.label(columns.step)
    if step is not None:
        shown["__step"] = step.gather(rows)
    return pl.DataFrame(shown)


def _group_names(
    columns: Columns, read: RowsRead, grouping: Grouping, first_rows: Int64[np.ndarray, " groups"]
) -> pl.Series:
    """What each group is called, from its first row."""
    group, prompt, step = (read.label(role) for role in (columns.group, columns.prompt, columns.step))
    if group is not None:
        return readable(group.gather(first_rows))
    block = pl.Series(
        "block", np.zeros(len(first_rows), dtype=np.int64) if grouping.block is None else grouping.block[first_rows]
    )
    if prompt is not None:
        frame = pl.DataFrame({"name": short_name(prompt.gather(first_rows)), "block": block})
        numbered = pl.format("{} [block {}]", "name", pl.col("block") + 1)
        return frame.select(pl.when(pl.col("block") > 0).then(numbered).otherwise("name")).to_series()
    if step is None:
        return pl.select(pl.format("block {}", block + 1)).to_series()
    return pl.select(pl.format("step {}, block {}", readable(step.gather(first_rows)), block + 1)).to_series()


def _frozen(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
