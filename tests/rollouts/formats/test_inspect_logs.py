"""Inspect logs: fixtures that inspect_ai wrote, expectations that its own reader gave."""

import json
import random
import shutil
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from broken_files import HOSTILE, change_place, loads, survivors

import policycliff
from policycliff.errors import MissingExtraError, TableError
from policycliff.rollouts.formats.format import FileSample
from policycliff.rollouts.formats.inspect_logs import log_parts
from policycliff.rollouts.formats.inspect_logs.reader import INSPECT
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings

FORMATS = Path(__file__).parents[2] / "data" / "formats"
FOLDER = FORMATS / "inspect"
SMALL, LARGE, JSON = FOLDER / "small.eval", FOLDER / "large.eval", FOLDER / "small.json"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
SCORES = ("match", "includes", "style.words", "style.grade", "judge")


def log():
    return json.loads(JSON.read_text())


def as_json(folder, found):
    path = folder / "log.json"
    path.write_text(json.dumps(found, indent=1))
    return path


def as_zip(folder, found, method=zipfile.ZIP_DEFLATED):
    """A log as `.eval`, with a compression that older versions of Inspect wrote."""
    path = folder / "log.eval"
    with zipfile.ZipFile(path, "w", compression=method) as archive:
        header = {key: value for key, value in found.items() if key != "samples"}
        for sample in found["samples"]:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("header.json", json.dumps(header))
    return path


def rows_of(*paths):
    return open_table(list(paths)).frame.collect()


@pytest.mark.parametrize("path", [SMALL, LARGE, JSON])
def test_recognised(path):
    assert INSPECT.recognise(sample_of(path))
    assert open_table(path).format == "inspect"


def test_other_files_are_not_recognised(tmp_path):
    others = [path for path in FORMATS.rglob("*") if path.is_file() and FOLDER not in path.parents]
    assert others
    assert [path for path in others if INSPECT.recognise(sample_of(path))] == []
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("samples/a.json", "{}")
        archive.writestr("header.json", "{}")
    assert INSPECT.recognise(sample_of(tmp_path / "other.zip")) is None
    (tmp_path / "table.json").write_text('[{"prompt": "p", "completion": "c", "score": 1}]')
    assert INSPECT.recognise(sample_of(tmp_path / "table.json")) is None


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["eval", "samples", "status"])
def test_recognition_never_fails(key, value):
    found = INSPECT.recognise(FileSample(path=Path("t"), container="JSON", rows=(log() | {key: value},)))
    assert found is None or isinstance(found, str)


@pytest.mark.parametrize("path", [SMALL, LARGE, JSON])
def test_rows_are_those_of_inspects_own_reader(path):
    expected = [row for row in EXPECTED[path.name] if not row["error"]]
    frame = rows_of(path)
    assert set(SCORES) <= set(frame.columns)
    assert len(frame) == len(expected)
    found = {(row["task"], row["epoch"]): row for row in frame.to_dicts()}
    for own in expected:
        row = found[f"sums/{own['id']}", str(own["epoch"])]
        assert (row["prompt"], row["completion"], row["source"]) == (own["input"], own["completion"], own["model"])
        numbers = {name: None if np.isnan(row[name]) else row[name] for name in SCORES}
        assert numbers == own["scores"]
        assert row["output_tokens"] == own["output_tokens"]


def test_the_fixture_is_compressed_with_zstandard():
    with zipfile.ZipFile(SMALL) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {93}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_other_compressions_give_the_same_rows(method, tmp_path):
    assert rows_of(as_zip(tmp_path, log(), method)).equals(rows_of(JSON))


def test_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"policycliff\[inspect\]"):
        open_table(SMALL)
    assert open_table(JSON).format == "inspect"


def test_groups_scores_and_errors():
    loaded = load_rollouts(LARGE, AuditSettings())
    # The other scores of this log do not vary, or are equal to the first.
    assert loaded.rewards == (("match", 1.0), ("judge", 0.0))
    assert load_rollouts(SMALL, AuditSettings()).rewards == (("match", 1.0), *((name, 0.0) for name in SCORES[1:]))
    assert sorted(np.diff(loaded.table.offsets)) == [2, 3, 3]
    assert [(item.count, item.reason) for item in loaded.table.skipped] == [(1, "sample ended with an error")]
    assert any("'match', its first score, is the reward" in note for note in loaded.notes)
    assert loaded.columns["step"]["column"] is None


def test_audit():
    found = policycliff.audit(SMALL).to_dict()
    # match: 2+2 has 1 for "4" and "I think 4" (a tie), 3+4 has 1 for "7" alone, 4+5 has one text.
    assert found["counts"]["prompts"] == 3
    assert found["rewards"]["effective"]["tied_share"]["count"] == 1


