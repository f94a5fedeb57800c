"""TRL completion logs: real runs of the trainer against what its reward functions were given and returned."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from broken_files import recognised_elsewhere, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.trl.advantages import advantage_notes
from policycliff.rollouts.formats.trl.reader import TRL
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import TableSource, open_table
from policycliff.rollouts.reading.recognise import recognise
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
LOGS = FORMATS / "trl"
RUNS = ("text", "chat", "evaluation", "twice", "unscaled", "batch", "normalised_first")
SIZE = 4


def _seen(run: str) -> list[dict[str, Any]]:
    """What the reward functions saw, a row a completion, calls in order."""
    calls = json.loads((LOGS / f"{run}.json").read_text())
    return [
        {name: call[key][row] for name, key in (("prompt", "prompts"), ("completion", "completions"))}
        | {name: call[name][row] for name in ("letters", "brevity")}
        | {"call": number}
        for number, call in enumerate(calls)
        for row in range(len(call["prompts"]))
    ]


def _float32(value: float | None) -> float | None:
    return None if value is None else float(str(np.float32(value)))


def _source(table: object, settings: AuditSettings | None = None) -> TableSource:
    source = open_table(table, settings or AuditSettings())
    assert source.format == "trl"
    return source


def _log(folder: Path, step: int, frame: pl.DataFrame) -> Path:
    path = folder / f"completions_{step:05d}.parquet"
    frame.write_parquet(path)
    return path


def _made(groups: list[tuple[str, list[float]]], step: int = 1, **columns: list[Any]) -> pl.DataFrame:
    """A log of one reward, by TRL's formula."""
    advantages = [
        (score - np.mean(scores)) / (np.std(scores, ddof=1) + 1e-4) for _, scores in groups for score in scores
    ]
    n_rows = len(advantages)
    return pl.DataFrame(
        {
            "step": [step] * n_rows,
            "prompt": [prompt for prompt, scores in groups for _ in scores],
            "completion": [f"answer {row}" for row in range(n_rows)],
            "score": [score for _, scores in groups for score in scores],
            **columns,
            "advantage": np.array(advantages, dtype=np.float32).astype(np.float64),
        }
    )


@pytest.mark.parametrize("run", ["text", "chat"])
def test_rows_are_those_that_the_reward_functions_saw(run: str) -> None:
    source = _source(LOGS / run)
    frame, seen = source.frame.collect(), _seen(run)
    assert frame["prompt"].to_list() == [row["prompt"] for row in seen]
    assert frame["completion"].to_list() == [row["completion"] for row in seen]
    for name in ("letters", "brevity"):
        assert frame[name].cast(pl.String).cast(pl.Float64).to_list() == [_float32(row[name]) for row in seen]
    assert frame["step"].to_list() == [row["call"] + 1 for row in seen]
    assert frame["group"].to_list() == [row // SIZE for row in range(len(seen))]
    assert source.fixed["rewards"] == (("letters", 1.0), ("brevity", 1.0))
    assert source.skipped == ()


def test_groups_of_one_prompt_next_to_each_other_stay_apart() -> None:
    frame = _source(LOGS / "text").frame.collect()
    assert frame["prompt"].to_list()[8:16] == ["say a"] * 8
    assert frame["group"].to_list()[8:16] == [2] * 4 + [3] * 4


def test_extra_columns_are_kept_and_are_no_rewards() -> None:
    frame, seen = _source(LOGS / "chat").frame.collect(), _seen("chat")
    words = [row["completion"][0]["content"].split() for row in seen]
    assert frame["n_words"].to_list() == [len(item) for item in words]
    assert frame["first_word"].to_list() == [item[0] if item else "" for item in words]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("text", "agree with these weights and scale_rewards='group'"),
        ("twice", "agree with these weights and scale_rewards='group'"),
        ("batch", "agree with these weights and scale_rewards='batch'"),
        ("normalised_first", "multi_objective_aggregation='normalize_then_sum'"),
        ("chat", "--reward letters=1 --reward brevity=0.5 (and scale_rewards='group')"),
        ("unscaled", "--reward letters=1 --reward brevity=0.5 (and scale_rewards='none')"),
    ],
)
def test_advantages_tell_the_settings_of_the_run(run: str, expected: str) -> None:
    assert expected in _source(LOGS / run).notes[-1]


