"""`policycliff compare` from end to end: JSON, terminal, page and errors."""

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from policycliff.cli.main import app
from policycliff.rollouts.questions.compare.compare import compare

DATA = Path(__file__).parents[2] / "data"
MATH = str(DATA / "math_rm.parquet")
TOPICAL = str(DATA / "topical_chat_ratings.parquet")
runner = CliRunner()


def test_two_rewards_in_the_terminal_as_json_and_as_a_page(tmp_path):
    page = tmp_path / "compare.html"
    arguments = ["compare", "rm_score", "0.5*rm_score - 0.01*n_chars", "--in", MATH, "--truth", "correct"]
    arguments += ["--permutations", "199", "-b", "extracted_answer"]
    shown = runner.invoke(app, [*arguments, "--html", str(page)])
    assert shown.exit_code == 0, shown.output
    assert "CHOICES" in shown.stdout
    assert "0.5*rm_score - 0.01*n_chars" in shown.stdout.replace("\n", " ").replace("  ", "")
    text = page.read_text(encoding="utf-8")
    assert text.count("<table") >= 6
    assert "Drivers" in text or "Prompts that drive it" in text
    told = runner.invoke(app, [*arguments, "--json", "-"])
    figures = json.loads(told.stdout)
    options = {"truth": "correct", "behaviour": "extracted_answer", "permutations": 199}
    by_call = compare("rm_score", {"rm_score": 0.5, "n_chars": -0.01}, table=MATH, **options).to_dict()
    assert figures["figures"] == json.loads(json.dumps(by_call["figures"]))
    assert figures["question"] == "compare"


def test_options_of_the_comparison_reach_it():
    arguments = ["compare", "human_overall", "unieval_overall", "--in", TOPICAL, "--beta", "0.25", "--look-at", "2"]
    figures = json.loads(runner.invoke(app, [*arguments, "--json", "-"]).stdout)
    assert figures["settings"]["beta"] == 0.25
    assert len(figures["figures"]["drivers"]["prompts"]) == 2
    assert figures["figures"]["sources"]["compete"]


@pytest.fixture
def halves(tmp_path):
    table = pl.read_parquet(MATH).with_columns(i=pl.int_range(pl.len()).over("prompt_id"))
    for name, low, high in (("a", 0, 4), ("b", 4, 8)):
        part = table.filter(pl.col("i").is_between(low, high, closed="left")).drop("i")
        part.write_parquet(tmp_path / f"{name}.parquet")
    return [str(tmp_path / f"{name}.parquet") for name in "ab"]


def test_two_tables_in_the_terminal_as_json_and_as_a_page(halves, tmp_path):
    page, out = tmp_path / "tables.html", tmp_path / "tables.json"
    arguments = ["compare", *halves, "--reward", "rm_score", "--truth", "correct", "--common-size", "3"]
    shown = runner.invoke(app, [*arguments, "--html", str(page), "--json", str(out)])
    assert shown.exit_code == 0, shown.output
    assert "FIGURES IN GROUPS OF 3" in shown.stdout
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["figures"]["common_size"] == 3
    assert figures["settings"]["table_b"]["table"] == halves[1]
    assert "Figures in groups of 3" in page.read_text(encoding="utf-8")


def test_curation_on_the_page(tmp_path):
    kept = tmp_path / "kept.parquet"
    pl.read_parquet(MATH).filter(pl.col("correct").mean().over("prompt_id") < 1).write_parquet(kept)
    page = tmp_path / "removal.html"
    shown = runner.invoke(app, ["compare", MATH, str(kept), "--reward", "correct", "--html", str(page)])
    assert shown.exit_code == 0, shown.output
    assert "B is A without" in shown.stdout.replace("\n", " ")
    assert "Removed prompts that move" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rm_score", "absent", "--in", MATH], "no column 'absent'"),
        (["rm_score", "rm_score", "--in", MATH], "same reward"),
        (["rm_score +", "correct", "--in", MATH], "expected NAME"),
        (["rm_score", "correct", "--in", MATH, "--reward", "boxed"], "A and B are the rewards"),
        (["rm_score", "correct", "--in", MATH, "--common-size", "4"], "for two tables"),
        (["nowhere.parquet", MATH, "--reward", "correct"], "does not exist"),
    ],
)
def test_bad_input_ends_with_one_line(arguments, message):
    result = runner.invoke(app, ["compare", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_help_says_what_a_and_b_are():
    result = runner.invoke(app, ["compare", "--help"])
    assert result.exit_code == 0
    assert "--in" in result.stdout
    assert "--common-size" in result.stdout


def test_the_page_shows_what_its_command_prints(tmp_path, monkeypatch):
    """Every paragraph of the output on the page is one of the command's findings, to the last figure."""
    page = (DATA.parents[1] / "docs" / "how-to" / "compare.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command, shown = re.search(r"```bash\n(policycliff compare .*?)```\s+```text\n(.*?)```", page, re.DOTALL).groups()
    table = DATA.parents[1] / "src" / "policycliff" / "data" / "humaneval_codegen.parquet"
    words = shlex.split(command.replace("\\\n", " ").replace("$TABLE", str(table)))[1:]
    result = runner.invoke(app, [*words, "--json", "-"])
    told = [item["text"] for item in json.loads(result.stdout)["findings"]]
    paragraphs = [" ".join(paragraph.split()) for paragraph in shown.split("\n\n")]
    assert len(paragraphs) == 2
    assert set(paragraphs) <= set(told)
    assert told[0] == paragraphs[0]


def test_two_rewards_without_their_table_get_a_hint():
    result = CliRunner().invoke(app, ["compare", "rm_score", "correct"])
    assert result.exit_code == 2
    assert "--in TABLE" in result.output
