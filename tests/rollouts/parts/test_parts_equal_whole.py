"""The audit in parts is that of the whole table: random tables, cut in any number of parts, with every setting."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same_figures import ROLES, WEIGHTS, assert_parts_equal_whole, tables

from policycliff.rollouts.analyses import sample
from policycliff.rollouts.audit import Audit
from policycliff.rollouts.reading import size

PARTS = st.integers(1, 7)
EXAMPLES = settings(deadline=None, max_examples=12)

KEYS = st.sampled_from(
    [
        {"prompt": "prompt"},
        {"prompt": "prompt", "group": "group"},
        {"group": "group", "step": "step"},
        {"prompt": "prompt", "step": "step"},
        {"group_size": 2},
        {"group_size": 3, "step": "step"},
        {"group_size": 2, "prompt": "prompt"},
        {"group_size": 2, "prompt": "prompt", "step": "step"},
    ]
)
ASKED = st.fixed_dictionaries(
    {"rewards": st.sampled_from([WEIGHTS, {"two": 1.0, "one": 0.0}, {"one": 1.0, "two": -0.3}, {"one": 1.0}])},
    optional={
        "truth": st.just("truth"),
        "behaviour": st.just("answer"),
        "source": st.just("model"),
        "rerun": st.just({"one": "again"}),
        "missing": st.sampled_from(["zero", "error"]),
        "aggregation": st.just("normalize_then_sum"),
        "sample": st.integers(1, 6),
        "noise": st.sampled_from([0.0, 0.05, 0.2]),
        "max_reward": st.just({"one": 0.4}),
        "derive": st.just({"brevity": "-LENGTH(completion)"}),
        "look_at": st.integers(0, 6),
        "embed": st.integers(0, 9),
        "seed": st.integers(0, 2),
    },
)


@pytest.fixture(autouse=True)
def _few_rows_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "_MOST_ROWS_A_BATCH", 5)


def chosen(table: pl.DataFrame, keys: dict[str, Any], asked: dict[str, Any]) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The table without the names that are not to be found by guessing."""
    hidden = {"prompt", "group", "step"} - {*keys.values()}
    return table.drop(hidden), {"completion": "completion"} | keys | asked


@settings(deadline=None, max_examples=45)
@given(tables(), KEYS, ASKED, PARTS)
def test_any_settings(table, keys, asked, parts):
    assert_parts_equal_whole(*chosen(table, keys, asked), parts)


@EXAMPLES
@given(tables(most_rows=40), PARTS)
def test_every_setting_at_once(table, parts):
    asked = {
        "group": "group",
        "step": "step",
        "truth": "truth",
        "behaviour": "answer",
        "source": "model",
        "rerun": {"one": "again"},
        "missing": "zero",
        "max_reward": {"one": 0.4},
        "look_at": 3,
    }
    assert_parts_equal_whole(table, ROLES | asked, parts)


@EXAMPLES
@given(tables(), PARTS, st.integers(1, 5))
def test_a_sample_holds_the_prompts_that_it_holds_in_memory(table, parts, sample):
    found = assert_parts_equal_whole(table, ROLES | {"truth": "truth", "sample": sample, "look_at": 99}, parts)
    if isinstance(found, Audit):
        assert found.result["counts"]["prompts"] <= sample


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_an_embedded_sample_is_as_large_as_from_memory(parts, monkeypatch):
    """Prompts that are too large, and more than there is room for, are in different parts."""
    monkeypatch.setattr(sample, "MOST_ENTRIES_A_PROMPT", 6)
    monkeypatch.setattr(sample, "MOST_NUMBERS", 3 * 24)
    names = [f"q{at % 20}" for at in range(60)] + [f"q{at}" for at in (3, 7, 11) for _ in range(5)]
    table = scores(names, {"one": [0.1 * (at % 7) for at in range(len(names))]})
    result = audited(table, {"rewards": ["one"], "prompt": "prompt", "look_at": 2, "embed": 17}, parts)
    assert len(result["prompts_to_look_at"]) == 2
    assert result["sample"]["prompts_of"] == 20
    assert len(result["sample"]["prompts"]) == 8
    assert result["sample"]["left_out"] == 7


