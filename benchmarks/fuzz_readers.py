"""Damaged and hostile files against every reader: each must load, or end in an error of policycliff's own.

Files of every format (those of the tests, which the real libraries wrote, and plain tables) are changed at random:
bytes and lines flipped, cut, doubled and shuffled; in JSON, values replaced by hostile ones; in Parquet, columns. A
traceback, a crash or a call that hangs is printed with its seed and makes the script end with code 1.

    python benchmarks/fuzz_readers.py --files 10000
"""

import argparse
import collections
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from policycliff.errors import PolicyCliffError
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

ROOT = Path(__file__).parents[1]
FORMATS = ROOT / "tests" / "data" / "formats"
LONGEST_S = 30
HOSTILE: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        10**30,
        -(10**400),
        1e308,
        float("nan"),
        float("inf"),
        "",
        "\x00",
        "\ud800",
        "NaN",
        "1,5",
    ),
    *(
        "<script>",
        "=cmd|' /C calc'!A0",
        "../../etc/passwd",
        "x" * 10_000,
        "é\u202e\x1b[31m",
        [],
        {},
        [[]],
        [None],
        {"": {}},
    ),
    *([1, "a", None], {"role": 1, "content": None}, [{"role": "user"}], {"value": "x"}, {"score": {}, "weight": []}),
]


class TooLongError(Exception):
    """A call that hangs."""


def seeds() -> list[Path]:
    """Files and folders to change: one of each kind that is there."""
    found = [
        path for path in sorted(FORMATS.rglob("*")) if path.suffix in {".jsonl", ".json", ".parquet", ".csv", ".eval"}
    ]
    kept = [
        path for path in found if path.name not in {"expected.json", "state.json", "dataset_info.json", "metadata.json"}
    ]
    folders = sorted({path.parent for path in FORMATS.rglob("state.json")})
    plain = sorted((ROOT / "tests" / "data").glob("*.parquet"))
    return [*kept, *folders, *(path for path in plain if "momdp" not in path.name)]


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, cut, doubled or replaced in a few places."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20))):
        at = rng.randrange(max(1, len(changed)))
        kind = rng.randrange(6)
        if kind == 0 and changed:
            changed[at % len(changed)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at:] = b""
        elif kind == 2:
            changed[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4, 100))))
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.choice((1, 50, 5000))]
        elif kind == 4:
            changed[at : at + rng.choice((1, 8, 500))] = b""
        else:
            changed[at : at + 1] = rng.choice((b"\n", b"\x00", b"\xff\xfe", b'"', b"{", b"]", b",", b"\r\n", b"1e999"))
    return bytes(changed)


def changed_value(value: Any, rng: random.Random) -> Any:
    """A JSON value with one place in it replaced, renamed, removed or doubled."""
    places = list(containers(value))
    if not places:
        return rng.choice(HOSTILE)
    place = rng.choice(places)
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = rng.choice(keys)
    kind = rng.randrange(4)
    if kind == 0 and isinstance(place, dict):
        place[rng.choice(("x", "reward", "score", "prompt", "", "step"))] = place.pop(key)
    elif kind == 1:
        del place[key]
    elif kind == 2 and isinstance(place, list):
        place.insert(key, place[key])
    else:
        place[key] = rng.choice(HOSTILE)
    return value


def containers(value: Any) -> Iterator[Any]:
    """Every object and array in a JSON value that is not empty."""
    if isinstance(value, dict | list) and value:
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


