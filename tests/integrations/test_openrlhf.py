"""The recorder: what comes back is what the reward function said, and what is written is what went in and out."""

import asyncio
import inspect
import json
import multiprocessing
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from policycliff.errors import InvalidInputError
from policycliff.integrations import openrlhf
from policycliff.integrations.openrlhf import FORMAT_NAME, record


def _reward(queries: list[str], prompts: list[str], labels: list[str], **kwargs: object) -> dict:
    """A reward."""
    values = [float(label in query) for query, label in zip(queries, labels, strict=True)]
    return {
        "rewards": np.array(values),
        "scores": values,
        "extra_logs": {"length": [len(queries[0])], "kw": len(kwargs)},
    }


async def _reward_async(queries: list[str], prompts: list[str], labels: list[str]) -> dict:
    await asyncio.sleep(0)
    return {"rewards": [0.5]}


def _lines(folder: Path) -> list[dict]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def _record_some(folder: Path, start: int, count: int) -> None:
    function = record(_reward, folder)
    with ThreadPoolExecutor(8) as pool:
        queries = [f"p{start + i} " + "x" * 9000 for i in range(count)]
        list(pool.map(lambda query: function([query], [query[:3]], ["x"]), queries))


def test_a_sample_is_written_as_it_was_scored(tmp_path):
    function = record(_reward, tmp_path / "new" / "folder", step=lambda: 7)
    result = function(["2+2= 4"], ["2+2="], labels=["4"], more=1)
    assert isinstance(result["rewards"], np.ndarray)
    assert result == {"rewards": np.array([1.0]), "scores": [1.0], "extra_logs": {"length": [6], "kw": 1}}
    (line,) = _lines(tmp_path / "new" / "folder")
    process = line.pop("process")
    assert process.startswith(f"{os.getpid()}-")
    assert line == {
        "format": FORMAT_NAME,
        "version": 1,
        "step": 7,
        "sequence": 0,
        "prompt": "2+2=",
        "completion": " 4",
        "completion_has_prompt": False,
        "label": "4",
        "rewards": 1.0,
        "scores": 1.0,
        "extra_logs": {"length": 6, "kw": 1},
        "error": None,
    }


def test_the_function_stays_what_it_was(tmp_path):
    function = record(_reward, tmp_path)
    assert function.__name__ == "_reward"
    assert function.__doc__ == "A reward."
    assert inspect.signature(function) == inspect.signature(_reward)
    assert not inspect.iscoroutinefunction(function)
    waiting = record(_reward_async, tmp_path)
    assert inspect.iscoroutinefunction(waiting)
    assert asyncio.run(waiting(["pa"], ["p"], [None])) == {"rewards": [0.5]}
    assert [line["rewards"] for line in _lines(tmp_path)] == [0.5]


def test_errors_come_back_and_are_recorded(tmp_path):
    def fails(queries, prompts, labels):
        raise KeyError(queries[0])

    async def fails_later(queries, prompts, labels):
        raise KeyError(queries[0])

    with pytest.raises(KeyError, match="q"):
        record(fails, tmp_path)(["q"], ["q"], ["l"])
    with pytest.raises(KeyError, match="q"):
        asyncio.run(record(fails_later, tmp_path)(["q"], ["q"], ["l"]))
    assert [(line["rewards"], line["error"]) for line in _lines(tmp_path)] == [(None, "KeyError")] * 2


class _Tensor:
    """What a tensor looks like to the recorder."""

    def __init__(self, value):
        self.value = value

    def tolist(self):
        return self.value


