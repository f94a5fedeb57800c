"""Which column plays which part."""

from typing import Any

import polars as pl
import pytest

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.reading.columns import MAX_CANDIDATES, Role, resolve_columns
from policycliff.rollouts.settings import AuditSettings

TEXT, NUMBER, WHOLE = pl.String(), pl.Float64(), pl.Int64()


def _resolved(schema: dict[str, Any], **options: Any) -> Any:
    return resolve_columns(schema, AuditSettings(**options))


@pytest.mark.parametrize("name", ["prompt", "question", "Question", "instruction", "input", "problem"])
def test_prompts_are_guessed(name: str) -> None:
    assert _resolved({name: TEXT, "reward": NUMBER}).prompt == Role(name, "guessed")


@pytest.mark.parametrize("name", ["completion", "response", "output", "generation", "answer_text", "RESPONSE"])
def test_completions_are_guessed(name: str) -> None:
    assert _resolved({name: TEXT, "reward": NUMBER}).completion == Role(name, "guessed")


@pytest.mark.parametrize("name", ["prompt_id", "group_id", "uid", "question_id", "task_id", "example_id"])
def test_groups_are_guessed(name: str) -> None:
    assert _resolved({name: WHOLE, "reward": NUMBER}).group == Role(name, "guessed")


@pytest.mark.parametrize(
    "name",
    [
        "reward",
        "score",
        "accuracy_reward",
        "reward_format",
        "rewards/accuracy/raw",
        "rm_score",
        "reward.length",
        "Score",
    ],
)
def test_rewards_are_guessed(name: str) -> None:
    columns = _resolved({"prompt": TEXT, name: NUMBER})
    assert columns.rewards == ((name, 1.0),)
    assert columns.rewards_origin == "guessed"


@pytest.mark.parametrize(
    "name",
    [
        "advantage",
        "n_chars",
        "correct",
        "reward_std",
        "rewards/a/std",
        "score_rerun",
        "reward_weight",
        "truth",
        "logprob",
    ],
)
def test_what_is_no_reward_is_not_guessed(name: str) -> None:
    with pytest.raises(TableError, match=f"no reward column found by name.*numeric columns are: {name}"):
        _resolved({"prompt": TEXT, name: NUMBER})


def test_a_total_stands_for_its_parts() -> None:
    columns = _resolved({"prompt": TEXT, "accuracy_reward": NUMBER, "reward": NUMBER, "format_reward": NUMBER})
    assert columns.rewards == (("reward", 1.0), ("accuracy_reward", 0.0), ("format_reward", 0.0))
    assert "taken for the total" in columns.notes[0]


def test_several_rewards_without_a_total_have_weight_one_each() -> None:
    columns = _resolved({"prompt": TEXT, "accuracy_reward": NUMBER, "format_reward": NUMBER, "advantage": NUMBER})
    assert columns.rewards == (("accuracy_reward", 1.0), ("format_reward", 1.0))
    assert columns.candidates == ("advantage",)


def test_truth_and_behaviour_are_never_guessed() -> None:
    columns = _resolved({"prompt": TEXT, "reward": NUMBER, "truth": NUMBER, "behaviour": TEXT, "answer": TEXT})
    assert columns.truth == columns.behaviour == Role()


def test_what_is_given_is_neither_guessed_for_another_part_nor_a_candidate() -> None:
    schema = {"prompt": TEXT, "response": TEXT, "judge_score": NUMBER, "true_score": NUMBER, "judge_score_2": NUMBER}
    columns = _resolved(schema, truth="true_score", rerun=(("judge_score", "judge_score_2"),), behaviour="response")
    assert columns.rewards == (("judge_score", 1.0),)
    assert columns.truth == Role("true_score", "given")
    assert columns.completion == Role()
    assert columns.candidates == ()


def test_types_count_in_a_guess() -> None:
    schema = {"prompt": TEXT, "generation": WHOLE, "step": TEXT, "source": NUMBER, "uid": NUMBER, "reward": NUMBER}
    columns = _resolved(schema)
    assert columns.completion == columns.step == columns.source == columns.group == Role()
    assert _resolved({"prompt": WHOLE, "reward": NUMBER}).prompt == Role("prompt", "guessed")


def test_a_column_named_reward_that_is_text_is_taken_and_refused_later() -> None:
    assert _resolved({"prompt": TEXT, "reward": TEXT}).rewards == (("reward", 1.0),)


@pytest.mark.parametrize("role", ["prompt", "group", "step", "completion", "source", "behaviour", "truth"])
def test_a_given_column_must_be_there(role: str) -> None:
    with pytest.raises(
        TableError, match=rf"no column 'promt' \({role}\)\. Did you mean 'prompt'\? Its columns are: prompt, x"
    ):
        _resolved({"prompt": TEXT, "x": NUMBER}, **{role: "promt"}, rewards=(("x", 1.0),))


def test_given_rewards_and_reruns_must_be_there() -> None:
    with pytest.raises(TableError, match=r"no column 'y' \(reward\)"):
        _resolved({"prompt": TEXT, "x": NUMBER}, rewards=(("y", 1.0),))
    with pytest.raises(TableError, match=r"no column 'y' \(rerun of x\)"):
        _resolved({"prompt": TEXT, "x": NUMBER}, rewards=(("x", 1.0),), rerun=(("x", "y"),))
    with pytest.raises(InvalidInputError, match="rerun names 'z'"):
        _resolved({"prompt": TEXT, "x": NUMBER}, rewards=(("x", 1.0),), rerun=(("z", "x"),))


def test_a_long_list_of_columns_is_cut() -> None:
    schema = {f"c{number}": TEXT for number in range(100)} | {"reward": NUMBER}
    with pytest.raises(TableError, match="and 61 more"):
        _resolved(schema, prompt="nothing")


def test_candidates_are_the_other_numbers_up_to_a_limit() -> None:
    schema = {"prompt": TEXT, "reward": NUMBER} | {f"x{number}": NUMBER for number in range(40)}
    columns = _resolved(schema | {"flag": pl.Boolean(), "empty": pl.Null()})
    assert columns.candidates == tuple(f"x{number}" for number in range(MAX_CANDIDATES))
    assert "41 further numeric columns" in columns.notes[0]


def test_a_table_without_numbers_says_so() -> None:
    with pytest.raises(TableError, match=r"no numeric column to take as reward\. Its columns are: prompt"):
        _resolved({"prompt": TEXT})
