"""Every kind of table that a user may have."""

import builtins
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from policycliff.errors import InvalidInputError, MissingExtraError, SourceNotFoundError, TableError
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable

FRAME = pl.DataFrame(
    {
        "prompt_id": ["007", "007", "007", "7", "7", "x y"],
        "step": [1, 1, 1, 2, 2, 2],
        "prompt": ["a,b", "a,b", "a,b", 'say "hi"', 'say "hi"', "ünï\ncode"],
        "completion": ["1", "1.0", "1", "line\nbreak", "", None],
        "reward": [1.0, 0.5, None, 0.1, 0.1, -2.0],
        "solved": [True, False, True, None, False, True],
        "n_tokens": [3, 1, 2, 9, 8, 1],
    }
)
SETTINGS = AuditSettings(rewards=(("reward", 1.0), ("solved", 0.5)))


def _text(write: Callable[[pl.DataFrame, Path], Any], suffix: str) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        path = folder / f"table{suffix}"
        plain = folder / "plain"
        write(FRAME, plain)
        path.write_bytes(gzip.compress(plain.read_bytes()) if suffix.endswith(".gz") else plain.read_bytes())
        return path

    return save


FORMATS: dict[str, Callable[[Path], Path]] = {
    "parquet": _text(pl.DataFrame.write_parquet, ".parquet"),
    "jsonl": _text(pl.DataFrame.write_ndjson, ".jsonl"),
    "ndjson": _text(pl.DataFrame.write_ndjson, ".ndjson"),
    "json lines": _text(pl.DataFrame.write_ndjson, ".json"),
    "jsonl.gz": _text(pl.DataFrame.write_ndjson, ".jsonl.gz"),
    "json array": _text(pl.DataFrame.write_json, ".json"),
    "csv": _text(pl.DataFrame.write_csv, ".csv"),
    "csv.gz": _text(pl.DataFrame.write_csv, ".csv.gz"),
    "tsv": _text(lambda frame, path: frame.write_csv(path, separator="\t"), ".tsv"),
}


