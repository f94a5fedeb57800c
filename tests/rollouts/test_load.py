"""From a table to its canonical form: scores, counts, and real tables."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policycliff
from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.recognise import recognise
from policycliff.rollouts.settings import AuditSettings

DATA = Path(__file__).parent.parent / "data"
PACKAGED = Path(policycliff.__file__).parent / "data" / "humaneval_codegen.parquet"
NAN = float("nan")


def _table(reward: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"prompt": ["p"] * len(reward), "reward": reward})


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_float32_score_is_the_decimal_it_prints(values: list[float]) -> None:
    loaded = load_rollouts(_table(pl.Series(values, dtype=pl.Float32)), AuditSettings())
    expected = [float(str(np.float32(value))) for value in values]
    scores = np.empty(len(values))
    scores[loaded.table.row_index] = loaded.table.rewards[0].scores
    assert scores.tolist() == expected


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        (pl.Series([0.1, 0.2], dtype=pl.Float32), [0.1, 0.2]),
        (pl.Series([0.1, 0.2], dtype=pl.Float16), [0.1, 0.2]),
        (pl.Series(["0.1", "0.20"]).cast(pl.Decimal(10, 2)), [0.1, 0.2]),
        (pl.Series([True, False]), [1.0, 0.0]),
        (pl.Series([3, 250], dtype=pl.UInt8), [3.0, 250.0]),
        (pl.Series([2**53, -1]), [2.0**53, -1.0]),
    ],
    ids=lambda item: str(item.dtype) if isinstance(item, pl.Series) else "",
)
def test_every_type_of_number_is_read(reward: pl.Series, expected: list[float]) -> None:
    assert load_rollouts(_table(reward), AuditSettings()).table.rewards[0].scores.tolist() == expected


def test_unusable_scores_are_nan_and_counted_each_for_what_it_is() -> None:
    frame = pl.DataFrame(
        {
            "prompt": ["p"] * 6,
            "reward": [1.0, None, NAN, float("inf"), -float("inf"), None],
            "other": [0.0] * 5 + [None],
        }
    )
    loaded = load_rollouts(frame, AuditSettings(rewards=(("reward", 1.0), ("other", 1.0))))
    reward, other = loaded.table.rewards
    assert (reward.missing, reward.nan, reward.infinite) == (2, 1, 2)
    assert np.isnan(reward.scores).tolist() == [False, True, True, True, True]
    assert other.missing == 1
    assert [(item.reason, item.count) for item in loaded.table.skipped] == [("no usable score in any reward column", 1)]


def test_arrays_are_read_only() -> None:
    table = load_rollouts(DATA / "math_rm.parquet", AuditSettings(rewards=(("rm_score", 1.0),))).table
    for array in (table.offsets, table.row_index, table.behaviour, table.text, table.source, table.rewards[0].scores):
        assert array is not None
        assert not array.flags.writeable


def test_missing_error_names_the_column_the_count_and_the_first_row() -> None:
    frame = pl.DataFrame({"prompt": ["p"] * 3, "reward": [1.0, None, NAN]})
    with pytest.raises(TableError, match="column 'reward' has 2 missing, NaN or infinite scores, first in row 2"):
        load_rollouts(frame, AuditSettings(missing="error"))


def test_missing_error_asks_for_the_truth_too_but_not_for_reruns() -> None:
    frame = pl.DataFrame({"prompt": ["p"] * 2, "reward": [1.0, 0.0], "truth": [1.0, None], "again": [None, 1.0]})
    options = {"missing": "error", "rerun": (("reward", "again"),)}
    assert load_rollouts(frame, AuditSettings(**options)).table.n_rows == 2
    with pytest.raises(TableError, match="column 'truth' has 1"):
        load_rollouts(frame, AuditSettings(truth="truth", **options))


def test_rows_that_repeat_whole_are_counted_and_kept(tmp_path: Path) -> None:
    frame = pl.DataFrame({"prompt": ["p"] * 4, "completion": ["a", "a", "a", "b"], "reward": [1.0] * 4})
    assert load_rollouts(frame, AuditSettings()).table.duplicate_rows == 2
    numbered = frame.with_columns(completion_id=pl.Series(["1", "2", "2", "3"]))
    numbered.write_parquet(tmp_path / "t.parquet")
    for table in (numbered, tmp_path / "t.parquet"):
        loaded = load_rollouts(table, AuditSettings())
        assert loaded.table.duplicate_rows == 1
        assert loaded.table.n_rows == 4


def test_math_rm() -> None:
    options = AuditSettings(rewards=(("rm_score", 1.0),), truth="correct", behaviour="extracted_answer")
    loaded = load_rollouts(DATA / "math_rm.parquet", options)
    table = loaded.table
    assert (table.n_groups, table.n_rows, loaded.rows_read) == (70, 560, 560)
    assert set(np.diff(table.offsets)) == {8}
    assert loaded.columns["group"] == {
        "column": "prompt_id",
        "origin": "guessed",
        "size": None,
        "size_origin": "absent",
    }
    assert table.frame["__prompt_id"][0] == "math-000"
    assert table.source is not None
    assert set(table.source) == {0}
    assert [column.name for column in table.candidates] == ["vote_share", "boxed", "n_chars"]


def test_topical_chat() -> None:
    loaded = load_rollouts(DATA / "topical_chat_ratings.parquet", AuditSettings(rewards=(("unieval_overall", 1.0),)))
    assert (loaded.table.n_groups, loaded.table.n_rows) == (42, 252)
    assert loaded.table.source is not None
    assert len(set(loaded.table.source)) == 6


def test_gsm8k() -> None:
    options = AuditSettings(rewards=(("correct", 1.0), ("calculator_consistency", 0.1)))
    loaded = load_rollouts(DATA / "gsm8k_solutions_60.parquet", options)
    assert (loaded.table.n_groups, loaded.table.n_rows) == (60, 240)


def test_the_packaged_table() -> None:
    options = AuditSettings(rewards=(("generated_tests_pass_rate", 1.0),), truth="hidden_tests_passed")
    loaded = load_rollouts(PACKAGED, options)
    assert (loaded.rows_read, loaded.table.n_groups, loaded.table.n_rows) == (11500, 108, 10800)
    assert {(item.reason, item.count, item.unit) for item in loaded.table.skipped} == {
        ("no usable score in any reward column", 700, "rows"),
        ("no usable score in any of its rows", 7, "prompts"),
    }
    assert len(np.unique(loaded.table.behaviour)) < loaded.table.n_rows


def test_recognise_tells_what_a_load_finds() -> None:
    found = recognise(DATA / "math_rm.parquet", AuditSettings(rewards=(("rm_score", 1.0),)))
    assert found["group_sizes"] == {"min": 8, "median": 8.0, "max": 8}
    assert found["columns"]["rewards"] == [{"column": "rm_score", "origin": "given", "weight": 1.0}]
    assert found["columns"]["completion"] == {"column": "completion", "origin": "guessed"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("3 - LENGTH(completion)", [2.0, 1.0, -1.0]),
        ("-length( completion )", [-1.0, -2.0, -4.0]),
        ("ABS(2 - CHAR_LENGTH(completion))", [1.0, 0.0, 2.0]),
        ("small - 3", [-2.0, -1.0, 0.0]),
        ("CASE WHEN completion = 'a' THEN 1 ELSE 0 END", [1.0, 0.0, 0.0]),
        ("narrow * 10", [1.0, 2.0, 3.0]),
        ("reward = 1", [1.0, 0.0, 0.0]),
        ("reward - AVG(reward) OVER (PARTITION BY prompt)", [0.5, -0.5, 0.0]),
        ("LENGTH('it''s (') - 9", [-3.0, -3.0, -3.0]),
    ],
)
def test_derived_columns_count_as_a_person_does(expression: str, expected: list[float]) -> None:
    frame = pl.DataFrame(
        {
            "prompt": ["p", "p", "q"],
            "completion": ["a", "bb", "cccc"],
            "reward": [1.0, 0.0, 0.5],
            "small": pl.Series([1, 2, 3], dtype=pl.UInt8),
            "narrow": pl.Series([0.1, 0.2, 0.3], dtype=pl.Float32),
        }
    )
    loaded = load_rollouts(frame, AuditSettings(derive=(("new", expression),), rewards=(("new", 1.0),)))
    assert loaded.table.rewards[0].scores.tolist() == pytest.approx(expected, abs=1e-15)


def test_a_derived_column_may_play_any_part_and_build_on_another() -> None:
    frame = pl.DataFrame({"question": ["p", "P"], "text": ["a", "b"], "x": [1.0, 2.0]})
    derive = (("key", "LOWER(question)"), ("half", "x / 2"), ("good", "half > 0.75"))
    options = AuditSettings(derive=derive, group="key", behaviour="good", truth="good", rewards=(("half", 1.0),))
    loaded = load_rollouts(frame, options)
    assert loaded.table.n_groups == 1
    assert loaded.table.rewards[0].scores.tolist() == [0.5, 1.0]
    assert loaded.table.truth is not None
    assert loaded.table.truth.scores.tolist() == [0.0, 1.0]
    assert loaded.table.frame["__behaviour"].to_list() == ["false", "true"]


@pytest.mark.parametrize(
    ("derive", "message"),
    [
        (("reward", "1"), "already has a column of that name"),
        (("x", "reward +"), r"'reward \+' fails"),
        (("x", "nothing * 2"), '"nothing"'),
        (("x", "CAST(completion AS DOUBLE)"), "conversion from `str`"),
        (("x", "(SELECT 1)"), "fails"),
        (("x", "__import__('os')"), "fails"),
    ],
)
def test_a_bad_expression_is_named(derive: tuple[str, str], message: str) -> None:
    frame = pl.DataFrame({"prompt": ["p"], "completion": ["a"], "reward": [1.0]})
    with pytest.raises(TableError, match=message):
        load_rollouts(frame, AuditSettings(derive=(derive,), rewards=((derive[0], 1.0),)))


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (pl.Series(["1", "good"]), "reward column 'reward' is not numeric: row 2 .* is 'good'"),
        (pl.Series(["1", "2"]), "holds numbers written as text; derive"),
        (pl.Series([[1.0], [2.0]]), r"holds List\(Float64\), not numbers"),
        (pl.Series([None, None]), "no row is left to audit of 2"),
        (pl.Series([NAN, float("inf")]), "no row is left to audit of 2"),
    ],
    ids=["text", "numbers as text", "list", "null", "not finite"],
)
def test_rewards_that_are_no_numbers(reward: pl.Series, message: str) -> None:
    with pytest.raises(TableError, match=message):
        load_rollouts(_table(reward), AuditSettings(rewards=(("reward", 1.0),)))


def test_the_suggested_cast_works() -> None:
    frame = _table(pl.Series(["1", "good"]))
    options = AuditSettings(derive=(("number", 'TRY_CAST("reward" AS DOUBLE)'),), rewards=(("number", 1.0),))
    assert load_rollouts(frame, options).table.n_rows == 1


def test_tables_without_rows_columns_or_groups() -> None:
    with pytest.raises(TableError, match="has columns but no rows"):
        load_rollouts(_table(pl.Series([], dtype=pl.Float64)), AuditSettings())
    with pytest.raises(TableError, match="has no columns"):
        load_rollouts(pl.DataFrame(), AuditSettings())
    with pytest.raises(TableError, match="nothing says which rows belong together"):
        load_rollouts(pl.DataFrame({"reward": [1.0]}), AuditSettings())


def test_settings_that_name_what_is_not_audited() -> None:
    frame = _table(pl.Series([1.0, 0.0]))
    for option in ({"max_reward": (("rewrd", 1.0),)}, {"noise": (("rewrd", 1.0),)}, {"main_reward": "rewrd"}):
        with pytest.raises(InvalidInputError, match=r"'rewrd', which is not one of the rewards.*Did you mean 'reward'"):
            load_rollouts(frame, AuditSettings(**option))
    with pytest.raises(InvalidInputError, match="given as reward and as truth"):
        load_rollouts(frame, AuditSettings(rewards=(("reward", 1.0),), truth="reward"))


def test_a_folder_as_trl_logs_it(tmp_path: Path) -> None:
    def message(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    for step in (9, 10):
        pl.DataFrame(
            {
                "step": [step] * 8,
                "prompt": [message("user", text) for text in ("p", "p", "q", "q", "p", "p", "q", "q")],
                "completion": [message("assistant", f"{number % 3} at {step}") for number in range(8)],
                "accuracy_reward": [1.0, None] * 4,
                "format_reward": pl.Series([0.1] * 8, dtype=pl.Float32),
                "advantage": [0.5] * 8,
            }
        ).write_parquet(tmp_path / f"completions_{step:05d}.parquet")
    loaded = load_rollouts(tmp_path, AuditSettings(group_size=2))
    table = loaded.table
    assert loaded.rewards == (("accuracy_reward", 1.0), ("format_reward", 1.0))
    assert table.offsets.tolist() == list(range(0, 17, 2))
    assert table.rewards[1].scores[0] == 0.1
    assert table.frame["__completion"][0] == "assistant: 0 at 9"
    assert table.frame["__step"].to_list() == [9] * 8 + [10] * 8
    assert table.frame["__prompt_id"].unique(maintain_order=True).to_list()[:3] == [
        "user: p",
        "user: q",
        "user: p [block 2]",
    ]


def test_lines_as_verl_dumps_them(tmp_path: Path) -> None:
    for step in (1, 2):
        lines = [
            f'{{"input": "p{number % 2}", "output": "o{number}", "gts": "g", "score": {number / 2}, "step": {step}, '
            f'"acc": true, "uid": "u{step}_{number}"}}'
            for number in range(4)
        ]
        (tmp_path / f"{step}.jsonl").write_text("\n".join(lines))
    loaded = load_rollouts(tmp_path, AuditSettings())
    assert loaded.table.n_groups == 4
    assert loaded.rewards == (("score", 1.0),)
    assert [loaded.columns[role]["column"] for role in ("prompt", "completion", "step", "group")] == [
        "prompt",
        "completion",
        "step",
        None,
    ]
