"""An audit in parts that is stopped leaves nothing behind: not in the temporary folder, and no half of a file."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from same_figures import ROLES, left_in

from policycliff.rollouts.audit import audit_table, settings_from_options
from policycliff.rollouts.parts.opened import Work

STAGES = ("reading", "survey", "figures", "intervals", "verdict", "done")


def table(rows: int) -> pl.DataFrame:
    row = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {
            "prompt": pl.select(pl.format("question {}", row % (rows // 8))).to_series(),
            "completion": pl.select(pl.format("an answer of some length, number {}", row * 7 % 1001)).to_series(),
            "one": (row * 7 % 11) / 10,
            "two": (row * 5 % 13) / 10,
        }
    )


class StoppedError(Exception):
    """What a caller's own progress bar may raise."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoppedError])
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_progress_raises_at_any_stage_leaves_nothing(stage, error, tmp_path):
    seen = []

    def report(name: str, share: float) -> None:
        seen.append((name, bool(left_in(tmp_path))))
        if name == stage:
            raise error

    with pytest.raises(error):
        audit_table(table(64), settings_from_options(ROLES), Work(executor="disk", parts=3, folder=tmp_path), report)
    assert seen[-1] == (stage, True), "there was nothing to leave behind"
    assert not left_in(tmp_path)


def test_progress_only_goes_forward(tmp_path):
    seen = []
    work = Work(executor="disk", parts=3, folder=tmp_path)
    audit_table(table(64), settings_from_options(ROLES), work, lambda name, share: seen.append((name, share)))
    assert list(dict.fromkeys(name for name, _ in seen)) == list(STAGES)
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert seen[-1] == ("done", 1.0)


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A table whose audit takes some seconds."""
    path = tmp_path_factory.mktemp("large") / "table.parquet"
    table(240_000).write_parquet(path)
    return path


def started(large: Path, folder: Path) -> subprocess.Popen[str]:
    """The audit under way: the temporary folder has something to leave behind."""
    (folder / "temporary").mkdir()
    asked = ["audit", str(large), "--executor", "disk", "--temporary-folder", str(folder / "temporary"), "--quiet"]
    outputs = ["--json", str(folder / "a.json"), "--html", str(folder / "a.html"), "--drop-list", str(folder / "a.csv")]
    # Several parts, as of a table that needs them.
    program = (
        "from policycliff.rollouts.reading import size; size.ROWS_A_PART = 60_000\n"
        "from policycliff.cli.main import main; main()"
    )
    command = [sys.executable, "-c", program, *asked, "--reward", "one", "--reward", "two=0.5", *outputs]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = time.monotonic() + 60
    while not left_in(folder / "temporary") and running.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.02)
    return running


def assert_all_written(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "a.html", "a.json", "temporary"]
    assert json.loads((folder / "a.json").read_text())["settings"]["parts"] == 4
    assert (folder / "a.html").read_text().rstrip().endswith("</html>")
    assert pl.read_csv(folder / "a.csv").columns[0] == "prompt"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_signal_at_a_random_moment_ends_it_cleanly(number, share, large, tmp_path):
    running = started(large, tmp_path)
    time.sleep(share + 0.2 * random.Random(f"{number} {share}").random())
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    word, code = ("interrupted", 130) if number == signal.SIGINT else ("terminated", 143)
    assert not left_in(tmp_path / "temporary")
    if share and running.returncode == 0:  # a fast machine was done before
        assert_all_written(tmp_path)
        return
    assert (running.returncode, said) == (code, f"policycliff: {word}; nothing was written.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_without_a_signal_it_writes_all_of_them(large, tmp_path):
    running = started(large, tmp_path)
    _, said = running.communicate(timeout=120)
    assert (running.returncode, said) == (0, "")
    assert_all_written(tmp_path)
    assert not left_in(tmp_path / "temporary")
