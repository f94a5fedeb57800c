"""Broken files made from good ones, which every reader must survive, and the fixtures of the other formats.

`benchmarks/fuzz_readers.py` does the same to thousands of files.
"""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import PolicyCliffError
from policycliff.rollouts.formats.format import Format
from policycliff.rollouts.formats.registry import format_named
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

FIXTURES = Path(__file__).parents[2] / "data" / "formats"
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, -(2**64), 10**400, 0.5, 1e308, float("nan"), float("inf"), "", "7", "\ud800"),
    *(
        "\x00",
        [],
        [1, "a", None],
        {},
        {"a": {"b": [1]}},
        {"score": 1},
        [[[[[[[]]]]]]],
        "a" * 300,
        [[]],
        [{}],
        [None],
    ),
)
NAMES = ("__uid", "__process", "group", "prompt", "completion", "step", "effective", "source", "", "\ud800", "score")
_PIECES = (
    *(b"\xff\xfe", b"\x00", b"NaN", b"[" * 5000, b'{"a":' * 3000, b"9" * 5000, b'"', b"}", b",", b"\r", b"\n", b"{}\n"),
    *(b"null", b"-1e999", b'\\ud800"', b""),
)
_COLUMNS: tuple[Any, ...] = (
    *(None, float("nan"), 1e308, 2**62, "x", [1, 2], True, {"role": None}, [], [None], b"\xff"),
    [{"role": None, "content": [{"type": "image"}]}],
)


def survivors(files: list[Path], folder: Path, name: str, count: int, seed: int) -> int:
    """How many broken files load; whatever is raised must be a PolicyCliffError."""
    rng = random.Random(seed)
    loaded = 0
    for number in range(count):
        path = write_broken(rng.choice(files), folder, rng)
        group_size = 2 if number % 7 == 0 else None
        loaded += loads(path, AuditSettings(format=None if number % 5 == 0 else name, group_size=group_size))
        found = format_named(name)
        assert found is not None
        found.recognise(sample_of(path))
    return loaded


def loads(path: Path, settings: AuditSettings) -> bool:
    """Whether a file loads; False for an error of ours, and any other is raised."""
    with suppress(PolicyCliffError):
        load_rollouts(path, settings)
        return True
    return False


def write_broken(source: Path, folder: Path, rng: random.Random) -> Path:
    """A copy of a file with values, keys, columns or bytes changed."""
    path = folder / source.name
    if source.suffix == ".parquet" and rng.random() < 0.5:
        changed_columns(pl.read_parquet(source), rng).write_parquet(path)
        return path
    lines = source.suffix in {".jsonl", ".json"} and rng.random() < 0.6
    path.write_bytes(changed_lines(source.read_text(), rng) if lines else changed_bytes(source.read_bytes(), rng))
    return path


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, taken out or put in, or the end cut off."""
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        start = rng.randrange(len(data) + 1)
        piece = rng.choice((bytes([rng.randrange(256)]), rng.choice(_PIECES)))
        data = data[:start] + piece + data[start + rng.choice((len(piece), 1, 20)) :]
    return data[: rng.randrange(len(data))] if data and rng.random() < 0.15 else data


def changed_lines(text: str, rng: random.Random) -> bytes:
    """JSON Lines, or one JSON value, with up to three places changed; a change may befall every line."""
    rows = [json.loads(text)] if text.startswith(("{\n", "[")) else [json.loads(line) for line in text.splitlines()]
    for _ in range(rng.randint(1, 3)):
        if isinstance(rows[0], dict) and rng.random() < 0.5:
            key, value = rng.choice((*rows[0], *NAMES)), rng.choice(HOSTILE)
            for row in rows if rng.random() < 0.3 else [rng.choice(rows)]:
                row[key] = _fresh(value)
        else:
            change_place(rng.choice(rows), rng)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def change_place(value: Any, rng: random.Random) -> None:
    """Replace or remove one value somewhere in a JSON value."""
    holder, key = rng.choice(list(_places(value)))
    if isinstance(holder, dict) and rng.random() < 0.3:
        del holder[key]
    else:
        holder[key] = _fresh(rng.choice(HOSTILE))


def changed_columns(frame: pl.DataFrame, rng: random.Random) -> pl.DataFrame:
    """A table with a column that holds something else, perhaps without another one or with fewer rows."""
    values = [rng.choice(_COLUMNS)] * len(frame)
    changed = frame.with_columns(pl.Series(rng.choice(frame.columns), values, strict=False))
    return rng.choice((changed, changed.drop(rng.choice(frame.columns)), changed.sample(fraction=0.8, seed=1)))


def recognised_elsewhere(item: Format, own: str) -> list[Path]:
    """Files of other formats' folders, and folders that are datasets, that a format takes for its own."""
    suffixes = {".parquet", ".jsonl", ".json", ".csv", ".eval"}
    files = [path for path in FIXTURES.rglob("*") if path.suffix in suffixes or (path / "state.json").is_file()]
    foreign = [path for path in files if own not in path.relative_to(FIXTURES).parts]
    assert len(foreign) > 3
    return [path for path in foreign if item.recognise(sample_of(path)) is not None]


def _fresh(value: Any) -> Any:
    """A copy, for a later change may go inside it."""
    return json.loads(json.dumps(value))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])
