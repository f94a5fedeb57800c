"""The tables of `benchmarks/scale_benchmark.py`, its measuring, and its check of the audit's figures."""

import json
import sys
from collections import defaultdict
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from benchmark_modules import load

scale = load("scale_benchmark")
ROWS = 12_000
PARAMETERS = scale.parameters_of(ROWS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def table(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scale, "BLOCK", 5_000)
        return scale.make_table(folder, PARAMETERS)


@pytest.fixture(scope="module")
def frame(table):
    return pl.read_parquet(table)


def test_a_table_is_deterministic_in_its_seed(table, frame, tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "BLOCK", 5_000)
    assert pl.read_parquet(scale.make_table(tmp_path, PARAMETERS)).equals(frame)
    other = pl.read_parquet(scale.make_table(tmp_path, scale.parameters_of(ROWS, seed=1)))
    assert not other["completion"].is_in(frame["completion"].implode()).any()


def test_every_prompt_has_its_completions_scattered_over_the_file(frame):
    assert frame.height == ROWS
    assert frame["prompt_id"].value_counts()["count"].to_list() == [8] * (ROWS // 8)
    assert frame.select("prompt_id", "prompt").n_unique() == frame["prompt"].n_unique() == ROWS // 8
    reach = frame.with_row_index().group_by("prompt_id").agg(pl.col("index").max() - pl.col("index").min())["index"]
    # Eight places at random span 7/9 of the file.
    assert reach.mean() == pytest.approx(ROWS * 7 / 9, rel=0.05)


def test_another_order_of_the_rows_is_the_same_table(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "BLOCK", ROWS)
    whole = pl.read_parquet(scale.make_table(tmp_path, PARAMETERS))
    assert not whole.equals(frame)
    assert whole.sort(whole.columns).equals(frame.sort(frame.columns))


def test_texts_and_rewards_look_like_real_ones(frame):
    assert 190 < frame["completion"].str.len_chars().mean() < 210
    assert 70 < frame["prompt"].str.len_chars().mean() < 90
    assert 1 - frame["completion"].n_unique() / ROWS == pytest.approx(0.05, abs=0.01)
    assert set(frame["correct"]) == {0.0, 1.0}
    assert set(frame["format"]) == {0.0, 0.5, 1.0}
    assert frame["reward_model"].round(3).equals(frame["reward_model"])
    assert frame.select(pl.corr("correct", "reward_model")).item() > 0.4
    assert frame.select(pl.corr("correct", "truth")).item() > 0.7
    spread = frame.group_by("prompt_id").agg(pl.col("correct").n_unique())["correct"]
    assert 0.3 < (spread == 1).mean() < 0.7


def test_a_table_is_kept_only_for_its_own_parameters(table, folder):
    made = table.stat().st_mtime_ns
    assert scale.make_table(folder, PARAMETERS) == table
    assert table.stat().st_mtime_ns == made
    without = scale.make_table(folder, scale.parameters_of(80, truth=False))
    assert "truth" not in pl.read_parquet_schema(without)
    other = scale.table_path(folder, scale.parameters_of(80))
    without.rename(other)
    scale.make_table(folder, scale.parameters_of(80))
    assert "truth" in pl.read_parquet_schema(other)


def test_rows_that_are_no_whole_prompts_are_refused():
    with pytest.raises(SystemExit, match="whole prompts"):
        scale.parameters_of(12_001)


def by_hand(frame, name):
    """Tied share and share without spread, in fractions."""
    prompts = defaultdict(lambda: defaultdict(list))
    for prompt, text, score in frame.select("prompt_id", "completion", name).iter_rows():
        prompts[prompt][text].append(Fraction(repr(score)))
    tied = flat = 0
    for behaviours in prompts.values():
        means = [sum(scores) / len(scores) for scores in behaviours.values()]
        tied += means.count(max(means)) > 1
        flat += len({score for scores in behaviours.values() for score in scores}) == 1
    return tied / len(prompts), flat / len(prompts)


def test_the_expected_figures_are_those_of_a_plain_loop(table, frame):
    expected = scale.expected_figures(table, PARAMETERS)
    for name in scale.REWARDS:
        shares = expected[f"tied_share.{name}"], expected[f"zero_spread_share.{name}"]
        assert shares == pytest.approx(by_hand(frame, name), abs=1e-12)
    assert expected["mean.correct"] == pytest.approx(np.mean(frame["correct"].to_list()), abs=1e-12)


def test_a_wrong_figure_is_found():
    expected = {"tied_share.correct": 0.25, "mean.truth": 0.5}
    scale.check_figures({"tied_share.correct": 0.25, "mean.truth": 0.5 + 1e-12}, expected)
    for wrong in (0.25 + 1e-8, float("nan")):
        with pytest.raises(SystemExit, match=r"tied_share\.correct"):
            scale.check_figures({"tied_share.correct": wrong}, expected)


def test_the_expected_figures_do_not_depend_on_the_parts(table, monkeypatch):
    whole = scale._tied_and_flat(table, 0, 1)
    parts = pl.concat(scale._tied_and_flat(table, part, 3) for part in range(3))
    assert parts.sum().equals(whole)


CHILD = """
import os, subprocess, sys, tempfile, time
held = b"x" * 150_000_000
grandchild = subprocess.Popen([sys.executable, "-c", "import time; held = b'x' * 100_000_000; time.sleep(1.5)"])
with tempfile.NamedTemporaryFile() as named, tempfile.TemporaryFile() as unnamed:
    for file in (named, unnamed):
        file.write(b"x" * 20_000_000)
        file.flush()
        os.fsync(file.fileno())
    grandchild.wait()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read in /proc")
def test_memory_and_files_of_a_process_and_its_children_are_measured(tmp_path):
    result = scale.measured([sys.executable, "-c", CHILD], tmp_path)
    assert result["status"] == 0
    assert 250e6 / 2**20 < result["peak_mib"] < 350
    assert result["temporary_gib"] == pytest.approx(40e6 / 2**30, rel=0.01)
    assert result["seconds"] > 1.5 > result["processor_seconds"]
    assert scale.folder_bytes(tmp_path) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read in /proc")
def test_a_command_that_holds_too_much_is_stopped(tmp_path):
    command = [sys.executable, "-c", "import time; held = b'x' * 300_000_000; time.sleep(60)"]
    result = scale.measured(command, tmp_path, most_gib=0.2)
    assert result["status"] != 0
    assert result["seconds"] < 30


def test_audits_of_several_sizes_are_measured_and_checked(tmp_path, monkeypatch, capsys):
    checked = []
    check = scale.check_figures
    monkeypatch.setattr(scale, "check_figures", lambda *figures: (checked.append(figures), check(*figures)))
    saved = tmp_path / "saved.json"
    options = ["audit", "--folder", str(tmp_path), "--sizes", "800,1600", "--json", str(saved)]
    monkeypatch.setattr(sys, "argv", ["scale_benchmark.py", *options])
    scale.main()
    # Every expected figure was held against one of the audit's.
    assert [set(audited) == set(expected) for audited, expected in checked] == [True, True]
    results = json.loads(saved.read_text(encoding="utf-8"))
    assert [(result["rows"], result["status"], result["left_over_bytes"]) for result in results] == [
        (800, 0, 0),
        (1600, 0, 0),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in lines[-2:]] == ["800", "1,600"]
    assert lines[-2].split()[4] == "1.00"
    # Only the tables and the figures stay.
    assert len(list(tmp_path.iterdir())) == 3
