"""Groups stay whole when a table is dealt, whatever their names are, and however few rows are read at a time."""

import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same_figures import assert_parts_equal_whole, tables

from policycliff.rollouts.audit import Audit, settings_from_options
from policycliff.rollouts.parts.deal import Deal, deal_of
from policycliff.rollouts.parts.scatter import PART, ROW, dealt_batches, table_of_part
from policycliff.rollouts.reading import size
from policycliff.rollouts.reading.understand import Opened, opened

NAN = float("nan")
CHAT = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
KEYS: dict[str, tuple[list[Any], Any]] = {
    "small numbers": ([0, 1, 2, 3, 255, None], pl.UInt8),
    "numbers": ([-1, 2**62, 3, 0, -(2**63), None], pl.Int64),
    "large numbers": ([2**100, 1, 2, 3, -4, None], pl.Int128),
    "booleans": ([True, False, None, True, False, True], pl.Boolean),
    "texts": (["a", "b", "", "\x00", "é", None], pl.String),
    "categories": (["a", "b", "c", "d", None, "e"], pl.Categorical),
    "enum": (["a", "b", "c", "d", None, "e"], pl.Enum(list("edcba"))),
    "bytes": ([b"a", b"", b"\xff", b"b", None, b"c"], pl.Binary),
    "dates": ([datetime.date(2026, 1, day) for day in range(1, 6)] + [None], pl.Date),
    "times": ([datetime.datetime(2026, 1, day) for day in range(1, 7)], pl.Datetime("us")),  # noqa: DTZ001
    "durations": ([datetime.timedelta(seconds=n) for n in range(6)], pl.Duration("us")),
    "decimals": ([Decimal(n) / 4 for n in range(5)] + [None], pl.Decimal(20, 4)),
    "floats": ([0.0, -0.0, NAN, 1.5, None, float("inf")], pl.Float64),
    "nothing numbers": ([NAN, -NAN, 1.0, 2.0, -0.0, 0.0], pl.Float64),
    "narrow floats": ([0.0, -0.0, NAN, 1.5, None, 0.1], pl.Float32),
    "chats": (
        [
            [{"role": "user", "content": "a"}],
            [{"role": "user", "content": "b"}],
            [],
            None,
            [{"role": None, "content": "b"}],
            [{"role": "user", "content": None}],
        ],
        CHAT,
    ),
    "lists of floats": ([[0.0], [-0.0], [NAN], [], None, [None]], pl.List(pl.Float64)),
    "structs": ([{"a": 1.0}, {"a": -0.0}, {"a": 0.0}, {"a": NAN}, {"a": None}, None], pl.Struct({"a": pl.Float64})),
    "arrays": ([[1, 2], [1, 3], [2, 1], [0, 0], [1, None], None], pl.Array(pl.Int64, 2)),
}
PICKED = [0, 1, 2, 3, 4, 5, 0, 2, 2, 1, 5, 4, 3, 0, 1, 1, 3, 5, 4, 2, 0, 5, 3, 4]


def keyed(name: str) -> pl.DataFrame:
    """Two dozen rows whose key is of one type."""
    values, dtype = KEYS[name]
    return pl.DataFrame(
        {
            "key": pl.Series([values[at] for at in PICKED], dtype=dtype),
            "completion": [f"text {(at * at) % 7}" for at in range(24)],
            "one": [0.1 * ((at * 7) % 5) for at in range(24)],
        }
    )


@pytest.mark.parametrize("name", KEYS)
def test_groups_named_by_every_type(name):
    found = assert_parts_equal_whole(keyed(name), {"rewards": ["one"], "group": "key", "look_at": 2}, 3)
    assert isinstance(found, Audit)


@pytest.mark.parametrize("name", ["large numbers", "categories", "bytes", "floats", "durations", "chats"])
def test_prompts_of_every_type(name):
    found = assert_parts_equal_whole(keyed(name), {"rewards": ["one"], "prompt": "key", "look_at": 2}, 3)
    assert isinstance(found, Audit)


@pytest.mark.parametrize("name", ["categories", "enum", "bytes", "durations", "chats", "structs"])
def test_other_labels_of_every_type(name):
    """What is read back from disk is of the type that was read."""
    roles = {role: pl.Series(keyed(name)["key"]) for role in ("completion", "behaviour", "source")}
    table = keyed(name).with_columns(group=pl.Series([at % 5 for at in range(24)]), **roles)
    options = {"rewards": ["one"], "group": "group", "look_at": 2} | {role: role for role in roles}
    assert isinstance(assert_parts_equal_whole(table, options, 3), Audit)


