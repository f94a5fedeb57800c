"""Completion logs of TRL's `GRPOTrainer`: `completions/completions_{step}.parquet`.

With `log_completions=True` a file holds the last generation batch: `step`, `prompt`, `completion`, a column a reward
function (raw scores, float32 in the trainer), columns of `log_extra`, and `advantage`. It names neither groups nor
weights: groups are consecutive blocks of `num_generations` rows (`groups.py`), and the advantages tell whether weights
of 1 are right (`advantages.py`). A batch that is logged again, and rows of evaluations, are left out and counted.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample, Format, Reading
from policycliff.rollouts.formats.shared.float32 import score_type
from policycliff.rollouts.formats.trl.advantages import advantage_notes, reward_names
from policycliff.rollouts.formats.trl.columns import aligned
from policycliff.rollouts.formats.trl.groups import Grouped, group_log
from policycliff.rollouts.formats.trl.log import FIRST_COLUMNS, Log, logged_numbers, read_log
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import SkippedRows

_WEIGHTS = (
    "TRL does not log reward_weights: every reward has weight 1 here; give --reward NAME=WEIGHT if it had another."
)

_MISSING = "scores are missing: TRL counts each as 0 in the weighted sum; --missing zero does the same."


def _recognise(sample: FileSample) -> str | None:
    names = list(sample.columns)
    if sample.container != "Parquet" or tuple(names[:3]) != FIRST_COLUMNS or names[-1] != "advantage":
        return None
    types = list(sample.columns.values())
    if not types[0].is_integer() or not types[-1].is_float() or not any(dtype.is_float() for dtype in types[3:-1]):
        return None
    return "columns step, prompt, completion, rewards and advantage, in this order"


def _read(paths: Sequence[Path], settings: AuditSettings) -> Reading:
    log = read_log(paths)
    grouped = None if settings.group is not None else group_log(log, settings.group_size)
    group = _all_rows(log) if grouped is None else grouped.group
    name = "group" if "group" not in log.schema else "trl_group"
    rewards = reward_names(log, group, settings.rewards)
    if not rewards:
        raise TableError(f"{paths[0]} has no column of float scores between 'completion' and 'advantage'.")
    types = {**log.schema, **{reward: score_type(log.numbers[reward]) for reward in rewards}}
    rows = aligned(log.files, log.schemas, types)
    frame = pl.concat([rows, pl.LazyFrame({name: group})], how="horizontal")
    fixed = {role: role for role in ("prompt", "step", "completion")} | {"group": name}
    weights = dict(settings.rewards) or dict.fromkeys(rewards, 1.0)
    notes = () if settings.rewards else (_WEIGHTS,)
    if settings.missing != "zero" and any(log.numbers[reward].null_count() for reward in weights if reward in rewards):
        notes = (*notes, _MISSING)
    if grouped is not None:
        notes = (*grouped.notes, *notes, *advantage_notes(logged_numbers(log), group, log.chunk_of_row(), weights))
    return Reading(
        frame=frame.filter(pl.col(name).is_not_null()),
        fixed={**fixed, "rewards": tuple((reward, 1.0) for reward in rewards)},
        notes=(*notes, *log.notes),
        skipped=_skipped(log, grouped),
    )


def _all_rows(log: Log) -> pl.Series:
    """No groups of our own: one number a batch, null for the rows that are left out."""
    numbers = [None if chunk.left_out else number for number, chunk in enumerate(log.chunks) for _ in range(chunk.rows)]
    return pl.Series(numbers, dtype=pl.Int64)


def _skipped(log: Log, grouped: Grouped | None) -> tuple[SkippedRows, ...]:
    reasons = dict.fromkeys(chunk.left_out for chunk in log.chunks if chunk.left_out)
    known = [SkippedRows(why, sum(chunk.rows for chunk in log.chunks if chunk.left_out == why)) for why in reasons]
    return (*known, *(() if grouped is None else grouped.skipped))


TRL = Format(name="trl", title="TRL completion log", recognise=_recognise, read=_read)
