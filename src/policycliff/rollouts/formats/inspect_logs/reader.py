"""Inspect eval logs, `.eval` or `.json`: a row a sample and epoch, a column a score.

Rows compete if they share the task, the sample and the model. Letters become numbers as Inspect's `value_to_float`
makes them: C 1, P 0.5, I and N 0, yes and true 1, no and false 0.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.inspect_logs.log_parts import CHUNKED, SAMPLE, START, log_parts
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items, items_of_files
from policycliff.rollouts.formats.shared.messages import transcript
from policycliff.rollouts.formats.shared.rewards import score_column, watched, watched_note
from policycliff.rollouts.formats.shared.values import (
    REMEDY,
    Value,
    as_object,
    identity,
    number_of,
    number_or_none,
    object_of,
    wrong_type,
)
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

_HIDDEN = ("__log", "__task")
_TYPES = dict.fromkeys(("prompt", "group", "completion", "source", "task", "epoch", *_HIDDEN), pl.String())
_TOKENS = "output_tokens"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_NO_NUMBER = SkippedRows("value that is no number (left empty; Inspect counts it as 0)", 1, "scores")


def _recognise(sample: FileSample) -> str | None:
    if sample.container == "zip":
        known = any(name == START or SAMPLE.fullmatch(name) or CHUNKED.fullmatch(name) for name in sample.names)
        return "a zip file of samples and epochs" if known else None
    if sample.container not in {"JSON", "JSON Lines"} or len(sample.rows) != 1:
        return None
    log = sample.rows[0]
    spec = log.get("eval")
    known = isinstance(spec, dict) and {"task", "model"} <= spec.keys() and {"version", "status"} <= log.keys()
    return "keys version, status and eval with task and model" if known else None


def _read(paths: Sequence[Path], _settings: AuditSettings) -> Reading:
    seen: set[str] = set()
    items = items_of_files(paths, lambda path: _items(path, seen))
    frame, skipped = frame_of_items(items, _TYPES, path=paths[0], what="sample", other=pl.Float64())
    scores = [name for name in frame.columns if name not in {*_TYPES, _TOKENS}]
    if not scores:
        raise TableError(f"{paths[0]}: no sample has a score. Score the log first: `inspect score`.")
    others = watched(frame, scores[0], scores[1:])
    frame, notes = _grouped(frame)
    fixed = {
        "prompt": "prompt",
        "group": "group",
        "completion": "completion",
        "source": "source",
        "rewards": ((scores[0], 1.0), *others),
    }
    if len(scores) > 1:
        notes += [
            f"an Inspect log has no weights: {scores[0]!r}, its first score, is the reward (weight 1).",
            *watched_note(scores[0], others),
            "Give --reward NAME=WEIGHT for what is, or would be, trained on.",
        ]
    return Reading(frame=frame.lazy(), fixed=fixed, notes=tuple(notes), skipped=skipped)


def _grouped(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The frame with its groups: task and sample, and the model or the prompt where these differ."""
    notes = []
    parts = [pl.col("task")]
    if frame["source"].n_unique() > 1:
        parts.append(pl.col("source"))
        notes.append(
            "the logs are of several models, and completions of different models do not compete: give --group task to "
            "compare the models."
        )
    group = pl.concat_str(parts, separator=" | ")
    prompts = pl.col("prompt").rank("dense").over(group)
    differing = int(frame.select((pl.col("prompt").n_unique().over(group) > 1).sum()).item())
    if differing:
        group = pl.concat_str([group, prompts.cast(pl.String)], separator=" | prompt ")
        notes.append(f"{differing} samples share their id but not their input; different inputs do not compete.")
    logs = frame.group_by("source", "__task").agg(pl.col("__log").n_unique())["__log"]
    if (logs > 1).any():
        notes.append("several logs are of one task and one model: their samples compete as if drawn in one run.")
    return frame.with_columns(group.alias("group")).drop(_HIDDEN), notes


def _items(path: Path, seen: set[str]) -> Iterator[Item]:
    """Rows of one log; `seen` holds the samples of all logs so far, since a log that was retried repeats them."""
    parts = log_parts(path)
    where, header = next(parts)
    spec = header.get("eval")
    if not isinstance(spec, dict) or not all(isinstance(spec.get(key), str) for key in ("task", "model")):
        raise TableError(f"{where}: expected eval with task and model. Is this an Inspect log?")
    for place, sample in parts:
        uuid = sample.get("uuid")
        if isinstance(uuid, str) and uuid in seen:
            yield SkippedRows("sample that stands in an earlier log too (same uuid)", 1)
            continue
        if isinstance(uuid, str):
            seen.add(uuid)
        try:
            yield from _sample_items(sample, spec, place, str(path))
        except RecursionError as error:
            raise TableError(f"{place}: nested too deeply. {REMEDY}") from error


def _sample_items(sample: dict[str, Any], spec: dict[str, Any], where: str, log: str) -> Iterator[Item]:
    name = identity(sample.get("id"), f"{where}: 'id'")
    if sample.get("error") is not None:
        yield SkippedRows("sample ended with an error", 1)
        return
    if sample.get("invalidation") is not None:
        yield SkippedRows("sample was marked as invalid", 1)
        return
    scores, unread = _scores(sample, where)
    yield from [_NO_NUMBER] * unread
    model = spec["model"]
    row: dict[str, Value] = {
        "prompt": transcript(sample.get("input")),
        "completion": _completion(sample),
        "source": model,
        "task": f"{spec['task']}/{name}",
        # Text, so that it is not taken for a score.
        "epoch": str(sample.get("epoch")),
        "__log": log,
        "__task": spec["task"],
    }
    tokens = as_object(as_object(sample.get("model_usage")).get(spec["model"]))
    if _TOKENS in tokens:
        row[_TOKENS] = number_of(tokens, _TOKENS, where)
    yield row | scores


def _completion(sample: dict[str, Any]) -> str:
    """What the model wrote: the messages it generated, else the output."""
    messages = sample.get("messages")
    held = [item for item in messages if isinstance(item, dict)] if isinstance(messages, list) else []
    written = [item for item in held if item.get("role") == "assistant" and item.get("source") == "generate"]
    if written:
        return transcript(written)
    choices = as_object(sample.get("output")).get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return transcript([first.get("message")]) if isinstance(first, dict) else ""


def _scores(sample: dict[str, Any], where: str) -> tuple[dict[str, Value], int]:
    """Score columns of a sample, and how many values are no numbers."""
    old = {"score": sample["score"]} if sample.get("score") else {}
    scores = object_of(sample, "scores", where) if sample.get("scores") is not None else old
    found: dict[str, Value] = {}
    unread = 0
    for name, score in scores.items():
        if not isinstance(score, dict) or "value" not in score:
            raise wrong_type(score, "an object with a value", f"{where}: score {name!r}")
        value = score["value"]
        values = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        for key, item in values.items():
            number = _number(item, f"{where}: score {key!r}")
            unread += number is None and item is not None
            found[score_column(key, "score", {*_TYPES, _TOKENS})] = number
    return found, unread


def _number(value: object, where: str) -> float | None:
    """A score's value as Inspect's `value_to_float` reads it; None where that finds no number."""
    if not isinstance(value, str):
        return None if isinstance(value, Mapping | list) else number_or_none(value, where)
    if value in _LETTERS:
        return _LETTERS[value]
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


INSPECT = Format(name="inspect", title="Inspect eval log", recognise=_recognise, read=_read)
