"""Rewards of a TRL training that are no functions, watched: models, models by name, environments, with others.

Skipped where TRL is not installed.
"""

import json
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
trl = pytest.importorskip("trl")

from tiny_training import (  # noqa: E402
    as_models,
    has_a,
    has_b,
    own_logs,
    parameters_of,
    reward_model,
    short,
    table_of,
    tiny_tokenizer,
    trained,
)

from policycliff.integrations.trl import watch  # noqa: E402 - needs what may be missing


def scores_in(folder, name):
    return table_of(folder)[name].fill_null(float("nan")).to_numpy().astype(np.float32)


def audit_in(folder):
    return json.loads((folder / "rollouts" / "audit" / "audit.json").read_text(encoding="utf-8"))


def test_the_scores_of_a_model_are_recorded_and_training_is_the_same(tmp_path):
    rewards = [has_a, reward_model("org/judge"), has_b, short]
    settings = {
        "others": {"reward_processing_classes": as_models(rewards)},
        "log_completions": True,
        "reward_weights": [1.0, 0.5, 1.0, 0.25],
    }
    plain = trained(tmp_path / "plain", rewards, **settings)
    functions, watcher = watch(rewards, columns=["wanted"])
    assert functions[1] is rewards[1]
    watched = trained(tmp_path / "watched", functions, [watcher], **settings)
    assert parameters_of(watched) == parameters_of(plain)
    assert own_logs(watched) == own_logs(plain)
    folder = tmp_path / "watched" / "rollouts"
    for name in ("has_a", "judge", "has_b", "short"):
        own = scores_in(tmp_path / "watched" / "completions", name)
        np.testing.assert_array_equal(scores_in(folder, name), own)
    assert len(set(scores_in(folder, "judge").tolist())) > 4
    assert table_of(folder)["wanted"].to_list() == [prompt[0] for prompt in table_of(folder)["prompt"]]
    weights = {"has_a": 1.0, "judge": 0.5, "has_b": 1.0, "short": 0.25}
    assert audit_in(tmp_path / "watched")["settings"]["rewards"] == weights
    for row in watched.state.log_history:
        if "reward" in row:
            assert row["policycliff/reward_mean"] == pytest.approx(row["reward"], abs=1e-6)


def test_models_alone_also_by_name(tmp_path):
    place = tmp_path / "tiny-judge"
    reward_model().save_pretrained(place)
    tiny_tokenizer().save_pretrained(place)
    rewards = [str(place), reward_model()]
    others = {"reward_processing_classes": [None, tiny_tokenizer()]}
    plain = trained(tmp_path / "plain", rewards, others=others)
    functions, watcher = watch(rewards)
    watched = trained(tmp_path / "watched", functions, [watcher], others=others | {"reward_funcs": functions})
    assert parameters_of(watched) == parameters_of(plain)
    rows = table_of(tmp_path / "watched" / "rollouts")
    assert rows["tiny-judge"].to_list() == rows["reward model"].to_list()
    assert audit_in(tmp_path / "watched")["settings"]["rewards"] == {"tiny-judge": 1.0, "reward model": 1.0}


def test_a_model_may_be_the_truth(tmp_path):
    rewards = [has_a, reward_model("judge")]
    functions, watcher = watch(rewards, truth="judge")
    others = {"reward_processing_classes": as_models(rewards)}
    evaluation = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 8}
    trained(tmp_path, functions, [watcher], others=others, reward_weights=[1.0, 0.0], **evaluation)
    assert audit_in(tmp_path)["settings"]["rewards"] == {"has_a": 1.0}
    assert table_of(tmp_path / "rollouts")["truth"].n_unique() > 4
    held_out = table_of(tmp_path / "rollouts" / "evaluation")
    assert held_out["step"].to_list() == [2] * 16 + [4] * 16
    assert held_out["truth"].n_unique() > 4


async def slow(prompts, completions, **kwargs):
    return [0.1 * len(completion) for completion in completions]


def test_async_functions_alone(tmp_path):
    plain = trained(tmp_path / "plain", [slow, has_b], log_completions=True)
    functions, watcher = watch([slow, has_b])
    watched = trained(tmp_path / "watched", functions, [watcher], log_completions=True)
    assert parameters_of(watched) == parameters_of(plain)
    for name in ("slow", "has_b"):
        own = scores_in(tmp_path / "watched" / "completions", name)
        np.testing.assert_array_equal(scores_in(tmp_path / "watched" / "rollouts", name), own)


TEMPLATE = """
{%- for message in messages %}{{ message.content }}
{%- for call in message.tool_calls or [] %} {{ call.function.name }} {{ call.function.arguments | tojson }}{% endfor %}
{{- " " }}{% endfor %}"""


class Maze:
    """An environment that gives its own reward, of what it was told and of how often it was asked."""

    def __init__(self):
        self.asked = 0

    def reset(self, wanted, **kwargs):
        self.level = 1.0 + (wanted == "a")

    def get_reward(self):
        self.asked += 1
        return self.level / self.asked


class Patient(Maze):
    async def get_reward(self):
        return 0.5 * self.level


class Silent:
    def reset(self, **kwargs):
        pass


def chats():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = TEMPLATE
    rows = [
        {"prompt": [{"role": "user", "content": f"{one} {two}"}], "wanted": one, "environment": where}
        for one in "abcd"
        for two, where in zip("efg", ("maze", "patient", "silent"), strict=True)
    ]
    return {"processing_class": tokenizer, "train_dataset": trl_rows(rows), "eval_dataset": trl_rows(rows[:4])}


def trl_rows(rows):
    return pytest.importorskip("datasets").Dataset.from_list(rows)


def said_a(prompts, completions, **kwargs):
    return [float("a" in completion[0]["content"]) for completion in completions]


@pytest.mark.parametrize("rewards", [[said_a], []])
def test_the_rewards_of_environments_are_recorded(tmp_path, monkeypatch, rewards):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    factories = {"maze": Maze, "patient": Patient, "silent": Silent}
    settings = {"log_completions": True, "reward_weights": [0.5] * len(rewards) or None}
    plain = trained(tmp_path / "plain", rewards, others={**chats(), "environment_factory": factories}, **settings)
    functions, watcher = watch(rewards or None)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*policycliff.*")
        others = {**chats(), "environment_factory": factories}
        watched = trained(tmp_path / "watched", functions, [watcher], others=others, **settings)
    assert parameters_of(watched) == parameters_of(plain)
    assert own_logs(watched) == own_logs(plain)
    names = [*(["said_a"] if rewards else []), "Maze", "Patient"]
    for name in names:
        own = scores_in(tmp_path / "watched" / "completions", name)
        np.testing.assert_array_equal(scores_in(tmp_path / "watched" / "rollouts", name), own)
    rows = table_of(tmp_path / "watched" / "rollouts")
    assert rows["Maze"].null_count() > 0 < rows["Patient"].null_count()
    assert not rows["Maze"].is_nan().any()
    weights = dict(zip(names, [*([0.5] if rewards else []), 1.0, 1.0], strict=True))
    assert audit_in(tmp_path / "watched")["settings"]["rewards"] == weights


def test_without_the_place_where_models_are_seen_the_functions_are(tmp_path, monkeypatch):
    rewards = [reward_model("judge"), has_a]
    functions, watcher = watch(rewards)
    others = {"reward_processing_classes": as_models(rewards)}
    monkeypatch.setattr(type(watcher), "_attach", lambda self: None)
    trained(tmp_path, functions, [watcher], others=others, reward_weights=[2.0, 0.5])
    assert audit_in(tmp_path)["settings"]["rewards"] == {"has_a": 0.5}
