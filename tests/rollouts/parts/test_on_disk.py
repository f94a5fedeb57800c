"""Parts on disk: every format, every error as in memory, folders that cannot be written, and one part at a time."""

import errno
import gc
import gzip
import os
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import polars as pl
import pytest
from same_figures import ROLES, assert_parts_equal_whole, left_in, outcome

from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import Audit, audit_table, settings_from_options
from policycliff.rollouts.parts import on_disk
from policycliff.rollouts.parts.opened import Work
from policycliff.rollouts.parts.parts import THREADS
from policycliff.rollouts.reading import size
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.reading.size import TableSize, size_of

DATA = Path(__file__).parents[2] / "data"
FORMATS = (
    *(
        "formats/hf_dataset/lists",
        "formats/hf_dataset/pairs",
        "formats/hf_dataset/rollouts",
        "formats/hf_dataset/splits",
    ),
    *("formats/inspect/large.eval", "formats/inspect/small.json"),
    *(f"formats/lm_eval/*/samples_{name}_2*.jsonl" for name in ("capitals", "sums")),
    *(f"formats/nemo_rl/{name}" for name in ("filtered", "old", "training", "turns")),
    *(f"formats/preferences/{name}" for name in ("implicit.jsonl", "plain.csv", "scored.parquet", "texts.jsonl")),
    "formats/tinker/run",
    *(
        f"formats/trl/{name}"
        for name in ("batch", "chat", "evaluation", "normalised_first", "text", "twice", "unscaled")
    ),
    *(f"formats/verifiers/{name}_traces.jsonl" for name in ("eval", "train")),
    *(f"formats/verifiers_results/{name}/results.jsonl" for name in ("new", "old")),
    *(f"formats/verl/{name}" for name in ("legacy", "v1", "v1_validation")),
    *(f"formats/wide/{name}" for name in ("arena.csv", "lists.jsonl", "lists.parquet", "named.parquet")),
    "math_rm.parquet",
)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_figures_of_a_table_in_memory(name):
    assert isinstance(assert_parts_equal_whole(DATA / name, {}, 3), Audit)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gsm8k_solutions_60.parquet", {"rewards": ["correct"]}),
        ("topical_chat_ratings.parquet", {"rewards": ["human_understandability"], "truth": "human_overall"}),
        ("momdp_transitions.parquet", {}),
        ("momdp_states.parquet", {}),
    ],
)
def test_tables_of_other_things_give_the_same_or_the_same_error(name, options):
    assert isinstance(assert_parts_equal_whole(DATA / name, options, 3), Audit) == bool(options)


@pytest.mark.parametrize("name", FORMATS)
def test_the_size_of_every_format_is_of_its_order(name):
    source = open_table(DATA / name)
    rows, found = source.frame.select(pl.len()).collect().item(), size_of(source)
    assert rows / 30 <= found.rows <= 30 * rows
    assert found.bytes > 0
    assert found.fits_in_memory
    assert found.parts == 1


def test_sizes_of_files_and_frames(tmp_path):
    frame = pl.DataFrame({"prompt": ["a prompt"] * 3000, "reward": [0.5] * 3000})
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    found = {name: size_of(open_table(tmp_path / name)) for name in ("t.csv", "t.parquet", "t.csv.gz")}
    assert found["t.parquet"].rows == 3000
    assert found["t.csv"].rows == pytest.approx(3001, abs=2)
    assert found["t.csv"].bytes == (tmp_path / "t.csv").stat().st_size
    assert 4 * (tmp_path / "t.csv.gz").stat().st_size == found["t.csv.gz"].bytes
    for table in (frame, frame.lazy(), frame.to_pandas()):
        assert size_of(open_table(table)).rows == 3000
        assert size_of(open_table(table)).bytes == pytest.approx(frame.estimated_size(), rel=0.1)
    empty = size_of(open_table(frame.clear()))
    assert (empty.rows, empty.bytes, empty.parts) == (0, 0, 1)


def test_a_lazy_frame_that_fails_is_a_table_that_cannot_be_read():
    frame = pl.DataFrame({"prompt": ["a", "a"], "reward": ["1", "x"]}).lazy().with_columns(pl.col("reward").cast(float))
    for executor in ("memory", "disk", None):
        assert "cannot be read: conversion" in str(outcome(frame, {}, Work(executor=executor)))


