"""`policycliff report`: a saved result is shown as when it was made; what cannot be shown is refused in one line."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from audit_examples import every_result
from test_command_line import AUDIT, MATH, fails, runner

from policycliff.cli.main import app
from policycliff.cli.outputs import json_text

FULL = every_result()["two rewards, truth, second scores"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an audit and what it wrote beside it."""
    place = tmp_path_factory.mktemp("audit")
    result = runner.invoke(app, [*AUDIT, *(f"--{kind}={place / f'a.{kind}'}" for kind in ("json", "html", "markdown"))])
    assert result.exit_code == 0, result.output
    assert "Comment: " in result.stdout
    (place / "shown.txt").write_text(result.stdout)
    return place


def report(*arguments: str | Path, **more: Any) -> str:
    result = runner.invoke(app, ["report", *map(str, arguments)], **more)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_terminal_report_is_that_of_the_audit(folder: Path) -> None:
    shown = report(folder / "a.json")
    assert "VERDICT" in shown
    assert (folder / "shown.txt").read_text().startswith(shown)


def test_page_comment_and_json_are_those_of_the_audit(folder: Path, tmp_path: Path) -> None:
    given = [f"--{kind}={tmp_path / f'b.{kind}'}" for kind in ("json", "html", "markdown")]
    said = report(folder / "a.json", *given)
    assert "VERDICT" not in said
    for kind, name in (("json", "Figures"), ("html", "Report"), ("markdown", "Comment")):
        assert f"{name}: " in said
        assert (tmp_path / f"b.{kind}").read_bytes() == (folder / f"a.{kind}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


def test_from_the_input_to_the_output(folder: Path) -> None:
    saved = (folder / "a.json").read_text()
    assert report("-", "--markdown", "-", input=saved) == (folder / "a.markdown").read_text()
    assert report("-", "--json", "-", input=saved) == saved
    assert report("-", "--quiet", input="\ufeff" + saved) == ""


def test_other_results_are_shown_as_when_they_were_made(tmp_path: Path) -> None:
    commands = {
        "answer": ["compare", "rm_score", "vote_share", "--in", MATH, "--permutations", "9"],
        "mdp": ["mdp", "analyze", "FrozenLake-v1"],
        "theorems": ["theorems", "--only", "Prop 2.9"],
    }
    for name, command in commands.items():
        saved, page = tmp_path / f"{name}.json", tmp_path / f"{name}.html"
        made = runner.invoke(app, [*command, "--json", str(saved), "--html", str(page)])
        assert made.exit_code == 0, made.output
        assert made.stdout.startswith(report(saved)), name
        again = tmp_path / "again.html"
        report(saved, "--html", again)
        assert again.read_bytes() == page.read_bytes(), name
        assert "###" in report(saved, "--markdown", "-")
        fails(["report", str(saved), "--redact"], "--redact is for audits")


def test_nothing_with_texts_is_written_where_the_audit_is_redacted(tmp_path: Path, folder: Path) -> None:
    kinds = ("json", "html", "markdown")
    made = runner.invoke(app, [*AUDIT, "--redact", *(f"--{kind}={tmp_path / f'a.{kind}'}" for kind in kinds)])
    assert made.exit_code == 0, made.output
    report(folder / "a.json", "--redact", *(f"--{kind}={tmp_path / f'b.{kind}'}" for kind in kinds))
    first = json.loads((folder / "a.json").read_text())["prompts_to_look_at"][0]
    texts = [first["competing"][0]["text"][:40], first["prompt"], first["competing"][0]["behaviour"]]
    assert all(len(text) > 1 for text in texts[:2])
    for kind in kinds:
        content = (tmp_path / f"a.{kind}").read_bytes()
        assert content == (tmp_path / f"b.{kind}").read_bytes()
        assert b"redacted" in content
        assert b"math_rm" not in content
    assert "math_rm" not in made.stdout
    again = json.loads((tmp_path / "a.json").read_text())["prompts_to_look_at"][0]
    assert [again["competing"][0]["text"], again["prompt"], again["competing"][0]["behaviour"]] == ["[redacted]"] * 3
    assert again["competing"][0]["row"] == first["competing"][0]["row"]


def test_a_drop_list_names_prompts(tmp_path: Path) -> None:
    fails([*AUDIT, "--redact", "--drop-list", str(tmp_path / "d.csv")], "--drop-list writes the names of prompts")


def changed(**paths: Any) -> str:
    tree = copy.deepcopy(FULL)
    for path, value in paths.items():
        *parents, last = path.split("__")
        place = tree
        for step in parents:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return json.dumps(tree)


BAD = {
    "an empty file": ("", "is empty. Give a file that --json wrote."),
    "blanks": (" \n", "is empty"),
    "cut short": (json_text(FULL)[:5000], "ends before its JSON does (line "),
    "cut within a text": ('{"schema_version": 1, "settings": {"prompt": "pro', "it was cut short. Copy or write"),
    "no JSON": ("prompt,completion\n", "is not JSON (line 1, column 1: Expecting value)"),
    "a page": ("<!DOCTYPE html>", "is a page, not a saved result"),
    "a table": ('{"prompt": "p"}\n{"prompt": "q"}\n', "holds more than one JSON value (line 2, column 1)"),
    "another JSON": ('{"a": 1}', "is JSON, but not what policycliff writes"),
    "a list": ("[1, 2]", "is JSON, but not what policycliff writes"),
    "a number": ("3", "is JSON, but not what policycliff writes"),
    "an older one": (changed(schema_version=0), "by an older policycliff: its schema_version is 0, this one reads 1"),
    "a newer one": (changed(schema_version=7), "by a newer policycliff: its schema_version is 7, this one reads 1. U"),
    "no version": (changed(schema_version=...), "schema_version is missing. Was it edited by hand?"),
    "a version in words": (changed(schema_version="1"), 'schema_version is the text "1"; expected an integer'),
    "a missing key": (changed(rewards__effective__tied_share=...), "rewards.effective.tied_share is missing."),
    "a wrong type": (changed(verdict={}), "verdict is an object of 0; expected a list."),
    "NaN": (changed(advice__beta=float("nan")), "advice.beta is nan; expected a number."),
    "a great share": (
        changed(rewards__effective__tied_share__value=1.5),
        "rewards.effective.tied_share.value is 1.5; expected a number from 0 to 1 or null. Was it edited by hand? "
        "Write it again: policycliff audit ... --json OUT.",
    ),
    "deep": ("[" * 100_000, "is no JSON that --json wrote"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("outputs", [[], ["--html", "OUT"]])
def test_what_cannot_be_shown_is_refused_in_one_line(name: str, outputs: list[str], tmp_path: Path) -> None:
    content, message = BAD[name]
    file = tmp_path / "a.json"
    file.write_text(content)
    given = [str(tmp_path / "out.html") if word == "OUT" else word for word in outputs]
    fails(["report", str(file), *given], message)
    fails(["report", str(file), *given], str(file))
    assert list(tmp_path.iterdir()) == [file]


def test_files_that_are_no_files(tmp_path: Path) -> None:
    fails(["report", str(tmp_path / "none.json")], "none.json does not exist. Give a file that --json wrote.")
    fails(["report", str(tmp_path)], "Is a directory")
    fails(["report", MATH], "is a Parquet file, not a saved result")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\xfa\x00\xd8")
    fails(["report", str(tmp_path / "a.json")], "a.json is ")


def test_parts_that_do_not_fit_each_other(tmp_path: Path) -> None:
    tree = copy.deepcopy(FULL)
    del tree["steps"]
    tree["steps"] = [{**copy.deepcopy(every_result()["behaviours, steps, given noise"]["steps"][0])} for _ in range(2)]
    del tree["steps"][1]["best_changed_share"]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(tree))
    fails(["report", str(file), "--html", str(tmp_path / "a.html")], "parts of it do not fit each other (KeyError")
    assert not (tmp_path / "a.html").exists()


def test_unknown_keys_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(FULL))
    before = report(file)
    file.write_text(json.dumps(FULL | {"new": {"x": [1, "y"]}}))
    assert report(file) == before


def test_the_result_is_not_written_over(folder: Path) -> None:
    fails(["report", str(folder / "a.json"), "--json", str(folder / "a.json")], "is the same file as the input")
    fails(["report", str(folder / "a.json"), "--json", "-", "--markdown", "-"], "cannot both go to the standard output")
