"""Traces of verifiers 0.4 and later: `traces.jsonl`, an episode a line.

An episode holds the traces of its agents; each trace is a row. It stores every reward with its weight. Rows compete
if they share the environment, the consumer's group (where there is one), the task, the agent and the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.frames import frame_of_items, items_of_files
from policycliff.rollouts.formats.verifiers.trace_rows import TYPES, WEIGHT, trace_items
from policycliff.rollouts.settings import AuditSettings

_EPISODE_KEYS = {"env", "task", "ok", "traces"}


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    row = sample.rows[0]
    episode = row.keys() >= _EPISODE_KEYS and isinstance(row["traces"], list)
    task = row.get("task")
    if not episode or not isinstance(task, dict) or "data" not in task:
        return None
    return "an episode a line: keys env, task with data, ok, traces"


def _read(paths: Sequence[Path], _settings: AuditSettings) -> Reading:
    items = items_of_files(paths, trace_items)
    frame, skipped = frame_of_items(items, TYPES, path=paths[0], what="trace", other=pl.Float64())
    named = [name.removeprefix(WEIGHT) for name in frame.columns if name.startswith(WEIGHT)]
    if not named:
        raise TableError(f"{paths[0]}: no trace has a reward. Score the traces first, for example with `vf-replay`.")
    weights = {name: frame[WEIGHT + name].drop_nulls().unique().sort().to_list() for name in named}
    mixed = [name for name, found in weights.items() if len(found) > 1]
    frame = frame.with_columns(pl.col(name) * pl.col(WEIGHT + name) for name in mixed)
    fixed: dict[str, Any] = {
        "prompt": "prompt",
        "group": "group",
        "completion": "completion",
        "rewards": tuple((name, 1.0 if name in mixed else found[0]) for name, found in weights.items()),
    }
    fixed |= {role: role for role in ("step", "source") if role in frame.columns}
    notes = [*_notes_on_weights(mixed, weights), *_notes_on_missing(frame, named)]
    return Reading(
        frame=frame.drop([WEIGHT + name for name in named]).lazy(), fixed=fixed, notes=tuple(notes), skipped=skipped
    )


def _notes_on_weights(mixed: list[str], weights: Mapping[str, list[float]]) -> Iterator[str]:
    yield "Rewards and their weights are those stored in the traces."
    for name in mixed:
        yield (
            f"the weight of {name!r} differs between traces ({weights[name][0]:g} to {weights[name][-1]:g}), so its "
            "column holds score times weight, with weight 1."
        )


def _notes_on_missing(frame: pl.DataFrame, named: list[str]) -> Iterator[str]:
    scored = pl.sum_horizontal(pl.col(name).is_not_null() for name in named)
    partly = int(frame.select(((scored > 0) & (scored < len(named))).sum()).item())
    if partly:
        yield (
            f"{partly} traces lack some of the rewards. verifiers counts these as 0 in its total; --missing zero does "
            "so here."
        )


VERIFIERS = Format(name="verifiers", title="verifiers traces", recognise=_recognise, read=_read)