def test_large_tables_go_to_disk_unless_told_otherwise(monkeypatch):
    assert not TableSize(2_000_000, 1).fits_in_memory
    assert not TableSize(1, 2_000_000_000).fits_in_memory
    assert TableSize(2_000_000, 1).parts == 5
    assert TableSize(10, 2_000_000_000).parts == 10
    assert TableSize(10, 2_000_000_000).rows_a_batch == 1_000
    monkeypatch.setattr(size, "MOST_ROWS_IN_MEMORY", 5)
    for executor, expected in ((None, "disk"), ("memory", "memory"), ("disk", "disk")):
        found = audit_table(rows(), settings_from_options(ROLES), Work(executor=executor))
        assert found.result["settings"]["executor"] == expected


def rows(**columns: list) -> pl.DataFrame:
    """Two dozen rows of eight prompts, any column of which can be other than it should."""
    good = {
        "prompt": [f"q{at % 8}" for at in range(24)],
        "completion": [f"t{at % 5}" for at in range(24)],
        "one": [0.1 * (at % 3) for at in range(24)],
        "two": [0.1 * (at % 4) for at in range(24)],
    }
    return pl.DataFrame(good | columns, strict=False)


def at(values: dict[int, object], other: object) -> list[object]:
    """Two dozen values, some of which are special."""
    return [values.get(row, other) for row in range(24)]


