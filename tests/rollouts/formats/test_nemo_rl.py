"""NeMo-RL rollouts: files by its schema against values worked out by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_files import recognised_elsewhere, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.nemo_rl.reader import NEMO_RL
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import TableSource, open_table
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
LOGS = FORMATS / "nemo_rl"


def _source(table: object, settings: AuditSettings | None = None) -> TableSource:
    source = open_table(table, settings or AuditSettings())
    assert source.format == "nemo-rl"
    return source


def _line(prompt: str, answer: str, reward: Any, **others: Any) -> dict[str, Any]:
    """A sample with a token a letter."""
    tokens = [ord(letter) for letter in prompt + answer]
    mask = [0] * len(prompt) + [1] * len(answer)
    row = {"content": [prompt, answer], "rewards": reward, "input_lengths": len(tokens), "token_ids": tokens}
    return {**{key: [value] for key, value in {**row, "token_loss_mask": mask, **others}.items()}, "idx": 0}


def _write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_rows_of_training_files() -> None:
    source = _source(LOGS / "training")
    frame = source.frame.collect()
    # By hand: two prompts a step, the sum twice, 0 and the first summand, each judged by the environment.
    prompts = ["2+1", "3+1", "2+2", "3+2"]
    answers = [["3", "3", "0", "2"], ["4", "4", "0", "3"], ["4", "4", "0", "2"], ["5", "5", "0", "3"]]
    assert frame["prompt"].to_list() == [f"system: add\n\nuser: {item}=" for item in prompts for _ in range(4)]
    assert frame["completion"].to_list() == [answer for row in answers for answer in row]
    assert frame["rewards"].to_list() == [1.0, 1.0, 0.0, 0.0] * 4
    assert frame["step"].to_list() == [1] * 8 + [2] * 8
    assert frame["group"].to_list() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    # Deviations are 0.5 from the mean, over the standard deviation of (1, 1, 0, 0) for n - 1: sqrt(1/3).
    expected = np.tile([1.0, 1.0, -1.0, -1.0], 4) * 0.5 / (np.sqrt(1 / 3) + 1e-6)
    assert np.allclose(frame["advantages"].to_numpy(), expected, rtol=1e-12)
    assert source.fixed["rewards"] == (("rewards", 1.0),)
    assert [(item.count, item.unit) for item in source.skipped] == [(1, "files")]
    assert source.notes[-1] == "num_generations_per_prompt = 4, found from equal prompts of a step."


def test_audit_of_training_files() -> None:
    result = policycliff.audit(str(LOGS / "training" / "train*.jsonl")).to_dict()
    assert result["counts"]["prompts"] == 4
    # The best answer is one text in every group, so that nothing is tied; both draws of it have the same reward.
    assert result["rewards"]["effective"]["tied_share"]["value"] == 0.0
    assert result["rewards"]["effective"]["zero_spread_share"]["value"] == 0.0


def test_validation_alone_is_read() -> None:
    source = _source(LOGS / "training" / "val_data_step2.jsonl")
    frame = source.frame.collect()
    assert frame.select("prompt", "completion", "rewards", "step", "group").rows() == [("1+1=", "2", 1.0, 2, 0)] * 2
    assert source.skipped == ()


def test_old_files_without_masks_take_the_first_message_for_the_prompt() -> None:
    source = _source(LOGS / "old")
    frame = source.frame.collect()
    assert frame["prompt"].to_list() == ["user: 2+1="] * 4 + ["user: 3+1="] * 4
    assert frame["completion"].to_list()[:3] == ["3\nEnvironment: correct"] * 2 + ["0\nEnvironment: incorrect"]
    assert frame["step"].unique().to_list() == [10]
    assert any("no token_loss_mask" in note for note in source.notes)


def test_dynamic_sampling_takes_the_rewards_of_the_samples_kept() -> None:
    source = _source(LOGS / "filtered")
    frame = source.frame.collect()
    assert source.fixed["rewards"] == (("filtered_rewards", 1.0),)
    # The other column, of the batch before filtering, begins with four zeros and is one too short.
    assert frame["filtered_rewards"].to_list() == [1.0, 1.0, 0.0, 0.0] * 2
    assert "rewards" not in frame.columns
    assert frame["agent"].to_list() == ["sums"] * 8
    assert any(note.startswith("dynamic sampling") for note in source.notes)


def test_lines_of_rewards_before_filtering_are_counted(tmp_path: Path) -> None:
    kept = [_line("p", answer, 0.0, filtered_rewards=score) for answer, score in [("a", 1.0), ("b", 0.0)]]
    empty = {key: value if key in {"rewards", "idx"} else [] for key, value in kept[0].items()}
    source = _source(_write(tmp_path / "train_data_step1.jsonl", [*kept, empty, empty]))
    assert source.frame.collect()["filtered_rewards"].to_list() == [1.0, 0.0]
    assert [(item.count, item.unit) for item in source.skipped] == [(2, "rows")]


def test_turns_and_an_observation_without_tokens() -> None:
    frame = _source(LOGS / "turns").frame.collect()
    assert frame["prompt"].to_list() == ["guess\n"] * 3
    assert frame["completion"].to_list() == ["1\nlow\n\n5", "2\nlow\n\n4", "1\nlow\n\n9"]


def test_observations_without_tokens_are_no_part_of_prompts_or_completions(tmp_path: Path) -> None:
    lines = [_line("p", answer, 0.0) for answer in ("a", "b", "a")]
    for line, seen in zip(lines, ["", "", "bad"], strict=True):
        line["content"][0].append(seen)
    shown = {
        **lines[2],
        "token_ids": [[*lines[2]["token_ids"][0], 7]],
        "token_loss_mask": [[0, 1, 0]],
        "input_lengths": [3],
    }
    equal = [_line("q", "c", 0.0), _line("q", "c", 0.0)]
    for line in equal:
        line["content"][0].append("")
    path = _write(tmp_path / "train_data_step1.jsonl", [*lines[:2], shown, *equal])
    frame = _source(path).frame.collect()
    assert frame["prompt"].to_list() == ["p", "p", "p", "q", "q"]
    assert frame["completion"].to_list() == ["a", "b", "a", "c", "c"]


def test_equal_prompts_of_a_step_are_one_group_and_of_two_steps_are_not(tmp_path: Path) -> None:
    lines = [_line(prompt, answer, 0.5) for prompt, answer in [("p", "a"), ("q", "b"), ("p", "c")]]
    for step in (9, 10):
        _write(tmp_path / f"train_data_step{step}.jsonl", lines)
    source = _source(tmp_path)
    frame = source.frame.collect()
    assert frame["group"].to_list() == [0, 1, 0, 2, 3, 2]
    assert frame["step"].to_list() == [9, 9, 9, 10, 10, 10]
    assert "2 of 4 groups have another size" in source.notes[-1]


def test_scores_are_the_decimals_that_the_float32_tensor_meant(tmp_path: Path) -> None:
    scores = [float(np.float32(value)) for value in (0.1, 0.7)]
    path = _write(tmp_path / "train_data_step1.jsonl", [_line("p", str(score), score) for score in scores])
    assert load_rollouts(path, AuditSettings()).table.rewards[0].scores.tolist() == [0.1, 0.7]


def test_masked_samples_and_advantages_that_differ_by_token(tmp_path: Path) -> None:
    lines = [
        _line("p", "ab", 1.0, sample_loss_mask=0.0, advantages=[9.0, 0.5, 0.5]),
        _line("p", "cd", 0.0, sample_loss_mask=1.0, advantages=[9.0, 0.5, -1.0]),
    ]
    source = _source(_write(tmp_path / "train_data_step1.jsonl", lines))
    frame = source.frame.collect()
    assert frame["advantages"].to_list() == [0.5, None]
    assert frame["sample_loss_mask"].to_list() == [0.0, 1.0]
    assert any(note.startswith("1 samples have sample_loss_mask 0") for note in source.notes)


def test_missing_scores_are_null(tmp_path: Path) -> None:
    lines = [
        _line("p", "a", 1.0),
        _line("p", "b", None),
        {**_line("p", "c", 1.0), "rewards": []},
        _line("p", "d", float("nan")),
    ]
    loaded = load_rollouts(_write(tmp_path / "train_data_step1.jsonl", lines), AuditSettings())
    column = loaded.table.rewards[0]
    assert (column.missing, column.nan) == (2, 1)


def test_completions_without_prompts_ask_for_the_size(tmp_path: Path) -> None:
    lines = [
        {"content": [text], "rewards": [score], "input_lengths": [3], "idx": 0}
        for text, score in zip("abcd", range(4), strict=True)
    ]
    path = _write(tmp_path / "train_data_step1.jsonl", lines)
    with pytest.raises(TableError, match=r"train_data_step1\.jsonl has neither.*--group-size"):
        _source(path)
    assert load_rollouts(path, AuditSettings(group_size=2)).table.n_groups == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rewards": ["high"]}, "'rewards' must be a number, got str"),
        ({"rewards": [1.0, 2.0]}, "must be a list of one value, got 2"),
        ({"rewards": [10**400]}, "'rewards' is too large a number"),
        ({"content": [7]}, "'content' must be a list of one list of messages, got int"),
        ({"token_ids": ["x"]}, "'token_ids' must be a list of one list of numbers, got str"),
        ({"token_loss_mask": [["x"]]}, "'token_loss_mask' must hold numbers, got str"),
        ({"advantages": [[10**400] * 2]}, "'advantages' is too large a number"),
        ({"input_lengths": [{}]}, "'input_lengths' must be a number, got dict"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    path = _write(tmp_path / "train_data_step1.jsonl", [_line("p", "a", 1.0), {**_line("p", "b", 0.0), **change}])
    with pytest.raises(TableError, match=expected) as caught:
        _source(path)
    assert f"{path}, line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"content": [["p", "a"]], "rew', "line 2: not valid JSON"),
        ("[1]", "line 2: expected a JSON object, got list"),
        ('{"rewards": [1.0]}', "line 2: no 'content'"),
        ('{"content": ' + "[" * 200_000, "line 2: not valid JSON"),
        ('{"rewards": [' + "1" * 5000 + "]}", "line 2: not valid JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "train_data_step1.jsonl"
    path.write_text(json.dumps(_line("p", "a", 1.0)) + "\n" + text + "\n")
    with pytest.raises(TableError, match=expected) as caught:
        open_table(path, AuditSettings(format="nemo-rl"))
    assert str(path) in str(caught.value)


def test_other_files_are_not_recognised(tmp_path: Path) -> None:
    plain = [
        {"prompt": "p", "completion": "a", "score": 1.0},
        {"content": "p", "rewards": 1.0, "idx": 0},
        {"content": [["p", "a"]], "rewards": [1.0, 0.0], "input_lengths": [2], "idx": 0},
        {"content": [["p", "a"]], "rewards": [1.0], "idx": 0},
        {"content": [["p", "a"]], "input_lengths": [2], "idx": 0},
    ]
    for number, row in enumerate(plain):
        assert NEMO_RL.recognise(sample_of(_write(tmp_path / f"{number}.jsonl", [row]))) is None
    assert recognised_elsewhere(NEMO_RL, "nemo_rl") == []


def test_broken_files_raise_nothing_else(tmp_path: Path) -> None:
    assert 10 < survivors(sorted(LOGS.glob("*/*.jsonl")), tmp_path, "nemo-rl", 120, seed=1) < 120
