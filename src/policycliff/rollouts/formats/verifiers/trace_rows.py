"""Episodes of verifiers as rows: a trace a row, with its rewards, their weights and its metrics."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.shared.frames import Item, items_of_lines
from policycliff.rollouts.formats.shared.messages import transcript
from policycliff.rollouts.formats.shared.rewards import score_column
from policycliff.rollouts.formats.shared.values import (
    Value,
    as_object,
    number_or_none,
    object_of,
    text_or_empty,
    whole,
    wrong_type,
)
from policycliff.rollouts.table import SkippedRows

TYPES = {
    **dict.fromkeys(("prompt", "group", "completion", "source", "task"), pl.String()),
    "step": pl.Int64(),
}
WEIGHT = "__weight."
"""Begins the name of a column with the weights of a reward."""
METRIC = "metrics."
_TOKENS = "num_output_tokens"


def trace_items(path: Path) -> Iterator[Item]:
    """The traces of a file; failed ones and those of agents that are not trained are counted.

    Raises:
        TableError: A line that is no episode; the message names it.
    """
    return items_of_lines(path, _episode_items)


def _episode_items(episode: dict[str, Any], where: str) -> Iterator[Item]:
    traces = episode.get("traces")
    if not isinstance(traces, list) or not all(isinstance(trace, dict) for trace in traces):
        raise TableError(f"{where}: expected an episode with a list of traces. Is this file a traces.jsonl?")
    if episode.get("ok") is False:
        yield SkippedRows(f"episode failed{_error_type(episode, *traces)}", max(len(traces), 1))
    elif not traces:
        yield SkippedRows("episode without a trace", 1)
    else:
        yield from (_trace_item(trace, episode, f"{where}, trace {number}") for number, trace in enumerate(traces, 1))


def _error_type(*holders: dict[str, Any]) -> str:
    """The last error's type of the first that has one, if it is a plain name."""
    for holder in holders:
        errors = holder.get("errors")
        kind = as_object(errors[-1]).get("type") if isinstance(errors, list) and errors else None
        if isinstance(kind, str) and kind.isidentifier():
            return f" ({kind[:60]})"
    return ""


def _trace_item(trace: dict[str, Any], episode: dict[str, Any], where: str) -> Item:
    agent = as_object(trace.get("agent"))
    if trace.get("ok") is False:
        return SkippedRows(f"trace failed{_error_type(trace)}", 1)
    if agent.get("trainable") is False:
        return SkippedRows(f"trace of an agent that is not trained ({text_or_empty(agent.get('name'))})", 1)
    task = as_object(trace.get("task")) or as_object(episode.get("task"))
    nodes = trace.get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise TableError(f"{where}: expected a list of message nodes.")
    model = text_or_empty(as_object(agent.get("config")).get("model"))
    environment = text_or_empty(as_object(episode.get("env")).get("id"))
    run = as_object(episode.get("run"))
    work = as_object(run.get("work")) if run.get("type") == "train" else {}
    # Rows of one training step's evaluation are no draws of its training.
    kind = "eval" if work.get("type") == "eval" else ""
    name = " | ".join(filter(None, (environment, _task_key(task))))
    agent_name = text_or_empty(agent.get("name"))
    parts = (
        kind,
        text_or_empty(as_object(episode.get("group")).get("id")),
        "" if agent_name == "agent" else agent_name,
        model,
    )
    row: dict[str, Value] = {
        "prompt": _prompt(as_object(task.get("data")), nodes),
        "group": " | ".join(filter(None, (name, *parts))),
        "completion": transcript([node.get("message") for node in nodes if node.get("sampled") is True]),
        "task": name,
    }
    row |= {"source": model} if model else {}
    if work.get("step") is not None:
        row["step"] = whole(work["step"], f"{where}: the step")
    return row | _scores(trace, where)


def _scores(trace: dict[str, Any], where: str) -> dict[str, Value]:
    """Rewards with their weights, metrics and the number of tokens; a reward of null was not scored."""
    scores: dict[str, Value] = {}
    for name, reward in object_of(trace, "rewards", where).items():
        if reward is not None and not isinstance(reward, dict):
            raise wrong_type(reward, "an object with score and weight, or null,", f"{where}: reward {name!r}")
        column = _reward_column(name)
        held = {} if reward is None else reward
        scores[column] = number_or_none(held.get("score"), f"{where}: the score of reward {name!r}")
        weight = number_or_none(held.get("weight", 1.0), f"{where}: the weight of reward {name!r}")
        if weight is None or not abs(weight) < float("inf"):
            raise TableError(f"{where}: the weight of reward {name!r} is no finite number.")
        scores[WEIGHT + column] = None if reward is None else weight
    for name, value in object_of(trace, "metrics", where).items():
        scores[METRIC + name] = number_or_none(value, f"{where}: metric {name!r}")
    tokens = number_or_none(trace.get(_TOKENS), f"{where}: {_TOKENS}")
    return scores | ({} if tokens is None else {_TOKENS: tokens})


def _reward_column(name: str) -> str:
    """The reward's name, with a prefix where a column of another part has that name."""
    return f"reward.{name}" if name.startswith((METRIC, WEIGHT)) else score_column(name, "reward", {"task", _TOKENS})


def _prompt(data: dict[str, Any], nodes: list[dict[str, Any]]) -> str:
    """What the task asks; if it does not say, the messages before the first that the model wrote."""
    system, prompt = data.get("system_prompt"), data.get("prompt")
    if prompt is None:
        first = next((number for number, node in enumerate(nodes) if node.get("sampled") is True), len(nodes))
        return transcript([node.get("message") for node in nodes[:first]]) if first else ""
    asked = transcript(prompt)
    return f"system: {text_or_empty(system)}\n{asked}" if system else asked


def _task_key(task: dict[str, Any]) -> str:
    """The task's key; a content hash is cut to 16 digits."""
    key, digest = text_or_empty(task.get("key")), text_or_empty(task.get("hash"))
    if key and key != digest:
        return key
    data = json.dumps(task.get("data"), sort_keys=True).encode()
    return (digest or hashlib.sha256(data).hexdigest())[:16]
