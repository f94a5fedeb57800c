"""Results of verifiers 0.1.5 to 0.3: `results.jsonl`, a rollout a line, with `metadata.json` beside it.

The total reward is in the file, and so is the value of every reward function and metric; their weights are not. Rows
compete if they share the environment, the task, the example and the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.frames import Item, frame_of_items, items_of_files, items_of_lines
from policycliff.rollouts.formats.shared.messages import transcript
from policycliff.rollouts.formats.shared.rewards import Weights, score_column, watched, watched_note
from policycliff.rollouts.formats.shared.values import (
    Row,
    Value,
    as_object,
    identity,
    number_of,
    number_or_none,
    object_beside,
    object_of,
    text_or_empty,
)
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

_TYPES = dict.fromkeys(("prompt", "group", "completion", "source", "task"), pl.String())
_NEEDED = {"example_id", "prompt", "completion", "reward"}
_OWN = {"metrics", "timing", "generation_ms", "is_completed"}
# Keys that are no scores: of the rollout, its clock and its bookkeeping.
_NO_SCORES = {
    *_NEEDED,
    *("task", "answer", "info", "error", "error_chain", "long_error_chain", "stop_condition", "trajectory"),
    *("is_completed", "is_truncated", "timing", "token_usage", "tool_defs", "metrics"),
    *("generation_ms", "scoring_ms", "total_ms"),
}
_TOKENS = "output_tokens"


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    keys = sample.rows[0].keys()
    own = sorted(_OWN & keys)
    return f"keys example_id, prompt, completion, reward and {own[0]}" if keys >= _NEEDED and own else None


def _read(paths: Sequence[Path], _settings: AuditSettings) -> Reading:
    items = items_of_files(paths, _items)
    frame, skipped = frame_of_items(items, _TYPES, path=paths[0], what="rollout", other=pl.Float64())
    parts = [name for name in frame.columns if name not in {*_TYPES, "reward", _TOKENS}]
    others = watched(frame, "reward", parts)
    fixed = {
        "prompt": "prompt",
        "group": "group",
        "completion": "completion",
        "rewards": (("reward", 1.0), *others),
    }
    fixed |= {"source": "source"} if "source" in frame.columns else {}
    return Reading(frame=frame.lazy(), fixed=fixed, notes=tuple(_notes(frame, others)), skipped=skipped)


def _notes(frame: pl.DataFrame, others: Weights) -> Iterator[str]:
    if others:
        yield from watched_note("reward", others)
        yield "the file does not say their weights in the reward: give --reward NAME=WEIGHT for those trained on."
    if "source" not in frame.columns:
        yield "there is no metadata.json beside the file, so the model is not known."


def _items(path: Path) -> Iterator[Item]:
    metadata = object_beside(path.parent / "metadata.json")
    return items_of_lines(path, lambda row, where: [_item(row, metadata, where)])


def _item(row: Row, metadata: Mapping[str, Any], where: str) -> Item:
    missing = sorted(_NEEDED - row.keys())
    if missing:
        raise TableError(f"{where}: the key {missing[0]!r} is missing. Is this a results.jsonl of verifiers?")
    if row.get("error"):
        return SkippedRows("rollout ended with an error", 1)
    example = identity(row["example_id"], f"{where}: 'example_id'")
    environment = text_or_empty(metadata.get("env_id")) or text_or_empty(metadata.get("env"))
    model = text_or_empty(metadata.get("model"))
    task = " | ".join(filter(None, (environment, text_or_empty(row.get("task")), example)))
    found: dict[str, Value] = {
        "prompt": None if row["prompt"] is None else transcript(row["prompt"]),
        "group": f"{task} | {model}" if model else task,
        "completion": _completion(row["completion"]),
        "task": task,
        "reward": number_of(row, "reward", where),
    }
    found |= {"source": model} if model else {}
    return found | _scores(row, where)


def _completion(completion: object) -> str | None:
    """What the model wrote; answers of tools and of users stand among its messages and are left out."""
    if completion is None:
        return None
    if not isinstance(completion, list):
        return transcript(completion)
    written = [
        item for item in completion if not isinstance(item, dict) or item.get("role", "assistant") == "assistant"
    ]
    return transcript(written) if written else ""


def _scores(row: Row, where: str) -> dict[str, Value]:
    metrics = object_of(row, "metrics", where)
    flat = {key: value for key, value in row.items() if key not in _NO_SCORES and isinstance(value, int | float)}
    scores: dict[str, Value] = {
        score_column(name, "metrics", {"task", "reward", _TOKENS}): number_or_none(value, f"{where}: metric {name!r}")
        for name, value in (flat | metrics).items()
    }
    usage = as_object(row.get("token_usage"))
    return scores | ({_TOKENS: number_of(usage, _TOKENS, where)} if usage.get(_TOKENS) is not None else {})


VERIFIERS_RESULTS = Format(name="verifiers-results", title="verifiers results", recognise=_recognise, read=_read)
