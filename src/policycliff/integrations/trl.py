"""Watch a GRPO training of TRL: two lines, and every tracker shows how the reward decides each step.

    from policycliff.integrations.trl import watch

    reward_funcs, watcher = watch([correct, well_formed], limits={"zero_spread_share": 0.8})
    trainer = GRPOTrainer(model, reward_funcs=reward_funcs, callbacks=[watcher], ...)

Training is the same with and without it, to the bit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.extras import require
from policycliff.integrations.live.caution import first_trouble
from policycliff.integrations.live.limits import GivenLimit
from policycliff.integrations.live.options import EVALUATION, require_options
from policycliff.integrations.live.seen import Batch, Seen, merged, name_of, noted
from policycliff.integrations.live.trainer import all_names, calling_trainer, free_name
from policycliff.integrations.recorder import PREFIX, Recorder


def watch(
    reward_funcs: Any,
    folder: str | PathLike[str] | None = None,
    *,
    truth: str | None = None,
    columns: Iterable[str] = (),
    limits: Mapping[str, GivenLimit] | None = None,
    stop: bool = False,
    report: bool = False,
    **options: Any,
) -> tuple[list[Any], Any]:
    """Reward functions that are watched, and the callback that goes with them.

    Reward models are handed through as they are; their scores, and the rewards of an environment, are read where the
    trainer has computed them.

    Args:
        reward_funcs: As `GRPOTrainer` takes them: functions, models, names of models, or nothing.
        folder: Where the rollouts go; None for `rollouts` in the trainer's output folder.
        truth: A column of the data set, or a reward of weight 0, with scores that are not trained on.
        columns: Other columns of the data set to keep.
        limits: As in `Recorder`.
        stop: Whether crossing a limit ends training after the step.
        report: Whether an HTML report is written at the end, too.
        **options: As in `Recorder`; what the trainer's arguments say need not be given.

    Returns:
        The functions for `reward_funcs=`, and a callback for `callbacks=`.

    Raises:
        InvalidInputError: An option cannot be right.
        MissingExtraError: Transformers or Accelerate is not installed.
    """
    transformers = require("transformers", extra="trl", purpose="watching a training of TRL")
    gather = require("accelerate.utils", extra="trl", purpose="watching a training of TRL").gather_object
    given = [] if reward_funcs is None else reward_funcs if isinstance(reward_funcs, list | tuple) else [reward_funcs]
    names: list[str | None] = []
    for function in given:
        names.append(free_name(name_of(function), names) if _is_function(function) else None)
    seen = Seen({*columns, *([] if truth is None or truth in names else [truth])})
    watched = [
        function if name is None else noted(function, name, seen) for function, name in zip(given, names, strict=True)
    ]
    require_options(options, limits or {})
    settings = {"limits": limits, "stop": stop, "report": report, **options}
    kind = type("PolicyCliffCallback", (_Watcher, transformers.TrainerCallback), {})
    place = None if folder is None else Path(folder)
    return watched, kind(seen, names, gather=gather, folder=place, truth=truth, options=settings)


class _Watcher:
    """The callback: what the functions saw, from all processes, goes to a recorder and to the trainer's metrics."""

    def __init__(
        self,
        seen: Seen,
        names: Sequence[str | None],
        *,
        gather: Callable[[list[Any]], list[Any]],
        folder: Path | None,
        truth: str | None,
        options: dict[str, Any],
    ) -> None:
        """Ready to be called by a trainer."""
        self._seen, self._given_names, self._gather = seen, names, gather
        self._names = list(names)
        self._folder, self._truth, self._options = folder, truth, options
        self._trainer: Any = None
        self._recorder: Recorder | None = None
        self._trouble = first_trouble("the training")

    def on_init_end(self, *_: Any, **__: Any) -> None:
        """See to it that also the rewards are noted that are no functions."""
        self._attach()

    def on_train_begin(self, args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Open the folder; a run that is resumed replaces the steps that it repeats."""
        self._attach()
        if state.is_world_process_zero:
            self._recorder = self._opened(args)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record what the step was trained on."""
        self._record(args, state)
        if self._options["stop"]:
            # All processes stop at the same step, or those that go on would wait for the others for ever.
            asked = self._recorder is not None and self._recorder.should_stop
            control.should_training_stop |= any(self._gather([asked]))

    def on_prediction_step(self, args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Record a batch of an evaluation."""
        self._record(args, state)

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Write the audit."""
        if self._recorder is not None:
            self._recorder.close()

    def _attach(self) -> None:
        trainer = calling_trainer()
        if trainer is None or trainer is self._trainer:
            return
        self._trainer = self._seen.trainer = trainer
        try:
            names = all_names(trainer.reward_func_names, self._given_names)
            unseen = {place: name for place, name in enumerate(names) if name not in self._given_names}
            if unseen:
                # TRL has no other place where the scores of models and environments can be read.
                trainer._calculate_rewards = self._seen.noted_all(trainer._calculate_rewards, unseen)  # noqa: SLF001
            self._names = list(names)
        except Exception as error:  # noqa: BLE001 - watching must never end a training run
            self._trouble("watch the rewards that are no functions", error)

    def _record(self, args: Any, state: Any) -> None:
        """Of every process: all of them gather, and the first one records."""
        parts = self._gather([self._seen.taken()])
        if not state.is_world_process_zero:
            return
        try:
            self._recorder = self._recorder or self._opened(args)
            for batches in zip(*parts, strict=True):
                self._log(self._add(merged(batches), args, self._recorder), evaluation=batches[0].evaluation)
        except Exception as error:  # noqa: BLE001 - watching must never end a training run
            self._trouble("record a step", error)

    def _opened(self, args: Any) -> Recorder:
        given = len(self._given_names)
        # What an environment gives has the weight 1.
        weights = [*(args.reward_weights or [1.0] * given), *[1.0] * (len(self._names) - given)]
        rewards = {name: weight for name, weight in zip(self._names, weights, strict=True) if name is not None}
        if self._truth in rewards and rewards.pop(self._truth) != 0.0:
            raise InvalidInputError(f"{self._truth!r} is the truth and has a weight: give it the weight 0.")
        # TRL leaves a missing reward out of its sums.
        found = {"aggregation": args.multi_objective_aggregation, "missing": "zero"}
        folder = self._folder or Path(args.output_dir) / "rollouts"
        return Recorder(folder, rewards=rewards, rank=0, world_size=1, **(found | self._options))

    def _add(self, batch: Batch, args: Any, recorder: Recorder) -> dict[str, float]:
        scores, columns = dict(batch.scores), dict(batch.columns)
        truth = None if self._truth is None else (scores if self._truth in scores else columns).pop(self._truth)
        return recorder.add(
            batch.prompts,
            batch.completions,
            scores,
            step=batch.step,
            group_size=(batch.evaluation and args.num_generations_eval) or args.num_generations,
            truth=truth,
            columns=columns,
            evaluation=batch.evaluation,
        )

    def _log(self, figures: Mapping[str, float], *, evaluation: bool) -> None:
        """Put the figures among the trainer's own metrics, which it averages and logs to every tracker.

        `on_log` comes too late for that: the trackers' callbacks are called before those of the user.
        """
        # TRL has no other way in: `log_metric` holds a value back until the next generation.
        metrics = self._seen.trainer._metrics["eval" if evaluation else "train"]  # noqa: SLF001
        for name, value in figures.items():
            metrics[name.replace(PREFIX + EVALUATION, PREFIX)].append(value)


def _is_function(reward: Any) -> bool:
    """Whether TRL calls it as a function: a module can be called, but is called in another way."""
    return callable(reward) and not hasattr(reward, "state_dict")
