"""Folders that `Dataset.save_to_disk` wrote, against what datasets itself reads back."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from broken_files import changed_bytes, loads, recognised_elsewhere

import policycliff
from policycliff.errors import TableError
from policycliff.rollouts.formats.hf_dataset.reader import HF_DATASET
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings

FOLDER = Path(__file__).parents[2] / "data" / "formats" / "hf_dataset"
ROLLOUTS = FOLDER / "rollouts"


def _copy(folder: Path) -> Path:
    return Path(shutil.copytree(ROLLOUTS, folder / "copy"))


def _with_state(folder: Path, **changed: Any) -> Path:
    copy = _copy(folder)
    state = json.loads((copy / "state.json").read_text()) | changed
    (copy / "state.json").write_text(json.dumps(state))
    return copy


def test_folders_are_recognised_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("rollouts", "pairs", "lists", "splits/train"):
        assert HF_DATASET.recognise(sample_of(FOLDER / name)) is not None
    assert HF_DATASET.recognise(sample_of(tmp_path)) is None
    assert recognised_elsewhere(HF_DATASET, "hf_dataset") == []


def test_rows_and_columns_are_those_that_datasets_reads() -> None:
    expected = datasets.load_from_disk(str(ROLLOUTS))
    frame = HF_DATASET.read([ROLLOUTS], AuditSettings()).frame.collect()
    assert frame.columns == expected.column_names
    for name in ("prompt", "completion", "reward", "model"):
        assert frame[name].to_list() == list(expected[name])
    assert frame["grid"].to_list() == list(expected.with_format(None)["grid"])


def test_the_audit_finds_columns_by_name() -> None:
    found = policycliff.audit(ROLLOUTS).to_dict()
    # 1+1: 2 is best alone; 2+2: 4 (twice) and 5 tie.
    tied = found["rewards"]["reward"]["tied_share"]
    assert (tied["count"], tied["total"], found["counts"]["completions"]) == (1, 2, 5)
    assert open_table(ROLLOUTS).format == "hf-dataset"


def test_a_folder_of_splits_with_one_split_is_that_split() -> None:
    assert policycliff.audit(FOLDER / "splits").to_dict()["counts"]["completions"] == 2


def test_several_folders_are_one_table() -> None:
    frame = HF_DATASET.read([ROLLOUTS, FOLDER / "splits" / "train"], AuditSettings()).frame.collect()
    assert frame["completion"].to_list() == ["2", "3", "4", "4", "5", "2", "3"]


def test_pairs_and_lists_become_rows() -> None:
    pairs = HF_DATASET.read([FOLDER / "pairs"], AuditSettings())
    assert pairs.frame.collect()["score"].to_list() == [9.0, 1.5, 4.0, 4.0]
    lists = HF_DATASET.read([FOLDER / "lists"], AuditSettings())
    assert lists.frame.select("group", "completion", "scores").collect().rows() == [
        (0, "a", 1.0),
        (0, "b", 1.0),
        (0, "b", 0.0),
        (1, "c", 0.5),
        (1, "d", 0.25),
    ]


def test_files_follow_in_the_order_of_the_state(tmp_path: Path) -> None:
    names = [{"filename": f"data-0000{number}-of-00002.arrow"} for number in (1, 0)]
    copy = _with_state(tmp_path, _data_files=names)
    assert policycliff.audit(copy) is not None
    frame = HF_DATASET.read([copy], AuditSettings()).frame.collect()
    assert frame["completion"].to_list() == list(datasets.load_from_disk(str(copy))["completion"])
    assert frame["completion"].to_list() == ["4", "5", "2", "3", "4"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"_data_files": [{"filename": "../rollouts/data-00000-of-00002.arrow"}]}, "no .arrow file of the folder"),
        ({"_data_files": [{"filename": "/etc/passwd.arrow"}]}, "no .arrow file of the folder"),
        ({"_data_files": [{"filename": "state.json"}]}, "no .arrow file of the folder"),
        ({"_data_files": [None]}, "no .arrow file of the folder"),
        ({"_data_files": [{"filename": "other.arrow"}]}, "is missing"),
        ({"_data_files": []}, "names no '_data_files'"),
        ({"_data_files": 3}, "names no '_data_files'"),
        ({"_indices_data_files": [{"filename": "indices.arrow"}]}, "flatten_indices"),
    ],
)
def test_a_state_that_cannot_be_right_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        HF_DATASET.read([_with_state(tmp_path, **changed)], AuditSettings())


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_a_broken_state_is_refused(tmp_path: Path, text: str) -> None:
    copy = _copy(tmp_path)
    (copy / "state.json").write_text(text)
    with pytest.raises(TableError, match=r"state\.json"):
        load_rollouts(copy, AuditSettings())


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """A pickle beside the streams, even named in the state, is not opened."""
    copy = _with_state(tmp_path, _format_kwargs={"a": "b"}, _data_files=[{"filename": "data.pkl"}])
    (copy / "data.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(TableError, match=r"no \.arrow file"):
        load_rollouts(copy, AuditSettings())


def test_a_stream_cut_anywhere_is_refused(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    path = copy / "data-00001-of-00002.arrow"
    whole = path.read_bytes()
    for length in range(0, len(whole), 53):
        path.write_bytes(whole[:length])
        with pytest.raises(TableError, match=r"data-00001-of-00002\.arrow"):
            load_rollouts(copy, AuditSettings())


def test_a_stream_without_its_last_batches_is_refused(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["p"] * 4, "completion": list("abcd"), "reward": [1.0, 0.0, 0.5, 0.5]})
    copy = _with_state(tmp_path, _data_files=[{"filename": "data.arrow"}])
    path = copy / "data.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    assert policycliff.audit(copy).to_dict()["counts"]["completions"] == 4
    batches = [bytes(message.serialize()) for message in _messages(path)]
    path.write_bytes(b"".join(batches[:-1]))
    with pytest.raises(TableError, match="no whole Arrow stream"):
        load_rollouts(copy, AuditSettings())


def _messages(path: Path) -> list[pa.ipc.Message]:
    reader = pa.ipc.MessageReader.open_stream(path.read_bytes())
    return list(reader)


def test_compressed_batches_are_refused(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["p"] * 1000, "completion": ["a"] * 1000, "reward": [1.0] * 1000})
    copy = _with_state(tmp_path, _data_files=[{"filename": "data.arrow"}])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(copy / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as w:
        w.write_table(table)
    with pytest.raises(TableError, match="compressed"):
        load_rollouts(copy, AuditSettings())


def test_dictionaries_and_nulls_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "prompt": pa.array(["p", "p", "q"]).dictionary_encode(),
            "completion": ["a", None, "b"],
            "reward": [1.0, None, 0.5],
            "nothing": pa.nulls(3),
        }
    )
    copy = _with_state(tmp_path, _data_files=[{"filename": "data.arrow"}])
    with pa.OSFile(str(copy / "data.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    frame = HF_DATASET.read([copy], AuditSettings()).frame.collect()
    assert frame["prompt"].cast(str).to_list() == ["p", "p", "q"]
    assert frame["reward"].to_list() == [1.0, None, 0.5]


def test_damaged_streams_give_our_errors_only(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    path = copy / "data-00000-of-00002.arrow"
    whole = path.read_bytes()
    rng = random.Random(11)
    loaded = 0
    for number in range(150):
        path.write_bytes(changed_bytes(whole, rng) if number % 3 == 0 else _other_letters(whole, rng))
        loaded += loads(copy, AuditSettings())
    assert loaded > 10


def _other_letters(whole: bytes, rng: random.Random) -> bytes:
    """Bytes replaced, so that the lengths that a stream gives stay right or are wrong by themselves."""
    damaged = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        damaged[rng.randrange(len(damaged))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    return bytes(damaged)
