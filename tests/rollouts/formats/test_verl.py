"""Dumps that verl wrote (see `tests/data/formats/verl/make.py`), against what went into them."""

import json
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest
from broken_files import survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.format import Reading
from policycliff.rollouts.formats.registry import recognise_format
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.verl import VERL
from policycliff.rollouts.reading.files import find_tables
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
DATA = FORMATS / "verl"
EXPECTED = json.loads((DATA / "expected.json").read_text())


def _read(folder: Path, **settings: object) -> Reading:
    return VERL.read(find_tables(folder), AuditSettings(**settings))


def _final_outputs() -> dict[tuple[int, str, int], dict]:
    """The last output of every session that went into the V1 dumps, by step, draw and session."""
    final: dict[tuple[int, str, int], dict] = {}
    for row in EXPECTED["v1"]:
        key = (row["step"], row["uid"], row["session"])
        if not row["uid"].startswith("pad") and (key not in final or row["output"] > final[key]["output"]):
            final[key] = row
    return final


def _write(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _row(**changes: object) -> dict:
    return {"input": "p", "output": "a", "gts": "7", "score": 1.0, "step": 1} | changes


@pytest.mark.parametrize("folder", ["v1", "v1_validation", "legacy"])
def test_recognised(folder):
    found = recognise_format(find_tables(DATA / folder))
    assert found is not None
    assert found[0].name == "verl"
    assert "gts" in found[1]


def test_files_of_others_are_not_recognised():
    others = [path for path in FORMATS.rglob("*.*") if DATA not in path.parents and path.suffix != ".py"]
    assert len(others) > 5
    assert [path for path in others if VERL.recognise(sample_of(path)) is not None] == []


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "completion": "c", "score": 1.0},
        {"input": "p", "output": "c", "score": 1.0, "step": 1},
        _row(score="high"),
        _row(input=["p"]),
        _row(step=None),
    ],
)
def test_plain_rows_are_not_recognised(tmp_path, row):
    assert VERL.recognise(sample_of(_write(tmp_path / "1.jsonl", [row]))) is None


def test_v1_rows_are_what_went_in():
    reading = _read(DATA / "v1")
    frame = reading.frame.collect()
    expected = _final_outputs()
    got = sorted(frame.select("step", "group", "prompt", "completion", "score").rows())
    assert got == sorted(
        (step, uid, row["prompt"], row["completion"], row["score"]) for (step, uid, _), row in expected.items()
    )
    assert {(item.reason.split(" ")[0], item.count) for item in reading.skipped} == {("padding", 4), ("earlier", 6)}
    assert dict(reading.fixed["rewards"]) == {"score": 1.0}


def test_v1_audit_counts_groups_and_ties_by_hand():
    result = policycliff.audit(DATA / "v1").to_dict()
    groups = defaultdict(list)
    for (step, uid, _), row in _final_outputs().items():
        groups[step, uid].append((row["completion"], row["score"]))
    tied = 0
    for rows in groups.values():
        best = max(score for _, score in rows)
        tied += len({text for text, score in rows if score == best}) > 1
    assert len(groups) == 6  # two draws of one prompt and another prompt, in two steps
    assert result["counts"]["prompts"] == 6
    assert result["counts"]["completions"] == 24
    assert result["settings"]["format"] == "verl"
    assert 0 < tied < 6
    assert result["rewards"]["effective"]["tied_share"]["value"] == pytest.approx(tied / 6)


def test_validation_says_what_the_reward_function_returned():
    reading = _read(DATA / "v1_validation")
    frame = reading.frame.collect()
    assert reading.fixed["rewards"] == (("score", 1.0), ("n_words", 0.0))  # reward and acc repeat the score
    words = [float(len(text.split())) for text in frame["completion"]]
    assert frame["n_words"].to_list() == words
    assert "weight 0, compared with score but not added to it: n_words." in reading.notes


def test_legacy_rows_keep_their_order_and_take_the_penalty():
    reading = _read(DATA / "legacy")
    frame = reading.frame.collect()
    expected = sorted(EXPECTED["legacy"], key=lambda row: row["step"])
    assert frame["completion"].to_list() == [row["completion"] for row in expected]
    assert frame["prompt"].to_list() == [row["prompt"] for row in expected]
    weights = dict(reading.fixed["rewards"])
    assert weights == {"score": 1.0, "overlong_reward": 1.0, "acc": 0.0, "ends": 0.0, "overlong": 0.0}
    summed = (frame["score"] + frame["overlong_reward"]).to_list()
    assert summed == pytest.approx([row["reward"] for row in expected])  # the reward that verl trained on
    assert any(value < 0 for value in frame["overlong_reward"])
    assert any("weight 0" in note for note in reading.notes)
    given = _read(DATA / "legacy", rewards=(("acc", 1.0),))
    assert not any("weight" in note for note in given.notes)


def test_legacy_groups_are_prompts_in_a_step():
    loaded = load_rollouts(DATA / "legacy", AuditSettings())
    sizes = sorted((loaded.table.offsets[1:] - loaded.table.offsets[:-1]).tolist())
    assert sizes == [4, 4, 8, 8]  # the prompt that was drawn twice cannot be told apart
    assert any("legacy" in note for note in loaded.notes)
    cut = load_rollouts(DATA / "legacy", AuditSettings(group_size=4))
    assert cut.table.n_groups == 6
    assert any("balance_batch" in note for note in cut.notes)


