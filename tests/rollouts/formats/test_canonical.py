"""A table and its canonical Parquet give the same audit, and damaged metadata gives a clear error."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from policycliff.cli.main import app
from policycliff.errors import InvalidInputError, PolicyCliffError, TableError
from policycliff.rollouts.audit import audit
from policycliff.rollouts.formats.registry import recognise_format
from policycliff.rollouts.reading.convert import write_canonical
from policycliff.rollouts.settings import AuditSettings

DATA = Path(__file__).parents[2] / "data"
MATH = DATA / "math_rm.parquet"
OPTIONS = {
    "rewards": (("rm_score", 0.5), ("brevity", -0.001)),
    "derive": (("brevity", "LENGTH(completion)"),),
    "truth": "correct",
}


def written(path: Path, table: object = MATH, **options) -> Path:
    write_canonical(table, path, AuditSettings(**options))
    return path


def comparable(result: dict) -> dict:
    """An audit without what names the file."""
    return {key: value for key, value in result.items() if key != "settings"}


def test_the_same_audit_without_options(tmp_path):
    path = written(tmp_path / "math.parquet", **OPTIONS)
    assert recognise_format([path])[0].name == "canonical"
    ours, direct = audit(path).to_dict(), audit(MATH, **OPTIONS).to_dict()
    assert comparable(ours) == comparable(direct)
    assert ours["settings"]["format"] == "canonical"
    columns = ours["settings"]["columns"]
    assert columns["group"] == {"column": "group", "origin": "format", "size": None, "size_origin": "absent"}
    assert [item["weight"] for item in columns["rewards"]] == [0.5, -0.001]


def test_columns_are_named_by_their_part_unless_the_name_is_taken(tmp_path):
    table = pl.DataFrame(
        {"question": ["q", "q"], "response": ["a", "b"], "group": [7.5, 8.5], "uid": ["u", "u"], "score": [1, 0]}
    )
    path = written(tmp_path / "t.parquet", table, group="uid")
    assert pl.read_parquet(path).columns == ["prompt", "completion", "group", "uid", "score"]
    assert audit(path).to_dict()["settings"]["columns"]["group"]["column"] == "uid"
    assert pl.read_parquet(path)["group"].to_list() == [7.5, 8.5]


def test_blocks_keep_their_order(tmp_path):
    table = pl.DataFrame(
        {
            "prompt": ["p"] * 8,
            "completion": [f"c{i}" for i in range(8)],
            "reward": [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        }
    )
    path = written(tmp_path / "t.parquet", table, group_size=4)
    result = audit(path).to_dict()
    assert result["counts"]["prompts"] == 2
    assert result["settings"]["columns"]["group"]["size_origin"] == "format"
    # What the user says beats the file.
    assert audit(path, group_size=2).to_dict()["counts"]["prompts"] == 4


def test_text_of_csv_columns_survives(tmp_path):
    (tmp_path / "t.csv").write_text("prompt,completion,reward\np,007,1\np,7,0\n")
    path = written(tmp_path / "t.parquet", tmp_path / "t.csv")
    assert pl.read_parquet(path)["completion"].to_list() == ["007", "7"]
    assert audit(path).to_dict()["counts"]["behaviours"] == 2


def test_chat_messages_stay_messages(tmp_path):
    chat = [[{"role": "user", "content": "2+2?"}]] * 2
    table = pl.DataFrame(
        {"prompt": chat, "completion": [[{"role": "assistant", "content": t}] for t in "45"], "reward": [1.0, 0.0]}
    )
    path = written(tmp_path / "t.parquet", table)
    assert pl.read_parquet(path)["prompt"].dtype == table["prompt"].dtype
    assert audit(path).to_dict()["counts"]["behaviours"] == 2


def test_several_files_must_say_the_same(tmp_path):
    first = written(tmp_path / "a.parquet", rewards=(("rm_score", 1.0),))
    second = written(tmp_path / "b.parquet", rewards=(("rm_score", 1.0),))
    other = written(tmp_path / "c.parquet", rewards=(("rm_score", 0.5),))
    assert audit([first, second]).to_dict()["counts"]["rows_read"] == 1120
    with pytest.raises(TableError, match="different things"):
        audit([first, other])
    with pytest.raises(TableError, match=r"is of format '(canonical|plain)' and .* of '(canonical|plain)'"):
        audit([first, MATH])


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no object"),
        ("{}", "schema None"),
        ({"schema": 99}, "schema 99"),
        ({"schema": 1}, "no parts"),
        ({"schema": 1, "fixed": {"prompt": 3}}, "'prompt' cannot be 3"),
        ({"schema": 1, "fixed": {"seed": 3}}, "'seed' cannot be 3"),
        ({"schema": 1, "fixed": {"group_size": True}}, "'group_size' cannot be True"),
        ({"schema": 1, "fixed": {"group_size": -2}}, "group_size must be"),
        ({"schema": 1, "fixed": {"rewards": [["rm_score", "1"]]}}, "'rewards' cannot be"),
        ({"schema": 1, "fixed": {"rewards": [["rm_score", 1e300]]}}, "weight of 'rm_score'"),
        ({"schema": 1, "fixed": {"rewards": [["gone", 1]]}}, "no column 'gone'"),
        ({"schema": 1, "fixed": {"max_reward": []}}, r"'max_reward' cannot be \[\]"),
        ({"schema": 1, "fixed": {"main_reward": 1}}, "'main_reward' cannot be 1"),
        ({"schema": 1, "fixed": {"missing": "maybe"}}, "'missing' cannot be 'maybe'"),
        ({"schema": 1, "fixed": {"aggregation": ["sum"]}}, "'aggregation' cannot be"),
        ({"schema": 1, "fixed": {"epsilon": "1"}}, "'epsilon' cannot be '1'"),
        ({"schema": 1, "fixed": {"epsilon": -1.0}}, "'epsilon' cannot be -1.0"),
        ({"schema": 1, "fixed": {}, "skipped": [["a", "b", "c"]]}, "what was left out"),
        ('{"schema": 1, "fixed": ' + "[" * 100_000, "not JSON"),
    ],
)
def test_damaged_metadata(tmp_path, described, message):
    text = described if isinstance(described, str) else json.dumps(described)
    pl.read_parquet(MATH).write_parquet(tmp_path / "t.parquet", metadata={"policycliff": text})
    with pytest.raises(PolicyCliffError, match=message):
        audit(tmp_path / "t.parquet")


def test_what_is_said_of_rewards_that_are_left_out_is_left_out(tmp_path):
    said = {"rewards": [["a", 1], ["b", 0.5]], "max_reward": [["a", 1], ["b", 2]], "main_reward": "b"}
    table = pl.DataFrame({"prompt": ["p"] * 3, "completion": list("xyz"), "a": [1, 1, 0], "b": [0, 2, 1]})
    path = tmp_path / "t.parquet"
    table.write_parquet(path, metadata={"policycliff": json.dumps({"schema": 1, "fixed": said})})

    def settings(**options):
        found = audit(path, **options).to_dict()["settings"]
        return found["max_reward"], found["main_reward"]

    assert settings() == ({"a": 1.0, "b": 2.0}, "b")
    assert settings(rewards=["a"]) == ({"a": 1.0}, None)
    assert settings(max_reward={"a": 3.0}, main_reward="a") == ({"a": 3.0}, "a")


def test_what_is_left_out_and_noted_is_told_again(tmp_path):
    described = {"schema": 1, "fixed": {}, "skipped": [["episode failed", 3, "rows"]], "notes": ["a note"]}
    for name in "ab":
        pl.read_parquet(MATH).write_parquet(
            tmp_path / f"{name}.parquet", metadata={"policycliff": json.dumps(described)}
        )
    result = audit(tmp_path, rewards=["rm_score"]).to_dict()
    assert {"reason": "episode failed", "count": 6, "unit": "rows"} in result["counts"]["skipped"]
    assert result["settings"]["notes"].count("a note") == 1


def test_the_named_format_must_fit():
    with pytest.raises(TableError, match="no metadata of policycliff"):
        audit(MATH, format="canonical")
    with pytest.raises(InvalidInputError, match=r"no format 'canonica'\. Did you mean 'canonical'"):
        audit(MATH, format="canonica")


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(InvalidInputError, match=r"ends in \.parquet"):
        written(tmp_path / "t.csv", rewards=(("rm_score", 1.0),))
    with pytest.raises(InvalidInputError, match="Nothing was written"):
        written(tmp_path / "no" / "t.parquet", rewards=(("rm_score", 1.0),))


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", stop)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "t.parquet", rewards=(("rm_score", 1.0),))
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path):
    out = tmp_path / "math.parquet"
    runner = CliRunner()
    result = runner.invoke(app, ["convert", str(MATH), "-r", "rm_score=0.5", "--truth", "correct", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "560 rows" in " ".join(result.stdout.split())
    assert "reward = rm_score (weight 0.5)" in " ".join(result.stdout.split())
    assert audit(out).to_dict()["truth"]["column"] == "correct"
    assert runner.invoke(app, ["convert", str(out), "--out", str(out)]).exit_code == 2
    bad = runner.invoke(app, ["convert", str(MATH), "--out", str(tmp_path / "no" / "x.parquet"), "-r", "rm_score"])
    assert bad.exit_code == 2
    assert "does not exist" in bad.output
    dry = runner.invoke(app, ["audit", str(out), "--dry-run"])
    assert "Read as canonical: metadata of policycliff." in dry.stdout
