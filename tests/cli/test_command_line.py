"""The command as a person runs it: exit codes, one clear line for bad input, files whole or absent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from policycliff.cli import audit
from policycliff.cli.main import app

DATA = Path(__file__).parent.parent / "data"
MATH = str(DATA / "math_rm.parquet")
AUDIT = ["audit", MATH, "--reward", "rm_score", "--truth", "correct", "-b", "extracted_answer"]
runner = CliRunner()


def fails(arguments: list[str], message: str) -> None:
    """The command ends with code 2 and one line on standard error that holds the message."""
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr, result.stderr
    assert result.stderr.startswith("policycliff: error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_an_audit_prints_its_verdict_and_writes_its_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a.json", tmp_path / "a.html", tmp_path / "drop.csv"]
    result = runner.invoke(
        app, [*AUDIT, "--json", str(paths[0]), "--html", str(paths[1]), "--drop-list", str(paths[2])]
    )
    assert result.exit_code == 0, result.output
    assert "VERDICT" in result.stdout
    assert all(str(path) in result.stdout.replace("\n", "") for path in paths)
    figures = json.loads(paths[0].read_text())
    assert figures["schema_version"] == 1
    assert figures["counts"]["prompts"] == 70
    assert figures["settings"]["columns"]["group"] == {
        "column": "prompt_id",
        "origin": "guessed",
        "size": None,
        "size_origin": "absent",
    }
    assert "<html" in paths[1].read_text()
    assert paths[2].read_text().startswith("prompt,reason,row,step\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.json", "drop.csv"]


def test_json_to_the_standard_output_stands_alone() -> None:
    result = runner.invoke(app, [*AUDIT, "--json", "-"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rewards"]["effective"]["tied_share"]["value"] == 0


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    result = runner.invoke(app, [*AUDIT, "--quiet", "--json", str(tmp_path / "a.json")])
    assert (result.exit_code, result.output) == (0, "")


def test_a_dry_run_says_how_the_table_is_understood_and_writes_nothing(tmp_path: Path) -> None:
    result = runner.invoke(app, [*AUDIT, "--dry-run", "--json", str(tmp_path / "a.json")])
    assert result.exit_code == 0
    for words in ("prompt_id", "guessed", "70 prompts, 560 completions", "nothing was written"):
        assert words in result.stdout
    assert list(tmp_path.iterdir()) == []
    as_json = runner.invoke(app, [*AUDIT, "--dry-run", "--json", "-"])
    assert json.loads(as_json.stdout)["prompts"] == 70


def test_options_reach_the_settings(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"prompt": ["p"] * 4, "completion": list("abcd"), "a=b": [1.0, 2.0, 3.0, None], "my col": [0.5] * 4}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    options = ["--reward", '"a=b"=0.5', "--reward", "my col=2", "--reward", "len", "--derive", "len=LENGTH(completion)"]
    options += ["--max-reward", "my col=1", "--main-reward", '"a=b"', "--noise", "my col=0.1", "--missing", "zero"]
    options += ["--aggregation", "normalize_then_sum", "--epsilon", "1e-6", "--beta", "2", "--reward-error", "0.5"]
    options += ["--max-shift", "0.2", "--sample", "5", "--look-at", "1", "--seed", "3", "--prompt", '"prompt"', "-q"]
    result = runner.invoke(app, ["audit", str(tmp_path / "t.parquet"), *options, "--json", "-"])
    assert result.exit_code == 0, result.output
    settings = json.loads(result.stdout)["settings"]
    assert settings["rewards"] == {"a=b": 0.5, "my col": 2.0, "len": 1.0}
    expected = {
        "prompt": "prompt",
        "max_reward": {"my col": 1.0},
        "main_reward": "a=b",
        "noise": {"my col": 0.1},
        "missing": "zero",
        "aggregation": "normalize_then_sum",
        "epsilon": 1e-6,
        "beta": 2.0,
        "reward_error": 0.5,
        "max_shift": 0.2,
        "sample": 5,
        "look_at": 1,
        "seed": 3,
        "derive": {"len": "LENGTH(completion)"},
    }
    assert {name: settings[name] for name in expected} == expected


def test_the_command_line_beats_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('reward = ["rm_score=2"]\ntruth = "correct"\nseed = 5\nnoise = 0.5\nfail_on = ["tied_share>=0"]\n')
    arguments = ["audit", MATH, "--settings", str(file), "--json", "-"]
    from_file = runner.invoke(app, arguments)
    assert from_file.exit_code == 1
    settings = json.loads(from_file.stdout)["settings"]
    assert (settings["rewards"], settings["seed"], settings["noise"]) == ({"rm_score": 2.0}, 5, {"*": 0.5})
    options = ["--reward", "vote_share", "--seed", "6", "--noise", "none", "--fail-on", "tied_share>1"]
    beaten = runner.invoke(app, [*arguments, *options])
    assert beaten.exit_code == 0
    settings = json.loads(beaten.stdout)["settings"]
    assert (settings["rewards"], settings["seed"], settings["noise"]) == ({"vote_share": 1.0}, 6, None)
    assert settings["truth"] == "correct"


def test_several_tables_may_be_named(tmp_path: Path) -> None:
    frame = pl.read_parquet(MATH)
    frame.head(280).write_parquet(tmp_path / "1.parquet")
    frame.tail(280).write_parquet(tmp_path / "2.parquet")
    named = [str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")]
    for tables in (named, [str(tmp_path)], [str(tmp_path / "*.parquet")]):
        result = runner.invoke(app, ["audit", *tables, "--reward", "rm_score", "--dry-run"])
        assert "70 prompts, 560 completions" in result.stdout


def test_fail_on_says_which_condition_holds_and_still_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    conditions = ["--fail-on", "zero_spread_share>0.5", "--fail-on", "rewards.rm_score.tied_share<=0"]
    result = runner.invoke(app, [*AUDIT, "--quiet", "--json", str(path), *conditions])
    assert result.exit_code == 1
    assert (
        result.stderr
        == "policycliff: --fail-on rewards.rm_score.tied_share<=0 holds: rewards.rm_score.tied_share is 0.\n"
    )
    assert path.exists()


def test_an_unknown_figure_lists_near_ones() -> None:
    result = runner.invoke(app, [*AUDIT, "--quiet", "--fail-on", "tied_shar>0.3"])
    assert result.exit_code == 2
    assert "the result has no such figure. Near it: rewards.effective.tied_share" in result.stderr


def test_a_condition_of_wrong_form_is_refused_before_the_work() -> None:
    fails([*AUDIT, "--fail-on", "tied_share=0.3"], "expected KEY>NUMBER")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reward", "nothing"], "no column 'nothing' (reward)"),
        (["--reward", "rm_score=x"], "the weight must be a finite number"),
        (["--reward", "rm_score", "--reward", "rm_score=2"], "reward 'rm_score' is given twice"),
        (["--reward", "rm_score", "--prompt", "promt"], "Did you mean 'prompt'?"),
        (["--reward", "rm_score", "--truth", "truth"], "no column 'truth' (truth)"),
        (["--reward", "extracted_answer"], "reward column 'extracted_answer' is not numeric"),
        (["--reward", "rm_score", "--truth", "level"], "truth column 'level' is not numeric"),
        (["--reward", "rm_score", "--rerun", "rm_score=gold_answer"], "rerun column 'gold_answer'"),
        (["--reward", "rm_score", "--group", "prompt", "--group-size", "8"], "cannot both be given"),
        (["--reward", "rm_score", "--group-size", "0"], "group_size must be"),
        (["--reward", "rm_score", "--group-size", "1000"], "no row is left to audit"),
        (["--reward", "rm_score", "--derive", "x"], "expected NAME=SQL"),
        (["--reward", "rm_score", "--derive", "x=rm_score +"], "derive 'x'"),
        (["--reward", "rm_score", "--max-reward", "rm_score"], "expected NAME=NUMBER"),
        (["--reward", "rm_score", "--max-reward", "rm=1"], "which is not one of the rewards"),
        (["--reward", "rm_score", "--noise", "much"], "expected a number, NAME=NUMBER, auto or none"),
        (["--reward", "rm_score", "--max-shift", "2"], "max_shift must lie strictly between 0 and 1"),
        (["--reward", "rm_score", "--settings", "nothing.toml"], "settings file nothing.toml does not exist"),
        (["--reward", "rm_score=0"], "every reward has weight 0"),
    ],
)
def test_bad_options_end_with_code_2_and_one_line(options: list[str], message: str) -> None:
    fails(["audit", MATH, *options], message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.parquet", b"", "is empty (0 bytes)"),
        ("b.parquet", b"PAR1 broken PAR1", "cannot be read as Parquet"),
        ("b.jsonl", b'{"prompt": "p", "reward": 1}\n{"prompt"', "line 2: not valid JSON"),
        ("b.csv", b"prompt,reward\np,good\n", "is not numeric: row 1"),
        ("b.txt", b"hello", "suffix that is not a table's"),
        ("h.csv", b"prompt,reward\n", "has columns but no rows"),
        ("n.csv", b"prompt,x\np,1\n", "no reward column found by name. Say which to audit"),
        ("g.csv", b"reward\n1\n", "nothing says which rows belong together"),
        ("s.csv", b"prompt,reward\np,1\nq,2\n", "two completions"),
        ("m.csv", b"prompt,reward\np,NaN\np,inf\n", "no row is left to audit of 2"),
    ],
)
def test_bad_tables_end_with_code_2_and_one_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    fails(["audit", str(tmp_path / name), "--json", str(tmp_path / "out.json")], message)
    assert not (tmp_path / "out.json").exists()


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    fails(["audit", str(tmp_path / "no.parquet")], "does not exist. Give a file, a directory or a quoted pattern.")
    fails(["audit", str(tmp_path)], "holds no table")


def test_missing_error_stops_at_the_first_bad_score(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("prompt,reward\np,1\np,\n")
    fails(
        ["audit", str(tmp_path / "t.csv"), "--missing", "error"],
        "column 'reward' has 1 missing, NaN or infinite scores",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json", "{folder}/no/out.json"], "does not exist. Create it first."),
        (["--json", "{folder}/t.parquet"], "is the same file as the input"),
        (["--json", "{folder}/x/../t.parquet"], "is the same file as the input"),
        (["--json", "{folder}/a", "--html", "{folder}/./a"], "is the same file as --json"),
        (["--html", "{folder}/x"], "is a directory; give a file"),
        (["--html", "-"], "--html - is not possible: give a file"),
        (["--drop-list", "/dev/null"], "is not a regular file"),
    ],
)
def test_impossible_outputs_are_found_before_the_work(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    table = tmp_path / "t.parquet"
    table.write_bytes(Path(MATH).read_bytes())
    monkeypatch.setattr(audit, "audit_table", lambda *_: pytest.fail("the work began"))
    fails(["audit", str(table), *(option.format(folder=tmp_path) for option in options)], message)
    assert table.read_bytes() == Path(MATH).read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_found_before_the_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    fails([*AUDIT, "--json", str(tmp_path / "a.json")], "is not writable")


def test_a_failure_after_the_work_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")  # a full disk names no file

    monkeypatch.setattr(os, "fsync", full)
    fails(
        [*AUDIT, "-q", "--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html")],
        "a.json: No space left on device",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_an_interrupt_ends_with_130_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "audit_table", interrupted)
    result = runner.invoke(app, [*AUDIT, "--json", str(tmp_path / "a.json")])
    assert result.exit_code == 130
    assert result.stderr == "policycliff: interrupted; nothing was written.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(audit, "audit_table", broken)
    assert isinstance(runner.invoke(app, AUDIT).exception, ZeroDivisionError)


def test_the_demo_writes_its_report_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["demo", "--json", "demo.json"])
    assert result.exit_code == 0, result.output
    assert "Report: policycliff-report.html" in result.stdout
    assert (tmp_path / "policycliff-report.html").stat().st_size > 100_000
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert figures["counts"]["prompts"] == 115
    assert figures["rewards"]["effective"]["tied_share"]["value"] > 0.5


def test_control_characters_of_the_data_do_not_reach_the_terminal(tmp_path: Path) -> None:
    name = "re\x1b[31mward\n[bold]x"
    pl.DataFrame({"prompt": ["p", "p"], name: [1.0, 0.0]}).write_parquet(tmp_path / "t.parquet")
    table = str(tmp_path / "t.parquet")
    for options in (["--reward", name, "--dry-run"], ["--reward", name], ["--reward", "y"]):
        output = runner.invoke(app, ["audit", table, *options]).output
        assert "\x1b" not in output
        assert "[bold]" in output.replace("\n", "")
    condition = runner.invoke(
        app, ["audit", table, "--reward", name, "-q", "--fail-on", f"rewards.{name}.tied_share>=0"]
    )
    assert "\x1b" not in condition.stderr
    assert condition.exit_code == 1


def test_usage_errors_are_typers() -> None:
    for arguments in (["audit"], ["audit", MATH, "--bogus"], ["nothing"], ["audit", MATH, "--missing", "maybe"]):
        assert runner.invoke(app, arguments).exit_code == 2


def _process(*arguments: str, **more: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]


def test_the_command_answers_before_anything_heavy_is_imported() -> None:
    heavy = ("polars", "numpy", "numba", "scipy", "plotly", "pandas", "pyarrow")
    code = f"import sys, policycliff.cli.main; print([name for name in {heavy} if name in sys.modules])"
    assert _process("-c", code).stdout.strip() == "[]"


def test_as_a_process(tmp_path: Path) -> None:
    command = ("-c", "from policycliff.cli.main import main; main()")
    assert _process(*command, "--version").stdout.startswith("policycliff 0.")
    assert _process(*command).returncode in (0, 2)
    broken = _process(*command, "audit", str(tmp_path / "no.parquet"))
    assert broken.returncode == 2
    assert broken.stderr.count("\n") == 1
    assert "Traceback" not in broken.stderr


def test_a_reader_that_closes_early_changes_nothing(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from policycliff.cli.main import main; main()' {' '.join(AUDIT)}"
    options = f"--json {tmp_path}/a.json --fail-on 'tied_share>=0'"
    script = f"{command} {options} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1"
    assert "holds" in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert (tmp_path / "a.json").exists()
