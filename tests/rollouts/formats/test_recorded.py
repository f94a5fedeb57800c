"""Files of the recorder for OpenRLHF, read back: what was scored, in which visit of its prompt."""

import json
from pathlib import Path

import pytest
from broken_files import survivors

import policycliff
from policycliff.errors import TableError
from policycliff.integrations.openrlhf import record
from policycliff.rollouts.formats.format import Reading
from policycliff.rollouts.formats.recorded import RECORDED
from policycliff.rollouts.formats.registry import recognise_format
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.files import find_tables
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
SCORES = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.5}


def _reward(queries: list[str], prompts: list[str], labels: list[str]) -> dict:
    answer = queries[0][-1]
    score = SCORES[answer]
    return {"rewards": [score - 0.1], "scores": [score], "extra_logs": {"vowel": [answer == "a"]}}


def _visit(function: object, prompt: str, answers: str) -> None:
    for answer in answers:
        function([prompt + answer], [prompt], ["a"])


def _read(folder: Path, **settings: object) -> Reading:
    return RECORDED.read(find_tables(folder), AuditSettings(**settings))


def _line(**changes: object) -> dict:
    row = {"format": "openrlhf-recorded", "process": "1-a", "sequence": 0, "prompt": "p", "completion": "a"}
    return row | {"rewards": 1.0, "scores": 1.0, "extra_logs": {}, "error": None, "step": None} | changes


def _write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_recognised_and_no_other_is(tmp_path):
    _visit(record(_reward, tmp_path), "p", "ab")
    found = recognise_format(find_tables(tmp_path))
    assert found is not None
    assert found[0].name == "recorded"
    others = [path for path in FORMATS.rglob("*.*") if path.suffix != ".py"]
    assert len(others) > 5
    assert [path for path in others if RECORDED.recognise(sample_of(path)) is not None] == []


def test_visits_of_a_prompt_are_groups_of_their_own(tmp_path):
    function = record(_reward, tmp_path)
    for first, second in (("ab", "cd"), ("cc", "ab")):  # two visits of p, their samples mixed with those of q
        for one, other in zip(first, second, strict=True):
            _visit(function, "p?", one)
            _visit(function, "q?", other)
    _visit(function, "r?", "ad")
    reading = _read(tmp_path)
    frame = reading.frame.collect()
    groups = {name: "".join(frame.filter(group=name)["completion"]) for name in frame["group"].unique()}
    assert sorted(groups.values()) == ["ab", "ab", "ad", "cc", "cd"]
    assert dict(reading.fixed["rewards"]) == {"rewards": 1.0, "scores": 0.0, "extra_logs.vowel": 0.0}
    assert frame["extra_logs.vowel"].to_list() == [float(text == "a") for text in frame["completion"]]
    assert frame["rewards"].to_list() == [SCORES[text] - 0.1 for text in frame["completion"]]
    assert "2 samples a visit" in reading.notes[0]
    assert "2 prompts were visited again" in reading.notes[0]


def test_audit_of_the_folder_by_hand(tmp_path):
    function = record(_reward, tmp_path)
    _visit(function, "p?", "abcd")  # a and b tie
    _visit(function, "q?", "adcc")  # a alone is best
    result = policycliff.audit(tmp_path).to_dict()
    assert result["counts"]["prompts"] == 2
    assert result["rewards"]["effective"]["tied_share"]["value"] == 0.5
    assert result["settings"]["format"] == "recorded"


def test_a_run_that_was_cut_off(tmp_path):
    function = record(_reward, tmp_path)
    for prompt, answers in (("p", "abcd"), ("q", "abcd"), ("r", "abcd"), ("s", "a"), ("q", "ab")):
        _visit(function, prompt, answers)
    reading = _read(tmp_path)
    sizes = reading.frame.collect().group_by("group").len()["len"].sort().to_list()
    assert sizes == [1, 2, 4, 4, 4]
    assert "2 have a visit that is cut short" in reading.notes[0]


def test_the_size_that_is_given_wins(tmp_path):
    function = record(_reward, tmp_path)
    _visit(function, "p", "abcdabcd")
    assert load_rollouts(tmp_path, AuditSettings()).table.n_groups == 1
    loaded = load_rollouts(tmp_path, AuditSettings(group_size=4))
    assert loaded.table.n_groups == 2
    assert not any("samples a visit" in note for note in loaded.notes)


