"""Traces of verifiers 0.4: fixtures that verifiers wrote, expectations that its own reader gave."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from broken_files import HOSTILE, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.verifiers.traces import VERIFIERS
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
FOLDER = FORMATS / "verifiers"
EVALUATION, TRAINING = FOLDER / "eval_traces.jsonl", FOLDER / "train_traces.jsonl"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


def episodes(path=EVALUATION):
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(*paths):
    return open_table(list(paths)).frame.collect()


def changed(change, path=EVALUATION):
    """The episodes of a fixture after a change of the first one's trace."""
    found = episodes(path)
    change(found[0]["traces"][0])
    return found


def test_recognised_by_its_keys():
    assert "an episode a line" in VERIFIERS.recognise(sample_of(EVALUATION))
    assert open_table(TRAINING).format == "verifiers"


@pytest.mark.parametrize("row", [{}, {"prompt": "p", "completion": "c", "score": 1}, {"traces": [], "task": 3}])
def test_other_tables_are_not_recognised(row, tmp_path):
    assert VERIFIERS.recognise(sample_of(written(tmp_path / "t.jsonl", [row]))) is None


def test_files_of_other_formats_are_not_recognised():
    others = [path for path in FORMATS.rglob("*") if path.is_file() and FOLDER not in path.parents]
    assert others
    assert [path for path in others if VERIFIERS.recognise(sample_of(path))] == []


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["env", "task", "ok", "traces"])
def test_recognition_never_fails(key, value):
    row = episodes()[0] | {key: value}
    found = VERIFIERS.recognise(FileSample(path=Path("t"), container="JSON Lines", rows=(row,)))
    assert found is None or isinstance(found, str)


@pytest.mark.parametrize(("path", "name"), [(EVALUATION, "eval"), (TRAINING, "train")])
def test_rows_are_those_of_verifiers_own_reader(path, name):
    expected = [row for row in EXPECTED[name] if row["ok"]]
    rows = rows_of(path).to_dicts()
    assert len(rows) == len(expected)
    for row, own in zip(rows, expected, strict=True):
        assert {key: row[key] for key in own["rewards"]} == {key: score for key, (score, _) in own["rewards"].items()}
        assert row["correct"] + 0.25 * row["short"] == own["reward"]
        assert row["metrics.turns"] == own["metrics"]["turns"]
        assert row["completion"].endswith(own["last_reply"])
        assert row["source"] == "toy/model"
        assert row.get("step") == own["step"]
        assert own["key"][:16] in row["group"]
        assert own["group"] is None or own["group"] in row["group"].split(" | ")


def test_weights_groups_and_failures_of_an_evaluation():
    loaded = load_rollouts(EVALUATION, AuditSettings())
    assert loaded.rewards == (("correct", 1.0), ("short", 0.25))
    assert np.diff(loaded.table.offsets).tolist() == [4, 4]
    assert [(item.count, item.reason) for item in loaded.table.skipped] == [(1, "episode failed (ProviderError)")]


def test_tool_calls_and_reasoning_are_part_of_the_completion():
    last = rows_of(EVALUATION)["completion"][-1]
    assert last == 'assistant: <think>use the tool</think>\n[call calculate({"sum": "3+4"})]\nassistant: 7'


def test_audit_of_an_evaluation():
    found = policycliff.audit(EVALUATION).to_dict()
    # 2+2: 4 and 4 (1.25 each, one text), "it is 4", 5. 3+4: 7, "it is 7", 8, and 7 after a tool (1.25 as the first 7).
    # Only the second group has its best reward at two texts.
    own = [row["reward"] for row in EXPECTED["eval"] if row["ok"]]
    assert [own[:4].count(max(own[:4])), own[4:].count(max(own[4:]))] == [2, 2]
    assert found["counts"]["prompts"] == 2
    assert found["rewards"]["effective"]["tied_share"]["value"] == 0.5


def test_training_groups_are_those_of_the_trainer():
    loaded = load_rollouts(TRAINING, AuditSettings())
    assert np.diff(loaded.table.offsets).tolist() == [2, 2, 2]
    assert loaded.table.frame["__step"].unique().sort().to_list() == [3, 4]
    # Without the group the two draws of step 3 would be one group of four.
    assert np.diff(load_rollouts(TRAINING, AuditSettings(group="task")).table.offsets).tolist() == [4, 2]


def test_several_files_with_different_columns():
    frame = rows_of(EVALUATION, TRAINING)
    assert len(frame) == 14
    assert frame["step"].null_count() == 8


def test_models_do_not_compete_unless_asked(tmp_path):
    found = episodes()
    for episode in found[:2]:
        episode["traces"][0]["agent"]["config"]["model"] = "other"
    path = written(tmp_path / "traces.jsonl", found)
    assert sorted(np.diff(load_rollouts(path, AuditSettings()).table.offsets)) == [2, 2, 4]
    together = load_rollouts(path, AuditSettings(group="task"))
    assert np.diff(together.table.offsets).tolist() == [4, 4]
    assert set(together.table.source.tolist()) == {0, 1}


