"""Rollout summaries of tinker-cookbook: `iteration_<n>/<name>_rollout_summaries.jsonl`, a trajectory a line.

The summaries hold rewards and measurements but no text: prompt and completion are lengths in tokens. What the
environment logged itself (`logs` of a step) is kept, and may be a text or an answer.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items, items_of_files, items_of_lines
from policycliff.rollouts.formats.shared.rewards import Weights, watched, watched_note
from policycliff.rollouts.formats.shared.values import (
    Row,
    as_number,
    flat,
    json_text_or_none,
    number_of,
    object_of,
    text_of,
    whole_of,
    wrong_type,
)
from policycliff.rollouts.settings import AuditSettings

_KEYS = ("iteration", "group_idx", "traj_idx", "total_reward", "final_reward", "steps")
_SCHEMA = {
    "split": pl.String(),
    "step": pl.Int64(),
    "group": pl.String(),
    "total_reward": pl.Float64(),
    "final_reward": pl.Float64(),
    "step_reward": pl.Float64(),
    "sampling_client_step": pl.Float64(),
    "n_steps": pl.Int64(),
    "ac_len": pl.Float64(),
    "final_ob_len": pl.Float64(),
    "tags": pl.String(),
    "__run": pl.String(),
}


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    has_steps = any(isinstance(row.get("steps"), list) for row in sample.rows)
    if not has_steps or not all(set(_KEYS) <= row.keys() for row in sample.rows):
        return None
    return f"keys {', '.join(_KEYS)} in every row"


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    frame, skipped = frame_of_items(items_of_files(paths, _items), _SCHEMA, path=paths[0], what="trajectory")
    measured = [name for name in frame.columns if name.startswith(("metrics.", "trajectory_metrics."))]
    others = watched(frame, "total_reward", ["final_reward", "step_reward", *measured])
    runs = frame["__run"].n_unique()
    if runs > 1:
        frame = frame.with_columns(group=pl.concat_str(["__run", pl.lit(": "), "group"]))
    fixed: dict[str, Any] = {"group": "group", "step": "step", "rewards": (("total_reward", 1.0), *others)}
    return Reading(
        frame=frame.drop("__run").lazy(),
        fixed=fixed,
        notes=_notes(frame, () if settings.rewards else others, settings),
        skipped=skipped,
    )


def _items(path: Path) -> Iterator[Item]:
    return items_of_lines(path, lambda row, where: [_row(row, where, path)])


def _row(row: Row, where: str, path: Path) -> Row:
    steps = _steps(row, where)
    split = text_of(row, "split", where)
    group = whole_of(row, "group_idx", where)
    rewards = [number_of(step, "reward", where) for step in steps]
    lengths = [number_of(step, "ac_len", where) for step in steps]
    return {
        "split": split,
        "step": whole_of(row, "iteration", where),
        "group": f"{split or 'rollouts'}/{group}",
        "total_reward": number_of(row, "total_reward", where),
        "final_reward": number_of(row, "final_reward", where),
        "step_reward": _sum(rewards),
        "sampling_client_step": number_of(row, "sampling_client_step", where),
        "n_steps": len(steps),
        "ac_len": _sum(lengths),
        "final_ob_len": number_of(row, "final_ob_len", where),
        "tags": json_text_or_none(row.get("tags")),
        "__run": str(path.parent.parent if path.parent.name.startswith("iteration_") else path.parent),
        **_step_values(steps, where),
        **{
            f"trajectory_metrics.{name}": flat(value)
            for name, value in object_of(row, "trajectory_metrics", where).items()
        },
    }


def _steps(row: Row, where: str) -> list[Row]:
    steps = row.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise wrong_type(steps, "a list of objects", f"{where}: 'steps'")
    return steps


def _step_values(steps: list[Row], where: str) -> Row:
    """A metric's mean over the steps that have it, as tinker-cookbook reports it; of the logs the last value."""
    metrics: dict[str, list[Any]] = {}
    logs: Row = {}
    for step in steps:
        for name, value in object_of(step, "metrics", where).items():
            metrics.setdefault(f"metrics.{name}", []).append(value)
        logs |= {f"logs.{name}": flat(value) for name, value in object_of(step, "logs", where).items()}
    return logs | {name: _mean(values) for name, values in metrics.items()}


def _mean(values: list[Any]) -> Any:
    numbers = [as_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    return flat(values[-1]) if len(known) < len(values) else sum(known) / len(known)


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known, 0.0) if len(known) == len(values) else None


def _notes(frame: pl.DataFrame, others: Weights, settings: AuditSettings) -> tuple[str, ...]:
    notes = []
    logs = [name for name in frame.columns if name.startswith("logs.") and frame.schema[name] == pl.String]
    if settings.completion is None and settings.behaviour is None:
        hint = f" Texts that the environment logged: {', '.join(logs[:8])}." if logs else ""
        notes.append(
            "the file holds no prompts and no completions, so equal completions count as different behaviours. Name "
            f"a column that tells them apart with --behaviour.{hint}"
        )
    notes += watched_note("total_reward", others)
    splits = frame["split"].drop_nulls().unique(maintain_order=True).to_list()
    if len(splits) > 1:
        notes.append(
            f"{len(splits)} splits are read together ({', '.join(splits[:8])}). Only 'train' is trained on; a pattern "
            "such as 'run/iteration_*/train_rollout_summaries.jsonl' names it alone."
        )
    return tuple(notes)


TINKER = Format(name="tinker", title="tinker-cookbook rollout summaries", recognise=_recognise, read=_read)