def test_models_do_not_compete_unless_asked():
    apart = load_rollouts([SMALL, LARGE], AuditSettings())
    assert sorted(np.diff(apart.table.offsets)) == [2, 3, 3, 3, 3, 3]
    assert any("several models" in note for note in apart.notes)
    assert policycliff.audit([str(SMALL), str(LARGE)]).to_dict()["mixed_sources_share"]["count"] == 0
    together = policycliff.audit([str(SMALL), str(LARGE)], group="task").to_dict()
    assert (together["counts"]["prompts"], together["mixed_sources_share"]["count"]) == (3, 3)


def test_a_log_that_was_retried_is_counted_once(tmp_path):
    again = tmp_path / "again.eval"
    shutil.copy(SMALL, again)
    source = open_table([SMALL, again])
    assert len(source.frame.collect()) == 9
    assert source.skipped[0].count == 9
    found = log()
    for sample in found["samples"]:
        sample["uuid"] += "2"
    loaded = load_rollouts([SMALL, as_zip(tmp_path, found)], AuditSettings())
    assert np.diff(loaded.table.offsets).tolist() == [6, 6, 6]
    assert any("several logs are of one task and one model" in note for note in loaded.notes)


def test_equal_ids_with_different_inputs_do_not_compete(tmp_path):
    found = log()
    found["samples"][0]["input"] = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    loaded = load_rollouts(as_json(tmp_path, found), AuditSettings())
    assert sorted(np.diff(loaded.table.offsets)) == [1, 2, 3, 3]
    assert any("share their id but not their input" in note for note in loaded.notes)
    assert loaded.table.frame["__prompt"].to_list().count("system: s\nuser: u") == 1


@pytest.mark.parametrize(
    ("value", "number"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), ("yes", 1), ("FALSE", 0), ("0.25", 0.25), (True, 1), (3, 3), (0.5, 0.5)],
)
def test_values_as_value_to_float_makes_them(value, number, tmp_path):
    found = log()
    found["samples"][0]["scores"]["match"]["value"] = value
    assert rows_of(as_json(tmp_path, found))["match"][0] == number


@pytest.mark.parametrize("value", ["maybe", "inf", "c", [1, 0]])
def test_values_that_are_no_numbers_are_counted_and_left_empty(value, tmp_path):
    found = log()
    found["samples"][0]["scores"]["match"]["value"] = value
    source = open_table(as_json(tmp_path, found))
    assert source.frame.collect()["match"][0] is None
    assert [(item.count, item.unit) for item in source.skipped] == [(1, "scores")]


def test_old_shapes_missing_scores_and_reserved_names(tmp_path):
    found = log()
    found["samples"][0]["score"] = found["samples"][0].pop("scores")["match"]
    found["samples"][1]["scores"] = None
    found["samples"][2]["scores"]["group"] = {"value": 2.0}
    frame = rows_of(as_json(tmp_path, found))
    assert frame["score"].to_list() == [1.0] + [None] * 8
    assert frame["match"].to_list()[:3] == [None, None, 1.0]
    assert frame["score.group"][2] == 2.0


def test_tool_calls_reasoning_and_output(tmp_path):
    found = log()
    parts = [{"type": "reasoning", "reasoning": "hidden", "redacted": True}, {"type": "text", "text": "so"}]
    call = {"id": "1", "function": "add", "arguments": {"b": 1, "a": 2}}
    message = {"role": "assistant", "source": "generate", "content": parts, "tool_calls": [call]}
    found["samples"][0]["messages"].insert(1, message)
    found["samples"][1]["messages"] = []
    frame = rows_of(as_json(tmp_path, found))
    assert frame["completion"][0] == 'assistant: so\n[call add({"a": 2, "b": 1})]\nassistant: 9'
    assert frame["completion"][1] == EXPECTED["small.json"][1]["completion"]


def test_invalidated_samples_are_left_out(tmp_path):
    found = log()
    found["samples"][0]["invalidation"] = {"author": "a"}
    source = open_table(as_json(tmp_path, found))
    assert [(item.count, item.reason) for item in source.skipped] == [(1, "sample was marked as invalid")]


