"""A recorder for any training loop: it keeps the rollouts, and says of every step how the reward decides it.

    with Recorder("rollouts", rewards={"correct": 1.0, "format": 0.1}, limits={"zero_spread_share": 0.5}) as recorder:
        for step in range(steps):
            ...
            scores = {"correct": correct, "format": well_formed}
            tracker.log(recorder.add(prompts, completions, scores, step=step, group_size=8))

At any time, `policycliff audit rollouts`; at the end, `rollouts/audit/audit.json`.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.integrations.live.caution import caution, first_trouble
from policycliff.integrations.live.closing import write_audit
from policycliff.integrations.live.figures import step_figures
from policycliff.integrations.live.files import RolloutFiles
from policycliff.integrations.live.limits import GivenLimit, Limit
from policycliff.integrations.live.options import EVALUATION, require_options, settings_of_recorder
from policycliff.integrations.live.rows import Rows, rows_of
from policycliff.rollouts.audit import Audit

PREFIX = "policycliff/"


class Recorder:
    """Records the rollouts of a training run, and gives the figures of every step.

    A failure to record or to compute is a warning, once, and never ends training. The global random state is not
    touched.

    Attributes:
        should_stop: Whether a limit was crossed by a recorder that may ask for a stop.

    >>> import tempfile
    >>> recorder = Recorder(tempfile.mkdtemp(), rewards={"correct": 1.0})
    >>> figures = recorder.add(["2+2?"] * 3, ["4", "four", "5"], {"correct": [1, 1, 0]}, step=1)
    >>> figures["policycliff/tied_share"], figures["policycliff/zero_spread_share"]
    (1.0, 0.0)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        rewards: Mapping[str, float],
        limits: Mapping[str, GivenLimit] | None = None,
        stop: bool = False,
        report: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
        **options: Any,
    ) -> None:
        """Open a folder, or go on with what is in it.

        Args:
            folder: Where the rollouts go; made where it is missing.
            rewards: Weight of each reward column in the sum that is trained on.
            limits: By figure, the greatest value that is fine, or a pair of the least and the greatest. Figures of
                evaluations are named with `evaluation/` before.
            stop: Whether crossing a limit asks for a stop.
            report: Whether `close` writes `report.html` too.
            rank: Number of this process; None for the environment's `RANK`, else 0.
            world_size: Number of processes; None for the environment's `WORLD_SIZE`, else 1.
            **options: Of `policycliff.audit`: those of `policycliff.integrations.live.options.OPTIONS`.

        Raises:
            InvalidInputError: An argument cannot be right, or the folder holds other rollouts.
        """
        self.should_stop = False
        self._folder = Path(folder).expanduser()
        self._limits = require_options(options, limits or {})
        self._settings = settings_of_recorder(rewards, options)
        self._weights = {name: float(weight) for name, weight in self._settings.rewards}
        self._crossed = set[str]()
        self._stop, self._report = stop, report
        self._rank = int(os.environ.get("RANK", "0")) if rank is None else rank
        ranks = int(os.environ.get("WORLD_SIZE", "1")) if world_size is None else world_size
        if self._folder.exists() and not self._folder.is_dir():
            raise InvalidInputError(f"{self._folder} is a file; a recorder needs a folder.")
        self._files = {
            evaluation: RolloutFiles(place, self._settings, rank=self._rank, ranks=ranks)
            for evaluation, place in ((False, self._folder), (True, self._folder / EVALUATION))
        }
        self._trouble = first_trouble(self._folder)
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None

    def add(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        scores: Mapping[str, Any],
        *,
        step: int | None = None,
        group: Any = None,
        group_size: int | None = None,
        truth: Any = None,
        columns: Mapping[str, Any] | None = None,
        evaluation: bool = False,
    ) -> dict[str, float]:
        """Record some rollouts; every group is given whole, in one call.

        The file is written while training goes on: `flush` waits for it.

        Args:
            prompts: Text or chat messages, one entry a completion.
            completions: Text or chat messages.
            scores: Every reward, unweighted: a list, array or tensor with one number a completion (None: no score).
            step: Training step; None for the one after the last. What an earlier session recorded of it is replaced.
            group: Which completions compete with each other, one entry a completion.
            group_size: Instead, how many consecutive ones do. Without either, those of one prompt.
            truth: Scores that are not trained on: from the first step on, or never.
            columns: Other columns to keep.
            evaluation: Whether these are an evaluation's, which are kept apart.

        Returns:
            The figures of these rollouts by their names for a tracker; empty where they could not be computed.
        """
        try:
            self._require_rewards(scores)
            given = {"group": group, "group_size": group_size, "truth": truth, "columns": columns}
            rows = rows_of(prompts, completions, {name: scores[name] for name in self._weights}, **given)
        except Exception as error:  # noqa: BLE001 - recording must never end a training run
            self._trouble("understand the rollouts of a step", error)
            return {}
        self.flush()
        number = self._files[evaluation].last_step + 1 if step is None else int(step)
        figures = self._figures(number, rows, evaluation=evaluation)
        self._writing = self._writer.submit(self._files[evaluation].write, number, rows)
        return figures

    def flush(self) -> None:
        """Wait until what was recorded is on the disk."""
        if self._writing is not None and (failure := self._writing.exception()) is not None:
            self._trouble("record a step", failure)
        self._writing = None

    def close(self) -> Audit | None:
        """Audit what is in the folder, as process 0, and write it to `audit/` there and in `evaluation/`.

        More can be recorded after it. Of several processes, all others should have recorded their last step.

        Returns:
            The audit of the training's rollouts; None without any, on other processes, or where it failed.
        """
        self.flush()
        if self._rank != 0:
            return None
        found = {evaluation: self._audit(files) for evaluation, files in self._files.items()}
        return found[False]

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, unless training failed: the rollouts are on the disk, and an audit can take long."""
        if kind is None:
            self.close()
        else:
            self.flush()

    def _require_rewards(self, scores: Mapping[str, Any]) -> None:
        if set(scores) != set(self._weights):
            raise InvalidInputError(f"the scores are of {sorted(scores)}, the rewards are {sorted(self._weights)}.")

    def _figures(self, step: int, rows: Rows, *, evaluation: bool) -> dict[str, float]:
        try:
            found = step_figures(rows, self._weights, self._settings)
        except Exception as error:  # noqa: BLE001 - as above
            self._trouble("compute the figures of a step", error)
            return {}
        named = {(EVALUATION if evaluation else "") + name: value for name, value in found.items()}
        for limit in self._limits:
            if limit.figure in named and limit.crossed(named[limit.figure]):
                self._cross(limit, named[limit.figure], step)
        return {PREFIX + name: value for name, value in named.items()}

    def _cross(self, limit: Limit, value: float, step: int) -> None:
        self.should_stop |= self._stop
        if limit.figure not in self._crossed:
            self._crossed.add(limit.figure)
            ending = " Training should stop." if self._stop else ""
            caution(f"policycliff: at step {step}, {limit}, but it is {value:.4g}.{ending}", UserWarning)

    def _audit(self, files: RolloutFiles) -> Audit | None:
        try:
            return None if files.is_empty else write_audit(files.folder, self._settings, report=self._report)
        except Exception as error:  # noqa: BLE001 - as above
            self._trouble("audit the rollouts", error)
            return None
