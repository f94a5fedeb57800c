"""Wide tables against the values in the script that wrote them."""

import runpy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from broken_files import HOSTILE, recognised_elsewhere, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.wide.column_names import layout_of
from policycliff.rollouts.formats.wide.reader import WIDE, expand
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings

FOLDER = Path(__file__).parents[2] / "data" / "formats" / "wide"
NAMES = ("arena.csv", "named.parquet", "lists.jsonl", "lists.parquet")
WRITTEN = runpy.run_path(str(FOLDER / "make.py"), run_name="fixtures")


def _rows(name: str) -> list[dict[str, Any]]:
    return WIDE.read([FOLDER / name], AuditSettings()).frame.collect().to_dicts()


def test_wide_tables_are_recognised_and_nothing_else_is() -> None:
    assert all(WIDE.recognise(sample_of(FOLDER / name)) for name in NAMES)
    # The lists of hf_dataset are wide tables too, behind another reader.
    assert recognised_elsewhere(WIDE, "wide") == []


@pytest.mark.parametrize(
    "names",
    [
        ("prompt", "completion", "score"),
        ("prompt", "completion", "judge_a_score", "judge_b_score"),
        ("prompt", "response", "response_length", "score", "score_mean"),
        ("prompt", "response_a", "response_b", "length_a", "length_b"),
        ("prompt", "response_a", "score_a", "score_b"),
    ],
)
def test_plain_tables_are_left_alone(names: tuple[str, ...]) -> None:
    assert layout_of(names) is None
    sample = FileSample(path=Path("x"), container="CSV", columns=dict.fromkeys(names, pl.Null()))
    assert WIDE.recognise(sample) is None


@pytest.mark.parametrize("value", HOSTILE)
def test_recognising_survives_any_row(value: Any) -> None:
    for keys in (("completions", "rewards"), ("response_a", "response_b", "score_a", "score_b")):
        sample = FileSample(path=Path("x"), container="JSON Lines", rows=(dict.fromkeys(keys, value), {}))
        assert WIDE.recognise(sample) is None or (isinstance(value, str) and "response_a" in keys)


def test_each_completion_of_a_row_becomes_a_row() -> None:
    table = WRITTEN["ARENA"]
    rows = _rows("arena.csv")
    assert [row["completion"] for row in rows[::2]] == table["response_a"]
    assert [row["completion"] for row in rows[1::2]] == table["response_b"]
    assert [row["score"] for row in rows[::2]] == table["score_a"]
    assert [row["score"] for row in rows[1::2]] == table["score_b"]
    assert [row["source"] for row in rows] == ["x", "y", "y", "x", "x", "z"]
    # Equal prompts of two rows are two draws.
    assert [row["group"] for row in rows] == [0, 0, 1, 1, 2, 2]


def test_the_ending_names_the_source_and_other_numbers_are_kept() -> None:
    rows = _rows("named.parquet")
    assert [row["source"] for row in rows] == ["gpt", "llama"] * 2
    assert [(row["completion"], row["reward"], row["length"]) for row in rows] == [
        ("a", 1.0, 1.0),
        ("c", 1.0, 3.0),
        ("b", 0.0, 1.0),
        ("d", 1.0, 4.0),
    ]


@pytest.mark.parametrize("name", ["lists.jsonl", "lists.parquet"])
def test_items_of_lists_become_rows(name: str) -> None:
    reading = WIDE.read([FOLDER / name], AuditSettings())
    rows = reading.frame.collect().to_dicts()
    assert [row["completion"] for row in rows] == ["a", "b", "b", "c", "d"]
    assert [row["accuracy_reward"] for row in rows] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert [row["format_reward"] for row in rows] == [0.5, 0.5, None, None, None]
    assert [row["lengths"] for row in rows] == [3, 4, 4, 5, 6]
    assert [row["source"] for row in rows] == ["x", "y", "x", "x", "y"]
    assert reading.fixed["rewards"] == (("accuracy_reward", 1.0), ("format_reward", 1.0))
    assert [(item.count, item.unit) for item in reading.skipped] == [(1, "rows")]
    assert any(note.endswith("left out: tokens.") for note in reading.notes)