def dealt(table: Any, options: dict[str, Any], *, parts: int, rows: int) -> tuple[Opened, Deal, pl.DataFrame]:
    found = opened(table, settings_from_options(options))
    deal = deal_of(found, parts)
    return found, deal, pl.concat(list(dealt_batches(found, deal, rows)))


@settings(deadline=None, max_examples=25)
@given(tables(), st.integers(1, 7), st.integers(1, 9))
def test_every_row_is_dealt_once_and_every_group_whole(table, parts, rows):
    options = {"rewards": ["one"], "prompt": "prompt", "group": "group"}
    _, _, found = dealt(table, options, parts=parts, rows=rows)
    assert found[ROW].to_list() == list(range(len(table)))
    assert found[PART].is_between(0, parts - 1).all()
    together = pl.DataFrame({"group": table["group"], "part": found[PART]}).drop_nulls()
    assert together.group_by("group").n_unique()["part"].to_list() == [1] * together["group"].n_unique()


@settings(deadline=None, max_examples=15)
@given(tables(), st.integers(1, 4), st.integers(2, 6), st.data())
def test_a_range_of_rows_is_dealt_as_in_the_whole(table, group_size, parts, data):
    """What workers read piece by piece is what one reads from beginning to end."""
    named = data.draw(st.booleans())
    keys = {"prompt": "prompt"} if named else {"group_size": group_size}
    shown = table.drop("group", "step", *([] if named else ["prompt"]))
    found, deal, whole = dealt(shown, {"rewards": ["one"]} | keys, parts=parts, rows=4)
    start = data.draw(st.integers(0, len(table) - 1))
    length = data.draw(st.integers(1, len(table)))
    pieces = list(dealt_batches(found, deal, 3, start=start, length=length))
    assert pl.concat(pieces).equals(whole.slice(start, length))


def test_rows_of_a_part_stay_in_the_order_of_the_table():
    table = pl.DataFrame({"prompt": [f"q{at % 7}" for at in range(60)], "one": [float(at) for at in range(60)]})
    _, deal, rows = dealt(table, {"rewards": ["one"]}, parts=3, rows=8)
    for part in range(3):
        found = table_of_part(rows.filter(pl.col(PART) == part), deal, part, None)
        for start, end in zip(found.offsets[:-1], found.offsets[1:], strict=True):
            of_group = found.row_index[start:end].tolist()
            assert of_group == [row for row in range(60) if row % 7 == of_group[0] % 7]
            assert found.rewards[0].scores[start:end].tolist() == [float(row) for row in of_group]


def test_equal_rows_without_a_name_come_together():
    table = pl.DataFrame({"prompt": [None] * 20, "one": [0.1, 0.2] * 10}, schema_overrides={"prompt": pl.String})
    _, _, found = dealt(table, {"rewards": ["one"], "prompt": "prompt"}, parts=5, rows=6)
    assert found.with_columns(one=table["one"]).group_by("one").n_unique()["part"].to_list() == [1, 1]


def test_csv_names_are_texts_as_they_stand(tmp_path):
    """`007` and `7` are two names, in the deal and in what the guesses are put to the test of."""
    names = ["007", "7", "07"] * 4
    rows = [f"{name},{text},{0.1 * at:.1f}" for at, (name, text) in enumerate(zip(names, "abcd" * 3, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["prompt_id,completion,reward", *rows]))
    found = assert_parts_equal_whole(tmp_path / "t.csv", {}, 3)
    assert isinstance(found, Audit)
    assert found.result["counts"]["prompts"] == 3


def test_many_small_batches_give_what_one_gives(tmp_path, monkeypatch):
    table = pl.DataFrame(
        {
            "prompt": [f"q{at % 11}" for at in range(300)],
            "completion": [f"t{at % 17}" for at in range(300)],
            "one": [0.1 * (at % 7) for at in range(300)],
        }
    )
    table.write_parquet(tmp_path / "t.parquet", row_group_size=13)
    monkeypatch.setattr(size, "_MOST_ROWS_A_BATCH", 7)
    assert isinstance(assert_parts_equal_whole(tmp_path / "t.parquet", {"rewards": ["one"]}, 3), Audit)
    table.write_ndjson(tmp_path / "t.jsonl")
    assert isinstance(assert_parts_equal_whole(tmp_path / "t.jsonl", {"rewards": ["one"]}, 3), Audit)