def test_weights_that_are_given_are_checked_too() -> None:
    right = AuditSettings(rewards=(("letters", 1.0), ("brevity", 0.5)))
    assert "agree with these weights and scale_rewards='none'" in _source(LOGS / "unscaled", right).notes[-1]
    alone = AuditSettings(rewards=(("brevity", 1.0),))
    assert "do not agree with these weights" in _source(LOGS / "unscaled", alone).notes[-1]


def test_a_batch_that_is_logged_again_counts_once() -> None:
    source = _source(LOGS / "twice")
    seen = _seen("twice")
    assert source.frame.collect()["completion"].to_list() == [row["completion"] for row in seen]
    assert [item.count for item in source.skipped] == [16]
    assert "same generation batch" in source.skipped[0].reason


def test_rows_of_evaluations_are_left_out_and_counted() -> None:
    source = _source(LOGS / "evaluation")
    frame = source.frame.collect()
    # The first call after the three of the evaluation before training is the first training batch.
    first = [row["completion"] for row in _seen("evaluation") if row["call"] == 3]
    assert frame["completion"].to_list() == first
    assert frame["step"].unique().to_list() == [1]
    assert [(item.count, item.unit) for item in source.skipped] == [(6, "rows"), (16, "rows")]
    assert "eval_on_start" in source.skipped[0].reason
    assert "completions_00002.parquet, completions_00003.parquet" in source.skipped[1].reason


def test_an_evaluation_alone_is_read() -> None:
    frame = _source(LOGS / "evaluation" / "completions_00000.parquet").frame.collect()
    assert frame["group"].to_list() == [0, 0, 1, 1, 2, 2]


def test_a_file_mixed_with_an_evaluation_asks_for_the_size() -> None:
    with pytest.raises(
        TableError, match=r"completions_00002\.parquet: the runs of equal prompts \(2 rows\).*--group-size"
    ):
        _source(LOGS / "evaluation" / "completions_00002.parquet")


@pytest.mark.parametrize("run", ["text", "chat"])
def test_audit_of_a_run(run: str) -> None:
    seen = _seen(run)
    tied, compared = 0, 0
    groups = [seen[start : start + SIZE] for start in range(0, len(seen), SIZE)]
    for group in groups:
        scored = [row for row in group if row["brevity"] is not None]
        sums = {str(row["completion"]): round(10 * (row["letters"] + row["brevity"])) for row in scored}
        tied += sum(value == max(sums.values()) for value in sums.values()) > 1
        compared += len(scored) > 1
    result = policycliff.audit(LOGS / run).to_dict()
    assert result["counts"]["prompts"] == len(groups) == 6
    assert result["rewards"]["effective"]["tied_share"]["value"] == tied / compared
    assert (tied, compared) == (1, 5)


def test_a_given_size_beats_the_one_found() -> None:
    loaded = load_rollouts(LOGS / "text", AuditSettings(group_size=2))
    assert loaded.table.n_groups == 12
    assert any("do not sum to zero in blocks of 2" in note for note in loaded.notes)
    with pytest.raises(TableError, match=r"blocks of 3 rows mix prompts, whose runs have 4, 8 rows"):
        load_rollouts(LOGS / "text", AuditSettings(group_size=3))


def test_a_given_group_column_is_taken() -> None:
    loaded = load_rollouts(LOGS / "text", AuditSettings(group="prompt"))
    assert loaded.table.n_groups == 5  # (step, prompt): 2, 1 and 2


def test_what_the_file_cannot_tell_is_said(tmp_path: Path) -> None:
    path = _log(tmp_path, 1, _made([("p", [1.0, 0.0]), ("p", [1.0, 0.0]), ("q", [0.0, 1.0]), ("q", [0.0, 0.0])]))
    source = _source(path)
    assert source.frame.collect()["group"].to_list() == [0] * 4 + [1] * 4
    assert source.notes[0].startswith("num_generations = 4, found")
    assert source.notes[1] == "groups of 2 would fit as well, if prompts always came several times in a row."


