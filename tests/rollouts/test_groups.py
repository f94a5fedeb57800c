"""Groups and behaviours against the dictionary oracle, on random tables."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loading_oracle import expected_groups

from policycliff.errors import TableError
from policycliff.rollouts.reading.groups import draw_groups, first_equal, group_rows, renumber
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable

SCHEMA = {
    "prompt": pl.String,
    "step": pl.Int64,
    "completion": pl.String,
    "answer": pl.String,
    "reward_a": pl.Float64,
    "reward_b": pl.Float64,
}
SCORES = st.sampled_from([None, float("nan"), float("inf"), -float("inf"), 0.0, 0.5, 1.0])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "prompt": st.sampled_from([None, "p", "q", "r", ""]),
            "step": st.sampled_from([1, 2]),
            "completion": st.sampled_from([None, "", "a", "A", "a "]),
            "answer": st.sampled_from([None, "x", "y"]),
            "reward_a": SCORES,
            "reward_b": SCORES,
        }
    ),
    min_size=1,
    max_size=30,
)


def as_lists(table: RolloutTable) -> list[list[list[int]]]:
    """Groups, in each its behaviours, in each its row numbers."""
    groups = []
    for start, end in zip(table.offsets[:-1], table.offsets[1:], strict=True):
        numbers = table.behaviour[start:end]
        rows = table.row_index[start:end]
        groups.append([rows[numbers == number].tolist() for number in np.unique(numbers)])
    return groups


@given(
    rows=ROWS,
    by=st.sampled_from(["prompt", None]),
    step=st.booleans(),
    size=st.none() | st.integers(1, 4),
    behaviour=st.booleans(),
    completion=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_groups_and_behaviours_are_those_of_plain_dictionaries(
    rows: list[dict[str, Any]], by: str | None, step: bool, size: int | None, behaviour: bool, completion: bool
) -> None:
    if by is None and size is None:
        size = 2
    frame = pl.DataFrame(rows, schema=SCHEMA).rename({"prompt": "key", "step": "at", "completion": "text"})
    options = AuditSettings(
        prompt="key" if by else None,
        step="at" if step else None,
        completion="text" if completion else None,
        behaviour="answer" if behaviour else None,
        group_size=size,
        rewards=(("reward_a", 1.0), ("reward_b", 0.5)),
    )
    expected = expected_groups(
        rows,
        key=by,
        step="step" if step else None,
        size=size,
        behaviour="answer" if behaviour else None,
        completion="completion" if completion else None,
        rewards=["reward_a", "reward_b"],
    )
    if not expected:
        with pytest.raises(TableError, match="no row is left"):
            load_rollouts(frame, options)
        return
    table = load_rollouts(frame, options).table
    assert as_lists(table) == expected
    assert (np.diff(table.behaviour) >= 0).all()
    kept = sum(item.count for item in table.skipped if item.unit == "rows" and "kept" not in item.reason)
    assert table.n_rows + kept == len(rows)
    assert table.duplicate_rows == len(rows) - len({repr(sorted(row.items())) for row in rows})


@given(rows=ROWS, seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_shuffled_rows_give_the_same_groups_and_behaviours(rows: list[dict[str, Any]], seed: int) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA).with_row_index("number")
    order = np.random.default_rng(seed).permutation(len(rows))
    options = AuditSettings(prompt="prompt", step="step", rewards=(("reward_a", 1.0), ("reward_b", 1.0)))

    def partition(table: pl.DataFrame, numbers: np.ndarray) -> set[frozenset[frozenset[int]]]:
        groups = as_lists(load_rollouts(table, options).table)
        return {frozenset(frozenset(numbers[rows].tolist()) for rows in group) for group in groups}

    try:
        original = partition(frame, np.arange(len(rows)))
    except TableError:
        return
    assert partition(frame[order], order) == original


@given(rows=ROWS)
@settings(max_examples=100, deadline=None)
def test_texts_are_numbered_like_equal_texts_within_their_group(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    options = AuditSettings(
        prompt="prompt", completion="completion", behaviour="answer", rewards=(("reward_a", 1.0), ("reward_b", 1.0))
    )
    try:
        table = load_rollouts(frame, options).table
    except TableError:
        return
    assert table.text is not None
    texts = frame["completion"].gather(table.row_index).to_list()
    group = np.repeat(np.arange(table.n_groups), np.diff(table.offsets))
    for i in range(table.n_rows):
        for j in range(i):
            same = group[i] == group[j] and texts[i] is not None and texts[i] == texts[j]
            assert (table.text[i] == table.text[j]) == same


def test_equal_hashes_would_not_merge_texts() -> None:
    texts = [f"completion {number}" for number in range(5000)]
    assert (first_equal([pl.Series(texts)], 5000) == np.arange(5000)).all()


def test_groups_never_span_steps() -> None:
    frame = pl.DataFrame({"prompt": ["p"] * 4, "step": [1, 1, 2, 2], "reward": [0.0, 1.0, 0.0, 1.0]})
    assert load_rollouts(frame, AuditSettings()).table.offsets.tolist() == [0, 2, 4]


def test_a_guessed_step_of_one_value_is_left_out() -> None:
    frame = pl.DataFrame({"prompt": ["p"] * 2, "step": [7, 7], "reward": [0.0, 1.0]})
    assert load_rollouts(frame, AuditSettings()).columns["step"] == {"column": None, "origin": "absent"}


def test_a_prompt_that_repeats_is_cut_into_blocks_in_file_order() -> None:
    frame = pl.DataFrame(
        {"prompt": ["p", "p", "q", "q", "p", "p", "p"], "completion": list("abcdefg"), "reward": [0.0] * 7}
    )
    loaded = load_rollouts(frame, AuditSettings(group_size=2))
    assert as_lists(loaded.table) == [[[0], [1]], [[2], [3]], [[4], [5]]]
    assert loaded.table.frame["__prompt_id"].unique(maintain_order=True).to_list() == ["p", "q", "p [block 2]"]
    assert [(item.reason, item.count) for item in loaded.table.skipped] == [("left over after blocks of 2 rows", 1)]


def test_group_size_sets_a_guessed_group_column_aside() -> None:
    frame = pl.DataFrame({"prompt_id": [1, 1, 1, 1], "prompt": ["p"] * 4, "reward": [0.0] * 4})
    loaded = load_rollouts(frame, AuditSettings(group_size=2))
    assert loaded.table.n_groups == 2
    assert loaded.columns["group"] == {"column": None, "origin": "absent", "size": 2, "size_origin": "given"}


def test_blocks_without_a_prompt_are_named_by_step_and_place() -> None:
    frame = pl.DataFrame({"step": [1, 1, 2, 2, 2, 2], "reward": [0.0] * 6})
    names = load_rollouts(frame, AuditSettings(group_size=2)).table.frame["__prompt_id"]
    assert names.unique(maintain_order=True).to_list() == ["step 1, block 1", "step 2, block 1", "step 2, block 2"]


def test_names_are_the_group_column_or_the_shortened_prompt() -> None:
    frame = pl.DataFrame({"prompt": ["long " * 40] * 2, "reward": [0.0, 1.0]})
    name = load_rollouts(frame, AuditSettings()).table.frame["__prompt_id"][0]
    assert len(name) == 80
    assert name.endswith("…")
    named = frame.with_columns(group_id=pl.lit(7))
    assert load_rollouts(named, AuditSettings()).table.frame["__prompt_id"].to_list() == ["7", "7"]


def test_a_guessed_group_that_differs_in_every_row_is_not_used() -> None:
    frame = pl.DataFrame({"uid": ["a", "b", "c"], "prompt": ["p"] * 3, "reward": [0.0] * 3})
    loaded = load_rollouts(frame, AuditSettings())
    assert loaded.table.n_groups == 1
    assert loaded.columns["group"]["column"] is None
    assert any("'uid' differs in every row" in note for note in loaded.notes)


def test_multiples_of_the_usual_group_size_are_pointed_out() -> None:
    frame = pl.DataFrame({"prompt": ["p"] * 4 + ["q"] * 2 + ["r"] * 2, "reward": [0.0] * 8})
    assert any("group_size=2" in note for note in load_rollouts(frame, AuditSettings()).notes)


def test_sampling_takes_whole_groups_and_depends_on_the_seed_alone() -> None:
    frame = pl.DataFrame({"prompt": [f"p{i // 3}" for i in range(300)], "reward": [float(i) for i in range(300)]})
    whole = {tuple(map(tuple, group)) for group in as_lists(load_rollouts(frame, AuditSettings()).table)}
    one, again, other = (
        load_rollouts(frame, AuditSettings(sample=10, seed=seed)).table.row_index.tolist() for seed in (1, 1, 2)
    )
    assert one == again != other
    sampled = load_rollouts(frame, AuditSettings(sample=10)).table
    assert sampled.n_groups == 10
    assert {tuple(map(tuple, group)) for group in as_lists(sampled)} <= whole
    assert ("not drawn into the sample", 90) in [(item.reason, item.count) for item in sampled.skipped]
    assert load_rollouts(frame, AuditSettings(sample=1000)).table.n_groups == 100


def test_missing_behaviours_are_one_behaviour_and_missing_texts_are_not() -> None:
    frame = pl.DataFrame(
        {"prompt": ["p"] * 3, "completion": [None, None, "a"], "answer": [None, None, "x"], "reward": [0.0] * 3}
    )
    by_answer = load_rollouts(frame, AuditSettings(behaviour="answer")).table
    assert as_lists(by_answer) == [[[0, 1], [2]]]
    assert any("'answer'" in item.reason and item.count == 2 for item in by_answer.skipped)
    by_text = load_rollouts(frame, AuditSettings()).table
    assert as_lists(by_text) == [[[0], [1], [2]]]
    assert any("no completion text" in item.reason and item.count == 2 for item in by_text.skipped)


def test_without_texts_every_row_is_its_own_behaviour_and_a_note_says_so() -> None:
    loaded = load_rollouts(pl.DataFrame({"prompt": ["p", "p"], "reward": [1.0, 1.0]}), AuditSettings())
    assert loaded.table.behaviour.tolist() == [0, 1]
    assert loaded.table.text is None
    assert any("every row is its own behaviour" in note for note in loaded.notes)


def test_chat_messages_are_compared_exactly_and_shown_as_lines() -> None:
    def said(text: str, **more: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text, **more}]

    frame = pl.DataFrame(
        {
            "prompt": [[{"role": "user", "content": "hi"}]] * 3,
            "completion": [said("a", tool="x"), said("a", tool="y"), said("a", tool="x")],
            "reward": [0.0, 1.0, 2.0],
        }
    )
    table = load_rollouts(frame, AuditSettings()).table
    assert as_lists(table) == [[[0, 2], [1]]]
    assert table.frame["__completion"].to_list() == ["assistant: a"] * 3
    assert table.frame["__prompt"][0] == "user: hi"


def test_building_blocks() -> None:
    key = np.array([4, 4, 9, 4], dtype=np.int64)
    assert renumber(key, np.array([False, True, True, True])).tolist() == [-1, 0, 1, 0]
    assert draw_groups(2, 5, seed=0).tolist() == [True, True]
    grouping = group_rows([pl.Series(["a", None, "a"])], n_rows=3, required=1)
    assert grouping.group.tolist() == [0, -1, 0]
    assert grouping.skipped[0].count == 1


def test_a_guessed_group_that_mixes_prompts_is_not_used() -> None:
    frame = pl.DataFrame({"task_id": ["math"] * 4, "prompt": ["p", "p", "q", "q"], "reward": [0.0] * 4})
    loaded = load_rollouts(frame, AuditSettings())
    assert loaded.table.n_groups == 2
    assert any("'task_id' holds several prompts a value" in note for note in loaded.notes)
    assert load_rollouts(frame, AuditSettings(group="task_id")).table.n_groups == 1


def test_a_group_whose_prompts_all_differ_stays_the_group() -> None:
    frame = pl.DataFrame({"group": [1, 1, 2, 2], "prompt": list("abcd"), "reward": [0.0] * 4})
    assert load_rollouts(frame, AuditSettings()).table.n_groups == 2


def test_a_guessed_step_that_differs_in_every_row_of_a_group_is_not_used() -> None:
    frame = pl.DataFrame({"prompt": ["p", "p", "q", "q"], "step": [1, 2, 1, 2], "reward": [0.0] * 4})
    loaded = load_rollouts(frame, AuditSettings())
    assert loaded.table.n_groups == 2
    assert any("one completion a group" in note for note in loaded.notes)
    assert load_rollouts(frame, AuditSettings(step="step")).table.n_groups == 4


def test_guessed_columns_that_hold_nothing_play_no_part() -> None:
    schema = {"prompt": pl.String, "completion": pl.String, "source": pl.String, "reward": pl.Float64}
    frame = pl.DataFrame(
        {"prompt": [None] * 4, "completion": [None] * 4, "source": [None] * 4, "reward": [0.0] * 4}, schema
    )
    loaded = load_rollouts(frame, AuditSettings(group_size=2))
    assert loaded.table.n_groups == 2
    assert loaded.table.text is None
    assert loaded.table.source is None
    assert loaded.table.skipped == ()
