"""Real trainings of TRL, watched: the same training to the bit, and the figures of what it was trained on.

Skipped where TRL is not installed.
"""

import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import policycliff
from policycliff.errors import InvalidInputError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")

from tiny_training import FUNCTIONS, has_a, own_logs, parameters_of, short, table_of, trained  # noqa: E402

from policycliff.integrations.trl import watch  # noqa: E402 - needs what may be missing
from policycliff.rollouts.audit import settings_from_options  # noqa: E402
from policycliff.rollouts.reading.load import load_rollouts  # noqa: E402
from policycliff.rollouts.scores import effective_reward_of  # noqa: E402

WEIGHTS = [1.0, 0.5, 0.25, 0.0, 1.0]


def test_training_is_the_same_with_and_without_watching(tmp_path):
    settings = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 8, "reward_weights": WEIGHTS}
    plain = trained(tmp_path / "plain", **settings)
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002 - the state that must not move
    functions, watcher = watch(FUNCTIONS, truth="level", columns=["wanted"])
    watched = trained(tmp_path / "watched", functions, [watcher], **settings)
    assert watched.reward_func_names == plain.reward_func_names == ["has_a", "short", "has_b", "has_a", "Hidden"]
    assert parameters_of(watched) == parameters_of(plain)
    assert parameters_of(plain) != parameters_of(trained(tmp_path / "fewer", steps=1))
    assert own_logs(watched) == own_logs(plain)
    trained(tmp_path / "again", **settings)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]  # noqa: NPY002


def test_what_is_recorded_is_what_was_trained_on(tmp_path):
    functions, watcher = watch(FUNCTIONS, truth="level", columns=["wanted"])
    settings = {"log_completions": True, "reward_weights": WEIGHTS}
    trainer = trained(tmp_path, functions, [watcher], **settings)
    rows = table_of(tmp_path / "rollouts")
    own = table_of(tmp_path / "completions")
    assert rows["step"].to_list() == own["step"].to_list()
    assert rows["prompt"].to_list() == own["prompt"].to_list()
    assert rows["completion"].to_list() == own["completion"].to_list()
    names = ["has_a", "short", "has_b", "has_a #2", "Hidden"]
    for name in names[:3] + names[4:]:
        scores = rows[name].fill_null(float("nan")).to_numpy().astype(np.float32)
        np.testing.assert_array_equal(scores, own[name].to_numpy().astype(np.float32))
    assert rows["short"].null_count() > 0
    assert rows["group"].n_unique() == len(rows) / 4 == 8
    assert rows["wanted"].to_list() == [prompt[0] for prompt in rows["prompt"]]
    assert rows["truth"].to_list() == [1.0 + (prompt[0] == "a") for prompt in rows["prompt"]]
    logs = [row for row in trainer.state.log_history if "reward" in row]
    for row in logs:
        assert row["policycliff/prompts"] == 2.0
        assert row["policycliff/reward_mean"] == pytest.approx(row["reward"], abs=1e-6)
        assert row["policycliff/zero_spread_share"] == row["frac_reward_zero_std"]
        assert 0.0 <= row["policycliff/consequential_share"] <= row["policycliff/tied_share"]
    written = json.loads((tmp_path / "rollouts" / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert written["settings"]["rewards"] == dict(zip(names, WEIGHTS, strict=True))
    assert written["settings"]["missing"] == "zero"
    assert [row["first"] for row in written["steps"]] == [1, 2, 3, 4]
    assert policycliff.audit(tmp_path / "rollouts").to_dict()["rewards"] == written["rewards"]


@pytest.mark.parametrize("aggregation", ["normalize_then_sum", "sum_then_normalize"])
def test_the_effective_reward_with_missing_scores_is_that_of_trl(tmp_path, aggregation):
    functions, watcher = watch([has_a, short])
    settings = {"reward_weights": [1.0, 0.5], "multi_objective_aggregation": aggregation, "log_completions": True}
    trained(tmp_path, functions, [watcher], **settings, steps=3)
    asked = {"rewards": {"has_a": 1.0, "short": 0.5}, "aggregation": aggregation, "missing": "zero"}
    loaded = load_rollouts(tmp_path / "rollouts", settings_from_options(asked))
    assert loaded.table.rewards[1].missing > 0
    effective = np.empty(loaded.rows_read)
    effective[loaded.table.row_index] = effective_reward_of(loaded.table, asked["rewards"], loaded.settings).scores
    # TRL divides by the deviation of the batch where it has normalised each reward in its group, else by the group's.
    own = table_of(tmp_path / "completions")["advantage"].to_numpy()
    parts = effective.reshape((-1, 8) if aggregation == "normalize_then_sum" else (-1, 4))
    mean, deviation = parts.mean(axis=1, keepdims=True), parts.std(axis=1, ddof=1, keepdims=True)
    np.testing.assert_allclose(((parts - mean) / (deviation + 1e-4)).ravel(), own, atol=2e-4)


def test_every_tracker_gets_the_figures(tmp_path):
    told = []

    class Tracker(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            told.append(dict(logs))

    functions, watcher = watch([has_a])
    # A tracker is called before the callbacks of the user.
    settings = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 8}
    trained(tmp_path, functions, [Tracker(), watcher], **settings)
    training = [logs for logs in told if "reward" in logs]
    evaluation = [logs for logs in told if "eval_reward" in logs]
    assert len(training) == 4
    assert len(evaluation) == 2
    assert all("policycliff/tied_share" in logs for logs in training)
    assert all("eval_policycliff/tied_share" in logs and "policycliff/tied_share" not in logs for logs in evaluation)
    held_out = table_of(tmp_path / "rollouts" / "evaluation")
    assert held_out["step"].unique().to_list() == [2, 4]
    assert len(held_out) == 2 * 4 * 4


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2, "num_iterations": 2}])
def test_a_resumed_training_has_every_step_once(tmp_path, settings):
    settings = {"save_strategy": "steps", "save_steps": 2, **settings}
    functions, watcher = watch(FUNCTIONS)
    whole = trained(tmp_path / "whole", functions, [watcher], steps=4, **settings)
    functions, watcher = watch(FUNCTIONS)
    trained(tmp_path / "resumed", functions, [watcher], steps=4, **settings)
    # Steps 3 and 4 are repeated from the checkpoint of step 2, once by the same callback and once by a new one.
    checkpoint = str(tmp_path / "resumed" / "checkpoint-2")
    trained(tmp_path / "resumed", functions, [watcher], resume=checkpoint, steps=4, **settings)
    functions, watcher = watch(FUNCTIONS)
    resumed = trained(tmp_path / "resumed", functions, [watcher], resume=checkpoint, steps=4, **settings)
    assert parameters_of(resumed) == parameters_of(whole)
    assert table_of(tmp_path / "resumed" / "rollouts").equals(table_of(tmp_path / "whole" / "rollouts"))