def require_equal(one: RolloutTable, other: RolloutTable) -> None:
    """Tables are equal in every part."""
    for name in ("offsets", "row_index", "behaviour", "text"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    for mine, theirs in zip((*one.rewards, *one.candidates), (*other.rewards, *other.candidates), strict=True):
        assert mine.name == theirs.name
        assert np.array_equal(mine.scores, theirs.scores, equal_nan=True)
        assert (mine.missing, mine.nan, mine.infinite) == (theirs.missing, theirs.nan, theirs.infinite)
    assert one.frame.equals(other.frame)
    assert (one.skipped, one.duplicate_rows) == (other.skipped, other.duplicate_rows)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_table(kind: str, tmp_path: Path) -> None:
    path = FORMATS[kind](tmp_path)
    loaded = load_rollouts(path, SETTINGS)
    require_equal(loaded.table, load_rollouts(FRAME, SETTINGS).table)
    assert loaded.table.n_groups == 3
    assert loaded.source == str(path)


def _hugging_face(frame: pl.DataFrame) -> Any:
    datasets = pytest.importorskip("datasets")
    return datasets.Dataset.from_list([*frame.to_dicts(), frame.row(0, named=True)]).select(range(len(frame)))


@pytest.mark.parametrize(
    "convert",
    [pl.DataFrame.lazy, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, _hugging_face],
    ids=["lazy", "pandas", "arrow", "hugging face"],
)
def test_every_kind_of_frame_gives_the_same_table(convert: Callable[[pl.DataFrame], Any]) -> None:
    require_equal(load_rollouts(convert(FRAME), SETTINGS).table, load_rollouts(FRAME, SETTINGS).table)


def test_a_folder_a_pattern_and_a_list_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        FRAME.with_columns(step=pl.lit(number)).write_parquet(tmp_path / f"{number}.parquet")
    (tmp_path / ".hidden.parquet").write_bytes(b"no table")
    (tmp_path / "README.md").write_text("no table")
    paths = sorted(tmp_path.glob("[0-9]*.parquet"))
    for table in (tmp_path, str(tmp_path / "[0-9]*.parquet"), paths, [str(path) for path in paths]):
        steps = load_rollouts(table, SETTINGS).table.frame["__step"].unique(maintain_order=True)
        assert steps.to_list() == [1, 9, 10]


def test_names_with_pattern_characters_are_plain_names(tmp_path: Path) -> None:
    folder = tmp_path / "run[1]"
    folder.mkdir()
    for name, write in (
        ("a*.csv", FRAME.write_csv),
        ("a?.jsonl", FRAME.write_ndjson),
        ("a[b].parquet", FRAME.write_parquet),
    ):
        write(folder / name)
        assert load_rollouts(folder / name, SETTINGS).rows_read == 6


def test_files_with_different_columns_are_refused_by_name(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "a.parquet")
    FRAME.rename({"reward": "score"}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(
        TableError, match=r"a\.parquet and .*b\.parquet.*only a\.parquet has 'reward'; only b.parquet has 'score'"
    ):
        open_table(tmp_path)


def test_files_with_types_that_fit_are_stacked(tmp_path: Path) -> None:
    pl.DataFrame({"prompt": ["p"], "reward": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"reward": [0.5], "prompt": ["p"]}).write_parquet(tmp_path / "b.parquet")
    assert load_rollouts(tmp_path, AuditSettings()).table.rewards[0].scores.tolist() == [1.0, 0.5]


def test_a_csv_name_that_is_text_in_one_file_is_text_in_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt_id,reward\n007,1\n007,2\n")
    (tmp_path / "b.csv").write_text("prompt_id,reward\n7,1\nx,2\n")
    table = load_rollouts(tmp_path, AuditSettings()).table
    assert table.frame["__prompt_id"].to_list() == ["007", "007", "7", "x"]


def test_files_of_several_formats_are_refused(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "a.parquet")
    FRAME.write_csv(tmp_path / "a.csv")
    with pytest.raises(TableError, match=r"several formats \(CSV, Parquet\)"):
        open_table(tmp_path)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        open_table(tmp_path / "nothing.parquet")
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        open_table(str(tmp_path / "*.parquet"))
    with pytest.raises(TableError, match="holds no table"):
        open_table(tmp_path)
    with pytest.raises(SourceNotFoundError, match="cannot be opened"):
        open_table("x" * 5000)


def test_a_column_that_comes_late_and_numbers_that_turn_fractional_are_kept(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "reward": 1}] * 3000 + [{"prompt": "p", "reward": 0.5, "completion": "late"}]
    path = tmp_path / "late.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    table = load_rollouts(path, AuditSettings()).table
    assert table.rewards[0].scores.sum() == 3000.5
    assert "late" in table.frame["__completion"].to_list()


def test_json_lines_with_nan_and_with_values_of_mixed_kinds(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(
        '{"prompt": "p", "reward": NaN, "score": 1, "info": {"a": 1}}\n\n'
        '{"prompt": "p", "reward": -Infinity, "score": 2, "info": "text"}\n'
        '{"prompt": 5, "reward": 1, "score": null, "info": [1, "x"]}\n'
    )
    rewards = load_rollouts(path, AuditSettings(rewards=(("reward", 1.0), ("score", 1.0)))).table.rewards
    assert (rewards[0].nan, rewards[0].infinite, rewards[1].missing) == (1, 1, 1)


def test_csv_types(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        b"\xef\xbb\xbfprompt,completion,reward,flag,whole,word\r\n"
        b"p,01, 1.5,TRUE,1,NA\r\np,1,NaN,false,NA,None\r\np,1.0,-inf,true,,x\r\n"
    )
    loaded = load_rollouts(path, AuditSettings(rewards=(("reward", 1.0), ("flag", 1.0))))
    reward, flag = loaded.table.rewards
    assert (reward.nan, reward.infinite, flag.missing) == (1, 1, 0)
    assert loaded.columns["candidates"] == ["whole"]
    assert loaded.table.frame["__completion"].to_list() == ["01", "1", "1.0"]


def test_another_kind_of_object_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="got dict"):
        open_table({"prompt": ["p"]})
    with pytest.raises(InvalidInputError, match="got list"):
        open_table([])


def test_hugging_face_splits_are_asked_for() -> None:
    datasets = pytest.importorskip("datasets")
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"prompt": ["p"], "reward": [1.0]})})
    with pytest.raises(InvalidInputError, match=r"dataset\['train'\]"):
        open_table(splits)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = FRAME.to_pandas()

    def refuse(_: object, **__: object) -> pl.DataFrame:
        raise ModuleNotFoundError("pyarrow is required")

    monkeypatch.setattr(pl, "from_pandas", refuse)
    with pytest.raises(MissingExtraError, match=r"policycliff\[pandas\]"):
        open_table(frame)


def test_no_library_is_imported_for_the_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def watched(name: str, *rest: Any, **more: Any) -> Any:
        assert name.partition(".")[0] not in ("pandas", "pyarrow", "datasets")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", watched)
    load_rollouts(FRAME, SETTINGS)


def test_a_column_of_python_objects_is_left_alone() -> None:
    frame = FRAME.with_columns(pl.Series("thing", [object()] * 6, dtype=pl.Object))
    assert load_rollouts(frame, SETTINGS).rows_read == 6


def test_whole_numbers_that_no_column_holds(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for digits, expected in ((60, [1.0, 1e60]), (400, ["1", "1" + "0" * 399])):
        path.write_text(f'{{"prompt": "p", "reward": 1}}\n{{"prompt": "p", "reward": 1{"0" * digits}}}\n')
        assert open_table(path).frame.collect()["reward"].to_list() == expected


def test_numbers_that_python_refuses(tmp_path: Path) -> None:
    for text in ('{"reward": 1%s}\n', '[{"reward": 1%s}]'):
        (tmp_path / "t.jsonl").write_text(text.replace("%s", "0" * 5000))
        with pytest.raises(TableError, match=r"not valid JSON .*digits"):
            open_table(tmp_path / "t.jsonl")


def test_values_nested_very_deep_are_text(tmp_path: Path) -> None:
    deep = "[" * 900 + "1" + "]" * 900
    # NaN sends the file to the slow reader.
    lines = [f'{{"prompt": "p", "reward": {reward}, "x": {deep}}}' for reward in (1, "NaN")]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert open_table(tmp_path / "t.jsonl").frame.collect()["x"].to_list() == [deep, deep]
