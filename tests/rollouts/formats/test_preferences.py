"""Preference pairs: what TRL 1.16 makes of the same conversations, and values worked out by hand."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from broken_files import HOSTILE, recognised_elsewhere, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.formats.preferences.reader import PREFERENCES, expand
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings

FOLDER = Path(__file__).parents[2] / "data" / "formats" / "preferences"
NAMES = ("scored.parquet", "implicit.jsonl", "texts.jsonl", "plain.csv")


def _rows(*names: str) -> list[dict[str, Any]]:
    return PREFERENCES.read([FOLDER / name for name in names], AuditSettings()).frame.collect().to_dicts()


def _expanded(**columns: Any) -> Any:
    reading = expand(pl.LazyFrame(columns))
    assert reading is not None
    return reading, reading.frame.collect().to_dicts()


def test_pairs_are_recognised_and_nothing_else_is() -> None:
    assert all(PREFERENCES.recognise(sample_of(FOLDER / name)) for name in NAMES)
    assert recognised_elsewhere(PREFERENCES, "preferences") == []
    for columns in ({"prompt": pl.String(), "completion": pl.String(), "score": pl.Float64()}, {"chosen": pl.String()}):
        assert PREFERENCES.recognise(FileSample(path=Path("x"), container="CSV", columns=columns)) is None


@pytest.mark.parametrize("value", HOSTILE)
def test_recognising_survives_any_row(value: Any) -> None:
    sample = FileSample(path=Path("x"), container="JSON Lines", rows=({"chosen": value, "rejected": value}, {}))
    assert (PREFERENCES.recognise(sample) is not None) == isinstance(value, str)


def test_scores_of_both_sides_become_one_column() -> None:
    rows = _rows("scored.parquet")
    assert [row["score"] for row in rows] == [9.0, 1.5, 4.0, 4.0, 3.5, 2.0]
    assert [row["preferred"] for row in rows] == [1.0, 0.0] * 3
    answers = ["Blue.", "Seven.", "Two.", "Red.", "Seven.", "A colour."]
    assert [row["completion"] for row in rows] == [[{"role": "assistant", "content": answer}] for answer in answers]
    assert rows[0]["prompt"] == "Name a colour."


def test_pairs_of_one_prompt_are_one_group_with_equal_texts_as_one_behaviour() -> None:
    found = policycliff.audit(FOLDER / "scored.parquet").to_dict()
    # Name a colour: Blue 9, Seven (1.5 + 3.5) / 2, A colour 2; Name a number: Two 4 and Red 4 tie.
    assert (found["counts"]["prompts"], found["counts"]["behaviours"]) == (2, 5)
    tied = found["rewards"]["score"]["tied_share"]
    assert (tied["count"], tied["total"]) == (1, 2)
    assert found["rewards"]["preferred"]["weight"] == 0
    assert found["rewards"]["preferred"]["tied_share"]["count"] == 0


@pytest.mark.parametrize("name", ["implicit", "texts"])
def test_prompts_within_the_conversations_are_those_that_trl_takes(name: str) -> None:
    expected = json.loads((FOLDER / "expected.json").read_text())[name]
    rows = _rows(f"{name}.jsonl")
    assert [row["prompt"] for row in rows[::2]] == [pair["prompt"] for pair in expected]
    assert [row["completion"] for row in rows[::2]] == [pair["chosen"] for pair in expected]
    assert [row["completion"] for row in rows[1::2]] == [pair["rejected"] for pair in expected]


def test_without_scores_only_the_order_is_known() -> None:
    reading = PREFERENCES.read([FOLDER / "plain.csv"], AuditSettings())
    assert reading.fixed["rewards"] == (("preferred", 1.0),)
    assert any("gaps mean nothing" in note for note in reading.notes)
    # The text of a CSV file, not the number that it reads as.
    assert [row["completion"] for row in _rows("plain.csv")] == ["a", "b", "42", "007"]


def test_numbers_in_a_whole_csv_column_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,chosen,rejected\n1,007,7\n")
    (tmp_path / "b.csv").write_text("prompt,chosen,rejected\np,x,y\n")
    rows = PREFERENCES.read(sorted(tmp_path.iterdir()), AuditSettings()).frame.collect()
    assert rows["completion"].to_list() == ["007", "7", "x", "y"]
    assert rows["prompt"].to_list() == ["1", "1", "p", "p"]


def test_files_with_other_columns_are_put_together() -> None:
    reading = PREFERENCES.read([FOLDER / "plain.csv"], AuditSettings())
    assert reading.frame.collect().height == 4
    first = pl.LazyFrame(
        {"prompt": ["p"], "chosen": ["a"], "rejected": ["b"], "score_chosen": [1], "score_rejected": [0.5]}
    )
    both = pl.concat(
        [first, pl.LazyFrame({"prompt": ["q"], "chosen": ["c"], "rejected": ["d"]})], how="diagonal_relaxed"
    )
    rows = expand(both)
    assert rows is not None
    assert rows.frame.collect()["score"].to_list() == [1.0, 0.5, None, None]


def test_several_files_share_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"prompt": "p", "chosen": "a", "rejected": "b", "chosen_rating": 3, "rejected_rating": 1}\n'
    )
    (tmp_path / "b.jsonl").write_text('{"prompt": "q", "chosen": "c", "rejected": "d"}\n')
    reading = PREFERENCES.read(sorted(tmp_path.iterdir()), AuditSettings())
    assert reading.frame.collect()["rating"].to_list() == [3.0, 1.0, None, None]
    assert any("chosen_rating" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("chosen", "rejected", "name"),
    [
        ("score_chosen", "score_rejected", "score"),
        ("chosen_score", "rejected_score", "score"),
        ("chosen-rating", "rejected-rating", "rating"),
        ("Chosen_Reward", "Rejected_Reward", "reward"),
    ],
)
def test_usual_spellings(chosen: str, rejected: str, name: str) -> None:
    reading, rows = _expanded(prompt=["p"], chosen=["a"], rejected=["b"], **{chosen: [2], rejected: [1.5]})
    assert [row[name] for row in rows] == [2.0, 1.5]
    assert reading.fixed["rewards"] == ((name, 1.0), ("preferred", 0.0))


def test_texts_numbers_and_models_with_longer_names() -> None:
    columns = {"prompt": ["p"], "response_chosen": ["a"], "response_rejected": ["b"], "logps_chosen": [-1.0]}
    columns |= {"logps_rejected": [-2.0], "chosen_model": ["x"], "rejected_model": ["y"], "id": [3]}
    reading, rows = _expanded(**columns)
    assert rows[1] == {"prompt": "p", "completion": "b", "preferred": 0.0, "logps": -2.0, "source": "y"}
    assert reading.fixed["source"] == "source"
    assert any(note.endswith("left out: id.") for note in reading.notes)


def test_a_margin_holds_within_its_pair_only() -> None:
    reading, rows = _expanded(prompt=["p", "p"], chosen=["a", "b"], rejected=["b", "c"], margin=[2, 1])
    assert [row["margin"] for row in rows] == [2.0, 0.0, 1.0, 0.0]
    assert [row["group"] for row in rows] == [0, 0, 1, 1]
    assert reading.fixed["group"] == "group"


def test_pairs_that_differ_before_the_answer_are_counted() -> None:
    def said(prompt: str, *answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": prompt}, *({"role": "assistant", "content": text} for text in answer)]

    chosen = [said("p", "a"), said("q", "b"), said("r"), None]
    rejected = [said("p", "c"), said("other", "b"), said("r"), said("s", "d")]
    reading, rows = _expanded(chosen=chosen, rejected=rejected)
    assert len(rows) == 2
    assert [(item.count, item.unit) for item in reading.skipped] == [(3, "pairs")]


def test_calls_of_tools_stay_visible() -> None:
    call = [{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}]
    other = [{"role": "assistant", "content": None, "tool_calls": [{"name": "g"}]}]
    _, rows = _expanded(prompt=["p"], chosen=[call], rejected=[other])
    assert rows[0]["completion"] == 'assistant: {"content":null,"tool_calls":[{"name":"f"}]}'
    assert rows[1]["completion"] != rows[0]["completion"]


def test_a_user_who_speaks_within_the_answer_is_kept() -> None:
    """A prompt beside conversations that do not agree up to the last user message: nothing is cut off."""
    chosen = [
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "b"},
    ]
    rejected = [
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "b"},
    ]
    _, rows = _expanded(prompt=["p"], chosen=[chosen], rejected=[rejected])
    assert [row["completion"] for row in rows] == [chosen, rejected]


def test_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": "high", "score_rejected": 1}\n')
    with pytest.raises(TableError, match="score"):
        load_rollouts(path, AuditSettings(format="preferences"))
    path.write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n{"prompt": "p", "cho\n')
    with pytest.raises(TableError, match="line 2"):
        load_rollouts(path, AuditSettings(format="preferences"))
    path.write_text('{"prompt": "p", "chosen": "a", "rejected": "b", "margin": "wide"}\n')
    with pytest.raises(TableError, match="margin"):
        load_rollouts(path, AuditSettings(format="preferences"))
    path.write_text('{"prompt": "p", "completion": "a", "reward": 1}\n')
    with pytest.raises(TableError, match="plain"):
        load_rollouts(path, AuditSettings(format="preferences"))
    path.write_text('{"chosen": "a", "rejected": ' + "[" * 50_000 + "\n")
    with pytest.raises(TableError):
        load_rollouts(path, AuditSettings(format="preferences"))


def test_found_without_being_named() -> None:
    assert [open_table(FOLDER / name).format for name in NAMES] == ["preferences"] * 4


def test_broken_files_raise_nothing_else(tmp_path: Path) -> None:
    assert 10 < survivors([FOLDER / name for name in NAMES], tmp_path, "preferences", 160, seed=3) < 160