def test_penalty_within_the_score_is_not_added_again(tmp_path):
    rows = [_row(output=f"{i}", score=1.0 - i, acc=1.0, overlong_reward=-float(i)) for i in range(3)]
    assert dict(_read_file(tmp_path, rows).fixed["rewards"])["overlong_reward"] == 0.0


def _read_file(tmp_path: Path, rows: list[dict], **settings: object) -> Reading:
    return VERL.read([_write(tmp_path / "1.jsonl", rows)], AuditSettings(**settings))


def test_columns_are_united_over_files(tmp_path):
    _write(tmp_path / "1.jsonl", [_row(), _row(output="b", score=0)])
    _write(tmp_path / "2.jsonl", [_row(step=2, fluent=0.5), _row(step=2, fluent=True, output="b")])
    _write(tmp_path / "3.jsonl", [])
    _write(tmp_path / "4.jsonl", [_row(step=4)])
    reading = VERL.read(find_tables(tmp_path), AuditSettings())
    frame = reading.frame.collect()
    assert frame["fluent"].to_list() == [None, None, 0.5, 1.0, None]
    assert dict(reading.fixed["rewards"]) == {"score": 1.0, "fluent": 0.0}
    assert [(item.count, item.unit) for item in reading.skipped] == [(1, "files")]


def test_step_of_an_old_dump_is_the_name_of_the_file(tmp_path):
    rows = [{"input": "p", "output": text, "score": 1.0} for text in "ab"]
    frame = VERL.read([_write(tmp_path / "12.jsonl", rows)], AuditSettings()).frame.collect()
    assert frame["step"].to_list() == [12, 12]
    with pytest.raises(TableError, match=r"last\.jsonl, line 1: 'step'"):
        VERL.read([_write(tmp_path / "last.jsonl", rows)], AuditSettings())


def test_folders_do_not_mix(tmp_path):
    for name in ("train", "validation"):
        _write(tmp_path / name / "1.jsonl", [_row(output=text) for text in "ab"])
    reading = VERL.read(find_tables(tmp_path), AuditSettings())
    assert reading.frame.collect()["group"].n_unique() == 2
    assert "2 folders" in reading.notes[0]
    with pytest.raises(TableError, match="one folder at a time"):
        VERL.read(find_tables(tmp_path), AuditSettings(group_size=2))


def test_rows_with_and_without_uid(tmp_path):
    rows = [_row(uid="draw_a_0_0"), _row(uid="draw_a_1_0"), _row(uid="alone"), _row()]
    frame = _read_file(tmp_path, rows).frame.collect()
    assert frame["group"].to_list() == ["draw_a", "draw_a", "p", "p"]
    assert frame["uid"].to_list() == [None, None, "alone", None]


def test_names_of_ours_in_the_file_are_kept_apart(tmp_path):
    row = _row(prompt="x", group=3, completion="y", __uid="z", effective=2)
    reading = _read_file(tmp_path, [row, _row(effective=3, output="b")])
    frame = reading.frame.collect()
    assert (frame["prompt"][0], frame["completion"][0]) == ("p", "a")
    assert (frame["extra.prompt"][0], frame["extra.group"][0]) == ("x", 3.0)
    assert "effective" not in dict(reading.fixed["rewards"])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (json.dumps(_row(score="1")), "line 2: 'score' must be a number"),
        (json.dumps(_row(score=[1])), "line 2: 'score' must be a number, got list"),
        (json.dumps(_row(score=10**400)), "line 2: 'score' is too large a number"),
        (json.dumps(_row(step=1.5)), "line 2: 'step' must be a whole number"),
        (json.dumps(_row(step=2**70)), "line 2: 'step' must be a whole number"),
        (json.dumps(_row(input={"a": 1})), "line 2: 'input' must be text"),
        (json.dumps(_row())[:-9], "line 2: not valid JSON"),
        ("[" * 100_000, "line 2: not valid JSON"),
        ('{"score": ' + "9" * 5000 + "}", "line 2: not valid JSON"),
        ("[1]", "line 2: expected a JSON object"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, what):
    path = tmp_path / "1.jsonl"
    path.write_text(json.dumps(_row()) + "\n" + line + "\n")
    with pytest.raises(TableError) as caught:
        load_rollouts(path, AuditSettings(format="verl"))
    assert str(path) in str(caught.value)
    assert what in str(caught.value)


def test_hostile_values_are_read(tmp_path):
    path = tmp_path / "1.jsonl"
    twice = '{"input": "p", "output": "x", "gts": 7, "score": 0, "score": 1, "step": 1, "n": 1e999}'
    lines = [json.dumps(_row(score=float("nan"), n=10**400, output="\ud800")), twice, json.dumps(_row(score=None))]
    path.write_text("\n".join(lines))
    frame = VERL.read([path], AuditSettings()).frame.collect()
    assert frame["score"].is_nan().to_list() == [True, False, None]
    assert frame["score"][1] == 1.0  # the last of two equal keys, as in Python
    assert frame["completion"][0] == "\\ud800"
    assert frame["gts"].to_list() == ["7", "7", "7"]
    assert frame["n"].dtype == pl.String


def test_rows_with_keys_of_their_own_are_refused(tmp_path):
    with pytest.raises(TableError, match="more than 1000 different columns"):
        _read_file(tmp_path, [_row(**{f"k{i}": 1}) for i in range(1100)])


def test_broken_files_raise_nothing_else(tmp_path):
    files = [DATA / "v1" / "9.jsonl", DATA / "legacy" / "9.jsonl", DATA / "v1_validation" / "10.jsonl"]
    assert 0 < survivors(files, tmp_path, "verl", count=120, seed=1) < 120
