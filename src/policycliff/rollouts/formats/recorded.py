"""Files of the recorder for OpenRLHF, `policycliff.integrations.openrlhf.record`: a scored sample a line.

The samples of one prompt are drawn together by one process, but the file says neither how many they are nor, unless
the recorder was told, in which step. So the visits of a prompt are cut out of the order of arrival.
"""

import json
from collections.abc import Iterator, Sequence
from math import gcd
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.integrations.openrlhf import FORMAT_NAME
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.json_blocks import (
    Row,
    as_number,
    as_text,
    frame_of_files,
    shown,
    text_of,
    watched,
    whole_of,
)
from policycliff.rollouts.reading.files import READ_ERRORS, first_line, open_text, unreadable
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

_KEYS = ("process", "sequence", "prompt", "completion", "rewards")
_SCHEMA = {
    "prompt": pl.String(),
    "completion": pl.String(),
    "label": pl.String(),
    "rewards": pl.Float64(),
    "scores": pl.Float64(),
    "step": pl.Int64(),
    "__process": pl.String(),
    "__sequence": pl.Int64(),
    "__unread": pl.Boolean(),
    "__whole": pl.Boolean(),
    "__failed": pl.Boolean(),
    "__cut": pl.Boolean(),
}
_HIDDEN = tuple(name for name in _SCHEMA if name.startswith("__"))
_CUT: Row = {}
_DRAW = ("step", "prompt", "__process")


def _recognise(sample: FileSample) -> str | None:
    rows = sample.rows if sample.container == "JSON Lines" else ()
    found = rows and all(row.get("format") == FORMAT_NAME and set(_KEYS) <= row.keys() for row in rows)
    return f"'format' is {FORMAT_NAME!r} in every row" if found else None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    frame, empty = frame_of_files(paths, _row, _SCHEMA, _lines)
    cut = int(frame["__cut"].sum())
    frame = frame.filter(~pl.col("__cut")).sort("__process", "__sequence", maintain_order=True)
    if frame.is_empty():
        raise TableError(f"{paths[0]} has no whole line. Give the files of another process too.")
    has_steps = frame["step"].null_count() == 0
    frame, partial = _whole_visits(frame, settings.group_size)
    size = settings.group_size or (None if has_steps else _size_of_visits(frame))
    frame = frame.with_columns(group=_group(frame, size))
    others = watched(frame, "rewards", ["scores", *(name for name in frame.columns if name.startswith("extra_logs."))])
    fixed: dict[str, Any] = {"group": "group", "prompt": "prompt", "completion": "completion"}
    fixed["rewards"] = (("rewards", 1.0), *others)
    watched_names = [] if settings.rewards else [name for name, _ in others]
    if has_steps:
        fixed["step"] = "step"
    else:
        frame = frame.drop("step")
    skipped = (
        SkippedRows("a reward that is not one number (kept, without that reward)", int(frame["__unread"].sum())),
        SkippedRows("the reward function failed (kept, without a reward)", int(frame["__failed"].sum())),
        SkippedRows("the line is not whole: a write was cut short", cut),
    )
    return Reading(
        frame=frame.drop(_HIDDEN).lazy(),
        fixed=fixed,
        notes=_notes(frame, watched_names, size=size, given=settings.group_size is not None),
        skipped=tuple(item for item in (*skipped, *partial, *empty) if item.count),
    )


def _lines(path: Path) -> Iterator[tuple[int, Row]]:
    """The objects of a file; a line that is not JSON, as a full disk leaves it, is marked and not refused."""
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _parsed(line, f"{path}, line {number}")
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def _parsed(line: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        return _CUT
    except ValueError as error:  # Python refuses to read whole numbers of more than 4300 digits
        raise TableError(f"{where}: {first_line(error)}. Record the samples again.") from error
    if not isinstance(row, dict):
        raise TableError(f"{where}: expected a JSON object, got {type(row).__name__}.")
    return row


def _row(row: Row, where: str, _path: Path) -> Row:
    if row is _CUT:
        return {"__cut": True}
    extra = row.get("extra_logs") or {}
    if not isinstance(extra, dict):
        raise TableError(f"{where}: 'extra_logs' must be an object, got {shown(extra)}. Record the samples again.")
    rewards, scores = _number(row.get("rewards")), _number(row.get("scores"))
    return {
        "prompt": text_of(row, "prompt", where),
        "completion": text_of(row, "completion", where),
        "label": as_text(row.get("label")),
        "rewards": rewards,
        "scores": scores,
        "step": None if row.get("step") is None else whole_of(row, "step", where),
        "__process": text_of(row, "process", where),
        "__sequence": whole_of(row, "sequence", where),
        "__unread": rewards is None and row.get("rewards") is not None,
        "__whole": row.get("completion_has_prompt") is True,
        "__failed": row.get("error") is not None,
        "__cut": False,
        **{f"extra_logs.{name}": value for name, value in extra.items()},
    }


def _number(value: Any) -> float | None:
    return as_number(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _whole_visits(frame: pl.DataFrame, size: int | None) -> tuple[pl.DataFrame, tuple[SkippedRows, ...]]:
    """The rows without a last visit that was cut short, so that blocks of the size that is given are visits."""
    if size is None:
        return frame, ()
    kept = frame.filter(pl.int_range(pl.len()).over(_DRAW) < pl.len().over(_DRAW) // size * size)
    if kept.is_empty():
        raise TableError(
            f"no prompt has {size} samples of one process. Give --group-size as in --rollout.n_samples_per_prompt."
        )
    return kept, (SkippedRows(f"left over after visits of {size} samples", len(frame) - len(kept)),)


def _size_of_visits(frame: pl.DataFrame) -> int | None:
    """How many samples a prompt gets at a visit: what divides all counts, else the most frequent count.

    The first is wrong only if every prompt was visited equally often; the second serves runs that were cut off.
    """
    counts = frame.group_by("prompt", "__process").len()["len"]
    divisor = gcd(*counts.to_list())
    usual = divisor if divisor > 1 else int(counts.mode().min())  # type: ignore[arg-type]
    return usual if usual > 1 else None


def _group(frame: pl.DataFrame, size: int | None) -> pl.Series:
    """A name for each draw of a prompt: its number, its visit, and the process if there are several."""
    prompt = pl.col("prompt").rank("dense")
    visit = pl.lit(0) if size is None else pl.int_range(pl.len()).over(_DRAW) // size
    name = pl.format("prompt {}, visit {}", prompt, visit + 1)
    if frame["__process"].n_unique() > 1:
        name = pl.format("{}, process {}", name, "__process")
    return frame.select(name.alias("group")).to_series()


def _notes(frame: pl.DataFrame, others: list[str], *, size: int | None, given: bool) -> tuple[str, ...]:
    notes = []
    counts = frame.group_by("prompt", "__process").len()["len"]
    if size is not None and not given:
        visits = int((counts > size).sum())
        partial = int((counts % size != 0).sum())
        notes.append(
            f"{size} samples a visit of a prompt, found from how often prompts come; {visits} prompts were visited "
            f"again and {partial} have a visit that is cut short. Give --group-size (rollout.n_samples_per_prompt) if "
            "that is wrong."
        )
    whole = int(frame["__whole"].sum())
    if whole:
        notes.append(f"{whole} completions still hold their prompt: it did not come back from the tokeniser as it was.")
    if others:
        notes.append(f"weight 0, compared with the rewards but not added to them: {', '.join(others)}.")
    return tuple(notes)


RECORDED = Format(name="recorded", title="OpenRLHF samples, recorded", recognise=_recognise, read=_read)