def test_runs_that_do_not_divide_ask_for_the_size(tmp_path: Path) -> None:
    path = _log(tmp_path, 1, _made([("p", [1.0, 0.0, 0.5]), ("q", [0.0, 1.0])]))
    with pytest.raises(TableError, match=r"completions_00001\.parquet.*\(2, 3 rows\).*--group-size"):
        _source(path)


def test_most_files_decide_on_the_size(tmp_path: Path) -> None:
    spread = [1.0, 0.0, 0.3, 0.3]
    for step in (1, 2, 3):
        _log(tmp_path, step, _made([("p", spread), (f"q{step}", spread)], step))
    _log(tmp_path, 4, _made([("r", [0.0, 1.0]), ("s", [0.0, 1.0])], 4))
    source = _source(tmp_path)
    assert source.frame.collect()["group"].to_list() == [row // 4 for row in range(24)]
    assert [item.count for item in source.skipped] == [4]


def test_a_log_whose_advantages_were_dropped_is_read_if_it_is_named(tmp_path: Path) -> None:
    path = _log(tmp_path, 1, _made([("p", [1.0, 0.0, 0.0]), ("q", [0.0, 1.0, 1.0])]).drop("advantage"))
    assert open_table(path).format == "plain"
    source = _source(path, AuditSettings(format="trl"))
    assert source.frame.collect()["group"].to_list() == [0] * 3 + [1] * 3


def test_an_extra_column_of_float32_numbers_is_told_from_a_reward_by_the_advantages(tmp_path: Path) -> None:
    path = _log(tmp_path, 1, _made([("p", [1.0, 0.0, 0.5]), ("q", [0.0, 1.0, 1.0])], extra=[0.5, 2.0, 1.0] * 2))
    assert _source(path).fixed["rewards"] == (("score", 1.0),)


def test_files_may_lack_columns_and_differ_in_types(tmp_path: Path) -> None:
    first = _made([("p", [1.0, 0.0]), ("q", [0.0, 1.0])], n=[1, 2, 3, 4])
    second = _made([("p", [1.0, 0.5]), ("q", [0.5, 1.0])], 2, n=[1.5, 2.0, 3.0, 4.0], word=["a", "b", "c", "d"])
    chat = [[{"role": "user", "content": "p"}]] * 2 + [[{"role": "user", "content": "q"}]] * 2
    third = _made([("p", [0.0, 0.5]), ("q", [0.5, 0.0])], 3).with_columns(prompt=pl.Series(chat))
    for step, frame in enumerate((first, second, third), start=1):
        _log(tmp_path, step, frame)
    source = _source(tmp_path)
    frame = source.frame.collect()
    assert frame["n"].to_list() == [1.0, 2.0, 3.0, 4.0, 1.5, 2.0, 3.0, 4.0, None, None, None, None]
    assert frame["word"].to_list() == [None] * 4 + ["a", "b", "c", "d"] + [None] * 4
    assert frame["prompt"].to_list() == ["p", "p", "q", "q"] * 2 + ["user: p", "user: p", "user: q", "user: q"]
    assert frame["group"].to_list() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [note for note in source.notes if "'word' is not in 2 of 3 files" in note]


def test_messages_with_tool_calls_become_text(tmp_path: Path) -> None:
    frame = _made([("p", [1.0, 0.0])])
    call = {"function": {"name": "add", "arguments": "2, 2"}}
    completions = [
        [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "4", "tool_calls": None},
        ],
        [{"role": "assistant", "content": "5", "tool_calls": None}],
    ]
    source = _source(_log(tmp_path, 1, frame.with_columns(completion=pl.Series(completions, strict=False))))
    assert source.frame.collect()["completion"].to_list() == [
        "assistant: [call add(2, 2)]\ntool: 4",
        "assistant: 5",
    ]


def test_a_column_named_group_is_left_alone(tmp_path: Path) -> None:
    path = _log(tmp_path, 1, _made([("p", [1.0, 0.0]), ("q", [0.0, 1.0])], group=["x"] * 4))
    source = _source(path)
    assert source.fixed["group"] == "trl_group"
    assert load_rollouts(path, AuditSettings()).table.n_groups == 2