def test_a_limit_stops_training_after_the_step(tmp_path):
    functions, watcher = watch([has_a], limits={"reward_mean": (2.0, None)}, stop=True)
    with pytest.warns(UserWarning, match="Training should stop"):
        trainer = trained(tmp_path, functions, [watcher])
    assert trainer.state.global_step == 1
    functions, watcher = watch([has_a], limits={"reward_mean": (2.0, None)})
    with pytest.warns(UserWarning, match="reward_mean should be at least 2"):
        trainer = trained(tmp_path / "on", functions, [watcher])
    assert trainer.state.global_step == 4


def test_a_reward_may_be_the_truth(tmp_path):
    functions, watcher = watch([has_a, short], truth="short")
    trainer = trained(tmp_path, functions, [watcher], reward_weights=[1.0, 0.0])
    written = json.loads((tmp_path / "rollouts" / "audit" / "audit.json").read_text(encoding="utf-8"))
    assert written["settings"]["rewards"] == {"has_a": 1.0}
    assert written["truth"]["column"] == "truth"
    assert any("policycliff/exposure_mean" in row for row in trainer.state.log_history)
    functions, watcher = watch([has_a, short], truth="short")
    with pytest.raises(InvalidInputError, match="give it the weight 0"):
        trained(tmp_path / "weighted", functions, [watcher])


def test_what_cannot_be_right_is_refused_at_once():
    with pytest.raises(InvalidInputError, match="no figure 'x'"):
        watch(has_a, limits={"x": 1.0})
    with pytest.raises(InvalidInputError, match="no option 'rewards'"):
        watch(has_a, rewards={"x": 1.0})


def test_a_truth_that_is_no_number_costs_the_record_and_not_the_training(tmp_path):
    functions, watcher = watch([has_a], truth="wanted")
    with pytest.warns(RuntimeWarning, match="Training goes on"):
        trainer = trained(tmp_path, functions, [watcher])
    assert trainer.state.global_step == 4


def test_errors_of_a_reward_function_stay_what_they_are(tmp_path):
    def fails(prompts, completions, **kwargs):
        raise ZeroDivisionError("of the user")

    functions, watcher = watch([fails])
    with pytest.raises(ZeroDivisionError, match="of the user"):
        trained(tmp_path, functions, [watcher])


PROCESSES = """
import faulthandler, sys
from tiny_training import FUNCTIONS, as_models, reward_model, trained

from policycliff.integrations.trl import watch

faulthandler.dump_traceback_later(240, exit=True)  # a process that waits for the other one for ever
settings = {"per_device_train_batch_size": 2, "log_completions": True, "ddp_backend": "gloo", "steps": 3}
rewards = [*FUNCTIONS, reward_model("judge")]
settings["others"] = {"reward_processing_classes": as_models(rewards)}
for name, most, steps in (("on", 1.0, 3), ("stopped", 0.0, 1)):
    functions, watcher = watch(rewards, limits={"prompts": most}, stop=True)
    trainer = trained(sys.argv[1] + "/" + name, functions, [watcher], **settings)
    assert trainer.accelerator.num_processes == 2
    assert trainer.state.global_step == steps
"""


def test_two_processes_share_groups_and_stop_together(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    place = {"PYTHONPATH": path, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared = os.environ | place | {"OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESSES, str(tmp_path)], env=shared | {"RANK": rank, "LOCAL_RANK": rank}
        )
        for rank in ("0", "1")
    ]
    assert [process.wait() for process in started] == [0, 0]
    rows, own = table_of(tmp_path / "on" / "rollouts"), table_of(tmp_path / "on" / "completions")
    assert len(rows) == 3 * 4
    for name in ("step", "prompt", "completion", "has_b"):
        assert rows[name].to_list() == own[name].to_list()
    judged = [table["judge"].to_numpy().astype(np.float32) for table in (rows, own)]
    np.testing.assert_array_equal(*judged)
    assert rows["group"].n_unique() == 3
    assert table_of(tmp_path / "stopped" / "rollouts")["step"].unique().to_list() == [1]


def test_without_a_problem_there_is_no_warning_of_ours(tmp_path):
    functions, watcher = watch([has_a])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(tmp_path, functions, [watcher])
    assert not [item for item in caught if "policycliff" in str(item.message)]
