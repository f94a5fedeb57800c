"""A recorder for OpenRLHF, which keeps no rollouts: wrap the reward function, and every sample becomes a JSON line.

In the file that `--reward.remote_url` names:

    from policycliff.integrations.openrlhf import record

    reward_func = record(reward_func, "rollouts")

and, during or after training, `policycliff audit rollouts`.
"""

import contextlib
import functools
import inspect
import itertools
import json
import os
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from policycliff.errors import InvalidInputError

FORMAT_NAME = "openrlhf-recorded"
"""Value of the key `format` in every line."""
FORMAT_VERSION = 1

_PARAMETERS = ("queries", "prompts", "labels")
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def record(
    reward_func: Callable[_Parameters, _Result],
    path: str | os.PathLike[str],
    *,
    step: int | Callable[[], int] | None = None,
) -> Callable[_Parameters, _Result]:
    r"""Wrap a reward function of OpenRLHF so that every sample it scores is written down.

    The function that comes back has the same name, signature, results and errors, and is async where the original is.
    A line that cannot be written is a warning, once, and never an error. Works in many processes and threads: each
    line is one append.

    >>> import tempfile
    >>> def reward_func(queries, prompts, labels, **kwargs):
    ...     return {"rewards": [1.0], "scores": [1.0], "extra_logs": {"length": [len(queries[0])]}}
    >>> folder = Path(tempfile.mkdtemp())
    >>> recorded = record(reward_func, folder)
    >>> recorded(["2+2=4"], ["2+2="], ["4"])["rewards"]
    [1.0]
    >>> json.loads(next(folder.iterdir()).read_text())["completion"]
    '4'

    Args:
        reward_func: `reward_func(queries, prompts, labels, **kwargs)`; OpenRLHF calls it with one sample at a time.
        path: A folder, made where it is missing; it gets one file a process.
        step: The training step, or a function that says it. OpenRLHF does not tell the reward function.

    Raises:
        InvalidInputError: The path is a file.
    """
    folder = Path(path).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; record() needs a folder, which gets one file a process.")
    write = _writer(folder, step)
    if inspect.iscoroutinefunction(reward_func):

        @functools.wraps(reward_func)
        async def recorded_async(*args: Any, **kwargs: Any) -> Any:
            try:
                result = await reward_func(*args, **kwargs)
            except Exception as error:
                write(args, kwargs, None, error)
                raise
            write(args, kwargs, result, None)
            return result

        return cast("Callable[_Parameters, _Result]", recorded_async)

    @functools.wraps(reward_func)
    def recorded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            result = reward_func(*args, **kwargs)
        except Exception as error:
            write(args, kwargs, None, error)
            raise
        write(args, kwargs, result, None)
        return result

    return recorded


def _writer(folder: Path, step: int | Callable[[], int] | None) -> Callable[..., None]:
    """A function that writes the samples of one call, whatever happens without an error of its own."""
    numbers, token = itertools.count(), secrets.token_hex(4)
    troubles = itertools.count()

    def write(args: Sequence[Any], kwargs: Mapping[str, Any], result: Any, error: Exception | None) -> None:
        try:
            process = f"{os.getpid()}-{token}"
            now = step() if callable(step) else step
            samples = list(_samples(dict(zip(_PARAMETERS, args, strict=False)) | dict(kwargs), result, error))
            head = {"format": FORMAT_NAME, "version": FORMAT_VERSION, "process": process, "step": now}
            lines = [json.dumps(head | {"sequence": next(numbers)} | sample, default=_plain) for sample in samples]
            _append(folder / f"rollouts-{process}.jsonl", lines)
        except Exception as trouble:  # noqa: BLE001 - recording must never end a training run
            if next(troubles) == 0:
                with contextlib.suppress(RuntimeWarning):  # where warnings are errors
                    warnings.warn(
                        f"policycliff could not record a sample in {folder} ({trouble!r}). Training goes on; further "
                        "failures are not reported.",
                        RuntimeWarning,
                        stacklevel=3,
                    )

    return write


def _append(file: Path, lines: list[str]) -> None:
    """Append whole lines, each in one write, so that the lines of several threads do not mix."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        for line in lines:
            data = line.encode("ascii") + b"\n"
            written = os.write(descriptor, data)
            if written < len(data):
                os.write(descriptor, b"\n")  # so that only this line is lost; the reader counts it
                raise OSError(f"only {written} of {len(data)} bytes could be written")
    finally:
        os.close(descriptor)


def _samples(given: Mapping[str, Any], result: Any, error: Exception | None) -> Iterator[dict[str, Any]]:
    """What there is to record of each sample of a call."""
    queries, prompts, labels = (_listed(given.get(name)) for name in _PARAMETERS)
    parts: Mapping[str, Any] = result if isinstance(result, Mapping) else {"rewards": result}
    extra = parts.get("extra_logs")
    for number, query in enumerate(queries):
        prompt = prompts[number] if number < len(prompts) else None
        completion, is_whole = _completion(query, prompt)
        yield {
            "prompt": prompt,
            "completion": completion,
            "completion_has_prompt": is_whole,
            "label": labels[number] if number < len(labels) else None,
            "rewards": _of_sample(parts.get("rewards"), number, len(queries)),
            "scores": _of_sample(parts.get("scores"), number, len(queries)),
            "extra_logs": {
                str(name): _of_sample(value, number, len(queries))
                for name, value in (extra.items() if isinstance(extra, Mapping) else ())
            },
            "error": None if error is None else type(error).__name__,
        }


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _completion(query: Any, prompt: Any) -> tuple[Any, bool]:
    """The query without its prompt, and whether the prompt is still in it: a tokeniser may change it."""
    if isinstance(query, str) and isinstance(prompt, str) and query.startswith(prompt):
        return query[len(prompt) :], False
    return query, True


def _of_sample(value: Any, number: int, samples: int) -> Any:
    """A sample's own part of a value that may be a list or tensor with one entry a sample; else the value itself."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(plain, list | tuple) or len(plain) != samples:
        return plain
    entry = plain[number]
    plain = entry.tolist() if hasattr(entry, "tolist") else entry
    return plain[0] if isinstance(plain, list | tuple) and len(plain) == 1 else plain


def _plain(value: Any) -> Any:
    """A value that JSON does not know: tensors and arrays as lists, anything else by its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