def scores(names: list[str], rewards: dict[str, list[float | None]]) -> pl.DataFrame:
    """Prompts one letter each, their completions all different."""
    texts = [f"{name} {at}" for at, name in enumerate(names)]
    return pl.DataFrame({"prompt": names, "completion": texts, **rewards})


def audited(table: pl.DataFrame, options: dict[str, Any], parts: int) -> dict[str, Any]:
    found = assert_parts_equal_whole(table, options, parts)
    assert isinstance(found, Audit)
    return found.result


@pytest.mark.parametrize("parts", [2, 7])
def test_prompts_of_one_completion_and_parts_without_two_scores(parts):
    """Most parts hold prompts that cannot be audited, some hold nothing at all."""
    names = [*"abcdefgh", *"aabb"]
    table = scores(names, {"one": [0.1 * (at % 5) for at in range(len(names))]})
    result = audited(table, {"rewards": ["one"], "prompt": "prompt"}, parts)
    assert result["counts"]["single_completion_prompts"] == 6
    assert result["rewards"]["one"]["prompts"] == 2


@pytest.mark.parametrize("parts", [3, 7])
def test_a_reward_and_a_truth_that_only_some_parts_can_use(parts):
    names = [*"aaaabbbbccccdddd"]
    rare = [0.5 if name == "c" else None for name in names]
    truth = [float(at % 2) if name == "b" else None for at, name in enumerate(names)]
    common = [0.1 * (at % 3) for at in range(len(names))]
    table = scores(names, {"one": common, "two": rare, "truth": truth})
    result = audited(table, {"rewards": {"one": 1.0, "two": 0.0}, "truth": "truth", "prompt": "prompt"}, parts)
    assert result["rewards"]["two"]["prompts"] == 1
    assert result["truth"]["prompts"] == 1


@pytest.mark.parametrize("parts", [3, 7])
def test_a_reward_that_no_part_can_use(parts):
    names = [*"aabbcc"]
    table = scores(names, {"one": [0.0, 0.1] * 3, "two": [None] * 6, "truth": [None] * 6})
    result = audited(table, {"rewards": {"one": 1.0, "two": 0.0}, "truth": "truth", "prompt": "prompt"}, parts)
    assert result["rewards"]["two"]["prompts"] == result["truth"]["prompts"] == 0


