"""`policycliff mdp analyze` and `mdp convert` as a person runs them."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from policycliff import MDP, read_source, token_tree, write_source
from policycliff.cli.main import app
from policycliff.cli.mdp import pairs_of, weights_of

runner = CliRunner()
TABLES = Path(__file__).parents[1] / "data" / "momdp_transitions.parquet"


@pytest.fixture
def bandit(tmp_path: Path) -> Path:
    path = tmp_path / "bandit.json"
    names = {"state_names": ["choose"], "action_names": ["a", "b", "c"]}
    write_source(MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.25]], 0.0, initial=[1.0], **names), path)
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = runner.invoke(app, ["mdp", *map(str, arguments)])
    return result.exit_code, " ".join(result.stdout.split()), result.stderr


def test_the_verdict_in_plain_words(bandit: Path) -> None:
    code, text, _ = run("analyze", bandit)
    assert code == 0
    assert "Tied states on the way of an optimal policy: 1 state" in text
    assert "a and b in state 'choose'" in text
    assert "b overtakes a" in text
    assert "Break the ties on purpose" in text


def test_files_are_written(bandit: Path, tmp_path: Path) -> None:
    code, text, _ = run("analyze", bandit, "--json", tmp_path / "a.json", "--html", tmp_path / "a.html")
    assert (code, "Report:" in text) == (0, True)
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["counts"]["tied_and_reached"] == 1
    assert figures["radius"]["radius"] == 0.0
    assert "<html" in (tmp_path / "a.html").read_text()


def test_json_to_the_standard_output_and_quiet(bandit: Path) -> None:
    result = runner.invoke(app, ["mdp", "analyze", str(bandit), "--json", "-"])
    assert json.loads(result.stdout)["source"]["n_states"] == 1
    assert run("analyze", bandit, "--quiet") == (0, "", "")


def test_weights_gamma_and_exact() -> None:
    source = f"{TABLES}:deep_sea_treasure_convex"
    code, text, _ = run("analyze", source, "--gamma", 0.9, "--weights", "time=0.25,treasure=0.75", "--exact")
    assert code == 0
    assert "gamma 0.9; weights: treasure 0.75, time 0.25" in text


def test_an_environment_with_options() -> None:
    pytest.importorskip("gymnasium")
    code, text, _ = run("analyze", "FrozenLake-v1", "--set", "is_slippery=false", "--gamma", 0.9)
    assert (code, "is_slippery=False" in text) == (0, True)


def test_convert_round_trip(tmp_path: Path) -> None:
    source = f"{TABLES}:resource_gathering"
    code, text, _ = run("convert", source, tmp_path / "r.drn", "--gamma", 0.9)
    assert (code, "The format holds no weights" in text) == (0, True)
    assert run("convert", tmp_path / "r.drn", tmp_path / "r.tra", "-q") == (0, "", "")
    assert run("convert", tmp_path / "r.tra", tmp_path / "r.npz", "--gamma", 0.9, "-q")[0] == 0
    first, last = read_source(source, gamma=0.9), read_source(tmp_path / "r.npz")
    order = [last.reward_names.index(name) for name in first.reward_names]
    np.testing.assert_array_equal(first.rewards, last.rewards[order])


def test_what_a_format_loses_is_said(tmp_path: Path) -> None:
    write_source(token_tree(["a", "b"], [1.0, -1.0]), tmp_path / "tree.json")
    _, text, _ = run("convert", tmp_path / "tree.json", tmp_path / "tree.tra")
    assert "read it again with --gamma 1.0" in text
    assert "no negative rewards" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "nope.txt"], "an environment's id"),
        (["analyze", "none.npz"], "none.npz"),
        (["analyze", "FILE", "--weights", "x=1"], "unknown component 'x'"),
        (["analyze", "FILE", "--weights", "reward=a"], "a number"),
        (["analyze", "FILE", "--set", "a"], "NAME=VALUE"),
        (["analyze", "FILE", "--set", "a=1"], "options for environments only"),
        (["analyze", "FILE", "--json", "FILE"], "is the same file as"),
        (["analyze", "FILE", "--html", "-"], "--html - is not possible: give a file"),
        (["convert", "FILE", "FILE"], "another file than the input"),
        (["convert", "FILE", "out.txt"], "ends in .npz"),
        (["convert", "FILE", "no/such/folder/x.npz"], "folder that exists"),
    ],
)
def test_bad_input_is_one_line_and_code_2(bandit: Path, arguments: list[str], message: str) -> None:
    code, out, error = run(*[str(bandit) if word == "FILE" else word for word in arguments])
    assert (code, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_texts_of_options() -> None:
    assert pairs_of(["a=1", " b = x=y "], "--set") == {"a": "1", "b": "x=y"}
    source = read_source(f"{TABLES}:deep_sea_treasure_convex")
    assert weights_of(["time=0.5", "treasure=1"], source) == [1.0, 0.5]
    assert weights_of(None, source) is None
