"""A large table is understood at a glance as it would be in memory, but for what needs all its texts and scores."""

import numpy as np
import polars as pl
import pytest

from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import audit
from policycliff.rollouts.parts.opened import Work
from policycliff.rollouts.reading import recognise as recognising
from policycliff.rollouts.reading.glance import glance
from policycliff.rollouts.reading.recognise import recognise
from policycliff.rollouts.reading.understand import opened
from policycliff.rollouts.settings import AuditSettings

RNG = np.random.default_rng(3)
N = 240
TABLE = pl.DataFrame(
    {
        "prompt": [f"prompt {i}" for i in RNG.integers(0, 30, N)],
        "task_id": [None if i == 7 else f"t{i}" for i in RNG.integers(0, 25, N)],
        "uid": [f"u{i}" for i in range(N)],
        "step": RNG.integers(0, 3, N),
        "completion": [f"c{i}" for i in range(N)],
        "reward": RNG.random(N).round(2),
    }
)
CASES = {
    "guesses": (TABLE, AuditSettings()),
    "a group with nulls": (TABLE, AuditSettings(group="task_id", step="step")),
    "blocks of prompts": (TABLE, AuditSettings(prompt="prompt", group_size=3)),
    "blocks of steps": (TABLE.select("step", "reward"), AuditSettings(group_size=7)),
    "blocks": (TABLE.select("reward"), AuditSettings(group_size=9)),
    "single rows": (TABLE.select(prompt="uid", reward="reward"), AuditSettings()),
    "names that are empty": (
        TABLE.with_columns(task_id=pl.lit(None, dtype=pl.String)),
        AuditSettings(group="task_id", rewards=(("reward", 1.0),)),
    ),
}


@pytest.mark.parametrize("case", [name for name in CASES if name != "names that are empty"])
def test_what_is_known_at_a_glance_is_what_is_known_in_memory(case):
    table, settings = CASES[case]
    whole, at_a_glance = recognise(table, settings), glance(opened(table, settings))
    for key, value in whole.items():
        if key not in {"behaviours", "duplicate_rows", "unusable_scores", "skipped", "notes"}:
            assert at_a_glance[key] == value, key
    assert at_a_glance["notes"][1:] == whole["notes"]


def test_no_group_at_all():
    table, settings = CASES["names that are empty"]
    found = glance(opened(table, settings))
    assert (found["prompts"], found["completions"], found["rows_read"]) == (0, 0, N)


def test_a_table_that_does_not_fit_is_only_glanced_at(monkeypatch):
    class Large:
        fits_in_memory = False

    monkeypatch.setattr(recognising, "size_of", lambda _: Large)
    assert recognise(TABLE, AuditSettings())["behaviours"] is None


def test_an_executor_that_there_is_not_is_refused():
    with pytest.raises(InvalidInputError, match="executor must be one of memory, disk, ray, or None; got 'spark'"):
        audit(TABLE, executor="spark")
    with pytest.raises(InvalidInputError, match="parts must be a positive number, got 0"):
        Work(parts=0)
