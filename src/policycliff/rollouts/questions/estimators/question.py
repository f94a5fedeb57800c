"""What other advantage estimators would make of the same rows: ties, noise, shaping terms, explosions, signs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer, answer, settings_of
from policycliff.rollouts.questions.estimators.batches import Batches, batches_by_label, batches_of_size, step_of_rows
from policycliff.rollouts.questions.estimators.extra_columns import (
    ADVANTAGE_NAMES,
    SCALAR_NAMES,
    found_by_name,
    labels_of,
    numbers_of,
    read_column,
)
from policycliff.rollouts.questions.estimators.figures import estimator_figures
from policycliff.rollouts.questions.estimators.limits import limits_of
from policycliff.rollouts.questions.estimators.sample import sample_of, scored_sum
from policycliff.rollouts.questions.estimators.tables import answer_tables
from policycliff.rollouts.questions.estimators.words import findings_of
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.scores import Scored
from policycliff.rollouts.settings import AuditSettings
from policycliff.shapes import Float64, Int64

NEAR = 0.01
"""Where the scorer's noise is not known, a group is nearly tied up to this share of the reward's scale."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Columns beside the rewards, along the sorted rows of the table.

    Attributes:
        batch: Number of the batch of each row, -1 for none; None for steps, or the whole table.
        batch_name: Its column.
        batch_size: Completions a batch, in place of `batch`.
        scalar: A logged scalar reward: its column, whether it was given, and the numbers.
        advantages: Logged advantages, likewise.
    """

    batch: Int64[np.ndarray, " rows"] | None = None
    batch_name: str | None = None
    batch_size: int | None = None
    scalar: tuple[str, bool, Float64[np.ndarray, " rows"]] | None = None
    advantages: tuple[str, bool, Float64[np.ndarray, " rows"]] | None = None


def estimators(
    table: Any,
    *,
    batch: str | None = None,
    batch_size: int | None = None,
    logged: str | None = None,
    advantages: str | None = None,
    near: float = NEAR,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Compare advantage estimators on a table of rollouts.

    Args:
        table: As for `policycliff.audit`.
        batch: Column that names the batch of a row, for estimators with batch statistics; the training step where
            there is one by default, else the whole table is one batch.
        batch_size: Completions a batch, in order of appearance within a step; in place of `batch`.
        logged: Column with the scalar reward that was optimised; by default `reward`, `score` or `total_reward`, if
            it is no component.
        advantages: Column with the advantages that were used; by default `advantage` or `advantages`.
        near: Where the scorer's noise is not known: share of the reward's scale up to which a group is nearly tied.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`.

    Raises:
        TableError: The table is broken or lacks a column, or no group has two scores.
        InvalidInputError: An option cannot be right.

    >>> import polars as pl
    >>> rows = pl.DataFrame({"prompt": ["p"] * 4 + ["q"] * 4, "completion": list("abcdefgh"),
    ...                      "correct": [1.0, 0, 0, 0, 0, 0, 0, 0], "short": [0.0, 1, 0, 0, 1, 0, 0, 0]})
    >>> answered = estimators(rows, rewards={"correct": 1.0, "short": 0.01})
    >>> found = answered.to_dict()["figures"]["estimators"]
    >>> [round(found[key]["signal"]["phantom"]["value"], 4) for key in ("grpo", "dr_grpo")]
    [0.4902, 0.0001]
    """
    return ask_estimators(
        table,
        settings_from_options(options),
        batch=batch,
        batch_size=batch_size,
        logged=logged,
        advantages=advantages,
        near=near,
        progress=progress,
    )


def ask_estimators(
    table: Any,
    settings: AuditSettings,
    *,
    batch: str | None = None,
    batch_size: int | None = None,
    logged: str | None = None,
    advantages: str | None = None,
    near: float = NEAR,
    progress: Progress | None = None,
) -> Answer:
    """The same with settings that are made already."""
    if batch is not None and batch_size is not None:
        raise InvalidInputError("batch and batch_size cannot both be given: a column already says which rows belong "
                                "to a batch. Drop one of them.")  # fmt: skip
    if not 0.0 < near < 1.0:
        raise InvalidInputError(f"near is a share of the reward's scale, strictly between 0 and 1; got {near}.")
    loaded = load_rollouts(table, settings)

    def numbers(name: str | None, role: str, guesses: tuple[str, ...]) -> tuple[str, bool, np.ndarray] | None:
        if name is None:
            found = found_by_name(loaded, guesses)
            return None if found is None else (found[0], False, found[1])
        return name, True, numbers_of(read_column(table, settings, name, role), loaded, role)

    extra = Extra(
        batch=None if batch is None else labels_of(read_column(table, settings, batch, "batch"), loaded),
        batch_name=batch,
        batch_size=batch_size,
        scalar=numbers(logged, "logged scalar", SCALAR_NAMES),
        advantages=numbers(advantages, "logged advantages", ADVANTAGE_NAMES),
    )
    return run_estimators(loaded, extra, near=near, progress=progress)


def run_estimators(
    loaded: LoadedRollouts, extra: Extra | None = None, *, near: float = NEAR, progress: Progress | None = None
) -> Answer:
    """Compare estimators on a table that has been read already."""
    report: Callable[[str, float], None] = progress or (lambda _stage, _share: None)
    extra = extra or Extra()
    report("advantages", 0.2)
    scored = scored_sum(loaded)
    batches = _batches(loaded, scored, extra)
    sample = sample_of(loaded, scored, batches.number)
    rows = scored.layout.rows
    figures = estimator_figures(
        loaded,
        scored,
        sample,
        batches,
        near=near,
        scalar=None if extra.scalar is None else (*extra.scalar[:2], extra.scalar[2][rows]),
        advantages=None if extra.advantages is None else (*extra.advantages[:2], extra.advantages[2][rows]),
        report=report,
    )
    report("done", 1.0)
    return answer(
        "estimators",
        f"Advantage estimators on {loaded.source}",
        tables=answer_tables(figures),
        findings=findings_of(figures),
        figures=figures,
        settings=settings_of(loaded)
        | {
            "batch": extra.batch_name,
            "batch_size": extra.batch_size,
            "logged": None if extra.scalar is None else extra.scalar[0],
            "advantages": None if extra.advantages is None else extra.advantages[0],
            "near": near,
        },
        limits=limits_of(figures),
    )


def _batches(loaded: LoadedRollouts, scored: Scored, extra: Extra) -> Batches:
    layout = scored.layout
    step = step_of_rows(loaded.table, layout)
    if extra.batch is not None:
        name = extra.batch_name or "batch"
        return Batches(batches_by_label(extra.batch[layout.rows], layout, name), f"column {name}")
    if extra.batch_size is not None:
        return Batches(batches_of_size(extra.batch_size, step, layout), f"{extra.batch_size} completions")
    if len(np.unique(step)) > 1:
        name = loaded.columns["step"]["column"]
        return Batches(np.unique(step, return_inverse=True)[1].astype(np.int64), f"a training step ({name})")
    return Batches(np.zeros(len(layout.rows), dtype=np.int64), "the whole table")
