"""What the rewards of a trainer see and say, noted without changing either."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policycliff.integrations.live.caution import first_trouble
from policycliff.integrations.live.rows import completion_text, prompt_text, score_column

Columns = dict[str, list[Any]]


@dataclass(slots=True)
class Batch:
    """The rollouts of one generation, as one process saw them.

    Attributes:
        step: The training step that they are first used in; of an evaluation, the steps done before it.
        evaluation: Whether they are an evaluation's.
        prompts: Texts, one a completion.
        completions: Texts.
        columns: Columns of the data set.
        scores: What each reward function said.
    """

    step: int
    evaluation: bool
    prompts: list[str | None]
    completions: list[str | None]
    columns: Columns
    scores: Columns = field(default_factory=dict)


class Seen:
    """Notes the calls of reward functions; those of one generation share their list of prompts."""

    def __init__(self, columns: Iterable[str]) -> None:
        """Without notes; `columns` names what to keep of the data set."""
        self.trainer: Any = None
        self._names = tuple(columns)
        self._prompts: Any = None
        self._batches: list[Batch] = []
        self._trouble = first_trouble("the reward functions")

    def note(self, name: str, given: Mapping[str, Any], said: Sequence[Any]) -> None:
        """Note one call; what goes wrong is a warning, once."""
        try:
            batch = self._batch_of(given)
            batch.scores[name] = score_column(name, said, len(batch.completions)).to_list()
        except Exception as error:  # noqa: BLE001 - watching must never end a training run
            self._trouble(f"note what {name} said", error)

    def noted_all(self, calculate: Callable[..., Any], names: Mapping[int, str]) -> Callable[..., Any]:
        """TRL's computation of all rewards, with some of its columns noted: those that no function here says.

        Args:
            calculate: Takes the examples, the prompts and the completions of this process, and gives the scores of all
                processes, a column a reward.
            names: Name of each column to note, by its number.
        """

        def watched(inputs: Any, prompts: Any, completions: Any, *rest: Any) -> Any:
            scores = calculate(inputs, prompts, completions, *rest)
            try:
                columns = {name: [row[name] for row in inputs] for name in self._names if name in inputs[0]}
                given = {"prompts": prompts, "completions": completions, "trainer_state": self.trainer.state, **columns}
                first = self.trainer.accelerator.process_index * len(prompts)
                batch = self._batch_of(given)
                for place, name in names.items():
                    own = scores[first : first + len(prompts), place]
                    batch.scores[name] = score_column(name, own, len(prompts)).fill_nan(None).to_list()
            except Exception as error:  # noqa: BLE001 - as above
                self._trouble("note all rewards", error)
            return scores

        return watched

    def taken(self) -> list[Batch]:
        """The batches noted so far, which are then forgotten."""
        taken, self._batches, self._prompts = self._batches, [], None
        return taken

    def _batch_of(self, given: Mapping[str, Any]) -> Batch:
        """The batch of the prompts at hand: the last one, or a new one."""
        if given["prompts"] is not self._prompts or not self._batches:
            self._batches.append(self._batch(given))
            self._prompts = given["prompts"]
        return self._batches[-1]

    def _batch(self, given: Mapping[str, Any]) -> Batch:
        # TRL hands over a method of the trainer; the trainer's mode is that of its model.
        self.trainer = getattr(given.get("log_metric"), "__self__", self.trainer)
        evaluation = self.trainer is not None and not self.trainer.model.training
        return Batch(
            step=given["trainer_state"].global_step + (not evaluation),
            evaluation=evaluation,
            prompts=[prompt_text(prompt) for prompt in given["prompts"]],
            completions=[completion_text(completion) for completion in given["completions"]],
            columns={name: list(given[name]) for name in self._names if name in given},
        )


def name_of(function: Callable[..., Any]) -> str:
    """The name by which TRL knows a reward function: that of the function within a partial, or of an object's class."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def noted(function: Callable[..., Any], name: str, seen: Seen) -> Callable[..., Any]:
    """The function with its results noted under a name; async where it is, with the name that TRL knows."""
    if _is_async(function):

        async def watched_async(*args: Any, **kwargs: Any) -> Any:
            said = _kept(await function(*args, **kwargs))
            seen.note(name, kwargs, said)
            return said

        return _named(watched_async, function)

    def watched(*args: Any, **kwargs: Any) -> Any:
        said = _kept(function(*args, **kwargs))
        seen.note(name, kwargs, said)
        return said

    return _named(watched, function)


def merged(batches: Sequence[Batch]) -> Batch:
    """The parts of one generation that several processes saw, in the order of the processes."""
    first = batches[0]
    return Batch(
        step=first.step,
        evaluation=first.evaluation,
        prompts=[prompt for batch in batches for prompt in batch.prompts],
        completions=[completion for batch in batches for completion in batch.completions],
        columns={name: [item for batch in batches for item in batch.columns[name]] for name in first.columns},
        scores={name: [score for batch in batches for score in batch.scores[name]] for name in first.scores},
    )


def _named(watched: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    functools.update_wrapper(watched, function)
    watched.__name__ = name_of(function)
    return watched


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _kept(said: Any) -> Any:
    """What a function said, as it is; a generator, which can be read once, as a list."""
    return said if hasattr(said, "__len__") else list(said)