def test_weights_that_differ_are_multiplied_in(tmp_path):
    rows = changed(lambda trace: trace["rewards"]["short"].update(weight=0.5))
    loaded = load_rollouts(written(tmp_path / "traces.jsonl", rows), AuditSettings())
    assert loaded.rewards == (("correct", 1.0), ("short", 1.0))
    assert any("weight of 'short' differs" in note for note in loaded.notes)
    frame = rows_of(tmp_path / "traces.jsonl")
    scores = [row["rewards"]["short"][0] for row in EXPECTED["eval"] if row["ok"]]
    assert frame["short"].to_list() == [0.5 * scores[0], *(0.25 * score for score in scores[1:])]


def test_rewards_that_were_not_scored_are_null(tmp_path):
    rows = changed(lambda trace: trace["rewards"].update(short=None))
    loaded = load_rollouts(written(tmp_path / "traces.jsonl", rows), AuditSettings())
    assert loaded.table.rewards[1].missing == 1
    assert any("1 traces lack some" in note for note in loaded.notes)


def test_names_of_other_parts_get_a_prefix(tmp_path):
    rows = changed(lambda trace: trace["rewards"].update(group={"score": 2.0}, effective={"score": 3, "weight": 0}))
    frame = rows_of(written(tmp_path / "traces.jsonl", rows))
    assert (frame["reward.group"][0], frame["reward.effective"][0]) == (2.0, 3.0)
    assert frame["group"].dtype == pl.String


def test_traces_of_other_agents(tmp_path):
    found = episodes()
    second, judge = copy.deepcopy(found[0]["traces"][0]), copy.deepcopy(found[0]["traces"][0])
    second["agent"]["name"] = "second"
    judge["agent"].update(name="judge", trainable=False)
    found[0]["traces"] += [second, judge]
    source = open_table(written(tmp_path / "traces.jsonl", found))
    assert source.skipped[0].reason == "trace of an agent that is not trained (judge)"
    assert source.frame.collect()["group"].n_unique() == 3


def test_a_prompt_from_the_messages(tmp_path):
    def change(trace):
        del trace["task"]["data"]["prompt"]
        trace["nodes"][0]["message"]["content"] = [{"type": "text", "text": "opened"}, {"type": "image_url"}]

    path = written(tmp_path / "traces.jsonl", changed(change))
    assert rows_of(path)["prompt"][0] == "opened\n[image_url ]"


def test_half_a_surrogate_pair_stays_escaped(tmp_path):
    rows = changed(lambda trace: trace["nodes"][1]["message"].update(content="cut \ud83d"))
    assert rows_of(written(tmp_path / "traces.jsonl", rows))["completion"][0] == "cut \\ud83d"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda trace: trace.update(rewards=[1]), "line 1, trace 1: 'rewards' must be an object"),
        (lambda trace: trace["rewards"].update(short=1.0), "reward 'short' must be an object"),
        (lambda trace: trace["rewards"]["short"].update(score="high"), "score of reward 'short' must be a number, got"),
        (lambda trace: trace["rewards"]["short"].update(score=10**400), "score of reward 'short' is too large"),
        (lambda trace: trace["rewards"]["short"].update(weight=math.nan), "weight of reward 'short' is no finite"),
        (lambda trace: trace["metrics"].update(turns=[]), "metric 'turns' must be a number, got list"),
        (lambda trace: trace.update(nodes=None), "trace 1: expected a list of message nodes"),
    ],
)
def test_wrong_values_name_file_and_line(change, message, tmp_path):
    path = written(tmp_path / "traces.jsonl", changed(change))
    with pytest.raises(TableError, match=message) as caught:
        open_table(path)
    assert str(path) in str(caught.value)


def test_wrong_steps(tmp_path):
    found = episodes(TRAINING)
    found[2]["run"]["work"]["step"] = "three"
    with pytest.raises(TableError, match="line 3, trace 1: the step must be a whole number"):
        open_table(written(tmp_path / "traces.jsonl", found))


def test_a_cut_file(tmp_path):
    path = tmp_path / "traces.jsonl"
    path.write_bytes(EVALUATION.read_bytes()[:-100])
    with pytest.raises(TableError, match="line 9: not valid JSON"):
        open_table(path)


def test_deep_nesting(tmp_path):
    path = tmp_path / "traces.jsonl"
    path.write_text(EVALUATION.read_text() + '{"traces": ' + "[" * 100_000)
    with pytest.raises(TableError, match="line 10"):
        open_table(path)


def test_traces_without_rewards_and_episodes_that_all_failed(tmp_path):
    found = episodes()
    for episode in found:
        episode["traces"][0]["rewards"] = {}
    with pytest.raises(TableError, match="no trace has a reward"):
        open_table(written(tmp_path / "none.jsonl", found))
    with pytest.raises(TableError, match=r"no trace is left to audit\. 1 rows: episode failed"):
        open_table(written(tmp_path / "failed.jsonl", [episodes()[-1]]))


def test_broken_files_raise_nothing_else(tmp_path):
    assert 10 < survivors([EVALUATION, TRAINING], tmp_path, "verifiers", 120, seed=0) < 120
