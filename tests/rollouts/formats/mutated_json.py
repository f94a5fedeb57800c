"""Broken JSON Lines files, made from good ones: what a reader must survive."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from policycliff.errors import PolicyCliffError
from policycliff.rollouts.formats.registry import format_named
from policycliff.rollouts.formats.sample import sample_of
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

HOSTILE = (
    *(None, True, False, 0, -1, 2**63, -(2**64), 10**400, 0.5, 1e308, float("nan"), float("inf"), "", "7", "\ud800"),
    *("\x00", [], [1, "a", None], {}, {"a": {"b": [1]}}, {"score": 1}, [[[[[[[]]]]]]], "a" * 300),
)
_RAW = (
    b"\xff\xfe",
    b"\x00",
    b"NaN",
    b"[" * 5000,
    b'{"a":' * 3000,
    b"9" * 5000,
    b'"',
    b"}",
    b",",
    b"\r",
    b"\n",
    b"{}\n",
)
KEYS = (
    "__uid",
    "__process",
    "group",
    "prompt",
    "completion",
    "step",
    "effective",
    "source",
    "",
    "\ud800",
    "uid",
    "score",
)


def mutants(files: list[Path], count: int, seed: int) -> Iterator[bytes]:
    """Files with some values, keys, lines or bytes changed."""
    rng = random.Random(seed)
    originals = [path.read_bytes() for path in files]
    for number in range(count):
        data = rng.choice(originals)
        yield _damaged(rng, data) if number % 3 == 0 else _changed(rng, data)


def _damaged(rng: random.Random, data: bytes) -> bytes:
    position = rng.randrange(len(data))
    kind = rng.randrange(3)
    if kind == 0:
        return data[:position]
    if kind == 1:
        return data[:position] + rng.choice(_RAW) + data[position:]
    return data[:position] + data[position + rng.randrange(1, 40) :]


def _changed(rng: random.Random, data: bytes) -> bytes:
    rows = [json.loads(line) for line in data.splitlines()]
    for _ in range(rng.randint(1, 3)):
        key, value = rng.choice([*rows[0], *KEYS]), rng.choice(HOSTILE)
        for row in rows if rng.random() < 0.3 else [rng.choice(rows)]:
            _change(rng, row, key, value)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _change(rng: random.Random, row: dict[str, Any], key: str, value: Any) -> None:
    """Set, remove or nest a value of a row or, now and then, of an object within it."""
    inner = row.get("steps") or [row.get("extra_logs")]
    if rng.random() < 0.3 and isinstance(inner, list) and inner and isinstance(inner[0], dict):
        row = inner[0]
        key = rng.choice([*row, "reward"])
    if rng.random() < 0.2:
        row.pop(key, None)
    else:
        row[key] = value


def survivors(files: list[Path], folder: Path, name: str, count: int, seed: int) -> int:
    """How many mutants load; whatever is raised must be a PolicyCliffError."""
    loaded = 0
    path = folder / files[0].name
    for number, data in enumerate(mutants(files, count, seed)):
        path.write_bytes(data)
        format_named(name).recognise(sample_of(path))
        with suppress(PolicyCliffError):
            load_rollouts(path, AuditSettings(format=name, group_size=2 if number % 7 == 0 else None))
            loaded += 1
    return loaded
