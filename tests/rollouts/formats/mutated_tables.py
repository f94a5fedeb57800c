"""Broken table files of any kind, made from good ones by changing bytes: what a reader must survive."""

import random
from contextlib import suppress
from pathlib import Path

from policycliff.errors import PolicyCliffError
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

_PIECES = (
    b"null",
    b"[]",
    b"{}",
    b"NaN",
    b"-1e999",
    b'"x"',
    b"[[",
    b'\\ud800"',
    b"\x00",
    b"\xff",
    b",",
    b"\n",
    b"9" * 400,
)


def loaded_mutants(files: list[Path], folder: Path, name: str, count: int, seed: int) -> int:
    """How many mutants load; whatever is raised must be a PolicyCliffError."""
    rng = random.Random(seed)
    loaded = 0
    for _ in range(count):
        source = rng.choice(files)
        path = folder / source.name
        path.write_bytes(_changed(rng, source.read_bytes()))
        with suppress(PolicyCliffError):
            load_rollouts(path, AuditSettings(format=name))
            loaded += 1
    return loaded


def _changed(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 2, 5])):
        position = rng.randrange(len(data) + 1)
        gone = rng.choice([0, 1, 3, 20])
        piece = rng.choice([b"", bytes([rng.randrange(256)]), rng.choice(_PIECES)])
        data = data[:position] + piece + data[position + gone :]
    return data[: rng.randrange(len(data))] if data and rng.random() < 0.1 else data
