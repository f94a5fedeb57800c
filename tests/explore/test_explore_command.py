"""`policycliff explore` as a person runs it: what it refuses, what it prints, and how it ends."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest
from audit_examples import rollouts
from typer.testing import CliRunner
from visitor import served

from policycliff.cli import explore
from policycliff.cli.main import app
from policycliff.errors import TableError
from policycliff.report.redact import redacted
from policycliff.rollouts.audit import audit

DATA = Path(__file__).parents[1] / "data"
OPTIONS = {"rewards": {"passes": 1.0, "style": 0.2}, "truth": "correct"}
runner = CliRunner()


@pytest.fixture(autouse=True)
def unserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is wrongly accepted must not be served for ever."""
    monkeypatch.setattr(explore, "_serve", lambda server: None)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    rollouts().write_parquet(path)
    return path


@pytest.fixture
def saved(table: Path) -> Path:
    path = table.with_name("audit.json")
    path.write_text(json.dumps(audit(table, **OPTIONS).to_dict()))
    return path


def fails(arguments: list[str | Path], message: str) -> None:
    """The command ends with code 2 and one line on standard error that holds the message."""
    result = runner.invoke(app, ["explore", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert message in result.stderr, result.stderr
    assert result.stderr.startswith("policycliff: error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_table_that_is_gone_or_unreadable_is_said_with_the_remedy(table: Path, saved: Path) -> None:
    table.write_bytes(b"PAR1 not a table")
    fails([saved], "cannot be read as Parquet")
    table.unlink()
    fails([saved], f"the audited table, {table}, is not there. Give the audit's own table with --table")
    fails([saved, "--table", table.with_name("other.parquet")], "other.parquet does not exist")


def without_third(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the third prompt are of the first one."""
    renamed = {"prompt_id": {"p02": "p00"}, "prompt": {"Question 2?": "Question 0?"}}
    return rows.with_columns(pl.col(name).replace(names) for name, names in renamed.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.head(300), "300 rows read, 360 then"),
        (without_third, "29 prompts, 30 then"),
        (lambda rows: rows.rename({"model": "wrote"}), "source is no column, and was model"),
        (lambda rows: rows.with_columns(passes=pl.lit(1.0)), "tied prompts, "),
        (lambda rows: rows.with_columns(passes=pl.lit(None, dtype=pl.Float64)), "359 completions, 360 then"),
        (lambda rows: rows.drop("style"), "style"),
    ],
)
def test_a_table_that_has_changed_is_refused(table: Path, saved: Path, change, message: str) -> None:
    change(rollouts()).write_parquet(table)
    result = runner.invoke(app, ["explore", str(saved)])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "--table" in result.stderr
    assert result.stdout == ""


def test_the_table_may_be_elsewhere_and_in_several_files(table: Path, saved: Path) -> None:
    rows = rollouts()
    rows.head(100).write_parquet(table.with_name("moved-1.parquet"))
    rows.tail(260).write_parquet(table.with_name("moved-2.parquet"))
    table.unlink()
    moved = tuple(str(table.with_name(f"moved-{number}.parquet")) for number in (1, 2))
    with served(json.loads(saved.read_text()), tables=moved) as found:
        assert found.get("/prompts").status == 200
    fails([saved, "--table", moved[0]], "100 rows read, 360 then")


def test_results_without_prompts_are_refused(table: Path, saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(redacted(json.loads(saved.read_text()))))
    fails([other], "the audit was redacted")
    made = runner.invoke(
        app, ["compare", "passes", "style", "--in", str(table), "--permutations", "9", "--json", str(other)]
    )
    assert made.exit_code == 0, made.output
    fails([other], "is no audit")
    other.write_text("{}")
    fails([other], "not what policycliff writes")
    fails([tmp_path / "none.json"], "does not exist")


def test_a_frame_of_no_file_is_asked_for(table: Path, tmp_path: Path) -> None:
    result = audit(rollouts(), **OPTIONS).to_dict()
    saved = tmp_path / "frame.json"
    saved.write_text(json.dumps(result))
    fails([saved], "a Polars data frame, is not there")
    with served(result, tables=(str(table),)) as found:
        assert found.get("/prompts").status == 200


def test_bad_folders_and_ports_are_refused(saved: Path, tmp_path: Path) -> None:
    fails([saved, "--executor", "disk", "--temporary-folder", tmp_path / "none"], "is no folder")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fails([saved, "--port", str(taken.getsockname()[1])], "Give another port")
    assert runner.invoke(app, ["explore", str(saved), "--port", "65536"]).exit_code == 2
    assert runner.invoke(app, ["explore", str(saved), "--executor", "ray"]).exit_code == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("formats/trl/text", {}),
        ("formats/trl/normalised_first", {}),
        ("formats/trl/unscaled", {"missing": "zero"}),
        ("formats/verl/v1", {}),
        ("formats/verl/legacy", {}),
        ("formats/tinker/run", {}),
        ("formats/nemo_rl/turns", {}),
        ("formats/hf_dataset/rollouts", {}),
        ("formats/verifiers_results/new/results.jsonl", {}),
        ("formats/wide/lists.parquet", {}),
        ("formats/wide/arena.csv", {}),
        ("formats/preferences/plain.csv", {}),
        ("formats/inspect/small.json", {}),
        ("math_rm.parquet", {"rewards": ["rm_score"], "behaviour": "extracted_answer", "sample": 20, "seed": 3}),
        ("math_rm.parquet", {"rewards": {"rm_score": -2.0}, "truth": "correct", "noise": 0.1, "missing": "zero"}),
        ("math_rm.parquet", {"rewards": ["twice"], "derive": {"twice": "2 * rm_score"}, "max_reward": {"twice": 1e3}}),
    ],
)
@pytest.mark.parametrize("executor", ["memory", "disk"])
def test_every_kind_of_audit_is_read_again_as_it_was(name: str, options: dict, executor: str, tmp_path: Path) -> None:
    result = json.loads(json.dumps(audit(DATA / name, **options).to_dict()))
    work = explore.Work(executor=executor, parts=3 if executor == "disk" else None, folder=tmp_path)
    tables = (str(DATA / name),) if " files, " in result["settings"]["table"] else ()
    with served(result, tables=tables, work=work) as found:
        prompts = found.exploration.index.prompts
        effective = result["rewards"]["effective"]
        assert len(prompts) == result["counts"]["prompts"]
        assert prompts["consequential"].sum() == (effective["consequential_share"] or {"count": 0})["count"]
        assert prompts["unique"].sum() == effective["radius"]["unique_share"]["count"]
        listed = {item["row"]: item["reason"] for item in result["advice"]["drop_list"]}
        assert dict(prompts.filter(pl.col("dropped").is_not_null()).select("row", "dropped").iter_rows()) == listed
        for place in (1, len(prompts)):
            assert found.get(f"/prompts/{place}").status == 200


def test_a_browser_is_opened_by_way_of_a_file_that_hides_the_token(saved: Path, monkeypatch, capsys) -> None:
    opened = []

    def look(address: str) -> None:
        path = Path(urlsplit(address).path)
        opened.append((address, path.read_text(), path.parent.stat().st_mode & 0o777))

    monkeypatch.setattr(explore.webbrowser, "open", look)
    explore.run_explore_command(saved, [], explore.Work(), port=0, open_browser=True, quiet=True)
    [(address, page, mode)] = opened
    printed = capsys.readouterr().out
    assert address.startswith("file://")
    assert f"url={printed.strip()}" in page
    assert mode == 0o700
    assert not Path(urlsplit(address).path).exists()
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert explore._has_display() is (sys.platform in {"darwin", "win32"})
    monkeypatch.setenv("DISPLAY", ":0")
    assert explore._has_display()


def started(saved: Path, folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The command under way, and the address that it printed."""
    options = ["--executor", "disk", "--temporary-folder", str(folder), "--no-open"]
    # A shell that runs the tests in the background lets its children ignore Ctrl-C.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from policycliff.cli.main import main; main()"
    )
    command = [sys.executable, "-c", program, "explore", str(saved), *options]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_ends_when_it_is_told_to_and_leaves_nothing(saved: Path, tmp_path: Path, number: int, code: int) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    child, address = started(saved, folder)
    parts = urlsplit(address)
    assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/")
    assert list(folder.iterdir())
    assert parts.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    connection.request("GET", f"/?{parts.query}")
    cookie = connection.getresponse().getheader("Set-Cookie", "").partition(";")[0]
    connection.close()
    connection.request("GET", "/prompts/3", headers={"Cookie": cookie})
    assert "p02" in connection.getresponse().read().decode()
    # One that is connected and asks nothing does not hold it up.
    with socket.create_connection(("127.0.0.1", parts.port)):
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    connection.close()
    assert child.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    assert list(folder.iterdir()) == []


def test_a_table_that_changed_is_a_table_error(saved: Path, table: Path) -> None:
    rollouts().head(24).write_parquet(table)
    with pytest.raises(TableError, match="not the one that was audited"), served(json.loads(saved.read_text())):
        pass
