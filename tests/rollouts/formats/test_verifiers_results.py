"""Results of verifiers 0.1.9 and 0.3.1: fixtures that their own evaluation wrote, values worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from broken_files import HOSTILE, survivors

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.formats.verifiers.results import VERIFIERS_RESULTS
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
FOLDER = FORMATS / "verifiers_results"
NEW, OLD = FOLDER / "new" / "results.jsonl", FOLDER / "old" / "results.jsonl"
# Reward = correct + short / 4, where correct is 1 for the bare answer and short is 1 over the number of words.
TWO = [("4", 1.0, 1.0), ("4", 1.0, 1.0), ("it is 4", 0.0, 1 / 3), ("5", 0.0, 1.0)]
SEVEN = [("7", 1.0, 1.0), ("eight", 0.0, 1.0), ("it is 7", 0.0, 1 / 3)]


def results(path=NEW):
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(folder, rows):
    path = folder / "results.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(*paths):
    return open_table(list(paths)).frame.collect()


@pytest.mark.parametrize("path", [NEW, OLD])
def test_recognised_by_its_keys(path):
    assert "keys example_id" in VERIFIERS_RESULTS.recognise(sample_of(path))
    assert open_table(path).format == "verifiers-results"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"prompt": "p", "completion": "c", "score": 1.0},
        {"example_id": 1, "prompt": "p", "completion": "c", "reward": 1.0},
    ],
)
def test_other_tables_are_not_recognised(row, tmp_path):
    assert VERIFIERS_RESULTS.recognise(sample_of(written(tmp_path, [row]))) is None


def test_files_of_other_formats_are_not_recognised():
    others = [path for path in FORMATS.rglob("*") if path.is_file() and FOLDER not in path.parents]
    assert others
    assert [path for path in others if VERIFIERS_RESULTS.recognise(sample_of(path))] == []


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["example_id", "prompt", "reward", "metrics"])
def test_recognition_never_fails(key, value):
    row = results()[0] | {key: value}
    found = VERIFIERS_RESULTS.recognise(FileSample(path=Path("t"), container="JSON Lines", rows=(row,)))
    assert isinstance(found, str)


@pytest.mark.parametrize(("path", "digits", "last"), [(NEW, 15, []), (OLD, 9, [("8", 0.0, 1.0)])])
def test_rows_are_those_worked_out_by_hand(path, digits, last):
    frame = rows_of(path)
    for example, prompt, expected in ((0, "2+2?", TWO), (1, "3+4?", SEVEN + last)):
        rows = [row for row in frame.to_dicts() if row["task"].split(" | ")[-1] == str(example)]
        assert [row["completion"] for row in rows] == [text for text, _, _ in expected]
        assert {row["prompt"] for row in rows} == {prompt}
        assert {row["source"] for row in rows} == {"toy/model"}
        for row, (_, correct, short) in zip(rows, expected, strict=True):
            # `Dataset.to_json` of the old version rounds to ten digits.
            assert row["correct"] == correct
            assert row["short"] == pytest.approx(short, abs=10**-digits)
            assert row["reward"] == pytest.approx(correct + short / 4, abs=10**-digits)
            assert row["num_turns"] == 1.0


def test_the_total_is_the_reward_and_its_parts_are_compared():
    loaded = load_rollouts(NEW, AuditSettings())
    assert loaded.rewards == (("reward", 1.0), ("correct", 0.0), ("short", 0.0))  # num_turns is 1 in every row
    assert "weight 0, compared with reward but not added to it: correct, short." in loaded.notes
    assert [(item.count, item.reason) for item in loaded.table.skipped] == [(1, "rollout ended with an error")]
    assert np.diff(loaded.table.offsets).tolist() == [4, 3]
    given = load_rollouts(NEW, AuditSettings(rewards=(("correct", 1.0), ("short", 0.25))))
    assert given.rewards == (("correct", 1.0), ("short", 0.25))


def test_audit():
    found = policycliff.audit(NEW).to_dict()
    assert found["counts"]["prompts"] == 2
    # The best of either prompt is one text; "short" alone is 1 for "4" and "5", and for "7" and "eight".
    assert found["rewards"]["effective"]["tied_share"]["value"] == 0.0
    assert found["rewards"]["short"]["tied_share"]["value"] == 1.0


def test_several_files_and_models(tmp_path):
    assert np.diff(load_rollouts([NEW, OLD], AuditSettings()).table.offsets).sum() == 15
    (tmp_path / "metadata.json").write_text('{"env_id": "sums", "model": "other"}')
    other = written(tmp_path, results())
    apart = load_rollouts([NEW, other], AuditSettings())
    assert np.diff(apart.table.offsets).tolist() == [4, 3, 4, 3]
    assert np.diff(load_rollouts([NEW, other], AuditSettings(group="task")).table.offsets).tolist() == [8, 6]


@pytest.mark.parametrize("content", [None, "[", "[1]", "[" * 100_000, '{"model": 3}'])
def test_without_usable_metadata(content, tmp_path):
    if content is not None:
        (tmp_path / "metadata.json").write_text(content)
    loaded = load_rollouts(written(tmp_path, results()), AuditSettings())
    assert loaded.columns["source"]["column"] is None
    assert any("the model is not known" in note for note in loaded.notes)
    assert loaded.table.n_groups == 2


def test_optional_columns_and_metrics_of_some_rows(tmp_path):
    rows = results()
    rows[0]["metrics"]["group"] = 5.0
    del rows[1]["metrics"], rows[1]["short"], rows[1]["token_usage"]
    frame = rows_of(written(tmp_path, rows))
    assert frame["metrics.group"].to_list() == [5.0] + [None] * 6
    assert frame["short"][1] is None
    assert frame["output_tokens"].to_list() == [1.0, None, 1.0, 1.0, 3.0, 3.0, 1.0]


def test_only_what_the_model_wrote_is_the_completion(tmp_path):
    rows = results()
    call = json.dumps({"id": "1", "function": {"name": "add", "arguments": '{"a": 2}'}})
    rows[0]["completion"] = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "secret"},
        {"role": "assistant", "content": "4"},
    ]
    rows[1]["completion"] = "plain text"
    frame = rows_of(written(tmp_path, rows))
    assert frame["completion"][0] == 'assistant: [call add({"a": 2})]\nassistant: 4'
    assert frame["completion"][1] == "plain text"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": "high"}, "line 3: 'reward' must be a number, got str"),
        ({"reward": 10**400}, "line 3: 'reward' is too large"),
        ({"example_id": None}, "line 3: 'example_id' must be a whole number or text, got NoneType"),
        ({"metrics": [1.0]}, "line 3: 'metrics' must be an object, got list"),
        ({"metrics": {"short": {}}}, "line 3: metric 'short' must be a number, got dict"),
        ({"token_usage": {"output_tokens": "9"}}, "line 3: 'output_tokens' must be a number"),
    ],
)
def test_wrong_values_name_file_and_line(change, message, tmp_path):
    rows = results()
    rows[2] |= change
    with pytest.raises(TableError, match=message) as caught:
        open_table(written(tmp_path, rows))
    assert str(tmp_path) in str(caught.value)


def test_a_missing_key_a_cut_file_and_deep_nesting(tmp_path):
    rows = results()
    del rows[4]["completion"]
    with pytest.raises(TableError, match="line 5: the key 'completion' is missing"):
        open_table(written(tmp_path, rows))
    (tmp_path / "cut.jsonl").write_bytes(NEW.read_bytes()[:-50])
    with pytest.raises(TableError, match="line 8: not valid JSON"):
        open_table(tmp_path / "cut.jsonl")
    (tmp_path / "deep.jsonl").write_text(NEW.read_text() + '{"prompt": ' + "[" * 100_000)
    with pytest.raises(TableError, match="line 9"):
        open_table(tmp_path / "deep.jsonl")


def test_a_file_of_failures(tmp_path):
    with pytest.raises(TableError, match="no rollout is left to audit"):
        open_table(written(tmp_path, results()[-1:]))


def test_names_that_no_two_rows_share(tmp_path):
    rows = [results()[0] | {f"score {number}": 1.0} for number in range(1100)]
    with pytest.raises(TableError, match="more than 1000 different columns"):
        open_table(written(tmp_path, rows))


def test_broken_files_raise_nothing_else(tmp_path):
    assert 10 < survivors([NEW, OLD], tmp_path, "verifiers-results", 120, seed=0) < 120
