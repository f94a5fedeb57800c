"""`policycliff theorems` as a person runs it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from policycliff import MDP
from policycliff.cli.main import app
from policycliff.mdp.files import save_mdp
from policycliff.statements import registry, run
from policycliff.statements.statement import Claim, Outcome

runner = CliRunner()
QUICK = ["theorems", "--only", "Prop 2.4", "--only", "Lemma 4.2"]


def test_the_table_names_the_statements() -> None:
    result = runner.invoke(app, QUICK)
    assert result.exit_code == 0, result.output
    assert "Prop 2.4" in result.stdout
    assert "2 statements on the built-in instances (seed 0): none is contradicted." in " ".join(result.stdout.split())


def test_files_are_written_and_named(tmp_path: Path) -> None:
    paths = [tmp_path / "t.json", tmp_path / "t.html"]
    result = runner.invoke(app, [*QUICK, "--instances", "3", "--json", str(paths[0]), "--html", str(paths[1])])
    assert result.exit_code == 0, result.output
    figures = json.loads(paths[0].read_text())
    assert figures["settings"] == {"seed": 0, "instances": 3}
    assert figures["figures"]["cliff"]["instance"] == "tied chain"
    assert "<html" in paths[1].read_text()


def test_json_to_the_standard_output_stands_alone() -> None:
    result = runner.invoke(app, [*QUICK, "--json", "-"])
    assert result.exit_code == 0
    assert [row["number"] for row in json.loads(result.stdout)["statements"]] == ["Prop 2.4", "Lemma 4.2"]


def test_quiet_prints_nothing() -> None:
    result = runner.invoke(app, [*QUICK, "--quiet"])
    assert (result.exit_code, result.output) == (0, "")


def test_the_list_names_all(tmp_path: Path) -> None:
    result = runner.invoke(app, ["theorems", "--list"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(registry.STATEMENTS)


def test_the_user_s_own_mdp_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    save_mdp(MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.5), path)
    result = runner.invoke(app, ["theorems", "--mdp", str(path), "--only", "Prop 2.10", "--only", "Thm 2.7"])
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "hypothesis not met" in text
    assert "2 statements on your MDP" in text


def test_any_source_will_do_and_its_components_are_used(tmp_path: Path) -> None:
    """A file of Storm's with two rewards: the effective one is that of its equal weights, whose two actions tie."""
    text = (
        "@type: MDP\n@parameters\n\n@reward_models\nfirst second\n@nr_states\n1\n@nr_choices\n2\n@model\n"
        "state 0 [0, 0] init\n\taction a [1, 0]\n\t\t0 : 1\n\taction b [0, 1]\n\t\t0 : 1\n"
    )
    (tmp_path / "two.drn").write_text(text)
    given = ["theorems", "--mdp", str(tmp_path / "two.drn"), "--gamma", "0.5", "--only", "Prop 4.6", "--json", "-"]
    result = runner.invoke(app, given)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["statements"][0]
    assert found["counts"]["holds"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mdp", "mine.csv"], "a file that ends in"),
        (["--set", "is_slippery=false", "--mdp", "nowhere.npz"], "options for environments only"),
        (["--only", "Prop 7.7"], "Prop 7.7"),
        (["--mdp", "nowhere.npz"], "nowhere.npz"),
        (["--json", "no/such/folder/x.json"], "does not exist"),
        (["--html", "-"], "--html - is not possible: give a file"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    result = runner.invoke(app, ["theorems", *arguments])
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_contradiction_ends_with_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    false = replace(registry.STATEMENTS[0], check=lambda instance: Outcome(claims=(Claim("wrong", 0.0, 1.0),)))
    monkeypatch.setattr(run, "STATEMENTS", (false,))
    result = runner.invoke(app, ["theorems"])
    assert result.exit_code == 1
    assert "outcomes contradict them" in " ".join(result.stdout.split())
