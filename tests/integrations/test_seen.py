"""Watched reward functions, without a trainer: what they said comes back, and is noted with what they saw."""

import asyncio
import functools
import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from policycliff.errors import MissingExtraError
from policycliff.integrations.live.seen import Seen, merged, name_of, noted
from policycliff.integrations.live.trainer import calling_trainer
from policycliff.integrations.trl import watch


class FakeTrainer:
    def __init__(self):
        self.model = SimpleNamespace(training=True)

    def log_metric(self, name, value):
        """As TRL hands it to the reward functions."""


def call(function, trainer, prompts, completions, step=4, **columns):
    given = {"prompts": prompts, "completions": completions, "completion_ids": [], **columns}
    state = SimpleNamespace(global_step=step)
    result = function(**given, trainer_state=state, log_metric=trainer.log_metric, log_extra=None)
    return asyncio.run(result) if inspect.isawaitable(result) else result


def plain(prompts, completions, **kwargs):
    """Documented."""
    return [1, None]


async def waiting(prompts, completions, **kwargs):
    return [0.5, 0.25]


class Object:
    async def __call__(self, prompts, completions, **kwargs):
        return [2.0, 3.0]


def test_functions_stay_what_they_are():
    seen = Seen([])
    assert noted(plain, "a", seen).__name__ == "plain"
    assert noted(plain, "a", seen).__doc__ == "Documented."
    assert not inspect.iscoroutinefunction(noted(plain, "a", seen))
    for function, name in (
        (waiting, "waiting"),
        (functools.partial(functools.partial(waiting), x=1), "waiting"),
        (Object(), "Object"),
    ):
        assert name_of(function) == noted(function, "a", seen).__name__ == name
        assert inspect.iscoroutinefunction(noted(function, "a", seen))


def test_functions_of_one_generation_are_noted_together():
    seen, trainer = Seen(["wanted"]), FakeTrainer()
    functions = [noted(function, name, seen) for name, function in (("p", plain), ("w", waiting), ("o", Object()))]
    for step in (4, 5):
        prompts = ["q", "q"]
        said = [
            call(function, trainer, prompts, ["x", "y"], step, wanted=[1, 2], other=[3, 4]) for function in functions
        ]
        assert said == [[1, None], [0.5, 0.25], [2.0, 3.0]]
    trainer.model.training = False
    call(functions[0], trainer, ["e", "e"], ["x", "y"], 5, wanted=[1, 2])
    first, second, held_out = seen.taken()
    assert (first.step, second.step, held_out.step) == (5, 6, 5)
    assert [batch.evaluation for batch in (first, second, held_out)] == [False, False, True]
    assert first.scores == {"p": [1.0, None], "w": [0.5, 0.25], "o": [2.0, 3.0]}
    assert first.columns == {"wanted": [1, 2]}
    assert seen.taken() == []
    both = merged([first, second])
    assert both.prompts == ["q"] * 4
    assert both.scores["w"] == [0.5, 0.25, 0.5, 0.25]
    assert both.columns == {"wanted": [1, 2, 1, 2]}


def test_the_columns_of_all_rewards_that_are_no_functions_are_noted_of_this_process():
    seen, trainer = Seen(["wanted"]), FakeTrainer()
    trainer.state, trainer.accelerator = SimpleNamespace(global_step=4), SimpleNamespace(process_index=1)
    seen.trainer = trainer
    everything = np.array([[1, 9], [2, 9], [3, 0.1], [4, np.nan]], dtype=np.float32)
    own = noted(plain, "p", seen)

    def calculate(inputs, prompts, completions, ids):
        call(own, trainer, prompts, completions, 4, wanted=[row["wanted"] for row in inputs])
        return everything

    inputs = [{"wanted": "a"}, {"wanted": "b"}]
    assert seen.noted_all(calculate, {1: "model"})(inputs, ["q", "q"], ["x", "y"], []) is everything
    (batch,) = seen.taken()
    assert (batch.step, batch.completions) == (5, ["x", "y"])
    assert batch.scores == {"p": [1.0, None], "model": [0.1, None]}
    assert batch.columns == {"wanted": ["a", "b"]}
    assert seen.noted_all(lambda *_: everything, {0: "model"})(inputs, ["q", "q"], ["x", "y"], []) is everything
    (batch,) = seen.taken()
    assert batch.scores == {"model": [3.0, 4.0]}
    assert batch.columns == {"wanted": ["a", "b"]}


def test_rewards_of_another_shape_are_a_warning_and_come_back():
    seen = Seen([])
    seen.trainer = FakeTrainer()
    with pytest.warns(RuntimeWarning, match="note all rewards"):
        assert seen.noted_all(lambda *_: "scores", {0: "model"})([{}], ["q"], ["x"], []) == "scores"


def test_a_generator_is_read_once_and_handed_on():
    seen = Seen([])
    function = noted(lambda prompts, completions, **_: (len(text) for text in completions), "length", seen)
    assert call(function, FakeTrainer(), ["p", "p"], ["x", "yy"]) == [1, 2]
    assert seen.taken()[0].scores == {"length": [1.0, 2.0]}


def test_what_cannot_be_noted_is_a_warning_and_what_was_said_comes_back():
    seen = Seen([])
    function = noted(lambda **_: ["good"], "words", seen)
    with pytest.warns(RuntimeWarning, match="note what words said"):
        assert call(function, FakeTrainer(), ["p"], ["x"]) == ["good"]
    assert noted(lambda **_: [1.0], "r", seen)(text="no trainer") == [1.0]


class Owner:
    """Calls as a trainer does."""

    reward_func_names = ("judge",)

    def callers(self):
        return calling_trainer()


def test_the_trainer_is_found_among_the_callers():
    assert calling_trainer() is None
    owner = Owner()
    assert owner.callers() is owner


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"policycliff\[trl\]"):
        watch(plain)