STEPS = {
    "numbers": pl.Series([3, 10, None, 7, 3, 10, 0, 7], dtype=pl.Int64),
    "one number": pl.Series([3] * 8),
    "floats": pl.Series([0.5, float("nan"), None, -0.0, 0.0, float("inf"), 0.5, float("nan")]),
    "texts": pl.Series(["b", "a", None, "10", "9", "b", "", "a"]),
    "dates": pl.Series([20, 10, None, 30, 20, 10, 20, 30]).cast(pl.Date),
    "categories": pl.Series(["b", "a", None, "b", "a", "b", "a", "b"], dtype=pl.Categorical),
    "decimals": pl.Series(["1.5", "2", None, "1.5", "2", "1.5", "2", "3"]).cast(pl.Decimal(10, 2)),
    "nothing": pl.Series([None] * 8, dtype=pl.Int64),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_of_every_kind(name):
    """Prompts come back at other steps, so that visits in different parts are compared."""
    steps = STEPS[name]
    names = [f"q{at % 3}" for at in range(8)]
    table = pl.DataFrame({"prompt": names, "step": steps}).select(pl.all().repeat_by(3).explode())
    table = table.with_columns(
        one=pl.Series([0.1 * ((at * 7) % 5) for at in range(24)]),
        completion=pl.Series([f"text {(at * 5) % 4}" for at in range(24)]),
    )
    result = audited(table, {"rewards": ["one"], "prompt": "prompt", "step": "step"}, 3)
    distinct = steps.fill_nan(None).n_unique() if steps.dtype.is_float() else steps.n_unique()
    assert (result["steps"] is None) == (distinct == 1)
    if distinct > 1:
        assert len(result["steps"]) == distinct
        assert sum(row["prompts"] for row in result["steps"]) == result["rewards"]["effective"]["prompts"]


def test_more_steps_than_rows_of_the_result():
    table = pl.DataFrame(
        {
            "prompt": [f"q{at % 4}" for at in range(180)],
            "step": [at // 2 for at in range(180)],
            "completion": [f"text {(at * 5) % 4}" for at in range(180)],
            "one": [0.1 * ((at * 7) % 5) for at in range(180)],
        }
    ).with_columns(prompt=pl.format("q{}", pl.col("step") % 4))
    result = audited(table, {"rewards": ["one"], "prompt": "prompt", "step": "step"}, 5)
    assert len(result["steps"]) == 40


def test_blocks_have_the_names_of_the_whole_table():
    """Blocks without names are dealt in turns, and yet each is called by its place in the table."""
    table = pl.DataFrame({"completion": [f"t{at}" for at in range(23)], "one": [0.1 * (at % 3) for at in range(23)]})
    found = assert_parts_equal_whole(table, {"rewards": ["one"], "group_size": 3, "look_at": 99}, 4)
    assert isinstance(found, Audit)
    assert {item["prompt"] for item in found.result["prompts_to_look_at"]} == {f"block {at}" for at in range(1, 8)}
    assert found.result["counts"]["skipped"] == [
        {"reason": "left over after blocks of 3 rows", "count": 2, "unit": "rows"}
    ]
    rows = {
        completion["row"]: item["prompt"]
        for item in found.result["prompts_to_look_at"]
        for completion in item["competing"]
    }
    assert all(name == f"block {row // 3 + 1}" for row, name in rows.items())


def test_rows_without_a_step_are_blocks_of_one_step():
    """Not one of them may go to another part than the others."""
    table = pl.DataFrame(
        {
            "step": [None, 1] * 12,
            "completion": [f"t{at}" for at in range(24)],
            "one": [0.1 * (at % 5) for at in range(24)],
        }
    )
    options = {"rewards": ["one"], "group_size": 4, "step": "step", "look_at": 99}
    result = audited(table, options, 3)
    assert result["counts"]["prompts"] == 6
    assert result["counts"]["skipped"] == []


@pytest.mark.parametrize("keys", [{"prompt": "prompt"}, {"group_size": 2}], ids=["names", "blocks"])
def test_repeated_rows_are_counted_exactly(keys):
    """Also those of which one has no name, and those of blocks that lie in different parts."""
    names = ["a", "b", None, "a", "a", None, "c", "b", None, "c"]
    table = pl.DataFrame({"prompt": names, "completion": names, "one": [0.1, 0.2, 0.3, 0.1, 0.1, 0.3, 0, 0.5, 0.1, 0]})
    table = pl.concat([table if "prompt" in keys else table.drop("prompt")] * 2)
    result = audited(table, keys | {"rewards": ["one"], "completion": "completion"}, 4)
    assert result["counts"]["duplicate_rows"] == len(table) - table.n_unique() > 10


def test_row_numbers_are_those_of_the_table():
    table = pl.DataFrame(
        {
            "prompt": [f"q{at % 5}" for at in range(40)],
            "completion": [f"t{at}" for at in range(40)],
            "one": [0.5 if at % 5 < 2 else 0.1 * (at % 7) for at in range(40)],
        }
    )
    found = assert_parts_equal_whole(table, {"rewards": ["one"], "prompt": "prompt", "look_at": 99}, 3)
    assert isinstance(found, Audit)
    shown = [item for prompt in found.result["prompts_to_look_at"] for item in prompt["competing"]]
    assert shown
    assert all(item["text"] == f"t{item['row']}" for item in shown)
    assert found.drop_list.rows() == [("q0", "zero spread", 0, None), ("q1", "zero spread", 1, None)]
