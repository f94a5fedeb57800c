"""The rollouts of one call as rows: texts, group numbers and score columns, checked against each other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from policycliff.errors import InvalidInputError
from policycliff.shapes import Int64

ROLES = ("prompt", "group", "step", "completion")
TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rollouts, a row a completion.

    Attributes:
        prompts: Their prompts' texts.
        completions: Their texts; None where there is none.
        group: (rows,) number of the group of each, counted from 0 in order of appearance.
        names: What each group is called where the caller said so; else None.
        scores: Reward columns by name.
        truth: The scores that are not trained on, or None.
        columns: Other columns.
    """

    prompts: list[str | None]
    completions: list[str | None]
    group: Int64[np.ndarray, " rows"]
    names: list[str] | None
    scores: dict[str, pl.Series]
    truth: pl.Series | None
    columns: dict[str, pl.Series]


def rows_of(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    scores: Mapping[str, Any],
    *,
    group: Any = None,
    group_size: int | None = None,
    truth: Any = None,
    columns: Mapping[str, Any] | None = None,
) -> Rows:
    """The arguments of `Recorder.add` as rows.

    >>> rows_of(["p", "p", "q", "q"], list("abcd"), {"r": [1, 0, 1, None]}).group
    array([0, 0, 1, 1])

    Raises:
        InvalidInputError: They do not fit together.
    """
    count = len(completions)
    texts = [prompt_text(item) for item in _of_length("prompts", prompts, count)]
    numbers, names = _groups(texts, group, group_size)
    return Rows(
        prompts=texts,
        completions=[completion_text(item) for item in completions],
        group=numbers,
        names=names,
        scores={name: score_column(name, values, count) for name, values in scores.items()},
        truth=None if truth is None else score_column(TRUTH, truth, count),
        columns={name: _column(name, values, count) for name, values in (columns or {}).items()},
    )


def prompt_text(prompt: Any) -> str | None:
    r"""A prompt as text: chat messages as "role: content" lines, anything else that is no text as JSON.

    >>> prompt_text([{"role": "user", "content": "2+2?"}])
    'user: 2+2?'
    """
    if prompt is None or isinstance(prompt, str):
        return prompt
    if _is_plain_chat(prompt):
        return "\n".join(f"{message['role']}: {message['content']}" for message in prompt)
    return _json(prompt)


def completion_text(completion: Any) -> str | None:
    """A completion as text; two completions have the same text only if they are the same.

    >>> completion_text([{"role": "assistant", "content": "4"}])
    '4'
    """
    if completion is None or isinstance(completion, str):
        return completion
    if _is_plain_chat(completion) and len(completion) == 1 and completion[0]["role"] == "assistant":
        return completion[0]["content"]
    return _json(completion)


def score_column(name: str, values: Any, count: int) -> pl.Series:
    """Scores of a list, array or tensor as a column of float64; None stays missing.

    As in the audit, a number of fewer bits was meant as the decimal that it is printed as: 0.1f is 0.1. All files of a
    run then have columns of one type.

    >>> score_column("r", np.array([0.1, 0.2], dtype=np.float32), 2).to_list()
    [0.1, 0.2]
    """
    listed = _of_length(name, _plain(values), count)
    if not isinstance(listed, np.ndarray):
        return pl.Series(name, [_number(item) for item in listed], dtype=pl.Float64)
    if listed.dtype.kind == "f" and listed.dtype.itemsize < 8:
        listed = listed.astype(np.str_)
    return pl.Series(name, listed.astype(np.float64))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    return float(str(value)) if isinstance(value, np.floating) else float(value)


def _is_plain_chat(value: Any) -> bool:
    """Whether it is a list of messages that say nothing but their role and a text."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, dict) and item.keys() == {"role", "content"} and all(map(_is_text, item.values()))
            for item in value
        )
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, default=lambda item: _plain(item, otherwise=str))


def _plain(value: Any, *, otherwise: Any = lambda item: item) -> Any:
    """A tensor as an array, whatever library it is of; an array as it is."""
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()
        # NumPy has no bfloat16.
        value = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
    if isinstance(value, np.ndarray):
        return value if otherwise is not str else value.tolist()
    return value.to_numpy() if isinstance(value, pl.Series) else otherwise(value)


def _of_length(name: str, values: Any, count: int) -> Any:
    if len(values) != count or getattr(values, "ndim", 1) != 1:
        raise InvalidInputError(f"{name} must hold one entry a completion ({count}), got {len(values)}.")
    return values


def _groups(
    prompts: list[str | None], group: Any, group_size: int | None
) -> tuple[Int64[np.ndarray, " rows"], list[str] | None]:
    """Numbers of the groups, by first appearance, and their names where they have some."""
    count = len(prompts)
    if group is not None and group_size is not None:
        raise InvalidInputError("group and group_size cannot both be given.")
    if group_size is not None:
        if group_size < 1 or count % group_size:
            raise InvalidInputError(f"{count} completions cannot be cut into groups of {group_size}.")
        return np.arange(count, dtype=np.int64) // group_size, None
    keys = prompts if group is None else [str(key) for key in _of_length("group", _plain(group), count)]
    first: dict[str | None, int] = {}
    numbers = np.array([first.setdefault(key, len(first)) for key in keys], dtype=np.int64)
    return numbers, None if group is None else [str(key) for key in first]


def _column(name: str, values: Any, count: int) -> pl.Series:
    """A column of numbers where all are numbers, else of texts."""
    listed = _of_length(name, _plain(values), count)
    if isinstance(listed, np.ndarray) and listed.dtype.kind in "fiub":
        return score_column(name, listed, count)
    if all(item is None or isinstance(item, int | float) for item in listed):
        return score_column(name, list(listed), count)
    return pl.Series(name, [item if item is None or _is_text(item) else _json(item) for item in listed], pl.String)