def test_a_log_in_progress_has_only_its_start(tmp_path):
    with zipfile.ZipFile(as_zip(tmp_path, log())) as whole, zipfile.ZipFile(tmp_path / "new.eval", "w") as archive:
        archive.writestr("_journal/start.json", whole.read("header.json"))
        for name in whole.namelist()[:-1]:
            archive.writestr(name, whole.read(name))
    assert rows_of(tmp_path / "new.eval").equals(rows_of(JSON))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sample: sample.update(id=[1]), "sample 2: 'id' must be a whole number or text, got list"),
        (lambda sample: sample.update(scores=[1]), "sample 2: 'scores' must be an object, got list"),
        (lambda sample: sample["scores"].update(match=1), "sample 2: score 'match' must be an object with a value"),
        (lambda sample: sample["scores"]["match"].update(value=10**400), "score 'match' is too large a number"),
        (lambda sample: sample["scores"]["style"]["value"].update(words={}), None),
    ],
)
def test_wrong_values_name_file_and_sample(change, message, tmp_path):
    found = log()
    change(found["samples"][1])
    path = as_json(tmp_path, found)
    if message is None:
        assert open_table(path).skipped[0].unit == "scores"
        return
    with pytest.raises(TableError, match=message) as caught:
        open_table(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("change", [{"eval": 3}, {"eval": {}}, {"samples": 3}, {"samples": []}, {"samples": [1]}])
def test_logs_without_what_is_needed(change, tmp_path):
    with pytest.raises(TableError, match=r"log\.json"):
        open_table(as_json(tmp_path, log() | change), AuditSettings(format="inspect"))


def test_unscored_logs(tmp_path):
    found = log()
    for sample in found["samples"]:
        sample["scores"] = None
    with pytest.raises(TableError, match="no sample has a score"):
        open_table(as_json(tmp_path, found))


def test_samples_in_chunks_are_refused(tmp_path):
    path = as_zip(tmp_path, log())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/nine_epoch_4/sample.json", "{}")
    with pytest.raises(TableError, match="stored in chunks"):
        open_table(path)


@pytest.mark.parametrize("path", [SMALL, JSON])
def test_cut_files(path, tmp_path):
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(TableError, match=path.stem):
        open_table(cut)
    with pytest.raises(TableError, match="cut off"):
        open_table(cut, AuditSettings(format="inspect"))


def test_a_wrong_checksum(tmp_path):
    content = SMALL.read_bytes()
    directory = content.rindex(b"PK\x01\x02", 0, content.rindex(b"header.json"))
    changed = tmp_path / "small.eval"
    changed.write_bytes(content[: directory + 16] + b"\x01\x02\x03\x04" + content[directory + 20 :])
    with pytest.raises(TableError, match="checksum is wrong"):
        open_table(changed)


def zstandard_zip(path, name, *frames):
    """A zip file of one Zstandard entry of one or more frames: written as stored, with the method changed."""
    import pyarrow

    packed = b"".join(pyarrow.compress(frame, codec="zstd", asbytes=True) for frame in frames)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, packed)
    written = bytearray(path.read_bytes())
    directory = written.rindex(b"PK\x01\x02")
    checksum = zlib.crc32(b"".join(frames)).to_bytes(4, "little")
    written[14:18] = written[directory + 16 : directory + 20] = checksum
    written[8:10] = written[directory + 10 : directory + 12] = (93).to_bytes(2, "little")
    path.write_bytes(written)
    return len(packed)


def test_entries_of_several_frames(tmp_path):
    header = json.dumps(log() | {"samples": []}).encode()
    path = tmp_path / "frames.eval"
    zstandard_zip(path, "_journal/start.json", header[:100], header[100:])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/nine_epoch_1.json", json.dumps(log()["samples"][0]))
    assert rows_of(path)["completion"].to_list() == ["9"]


def test_bombs_stop_at_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(log_parts, "LARGEST_ENTRY", 2**20)
    path = tmp_path / "bomb.eval"
    assert zstandard_zip(path, "_journal/start.json", b" " * 2**24) < 10_000
    with pytest.raises(TableError, match="inflates to more than 1048576 bytes"):
        open_table(path)
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", b" " * 2**24)
    with pytest.raises(TableError, match="inflates to more than 1048576 bytes"):
        open_table(path)
    (tmp_path / "long.json").write_text(json.dumps(log()) + " " * 2**20)
    with pytest.raises(TableError, match="longer than 1048576"):
        open_table(tmp_path / "long.json", AuditSettings(format="inspect"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_inspect_does_not_write(method, tmp_path):
    with pytest.raises(TableError, match="is not one that Inspect writes"):
        open_table(as_zip(tmp_path, log(), method))


def test_deep_nesting(tmp_path):
    path = as_zip(tmp_path, log())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/deep_epoch_1.json", '{"input": ' + "[" * 100_000)
    with pytest.raises(TableError, match=r"samples/deep_epoch_1\.json: not valid JSON"):
        open_table(path)


def test_broken_files_raise_nothing_else(tmp_path):
    assert 10 < survivors([JSON, SMALL, LARGE], tmp_path, "inspect", 120, seed=0) < 120


def test_broken_samples_in_zip_files_raise_nothing_else(tmp_path):
    rng = random.Random(0)
    loaded = written = 0
    for _ in range(80):
        found = log()
        for _ in range(rng.randint(1, 3)):
            change_place(found, rng)
        try:
            path = as_zip(tmp_path, found)
        except (KeyError, TypeError, AttributeError, UnicodeError):
            continue
        written += 1
        loaded += loads(path, AuditSettings(format="inspect"))
    assert 10 < loaded < written