def test_the_audits_count_ties() -> None:
    arena = policycliff.audit(FOLDER / "arena.csv").to_dict()
    # one 1 and two 1 tie; one 2 and one 0 are one behaviour; 007 has the only score of its row.
    assert arena["rewards"]["score"]["tied_share"]["count"] == 1
    assert arena["counts"]["prompts"] == 3
    lists = policycliff.audit(FOLDER / "lists.jsonl", rewards={"accuracy_reward": 1.0}).to_dict()
    tied = lists["rewards"]["accuracy_reward"]["tied_share"]
    assert (tied["count"], tied["total"], lists["counts"]["prompts"]) == (1, 2, 2)


def test_chats_and_bare_lists() -> None:
    chat = [[{"role": "assistant", "content": "a"}], [{"role": "assistant", "content": "b"}]]
    reading = expand(pl.LazyFrame({"responses": [chat], "scores": [[True, False]]}), "x")
    assert reading is not None
    rows = reading.frame.collect().to_dicts()
    assert [row["completion"] for row in rows] == chat
    assert [row["scores"] for row in rows] == [1.0, 0.0]


def test_a_total_counts_and_its_parts_are_compared() -> None:
    columns = {f"{name}_{label}": [1.0] for name in ("score", "style_score") for label in "ab"}
    reading = expand(pl.LazyFrame({"response_a": ["x"], "response_b": ["y"], **columns}), "x")
    assert reading is not None
    assert reading.fixed["rewards"] == (("score", 1.0), ("style_score", 0.0))


def test_several_files(tmp_path: Path) -> None:
    for number in (1, 2):
        pl.DataFrame(
            {"response_a": [f"{number}"], "response_b": ["y"], "score_a": [number], "score_b": [0.5]}
        ).write_parquet(tmp_path / f"{number}.parquet")
    rows = WIDE.read(sorted(tmp_path.iterdir()), AuditSettings()).frame.collect()
    assert rows["score"].to_list() == [1.0, 0.5, 2.0, 0.5]
    assert rows["group"].to_list() == [0, 0, 1, 1]


def test_lists_of_unequal_length_are_refused_with_the_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"completions": ["a", "b"], "rewards": [1, 0]}\n{"completions": ["a", "b"], "rewards": [1, 0, 2]}\n'
    )
    with pytest.raises(TableError, match=r"'rewards' has 3 items in row 2 .*'completions' has 2"):
        policycliff.audit(path)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"response_a": "x", "response_b": "y", "score_a": 1, "score_b": 0}\n'
    path.write_text(good + good[:30])
    with pytest.raises(TableError, match="line 2"):
        load_rollouts(path, AuditSettings(format="wide"))
    path.write_text(good.replace("1,", '"high",'))
    with pytest.raises(TableError, match="score"):
        load_rollouts(path, AuditSettings(format="wide"))
    path.write_text('{"prompt": "p", "completion": "a", "reward": 1}\n')
    with pytest.raises(TableError, match="plain"):
        load_rollouts(path, AuditSettings(format="wide"))
    path.write_text(good.replace("1,", "NaN,") + good)
    loaded = load_rollouts(path, AuditSettings())
    assert (loaded.format, loaded.table.rewards[0].nan) == ("wide", 1)
    assert loaded.table.n_rows == 3  # of four completions


def test_found_without_being_named() -> None:
    assert [open_table(FOLDER / name).format for name in NAMES] == ["wide"] * 4


def test_broken_files_raise_nothing_else(tmp_path: Path) -> None:
    assert 10 < survivors([FOLDER / name for name in NAMES], tmp_path, "wide", 160, seed=3) < 160