ERRORS = {
    "text among numbers": (rows(one=at({17: "abc", 21: "def"}, "0.5")), {}, "row 18 (counted from 1) is 'abc'"),
    "numbers written as text": (rows(one=at({}, "0.5")), {}, "holds numbers written as text"),
    "text that is mostly null": (rows(two=at({20: "x"}, None)), {}, "row 21 (counted from 1) is 'x'"),
    "lists": (rows(one=at({9: [1.0]}, None)), {}, "holds List(Float64)"),
    "too large": (rows(two=at({13: 1e80, 22: -1e90}, 0.5)), {}, "1e+80 in row 14 (counted from 1)"),
    "too large, one of two": (rows(one=at({19: 1e90}, 0.5), two=at({19: 1e80}, 0.5)), {}, "1e+90 in row 20"),
    "too large a truth": (
        rows(truth=at({13: 1e80}, 0.5)),
        {"truth": "truth"},
        "truth column 'truth' has 1e+80 in row 14",
    ),
    "missing": (
        rows(one=at({5: None, 14: float("nan"), 11: float("inf")}, 0.5), two=at({1: None}, 0.5)),
        {"missing": "error"},
        "column 'one' has 3 missing, NaN or infinite scores, first in row 6",
    ),
    "missing in blocks": (
        rows(one=at({5: None, 23: None}, 0.5)).drop("prompt"),
        {"missing": "error", "group_size": 5, "prompt": None},
        "column 'one' has 1 missing, NaN or infinite scores, first in row 6",
    ),
    "derived from text": (
        rows(words=at({22: "x"}, "1")),
        {"derive": {"three": "CAST(words AS DOUBLE)"}, "rewards": ["three"]},
        "derive 'three': the expression",
    ),
    "empty": (rows().clear(), {}, "a Polars data frame has columns but no rows."),
    "no row left": (
        rows(one=at({}, None), two=at({}, None), prompt=at({0: None}, "q")),
        {},
        "no row is left to audit of 24. 23 rows: no usable score in any reward column; 1 rows: no group",
    ),
    "no two completions": (rows(prompt=[f"q{n}" for n in range(24)]), {}, "no prompt has two completions"),
    "no weight": (rows(), {"rewards": {"one": 0.0, "two": 0.0}}, "every reward has weight 0"),
    "no groups": (rows().drop("prompt"), {"prompt": None}, "nothing says which rows belong together"),
    "a step of lists": (rows(step=at({}, [1])), {"step": "step"}, "step column 'step' holds List(Int64)"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_those_of_a_table_in_memory(name, tmp_path):
    """Rows are counted over the whole table, however few are read at a time; nothing is left behind."""
    table, options, said = ERRORS[name]
    asked = ROLES | options
    whole = outcome(table, asked, Work(executor="memory"))
    found = outcome(table, asked, Work(executor="disk", parts=3, folder=tmp_path))
    assert found == whole
    assert said in str(whole)
    assert not left_in(tmp_path)


@pytest.mark.parametrize("cut", ["parquet", "jsonl", "csv.gz"])
def test_a_file_found_broken_late_is_named(cut, tmp_path, monkeypatch):
    """The first file is good and long, the second one breaks off."""
    monkeypatch.setattr(size, "_MOST_ROWS_A_BATCH", 50)
    good = pl.concat([rows()] * 40)
    tables, temporary = tmp_path / "tables", tmp_path / "temporary"
    tables.mkdir()
    temporary.mkdir()
    for number in range(2):
        path = tables / f"{number}.{cut}"
        if cut == "parquet":
            good.write_parquet(path, row_group_size=100, compression="zstd")
        elif cut == "jsonl":
            good.write_ndjson(path)
        else:
            path.write_bytes(gzip.compress(good.write_csv().encode(), 1))
    broken = tables / f"1.{cut}"
    content = bytearray(broken.read_bytes())
    if cut == "parquet":
        content[len(content) // 2 : len(content) // 2 + 100] = b"\xff" * 100
    else:
        del content[len(content) * 2 // 3 + 5 :]
    broken.write_bytes(content)
    whole = outcome(tables, ROLES, Work(executor="memory"))
    found = outcome(tables, ROLES, Work(executor="disk", parts=3, folder=temporary))
    assert found == whole
    assert str(broken) in str(found)
    assert not left_in(temporary)


def test_a_temporary_folder_must_be_one(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(InvalidInputError, match=f"the temporary folder {folder} is no folder"):
            audit_table(rows(), settings_from_options(ROLES), Work(executor="disk", folder=folder))


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    tmp_path.chmod(0o500)
    if os.geteuid() == 0:  # everything is writable to root
        monkeypatch.setattr(tempfile, "mkdtemp", denied)
    with pytest.raises(InvalidInputError, match=r"cannot be written: Permission denied.*--temporary-folder"):
        audit_table(rows(), settings_from_options(ROLES), Work(executor="disk", folder=tmp_path))


@pytest.mark.parametrize("stage", ["dealing", "figures"])
def test_a_full_disk_is_one_clear_error(stage, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if stage == "dealing":
        monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    else:
        monkeypatch.setattr(on_disk, "spilled", full)
    with pytest.raises(
        InvalidInputError, match=r"cannot be written: No space left on device\..*--temporary-folder"
    ) as told:
        audit_table(rows(), settings_from_options(ROLES), Work(executor="disk", parts=3, folder=tmp_path))
    assert str(tmp_path) in str(told.value)
    assert not left_in(tmp_path)


_LIMITED = """
import resource, signal, sys
from pathlib import Path
import polars as pl
from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import audit_table, settings_from_options
from policycliff.rollouts.parts.opened import Work
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
row = pl.int_range(40000, eager=True)
frame = pl.DataFrame({"prompt": (row % 5000).cast(str), "completion": row.cast(str), "one": (row % 97).cast(float)})
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    work = Work(executor="disk", parts=2, folder=Path(sys.argv[1]))
    audit_table(frame, settings_from_options({"rewards": ["one"]}), work)
except InvalidInputError as error:
    print(error)
"""


def test_a_system_that_refuses_to_write_is_one_clear_error(tmp_path):
    """No monkey business: the limit on the size of a file is the system's."""
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"the temporary folder {tmp_path} cannot be written: "), done.stderr
    assert "--temporary-folder" in done.stdout
    assert not left_in(tmp_path)


def test_no_more_parts_are_in_memory_than_are_worked_on(monkeypatch):
    """Of seven parts, each passed three times, no more rows are alive than those of the parts at work."""
    alive, most = weakref.WeakValueDictionary(), []
    read = on_disk.PartsOnDisk.frame

    def counted(parts: on_disk.PartsOnDisk, index: int) -> pl.DataFrame:
        frame = read(parts, index)
        alive[len(most)] = frame
        gc.collect()
        assert len(frame), "an empty part would always be alive"
        most.append(len(alive))
        return frame

    monkeypatch.setattr(on_disk.PartsOnDisk, "frame", counted)
    options = ROLES | {"sample": 7}
    table = pl.concat([rows(prompt=[f"{copy} {at % 8}" for at in range(24)]) for copy in range(9)])
    audit_table(table, settings_from_options(options), Work(executor="disk", parts=7))
    assert len(most) == 3 * 7
    assert max(most) <= THREADS
    gc.collect()
    assert not alive


def test_nothing_is_left_after_success(tmp_path):
    audit_table(rows(), settings_from_options(ROLES), Work(executor="disk", parts=3, folder=tmp_path))
    assert not left_in(tmp_path)
