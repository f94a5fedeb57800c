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
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items, items_of_files, items_of_lines
from policycliff.rollouts.formats.shared.rewards import Weights, watched, watched_note
from policycliff.rollouts.formats.shared.values import (
    REMEDY,
    Row,
    as_number,
    flat,
    json_text_or_none,
    object_of,
    text_of,
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
    "__whole": pl.Boolean(),
}
_HIDDEN = tuple(name for name in _SCHEMA if name.startswith("__"))
_CUT: Row = {}
_DRAW = ("step", "prompt", "__process")


def _recognise(sample: FileSample) -> str | None:
    rows = sample.rows if sample.container == "JSON Lines" else ()
    found = rows and all(row.get("format") == FORMAT_NAME and set(_KEYS) <= row.keys() for row in rows)
    return f"'format' is {FORMAT_NAME!r} in every row" if found else None


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    frame, skipped = frame_of_items(items_of_files(paths, _items), _SCHEMA, path=paths[0], what="sample")
    frame = frame.sort("__process", "__sequence", maintain_order=True)
    has_steps = frame["step"].null_count() == 0
    frame, partial = _whole_visits(frame, settings.group_size)
    size = settings.group_size or (None if has_steps else _size_of_visits(frame))
    frame = frame.with_columns(group=_group(frame, size))
    others = watched(frame, "rewards", ["scores", *(name for name in frame.columns if name.startswith("extra_logs."))])
    fixed: dict[str, Any] = {"group": "group", "prompt": "prompt", "completion": "completion"}
    fixed["rewards"] = (("rewards", 1.0), *others)
    if has_steps:
        fixed["step"] = "step"
    else:
        frame = frame.drop("step")
    return Reading(
        frame=frame.drop(_HIDDEN).lazy(),
        fixed=fixed,
        notes=_notes(frame, () if settings.rewards else others, size=size, given=settings.group_size is not None),
        skipped=(*skipped, *partial),
    )


def _items(path: Path) -> Iterator[Item]:
    return items_of_lines(path, _items_of_line, _lines)


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
        raise TableError(f"{where}: {first_line(error)}. {REMEDY}") from error
    if not isinstance(row, dict):
        raise TableError(f"{where}: expected a JSON object, got {type(row).__name__}.")
    return row


def _items_of_line(row: Row, where: str) -> Iterator[Item]:
    """The sample of a line, and what is to count of it."""
    if row is _CUT:
        yield SkippedRows("the line is not whole: a write was cut short", 1)
        return
    if row.get("error") is not None:
        yield SkippedRows("the reward function failed (kept, without a reward)", 1)
    rewards, scores = _number(row.get("rewards")), _number(row.get("scores"))
    if rewards is None and row.get("rewards") is not None:
        yield SkippedRows("a reward that is not one number (kept, without that reward)", 1)
    yield {
        "prompt": text_of(row, "prompt", where),
        "completion": text_of(row, "completion", where),
        "label": json_text_or_none(row.get("label")),
        "rewards": rewards,
        "scores": scores,
        "step": None if row.get("step") is None else whole_of(row, "step", where),
        "__process": text_of(row, "process", where),
        "__sequence": whole_of(row, "sequence", where),
        "__whole": row.get("completion_has_prompt") is True,
        **{f"extra_logs.{name}": flat(value) for name, value in object_of(row, "extra_logs", where).items()},
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
    left = len(frame) - len(kept)
    return kept, (SkippedRows(f"left over after visits of {size} samples", left),) if left else ()


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


def _notes(frame: pl.DataFrame, others: Weights, *, size: int | None, given: bool) -> tuple[str, ...]:
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
    notes += watched_note("rewards", others)
    return tuple(notes)


RECORDED = Format(name="recorded", title="OpenRLHF samples, recorded", recognise=_recognise, read=_read)