def changed_lines(text: str, rng: random.Random) -> str:
    """Lines of JSON changed in place, or lines dropped, doubled or swapped."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind < 3:
            try:
                lines[at] = json.dumps(changed_value(json.loads(lines[at]), rng))
            except ValueError:
                lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
        elif kind == 3:
            lines.insert(at, lines[rng.randrange(len(lines))])
        else:
            lines[at] = rng.choice(("", "null", "[]", "{}", "{" * 5000, '"x"', lines[at] + lines[at]))
    return "\n".join(lines)


def changed_columns(path: Path, rng: random.Random) -> pl.DataFrame:
    """A Parquet file with a column replaced, renamed, dropped, cast or doubled."""
    frame = pl.read_parquet(path)
    name = rng.choice(frame.columns)
    kind = rng.randrange(6)
    if kind == 0:
        return frame.drop(name)
    if kind == 1:
        return frame.rename({name: rng.choice(("x", "reward", "a=b", "__prompt_id", "effective", "\x1b[31m", " "))})
    if kind == 2:
        value = rng.choice((None, float("nan"), float("inf"), 1e300, "x", True))
        return frame.with_columns(pl.lit(value).alias(name))
    if kind == 3:
        return frame.with_columns(pl.col(name).implode().over(pl.int_range(pl.len())).alias(name))
    if kind == 4:
        return frame.sample(fraction=rng.choice((0.01, 0.5, 1.0)), shuffle=True, seed=rng.randrange(1000))
    return frame.with_columns(
        pl.col(name).cast(rng.choice((pl.String, pl.Float32, pl.Boolean, pl.Binary)), strict=False)
    )


def write_changed(source: Path, folder: Path, rng: random.Random) -> Path:
    """A changed copy of a file or folder."""
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
        inner = rng.choice([item for item in sorted(target.rglob("*")) if item.is_file()])
        inner.write_bytes(changed_bytes(inner.read_bytes(), rng))
        return target
    text = source.suffix in {".jsonl", ".json"}
    if text and rng.random() < 0.7:
        target.write_text(
            changed_lines(source.read_text(encoding="utf-8"), rng), encoding="utf-8", errors="surrogatepass"
        )
    elif source.suffix == ".parquet" and rng.random() < 0.5:
        changed_columns(source, rng).write_parquet(target)
    else:
        target.write_bytes(changed_bytes(source.read_bytes(), rng))
    return target


def options(rng: random.Random) -> AuditSettings:
    """Settings that a user may add."""
    return AuditSettings(
        group_size=rng.choice((None, None, None, 1, 2, 4)), missing=rng.choice(("omit", "zero", "error"))
    )


def outcome(read: Callable[[], object]) -> str:
    """`loaded`, the name of our error, or `hangs`; anything else is raised."""
    signal.alarm(LONGEST_S)
    try:
        read()
    except PolicyCliffError as error:
        if not str(error).strip():
            raise
        return type(error).__name__
    finally:
        signal.alarm(0)
    return "loaded"


def main() -> None:
    """Change files until the number is reached; print what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only sources whose path holds this text")
    arguments = parser.parse_args()

    def stop(*_: object) -> None:
        raise TooLongError

    signal.signal(signal.SIGALRM, stop)
    sources = [path for path in seeds() if arguments.only in str(path)]
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    failed, start = 0, time.perf_counter()
    for number in range(arguments.files):
        seed = arguments.seed + number
        rng = random.Random(seed)
        source = sources[seed % len(sources)]
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = write_changed(source, Path(folder), rng)
            except (pl.exceptions.PolarsError, UnicodeError):
                counts[source.parent.name]["not made"] += 1
                continue
            try:
                found = outcome(lambda path=path, rng=rng: load_rollouts(path, options(rng)))  # type: ignore[misc]
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                found, failed = "FAILED", failed + 1
                print(f"--seed {seed} --files 1: {source.relative_to(ROOT)}: {type(error).__name__}", file=sys.stderr)
                traceback.print_exc(limit=-4)
        counts[source.parent.relative_to(FORMATS).parts[0] if FORMATS in source.parents else "plain"][found] += 1
    for name, found in sorted(counts.items()):
        print(f"{name:>20}: {', '.join(f'{count} {what}' for what, count in found.most_common())}")
    total = sum(sum(found.values()) for found in counts.values())
    print(f"{total} files, {failed} failed, {time.perf_counter() - start:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
