"""Results of verifiers 0.1.5 to 0.3: `results.jsonl`, a rollout a line, with `metadata.json` beside it.

The total reward is in the file, and so is the value of every reward function and metric; their weights are not. Rows
compete if they share the environment, the task, the example and the model.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.blocks import (
    MAX_WATCHED,
    Item,
    Value,
    frame_of_items,
    number_or_none,
    score_column,
    text_or_empty,
    without_surrogates,
)
from policycliff.rollouts.formats.shared.messages import transcript
from policycliff.rollouts.reading.files import open_text
from policycliff.rollouts.reading.json_lines import json_objects
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
_LARGEST_METADATA = 10_000_000


def _recognise(sample: FileSample) -> str | None:
    if sample.container != "JSON Lines" or not sample.rows:
        return None
    keys = sample.rows[0].keys()
    own = sorted(_OWN & keys)
    return f"keys example_id, prompt, completion, reward and {own[0]}" if keys >= _NEEDED and own else None


def _read(paths: Sequence[Path], _settings: AuditSettings) -> Reading:
    frame, skipped = frame_of_items(chain.from_iterable(map(_items, paths)), _TYPES)
    if frame.is_empty():
        reasons = "; ".join(f"{item.count} {item.unit}: {item.reason}" for item in skipped) or "it has no rows"
        raise TableError(f"{paths[0]}: no rollout is left to audit. {reasons}.")
    parts = [name for name in frame.columns if name not in {*_TYPES, "reward", _TOKENS}][:MAX_WATCHED]
    fixed = {
        "prompt": "prompt",
        "group": "group",
        "completion": "completion",
        "rewards": (("reward", 1.0), *((name, 0.0) for name in parts)),
    }
    fixed |= {"source": "source"} if "source" in frame.columns else {}
    return Reading(frame=frame.lazy(), fixed=fixed, notes=tuple(_notes(frame, parts)), skipped=skipped)


def _notes(frame: pl.DataFrame, parts: list[str]) -> Iterator[str]:
    if parts:
        yield (
            f"'reward' is the total (weight 1). The file does not say the weights of {', '.join(parts)}: each is "
            "compared with weight 0. Give --reward NAME=WEIGHT for those that are trained on."
        )
    if "source" not in frame.columns:
        yield "there is no metadata.json beside the file, so the model is not known."


def _items(path: Path) -> Iterator[Item]:
    metadata = _metadata(path)
    for line, row in json_objects(path):
        where = f"{path}, line {line}"
        try:
            yield _item(row, metadata, where)
        except RecursionError as error:
            raise TableError(f"{where}: nested too deeply.") from error


def _metadata(path: Path) -> dict[str, Any]:
    """What the run says of itself; nothing if the file is not there or is not JSON."""
    try:
        with open_text(path.parent / "metadata.json") as file:
            found = json.loads(file.read(_LARGEST_METADATA))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _item(row: dict[str, Any], metadata: dict[str, Any], where: str) -> Item:
    missing = sorted(_NEEDED - row.keys())
    if missing:
        raise TableError(f"{where}: the key {missing[0]!r} is missing. Is this a results.jsonl of verifiers?")
    if row.get("error"):
        return SkippedRows("rollout ended with an error", 1)
    example = row["example_id"]
    if isinstance(example, bool) or not isinstance(example, int | str):
        raise TableError(f"{where}: example_id must be a whole number or text, got {type(example).__name__}.")
    environment = text_or_empty(metadata.get("env_id")) or text_or_empty(metadata.get("env"))
    model = text_or_empty(metadata.get("model"))
    task = " | ".join(filter(None, (environment, text_or_empty(row.get("task")), without_surrogates(str(example)))))
    found: dict[str, Value] = {
        "prompt": None if row["prompt"] is None else transcript(row["prompt"]),
        "group": f"{task} | {model}" if model else task,
        "completion": _completion(row["completion"]),
        "task": task,
        "reward": number_or_none(row["reward"], f"{where}: the reward"),
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


def _scores(row: dict[str, Any], where: str) -> dict[str, Value]:
    metrics = row.get("metrics")
    if metrics is not None and not isinstance(metrics, dict):
        raise TableError(f"{where}: metrics must be an object, got {type(metrics).__name__}.")
    flat = {key: value for key, value in row.items() if key not in _NO_SCORES and isinstance(value, int | float)}
    scores: dict[str, Value] = {
        score_column(name, "metrics", {"task", "reward", _TOKENS}): number_or_none(value, f"{where}: metric {name!r}")
        for name, value in (flat | (metrics or {})).items()
    }
    usage = row.get("token_usage")
    tokens = usage.get(_TOKENS) if isinstance(usage, dict) else None
    return scores | ({} if tokens is None else {_TOKENS: number_or_none(tokens, f"{where}: {_TOKENS}")})


VERIFIERS_RESULTS = Format(name="verifiers-results", title="verifiers results", recognise=_recognise, read=_read)
