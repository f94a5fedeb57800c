"""From any table of rollouts to the canonical `RolloutTable`: read, name the columns, group, number the behaviours.

Only the columns that play a part are read. Cost: linear in rows; about three times the text's size in memory at most.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from policycliff.errors import TableError
from policycliff.rollouts.columns import Columns, Role, resolve_columns
from policycliff.rollouts.derive import require_derivable, with_derived
from policycliff.rollouts.duplicates import count_repeated_rows
from policycliff.rollouts.files import TEXT_PREFIX
from policycliff.rollouts.groups import (
    Grouping,
    first_equal,
    group_rows,
    renumber,
    sample_groups,
    sort_rows,
    within_groups,
)
from policycliff.rollouts.read import TableSource, collect, open_table
from policycliff.rollouts.score_columns import RawScores, read_scores, require_complete
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable, SkippedRows
from policycliff.rollouts.texts import readable, short_name


@dataclass(frozen=True, slots=True)
class LoadedRollouts:
    """A table of rollouts, ready to audit, and how it was understood.

    Attributes:
        table: The rows in canonical form.
        columns: For every role its column and whether it was given, guessed or absent, as JSON types.
        rewards: Reward columns with their weights.
        source: What was read, for people.
        rows_read: Rows before anything was left out.
        notes: Decisions worth knowing, in plain words.
    """

    table: RolloutTable
    columns: dict[str, Any]
    rewards: tuple[tuple[str, float], ...]
    source: str
    rows_read: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """The columns as read: `labels` by column name, `scores` by column name."""

    n_rows: int
    labels: dict[str, pl.Series]
    scores: dict[str, RawScores]

    def label(self, role: Role) -> pl.Series | None:
        return None if role.column is None else self.labels[role.column]


def load_rollouts(table: object, settings: AuditSettings) -> LoadedRollouts:
    """Load a table for the audit.

    >>> frame = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "b"], "reward": [1.0, 0.0]})
    >>> loaded = load_rollouts(frame, AuditSettings())
    >>> loaded.table.n_groups, loaded.rewards
    (1, (('reward', 1.0),))

    Args:
        table: A path, directory or pattern, or a Polars, pandas, Arrow or Hugging Face table.
        settings: What the audit is asked.

    Raises:
        SourceNotFoundError: The path matches nothing.
        TableError: The table is empty or broken, lacks a column, or leaves no row to audit.
        InvalidInputError: The settings contradict each other or the table.
        MissingExtraError: A pandas or Arrow table without the libraries to read it.
    """
    original = open_table(table)
    source = with_derived(original, settings.derive)
    columns = resolve_columns(source.schema(), settings)
    read, repeated = _read(original, source, columns, settings)
    columns = _settle(columns, read)
    grouping = _group(columns, read, settings)
    rollouts = _assemble(columns, read, grouping, settings, repeated)
    notes = (*columns.notes, *_notes(columns, rollouts, settings))
    return LoadedRollouts(
        table=rollouts,
        columns=_described(columns, settings),
        rewards=columns.rewards,
        source=source.description,
        rows_read=read.n_rows,
        notes=notes,
    )


def _read(original: TableSource, source: TableSource, columns: Columns, settings: AuditSettings) -> tuple[_Read, int]:
    chosen = [_label(source, name).alias(f"l:{name}") for name in columns.label_names()]
    chosen += [pl.col(name).alias(f"s:{name}") for name in columns.score_names()]
    try:
        frame = collect(source, chosen)
    except TableError:
        require_derivable(source, settings.derive)
        raise
    if frame.is_empty():
        raise TableError(f"{source.description} has columns but no rows.")
    labels = {name: frame[f"l:{name}"].alias(name) for name in columns.label_names()}
    roles = {name: "reward" for name, _ in columns.rewards}
    roles |= {name: "rerun" for _, name in columns.reruns}
    roles |= {} if columns.truth.column is None else {columns.truth.column: "truth"}
    scores = {
        name: read_scores(frame[f"s:{name}"].alias(name), role=roles.get(name, "numeric"))
        for name in columns.score_names()
    }
    return _Read(len(frame), labels, scores), count_repeated_rows(original, frame)


def _label(source: TableSource, name: str) -> pl.Expr:
    return pl.col(TEXT_PREFIX + name) if source.has_text_of(name) else pl.col(name)


def _settle(columns: Columns, read: _Read) -> Columns:
    """The columns, once the values have had their say on the guesses."""
    notes = list(columns.notes)
    group, step = columns.group, columns.step
    if group.origin == "guessed":
        useful = [name for name in columns.group_guesses if _repeats(read.labels[name])]
        dropped = [name for name in columns.group_guesses if name not in useful]
        notes += [f"{name!r} differs in every row, so it is not taken for the group." for name in dropped]
        group = Role(useful[0], "guessed") if useful else Role()
    if step.origin == "guessed" and step.column is not None and read.labels[step.column].n_unique() == 1:
        step = Role()
    return replace(columns, group=group, step=step, notes=tuple(notes))


def _repeats(column: pl.Series) -> bool:
    present = column.drop_nulls()
    return len(present) > 0 and present.n_unique() < len(present)


def _group(columns: Columns, read: _Read, settings: AuditSettings) -> Grouping:
    name = read.label(columns.group)
    if name is None:
        name = read.label(columns.prompt)
    step = read.label(columns.step)
    if name is None and settings.group_size is None:
        raise TableError(
            "nothing says which rows belong together. Give the prompt column, a group column, or group_size if the "
            f"groups are consecutive blocks of rows. The columns read were: {', '.join([*read.labels, *read.scores])}."
        )
    keys = [column for column in (step, name) if column is not None]
    required = 0 if name is None else 1
    return group_rows(keys, n_rows=read.n_rows, required=required, group_size=settings.group_size)


def _assemble(
    columns: Columns, read: _Read, grouping: Grouping, settings: AuditSettings, repeated: int
) -> RolloutTable:
    group, skipped = _usable_groups(columns, read, grouping, settings)
    text = read.label(columns.completion)
    text_number = None if text is None else within_groups(group, text, nulls_equal=False)
    chosen = read.label(columns.behaviour)
    if chosen is not None:
        behaviour = within_groups(group, chosen, nulls_equal=True)
    else:
        behaviour = within_groups(group, None, nulls_equal=False) if text_number is None else text_number
    rows, offsets, numbers = sort_rows(group, behaviour)
    if not len(rows):
        reasons = "; ".join(f"{item.count} {item.unit}: {item.reason}" for item in skipped)
        raise TableError(f"no row is left to audit of {read.n_rows}. {reasons}.")
    source = read.label(columns.source)
    return RolloutTable(
        offsets=_frozen(offsets),
        row_index=_frozen(rows),
        behaviour=_frozen(numbers),
        text=None if text_number is None else _frozen(text_number[rows]),
        rewards=tuple(read.scores[name].take(rows) for name, _ in columns.rewards),
        truth=None if columns.truth.column is None else read.scores[columns.truth.column].take(rows),
        reruns={reward: read.scores[name].take(rows) for reward, name in columns.reruns},
        candidates=tuple(read.scores[name].take(rows) for name in columns.candidates),
        source=None if source is None else _frozen(_source_numbers(source)[rows]),
        frame=_shown(columns, read, grouping, rows, offsets),
        duplicate_rows=repeated,
        skipped=(*skipped, *_worth_knowing(columns, read, rows)),
    )


def _usable_groups(
    columns: Columns, read: _Read, grouping: Grouping, settings: AuditSettings
) -> tuple[Int64[np.ndarray, " rows"], tuple[SkippedRows, ...]]:
    """The groups without rows that have no score at all, sampled if asked."""
    grouped = grouping.group >= 0
    rewards = tuple(read.scores[name] for name, _ in columns.rewards)
    truth = () if columns.truth.column is None else (read.scores[columns.truth.column],)
    if settings.missing == "error":
        require_complete((*rewards, *truth), grouped)
    scored: Bool[np.ndarray, " rows"] = np.logical_or.reduce([column.usable() for column in rewards])
    group = renumber(grouping.group, grouped & scored)
    lost = int(grouping.group.max(initial=-1)) - int(group.max(initial=-1))
    skipped = [
        *grouping.skipped,
        SkippedRows("no usable score in any reward column", int((grouped & ~scored).sum())),
        SkippedRows("no usable score in any of its rows", lost, "prompts"),
    ]
    if settings.sample is not None:
        kept = sample_groups(group, settings.sample, settings.seed)
        left = int(group.max(initial=-1)) - int(kept.max(initial=-1))
        skipped.append(SkippedRows("not drawn into the sample", left, "prompts"))
        group = kept
    return group, tuple(item for item in skipped if item.count)


def _worth_knowing(columns: Columns, read: _Read, rows: Int64[np.ndarray, " kept"]) -> tuple[SkippedRows, ...]:
    found = []
    text, behaviour = read.label(columns.completion), read.label(columns.behaviour)
    if text is not None and text.null_count():
        reason = "no completion text (kept; each is a text of its own)"
        found.append(SkippedRows(reason, text.gather(rows).null_count()))
    if behaviour is not None and behaviour.null_count():
        reason = f"no value in the behaviour column {behaviour.name!r} (kept; one behaviour in its group)"
        found.append(SkippedRows(reason, behaviour.gather(rows).null_count()))
    return tuple(item for item in found if item.count)


def _source_numbers(column: pl.Series) -> Int64[np.ndarray, " rows"]:
    """Number the sources in order of appearance, -1 for null."""
    return renumber(first_equal([column], len(column)), column.is_not_null().to_numpy())


def _shown(
    columns: Columns,
    read: _Read,
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
    columns: Columns, read: _Read, grouping: Grouping, first_rows: Int64[np.ndarray, " groups"]
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


def _notes(columns: Columns, table: RolloutTable, settings: AuditSettings) -> tuple[str, ...]:
    notes = []
    if columns.completion.column is None and columns.behaviour.column is None:
        notes.append("no completion and no behaviour column: every row is its own behaviour, so repeats are not seen.")
    sizes = np.diff(table.offsets)
    usual = int(np.bincount(sizes).argmax())
    if columns.group.column is None and settings.group_size is None and usual > 1:
        repeated = int((sizes > usual).sum())
        if repeated and not (sizes % usual).any():
            notes.append(
                f"{repeated} of {table.n_groups} prompts have a multiple of {usual} completions. If a prompt was drawn "
                f"several times in groups of {usual}, give group_size={usual} to keep these groups apart."
            )
    return tuple(notes)


def _described(columns: Columns, settings: AuditSettings) -> dict[str, Any]:
    roles = ("prompt", "group", "step", "completion", "source", "behaviour", "truth")
    described: dict[str, Any] = {role: getattr(columns, role).to_dict() for role in roles}
    described["group"]["size"] = settings.group_size
    described["rewards"] = [
        {"column": name, "origin": columns.rewards_origin, "weight": weight} for name, weight in columns.rewards
    ]
    described["reruns"] = [{"column": name, "origin": "given", "reward": reward} for reward, name in columns.reruns]
    described["candidates"] = list(columns.candidates)
    described["derived"] = dict(settings.derive)
    return described


def _frozen(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