def test_recorded_steps_need_no_guess(tmp_path):
    step = [1]
    function = record(_reward, tmp_path, step=lambda: step[0])
    _visit(function, "p", "ab")
    step[0] = 2
    _visit(function, "p", "abc")
    reading = _read(tmp_path)
    assert reading.fixed["step"] == "step"
    assert load_rollouts(tmp_path, AuditSettings()).table.n_groups == 2
    assert not any("samples a visit" in note for note in reading.notes)


def test_processes_do_not_mix(tmp_path):
    for process in ("1-a", "2-b"):
        rows = [_line(process=process, sequence=i, completion=text) for i, text in enumerate("ab")]
        _write(tmp_path / f"rollouts-{process}.jsonl", rows[::-1])
    frame = _read(tmp_path).frame.collect()
    assert frame["group"].n_unique() == 2
    assert frame["completion"].to_list() == ["a", "b", "a", "b"]  # by sequence, whatever the order in the file


def test_a_visit_cut_short_does_not_shift_the_next(tmp_path):
    for process, texts in (("1-a", "abc"), ("2-b", "abcd")):
        rows = [_line(process=process, sequence=i, completion=text) for i, text in enumerate(texts)]
        _write(tmp_path / f"rollouts-{process}.jsonl", rows)
    reading = _read(tmp_path, group_size=2)
    assert [(item.count, item.reason) for item in reading.skipped] == [(1, "left over after visits of 2 samples")]
    loaded = load_rollouts(tmp_path, AuditSettings(group_size=2))
    texts = loaded.table.frame["__completion"].to_list()
    assert ["".join(texts[i : i + 2]) for i in range(0, 6, 2)] == ["ab", "ab", "cd"]
    with pytest.raises(TableError, match="no prompt has 9 samples"):
        _read(tmp_path, group_size=9)


def test_what_has_no_reward_is_kept_and_counted(tmp_path):
    rows = [_line(), _line(rewards=None, error="KeyError"), _line(rewards="high"), _line(rewards=[0.5]), _line()]
    path = _write(tmp_path / "a.jsonl", [row | {"sequence": i} for i, row in enumerate(rows)])
    path.write_text(path.read_text() + '{"format": "openrlhf-rec\n' + json.dumps(_line(completion_has_prompt=True)))
    reading = _read(tmp_path)
    assert reading.frame.collect()["rewards"].to_list() == [1.0, 1.0, None, None, 0.5, 1.0]
    counts = {item.reason.split(":")[0].split(" (")[0]: item.count for item in reading.skipped}
    assert counts == {"a reward that is not one number": 1, "the reward function failed": 1, "the line is not whole": 1}
    assert any("1 completions still hold their prompt" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (json.dumps(_line(prompt=["p"])), "line 2: 'prompt' must be text"),
        (json.dumps(_line(sequence="1")), "line 2: 'sequence' must be a whole number"),
        (json.dumps(_line(extra_logs=[1])), "line 2: 'extra_logs' must be an object"),
        (json.dumps(_line(step=0.5)), "line 2: 'step' must be a whole number"),
        ('{"rewards": ' + "9" * 5000 + "}", "line 2: Exceeds the limit"),
        ("[1]", "line 2: expected a JSON object"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, what):
    path = _write(tmp_path / "a.jsonl", [_line()])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(TableError) as caught:
        load_rollouts(path, AuditSettings(format="recorded"))
    assert str(path) in str(caught.value)
    assert what in str(caught.value)


def test_a_file_of_scraps_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a\n')
    with pytest.raises(TableError, match="1 rows: the line is not whole"):
        _read(tmp_path)


def test_broken_files_raise_nothing_else(tmp_path):
    function = record(_reward, tmp_path / "good")
    for prompt, answers in (("p", "abcd"), ("q", "abca"), ("p", "ddda")):
        _visit(function, prompt, answers)
    (file,) = (tmp_path / "good").iterdir()
    assert 0 < survivors([file], tmp_path, "recorded", count=120, seed=3) < 120