@pytest.mark.parametrize(
    ("result", "rewards", "logs"),
    [
        ({"rewards": _Tensor([2.0])}, [2.0, None], {}),
        ({"rewards": _Tensor(2.0)}, [2.0, 2.0], {}),
        ({"rewards": [_Tensor([2.0]), _Tensor(3.0)]}, [2.0, 3.0], {}),
        ({"rewards": [2, 3], "extra_logs": {"a": [1, 2], 3: object}}, [2, 3], {"a": [1, 2], "3": [str(object)] * 2}),
        ([0.1, 0.2], [0.1, 0.2], {}),
        (None, [None, None], {}),
    ],
)
def test_results_of_every_kind(tmp_path, result, rewards, logs):
    function = record(lambda queries, prompts, labels: result, tmp_path)
    assert function(["pa", "pb"], ["p", "p"], ["x"]) is result
    lines = _lines(tmp_path)
    assert [line["completion"] for line in lines] == ["a", "b"]
    assert [line["label"] for line in lines] == ["x", None]
    found = [line["rewards"] for line in lines]
    # One value for two samples belongs to neither: it is kept as it came.
    assert found == ([[2.0], [2.0]] if rewards == [2.0, None] else rewards)
    assert {name: [line["extra_logs"][name] for line in lines] for name in lines[0]["extra_logs"]} == logs


def test_a_query_that_does_not_begin_with_its_prompt_is_kept_whole(tmp_path):
    record(_reward, tmp_path)(["<s> p a"], ["p"], ["a"])
    (line,) = _lines(tmp_path)
    assert (line["completion"], line["completion_has_prompt"]) == ("<s> p a", True)


def test_lines_of_threads_and_processes_are_whole(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record_some, args=(tmp_path, 100 * i, 40)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert len(list(tmp_path.iterdir())) == 2
    lines = _lines(tmp_path)
    assert len(lines) == 80
    assert {len(line["completion"]) for line in lines} >= {9000}
    by_process = {line["process"]: [] for line in lines}
    for line in lines:
        by_process[line["process"]].append(line["sequence"])
    assert all(sorted(numbers) == list(range(40)) for numbers in by_process.values())


def test_a_forked_process_gets_a_file_of_its_own(tmp_path):
    function = record(_reward, tmp_path)
    function(["pa"], ["p"], ["a"])
    worker = multiprocessing.get_context("fork").Process(target=function, args=(["pb"], ["p"], ["b"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_written_is_one_warning(tmp_path):
    (tmp_path / "blocked").write_text("")
    folder = tmp_path / "blocked" / "rollouts"
    function = record(_reward, folder)
    with pytest.warns(RuntimeWarning, match="could not record") as caught:
        results = [function(["pa"], ["p"], ["a"])["scores"] for _ in range(3)]
    assert results == [[1.0]] * 3
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert record(_reward, folder)(["pa"], ["p"], ["a"])["scores"] == [1.0]


def test_odd_arguments_and_steps_never_break_the_call(tmp_path):
    def bad_step():
        raise OSError

    with pytest.warns(RuntimeWarning, match="could not record"):
        assert record(lambda *_: 1, tmp_path, step=bad_step)("pa", "p", "a") == 1
    assert record(lambda **_: 1, tmp_path)(other=3) == 1
    assert record(lambda *_: 1, tmp_path)("pa", "p", "a") == 1
    with pytest.warns(RuntimeWarning, match="could not record"):
        assert record(lambda *_: {"extra_logs": {"a": {(1, 2): 3}}}, tmp_path)(["p"], ["p"], ["l"])
    assert [line["completion"] for line in _lines(tmp_path)] == ["a"]


def test_a_short_write_costs_one_line(tmp_path, monkeypatch):
    function, write = record(_reward, tmp_path), os.write
    function(["pa"], ["p"], ["a"])
    written: list[bytes] = []

    def cut(descriptor: int, data: bytes) -> int:
        written.append(data)
        return write(descriptor, data[:20])

    monkeypatch.setattr(openrlhf.os, "write", cut)
    with pytest.warns(RuntimeWarning, match="only 20 of"):
        assert function(["pb"], ["p"], ["b"])["scores"] == [1.0]
    monkeypatch.undo()
    function(["pc"], ["p"], ["c"])
    (path,) = tmp_path.iterdir()
    first, second, third = path.read_text().splitlines()
    assert json.loads(first)["completion"] == "a"
    assert second == written[0][:20].decode()
    assert json.loads(third)["completion"] == "c"


def test_a_path_that_is_a_file_is_refused_before_training(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(InvalidInputError, match="needs a folder"):
        record(_reward, tmp_path / "a.jsonl")
