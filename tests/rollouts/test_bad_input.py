"""Tables that are broken in every way: one clear line each, never another exception."""

import gzip
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.errors import PolicyCliffError, TableError
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

FRAME = pl.DataFrame({"prompt": ["p"] * 200, "completion": [f"c{i}" for i in range(200)], "reward": np.arange(200.0)})
LINES = b'{"prompt": "p", "reward": 1}\n'


def _parquet(folder: Path) -> bytes:
    FRAME.write_parquet(folder / "whole")
    return (folder / "whole").read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"", r"a\.parquet is empty \(0 bytes\)"),
        ("a.csv", b"", r"a\.csv is empty"),
        ("a.jsonl", b"", r"a\.jsonl is empty"),
        ("a.jsonl", b"\n\n", r"a\.jsonl"),
        ("a.jsonl.gz", gzip.compress(b"", mtime=0), r"a\.jsonl\.gz"),
        ("a.csv", b"prompt,reward\n", "has columns but no rows"),
        ("a.parquet", b"PAR1 no, not at all PAR1", r"a\.parquet cannot be read as Parquet"),
        ("a.jsonl", LINES * 3 + b'{"prompt": "p", "rew', r"a\.jsonl, line 4: not valid JSON"),
        ("a.jsonl", LINES + b"[1, 2]\n", r"a\.jsonl, line 2: expected a JSON object, got list"),
        ("a.jsonl", LINES + b'{"prompt": "\xff"}\n', r"a\.jsonl"),
        ("a.json", b'[{"prompt": "p", "reward": 1}, {"pro', r"a\.json: not valid JSON"),
        ("a.json", b"[1, 2]", r"a\.json: expected a JSON array of objects"),
        ("a.jsonl.gz", gzip.compress(LINES * 1000, mtime=0)[:-12], r"a\.jsonl\.gz cannot be read as JSON Lines"),
        ("a.csv.gz", gzip.compress(b"prompt,reward\np,1\n" * 1000, mtime=0)[:-12], r"a\.csv\.gz cannot be read as CSV"),
        ("a.jsonl.gz", LINES, r"a\.jsonl\.gz"),
        ("a.csv", b"prompt,reward\np,1\np,1,2\n", r"a\.csv, line 3: 3 values, but the header has 2 columns"),
        ("a.csv", b"prompt,reward\n\xff\xfe,1\n", "the text is not UTF-8"),
        ("a.csv", b"prompt,prompt\np,1\n", "two columns named 'prompt'"),
        ("a.csv", b"prompt;reward\np;1\n", "separated by semicolons"),
        ("a.xlsx", b"PK", "suffix that is not a table's: expected .parquet"),
        ("a", b"PK", "suffix that is not a table's"),
        ("a.csv", b"prompt,reward\np,good\np,bad\n", "reward column 'reward' is not numeric: row 1 .* is 'good'"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        load_rollouts(tmp_path / name, AuditSettings())
    assert "\n" not in str(caught.value)


def test_a_parquet_file_cut_off_or_damaged_is_named_even_among_others(tmp_path: Path) -> None:
    whole = _parquet(tmp_path)
    (tmp_path / "1.parquet").write_bytes(whole)
    damaged = bytearray(whole)
    damaged[20:400] = os.urandom(380)
    for content in (whole[:-20], whole[: len(whole) // 2], bytes(damaged)):
        (tmp_path / "2.parquet").write_bytes(content)
        with pytest.raises(TableError, match=r"2\.parquet cannot be read as Parquet"):
            load_rollouts(tmp_path / "*.parquet", AuditSettings())


@given(
    cut=st.integers(0, 3000),
    noise=st.binary(max_size=40),
    suffix=st.sampled_from(["parquet", "csv", "jsonl", "jsonl.gz"]),
)
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_is_an_error_of_ours_or_none(
    cut: int, noise: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = folder / f"a.{suffix}"
    plain = folder / "plain"
    write = {"parquet": FRAME.write_parquet, "csv": FRAME.write_csv}.get(suffix, FRAME.write_ndjson)
    write(plain)
    content = plain.read_bytes()
    whole = gzip.compress(content) if suffix.endswith("gz") else content
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut] + noise + whole[cut + len(noise) :])
    with suppress(PolicyCliffError):  # any other exception fails the test
        load_rollouts(path, AuditSettings())
