"""Summaries that tinker-cookbook wrote (see `tests/data/formats/tinker/make.py`), against what went into them."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from broken_files import survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.registry import recognise_format
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.tinker import TINKER
from policycliff.rollouts.reading.files import find_tables
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
DATA = FORMATS / "tinker"
TRAIN = str(DATA / "run" / "iteration_*" / "train_rollout_summaries.jsonl")
EXPECTED = json.loads((DATA / "expected.json").read_text())


def _total(row: dict) -> float:
    return sum(row["rewards"]) + row["final"]


def _write(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _row(**changes: object) -> dict:
    row = {"split": "train", "iteration": 0, "group_idx": 0, "traj_idx": 0, "total_reward": 1.0, "final_reward": 0.0}
    return row | {"trajectory_metrics": {}, "steps": [{"reward": 1.0, "ac_len": 3, "metrics": {}}]} | changes


def test_recognised_and_no_other_is():
    found = recognise_format(find_tables(DATA / "run"))
    assert found is not None
    assert found[0].name == "tinker"
    others = [path for path in FORMATS.rglob("*.*") if DATA not in path.parents and path.suffix != ".py"]
    assert len(others) > 5
    assert [path for path in others if TINKER.recognise(sample_of(path)) is not None] == []


def test_a_plain_table_is_not_recognised(tmp_path):
    rows = [{"iteration": 1, "group_idx": 0, "traj_idx": 0, "total_reward": 1.0, "final_reward": 0, "steps": 3}]
    assert TINKER.recognise(sample_of(_write(tmp_path / "a.jsonl", rows))) is None


def test_rows_are_what_went_in():
    frame = TINKER.read(find_tables(TRAIN), AuditSettings()).frame.collect()
    expected = [row for row in EXPECTED if row["split"] == "train"]
    assert len(frame) == len(expected) == 24
    assert frame["group"].to_list() == [f"train/{row['group']}" for row in expected]
    assert frame["step"].to_list() == [row["iteration"] for row in expected]
    assert frame["total_reward"].to_list() == pytest.approx([_total(row) for row in expected])
    assert frame["final_reward"].to_list() == [row["final"] for row in expected]
    assert frame["step_reward"].to_list() == pytest.approx([sum(row["rewards"]) for row in expected])
    assert frame["metrics.correct"].to_list() == [row["correct"] for row in expected]
    assert frame["metrics.format"].to_list() == pytest.approx([np.mean(row["formats"]) for row in expected])
    assert frame["trajectory_metrics.won"].to_list() == [float(row["final"] > 0) for row in expected]
    assert frame["ac_len"].to_list() == [row["ac_len"] for row in expected]
    assert frame["n_steps"].to_list() == [len(row["rewards"]) for row in expected]
    assert frame["logs.answer"].to_list() == [row["answer"] for row in expected]


def test_audit_by_hand():
    groups = defaultdict(list)
    for row in EXPECTED:
        if row["split"] == "train":
            groups[row["iteration"], row["group"]].append(_total(row))
    assert len(groups) == 6
    tied = [np.isclose(np.sort(values)[-1], np.sort(values)[-2]) for values in groups.values()]
    result = policycliff.audit(TRAIN).to_dict()
    assert result["counts"]["prompts"] == 6
    assert result["rewards"]["effective"]["tied_share"]["value"] == pytest.approx(np.mean(tied))
    assert result["rewards"]["effective"]["weight"] is None
    assert result["settings"]["columns"]["rewards"][0]["column"] == "total_reward"
    assert any("no prompts and no completions" in note for note in result["settings"]["notes"])


def test_what_the_environment_logged_can_be_the_behaviour():
    loaded = load_rollouts(TRAIN, AuditSettings(behaviour="logs.answer"))
    assert loaded.table.behaviour.max() + 1 <= 12  # at most two answers in each of six groups
    assert not any("no prompts" in note for note in loaded.notes)


def test_splits_are_groups_of_their_own():
    loaded = load_rollouts(DATA / "run", AuditSettings())
    assert loaded.table.n_groups == 10
    assert any("eval/math" in note for note in loaded.notes)


def test_runs_do_not_mix(tmp_path):
    for run in ("a", "b"):
        path = tmp_path / run / "iteration_000000" / "train_rollout_summaries.jsonl"
        _write(path, [_row(), _row(traj_idx=1, total_reward=0.0)])
    assert load_rollouts(tmp_path, AuditSettings()).table.n_groups == 2


def test_absent_parts_are_null(tmp_path):
    steps = [{"reward": 1.0, "ac_len": 3, "metrics": {"m": 1}}, {"reward": 0.0, "ac_len": None, "metrics": None}]
    rows = [
        _row(steps=steps),
        _row(steps=[], trajectory_metrics=None, split=None),
        _row(steps=[{"metrics": {"m": "x"}}]),
    ]
    frame = TINKER.read([_write(tmp_path / "a.jsonl", rows)], AuditSettings()).frame.collect()
    assert frame["metrics.m"].to_list() == ["1.0", None, "x"]  # not a number everywhere, so text
    assert frame["ac_len"].to_list() == [None, 0.0, None]
    assert frame["step_reward"].to_list() == [1.0, 0.0, None]
    assert frame["group"].to_list() == ["train/0", "rollouts/0", "train/0"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"total_reward": "1"}, "'total_reward' must be a number"),
        ({"steps": {}}, "'steps' must be a list of objects"),
        ({"steps": [1]}, "'steps' must be a list of objects"),
        ({"steps": [{"metrics": [1]}]}, "'metrics' must be an object"),
        ({"steps": [{"reward": "x"}]}, "'reward' must be a number"),
        ({"trajectory_metrics": 3}, "'trajectory_metrics' must be an object"),
        ({"group_idx": None}, "'group_idx' must be a whole number"),
        ({"iteration": True}, "'iteration' must be a whole number"),
    ],
)
def test_a_bad_line_is_named(tmp_path, change, what):
    path = _write(tmp_path / "a.jsonl", [_row(), _row(**change)])
    with pytest.raises(TableError) as caught:
        load_rollouts(path, AuditSettings(format="tinker"))
    assert f"{path}, line 2: {what}" in str(caught.value)


def test_an_empty_iteration_is_counted(tmp_path):
    _write(tmp_path / "iteration_0" / "train_rollout_summaries.jsonl", [_row(), _row(traj_idx=1)])
    _write(tmp_path / "iteration_1" / "train_rollout_summaries.jsonl", [])
    reading = TINKER.read(find_tables(tmp_path), AuditSettings())
    assert [(item.count, item.unit) for item in reading.skipped] == [(1, "files")]
    with pytest.raises(TableError, match="no rows"):
        TINKER.read(find_tables(tmp_path / "iteration_1"), AuditSettings())


def test_broken_files_raise_nothing_else(tmp_path):
    assert 0 < survivors(list(find_tables(TRAIN)), tmp_path, "tinker", count=120, seed=2) < 120