def test_two_runs_at_once_do_not_share_groups(tmp_path: Path) -> None:
    for run in ("one", "two"):
        shutil.copytree(LOGS / "text", tmp_path / run)
    assert load_rollouts(str(tmp_path / "*" / "*.parquet"), AuditSettings()).table.n_groups == 12


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda frame: frame.drop("prompt"), "no column 'prompt'"),
        (lambda frame: frame.with_columns(step=pl.lit("one")), "'step' holds String, not whole"),
        (lambda frame: frame.with_columns(step=pl.lit(1.5)), "'step' holds Float64, not whole"),
        (lambda frame: frame.with_columns(advantage=pl.lit("high")), "'advantage' holds String"),
        (lambda frame: frame.head(0), "no rows"),
        (lambda frame: frame.with_columns(score=pl.lit("high")), "no column of float scores"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, change: Any, expected: str) -> None:
    path = _log(tmp_path, 2, change(_made([("p", [1.0, 0.0])])))
    with pytest.raises(TableError, match=expected) as caught:
        open_table(path, AuditSettings(format="trl"))
    assert str(path) in str(caught.value)


def test_numbers_that_are_none_do_no_harm(tmp_path: Path) -> None:
    nan, infinite = float("nan"), float("inf")
    frame = _made([("p", [1.0, 0.0, 0.5, 0.5]), ("q", [0.0, 1.0, 1.0, 0.0])])
    broken = frame.with_columns(
        score=pl.Series([nan, infinite, -infinite, 1e300, None, 0.0, 1.0, 2.0]),
        advantage=pl.Series([nan, infinite, None, 1e308, 1e308, -1e308, 0.0, 0.0]),
    )
    with pytest.raises(TableError, match="num_generations cannot be found out"):
        _source(_log(tmp_path, 1, broken))
    fine = broken.with_columns(
        advantage=pl.lit(0.0), score=pl.Series([nan, infinite, -infinite, 1.0, None, 0.0, 1.0, 2.0])
    )
    loaded = load_rollouts(_log(tmp_path, 1, fine), AuditSettings())
    column = loaded.table.rewards[0]
    assert (loaded.table.n_groups, column.missing, column.nan, column.infinite) == (2, 1, 1, 2)


def test_weights_that_nothing_tells_apart_are_not_claimed() -> None:
    scores = [1.0, 0.0, 0.5, 0.25]
    advantages = np.array(scores) - np.mean(scores)
    numbers = pl.DataFrame({"one": scores, "two": scores, "advantage": advantages * 7.0})
    group = pl.Series([0] * 4)
    notes = advantage_notes(numbers, group, np.zeros(4, dtype=np.int64), {"one": 1.0, "two": 1.0})
    assert notes == [
        "the logged advantages do not agree with these weights: others, or other rewards, were trained on."
    ]


def test_other_files_are_not_recognised(tmp_path: Path) -> None:
    frame = _made([("p", [1.0, 0.0])])
    others = [
        frame.select("prompt", "completion", "score"),
        frame.select("prompt", "completion", "step", "score", "advantage"),
        frame.select("step", "prompt", "completion"),
        frame.with_columns(pl.col("step").cast(pl.Float64)),
        frame.select("step", "prompt", "completion", "advantage"),
    ]
    for number, other in enumerate(others):
        other.write_parquet(tmp_path / f"{number}.parquet")
        assert TRL.recognise(sample_of(tmp_path / f"{number}.parquet")) is None
    assert recognised_elsewhere(TRL, "trl") == []


@pytest.mark.parametrize("run", RUNS)
def test_every_run_is_recognised(run: str) -> None:
    found = recognise(LOGS / run, AuditSettings())
    assert found["format"] == "trl"
    assert found["group_sizes"] == {"min": SIZE, "median": SIZE, "max": SIZE}


def test_broken_files_raise_nothing_else(tmp_path: Path) -> None:
    assert 10 < survivors(sorted(LOGS.glob("*/*.parquet")), tmp_path, "trl", 120, seed=1) < 120
