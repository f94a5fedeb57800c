"""How far the audit scales: time, memory and temporary files for tables of millions of rollouts.

    python benchmarks/scale_benchmark.py make --rows 20000000 --folder tables
    python benchmarks/scale_benchmark.py audit --sizes 1000000,2000000,4000000 --folder tables

A row is one of `--group-size` completions of a prompt: three rewards, a truth, texts of 200 characters in the mean. The
completions of a prompt lie scattered over the whole file. Each audit runs as a process of its own; a few figures are
computed again from the file with Polars, and must agree.
"""

import argparse
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source
from scipy.special import betaincinv, ndtri

BLOCK = 200_000
POOL = 2**17
PIECES = (3, 9)  # fragments a completion, fewest and most
REPEATED = 0.05
MOST_BYTES = 10e9
REWARDS = {"correct": 1.0, "reward_model": 0.2, "format": 0.1}
SCHEMA = {"prompt_id": pl.Int64, "prompt": pl.String, "completion": pl.String, "correct": pl.Float64}
SCHEMA |= {"reward_model": pl.Float64, "format": pl.Float64, "truth": pl.Float64}
KEY = "policycliff.scale"


def parameters_of(rows: int, *, group_size: int = 8, seed: int = 0, truth: bool = True) -> dict[str, int]:
    """What determines a table; kept in the file."""
    if rows < group_size or rows % group_size:
        raise SystemExit(f"{rows} rows are not whole prompts of {group_size} completions")
    return {"version": 1, "rows": rows, "group_size": group_size, "seed": seed, "truth": int(truth)}


def bits(seed: int, stream: int, index: np.ndarray) -> np.ndarray:
    """64 random bits of every index (the mixing of SplitMix64): those of a prompt are the same in whatever block."""
    start, step = np.random.SeedSequence([seed, stream]).generate_state(2, np.uint64)
    z = index.astype(np.uint64) * (step | np.uint64(1)) + start
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def uniform(seed: int, stream: int, index: np.ndarray) -> np.ndarray:
    """A number strictly between 0 and 1 of every index."""
    return ((bits(seed, stream, index) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def fragments(seed: int) -> pl.Series:
    """Pieces of sentences of five made-up words each, and last an empty one."""
    rng = np.random.default_rng(seed)
    syllables = [
        onset + vowel for onset in (*"bdfgklmnprstvz", "bl", "br", "dr", "gr", "pl", "st") for vowel in "aeiou"
    ]
    words: set[str] = set()
    while len(words) < 4096:
        words.add("".join(rng.choice(syllables, size=rng.integers(1, 4))))
    vocabulary = pl.Series(sorted(words))
    drawn = [vocabulary.gather(rng.integers(0, len(words), POOL)).alias(str(place)) for place in range(5)]
    joined = pl.DataFrame(drawn).select(pl.concat_str(pl.all(), separator=" ")).to_series()
    return pl.concat([joined, pl.Series([""])])


def scatter(parameters: dict[str, int]) -> tuple[int, int]:
    """The a and b of a permutation a * i + b of the row numbers."""
    rows, rng = parameters["rows"], np.random.default_rng([parameters["seed"], 1])
    a = int(rng.integers(rows // 4, 3 * rows // 4 + 1))
    while math.gcd(a, rows) != 1:
        a += 1
    return a, int(rng.integers(rows))


def block(parameters: dict[str, int], pool: pl.Series, number: int) -> pl.DataFrame:
    """The block of this number, without holding any other."""
    size, seed, rows = parameters["group_size"], parameters["seed"], parameters["rows"]
    a, b = scatter(parameters)
    # The affine permutation alone would step through the prompts evenly; the order within a block is random.
    index = np.arange(number * BLOCK, min((number + 1) * BLOCK, rows), dtype=np.int64)
    place = np.random.default_rng([seed, 2, number]).permutation((a * index + b) % rows)
    prompt, slot = np.divmod(place, size)
    # A repeated completion is that of slot 0 again: the same text, graded alike but for the reward model's noise.
    repeats = (slot > 0) & (uniform(seed, 0, place) < REPEATED * size / max(size - 1, 1))
    origin = np.where(repeats, place - slot, place)
    ability = betaincinv(0.35, 0.35, (np.arange(4096) + 0.5) / 4096)
    correct = (uniform(seed, 1, origin) < ability[bits(seed, 2, prompt) >> np.uint64(52)]).astype(np.float64)
    quality = 1.5 * correct + ndtri(uniform(seed, 3, origin)) + 0.5 * ndtri(uniform(seed, 4, prompt))
    columns = {
        "prompt_id": prompt,
        "prompt": _prompts(seed, pool, prompt),
        "completion": _completions(seed, pool, origin),
        "correct": correct,
        "reward_model": np.round(quality + 0.02 * ndtri(uniform(seed, 5, place)), 3),
        "format": np.array([0.0, 0.5, 1.0])[np.searchsorted([0.1, 0.2], uniform(seed, 6, origin))],
    }
    if parameters["truth"]:
        columns["truth"] = np.where(uniform(seed, 7, origin) < 0.9, correct, 1.0 - correct)
    return pl.DataFrame(columns)


def _prompts(seed: int, pool: pl.Series, prompt: np.ndarray) -> pl.Series:
    """About 80 characters; the number makes them distinct."""
    drawn = [bits(seed, stream, prompt) % np.uint64(POOL) for stream in (8, 9)]
    return pl.select(
        pl.format("Problem {}: {} {}?", pl.Series(prompt), *(pool.gather(one) for one in drawn))
    ).to_series()


def _completions(seed: int, pool: pl.Series, origin: np.ndarray) -> pl.Series:
    fewest, most = PIECES
    length = fewest + bits(seed, 10, origin) % np.uint64(most - fewest + 1)
    pieces = []
    for piece in range(most):
        drawn = bits(seed, 11 + piece, origin) % np.uint64(POOL)
        pieces.append(pool.gather(np.where(piece < length, drawn, POOL)).alias(str(piece)))
    joined = pl.concat_str(pl.all(), separator=" ").str.strip_chars_end()
    return pl.DataFrame(pieces).select(joined).to_series()


def table_path(folder: Path, parameters: dict[str, int]) -> Path:
    """Where the table of these parameters is kept."""
    name = "{rows}_rows_groups_of_{group_size}_seed_{seed}".format(**parameters)
    return folder / f"{name}{'' if parameters['truth'] else '_no_truth'}.parquet"


def make_table(folder: Path, parameters: dict[str, int]) -> Path:
    """Write the table block by block, unless it is there already."""
    path, said = table_path(folder, parameters), json.dumps(parameters)
    if path.exists() and pl.read_parquet_metadata(path).get(KEY) == said:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial, started = path.with_suffix(".partial"), time.perf_counter()
    pool, rows = fragments(parameters["seed"]), parameters["rows"]

    def blocks(*_asked: object) -> Iterator[pl.DataFrame]:
        for number in range(math.ceil(rows / BLOCK)):
            yield block(parameters, pool, number)
            print(f"\r{number * BLOCK / rows:6.1%} of {rows:,} rows", end="", file=sys.stderr, flush=True)

    schema = {name: dtype for name, dtype in SCHEMA.items() if name != "truth" or parameters["truth"]}
    source = register_io_source(blocks, schema=schema)
    source.sink_parquet(partial, compression_level=1, row_group_size=BLOCK, metadata={KEY: said})
    partial.rename(path)
    size = path.stat().st_size
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\r{path.name}: {size / 1e9:.2f} GB, {size / rows:.0f} bytes a row, {seconds:.0f} s, peak {peak:.0f} MiB")
    if size > MOST_BYTES:
        raise SystemExit(f"{path} is larger than {MOST_BYTES / 1e9:.0f} GB")
    return path


def processes_of(pid: int) -> list[int]:
    """A process and its descendants that are there now."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def memory_of(pid: int) -> dict[str, float]:
    """MiB of the process tree: resident now, not backed by files now, and the most that one process has held."""
    total = {"VmRSS": 0.0, "RssAnon": 0.0, "VmHWM": 0.0}
    for one in processes_of(pid):
        with suppress(OSError):
            status = Path(f"/proc/{one}/status").read_text().splitlines()
            held = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in status if line.endswith(" kB")}
            total["VmRSS"] += held.get("VmRSS", 0.0)
            total["RssAnon"] += held.get("RssAnon", 0.0)
            total["VmHWM"] = max(total["VmHWM"], held.get("VmHWM", 0.0))
    return total


def folder_bytes(folder: Path, processes: Iterable[int] = ()) -> int:
    """Bytes on disk in a folder, and in files there that processes hold open although they have no name any more."""
    files = list(folder.rglob("*"))
    for one in processes:
        files += [file for file in _listed(Path(f"/proc/{one}/fd")) if _lies_in(file, folder.resolve())]
    sizes = {}
    for file in files:
        with suppress(OSError):
            status = file.stat()
            sizes[status.st_ino] = status.st_blocks * 512 if file.is_file() else 0
    return sum(sizes.values())


def _lies_in(link: Path, folder: Path) -> bool:
    try:
        return link.readlink().is_relative_to(folder)
    except OSError:
        return False


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def measured(command: list[str], temporary: Path, *, most_gib: float = math.inf) -> dict[str, float]:
    """Run a command: seconds, processor seconds, peak MiB of its process tree, largest GiB of its temporary folder.

    `getrusage` would count what this process held when it started the other one, so memory is sampled in /proc. A
    command that holds more than `most_gib` is stopped; its status is then not 0.
    """
    environment = os.environ | dict.fromkeys(("TMPDIR", "POLARS_TEMP_DIR"), str(temporary))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak_mib = anonymous_mib = temporary_bytes = samples = 0.0
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            memory = memory_of(process.pid)
            peak_mib = max(peak_mib, memory["VmRSS"], memory["VmHWM"])
            anonymous_mib = max(anonymous_mib, memory["RssAnon"])
            if samples % 10 == 0:
                temporary_bytes = max(temporary_bytes, folder_bytes(temporary, processes_of(process.pid)))
            if memory["VmRSS"] > most_gib * 1024:
                for one in processes_of(process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
            samples += 1
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "status": process.returncode,
        "seconds": seconds,
        "processor_seconds": processor,
        "peak_mib": peak_mib,
        "anonymous_mib": anonymous_mib,
        "temporary_gib": temporary_bytes / 2**30,
    }


def audit_command(table: Path, folder: Path, parameters: dict[str, int]) -> list[str]:
    """The audit as a user runs it."""
    rewards = [part for name, weight in REWARDS.items() for part in ("--reward", f"{name}={weight}")]
    outputs = ["--json", str(folder / "audit.json"), "--html", str(folder / "audit.html"), "--quiet"]
    truth = ["--truth", "truth"] if parameters["truth"] else []
    executable = str(Path(sys.executable).with_name("policycliff"))
    return [executable, "audit", str(table), *rewards, *truth, *outputs]


def expected_figures(table: Path, parameters: dict[str, int]) -> dict[str, float]:
    """Figures of the audit, from the file by Polars alone; prompts are taken in parts to bound the memory."""
    prompts = parameters["rows"] // parameters["group_size"]
    parts = math.ceil(parameters["rows"] / 4_000_000)
    counts = pl.concat(_tied_and_flat(table, part, parts) for part in range(parts)).sum().row(0, named=True)
    graded = ["correct", "truth"] if parameters["truth"] else ["correct"]
    means = pl.scan_parquet(table).select(pl.col(graded).mean()).collect(engine="streaming").row(0, named=True)
    shares = {key: count / prompts for key, count in counts.items()}
    return shares | {f"mean.{name}": mean for name, mean in means.items()}


def _tied_and_flat(table: Path, part: int, parts: int) -> pl.DataFrame:
    """How many prompts of one part are tied at the top, and how many have no spread, by reward."""
    # Thousandths are whole numbers: their sums are exact, and equal means are equal after one division.
    thousandths = [(pl.col(name) * 1000).round().cast(pl.Int64) for name in REWARDS]
    rows = pl.scan_parquet(table).filter(pl.col("prompt_id") % parts == part)
    behaviours = (
        rows.select("prompt_id", pl.col("completion").hash(), *thousandths)
        .group_by("prompt_id", "completion")
        .agg(
            *(pl.col(name).mean() for name in REWARDS),
            *(pl.col(name).min().alias(f"{name} least") for name in REWARDS),
            *(pl.col(name).max().alias(f"{name} most") for name in REWARDS),
        )
    )
    tied = [(pl.col(name) == pl.col(name).max()).sum().gt(1).alias(f"tied_share.{name}") for name in REWARDS]
    least, most = ([pl.col(f"{name} {end}") for name in REWARDS] for end in ("least", "most"))
    flat = [low.min().eq(high.max()) for low, high in zip(least, most, strict=True)]
    named = [one.alias(f"zero_spread_share.{name}") for one, name in zip(flat, REWARDS, strict=True)]
    return behaviours.group_by("prompt_id").agg(*tied, *named).drop("prompt_id").sum().collect(engine="streaming")


def audited_figures(audit: dict, parameters: dict[str, int]) -> dict[str, float]:
    """The same figures, as the audit says them."""
    keys = ("tied_share", "zero_spread_share")
    figures = {f"{key}.{name}": audit["rewards"][name][key]["value"] for key in keys for name in REWARDS}
    # The audit counts prompts by their share of correct completions; a bin may hold one attainable share at most.
    difficulty, size = audit["rewards"]["correct"]["difficulty"], parameters["group_size"]
    shares = np.arange(size + 1) / size
    bins = np.minimum(np.searchsorted(difficulty["edges"], shares, side="right") - 1, len(difficulty["prompts"]) - 1)
    if len(set(bins)) == len(bins):
        prompts = np.array(difficulty["prompts"])[bins]
        figures["mean.correct"] = float(prompts @ shares / prompts.sum())
    if parameters["truth"]:
        figures["mean.truth"] = audit["truth"]["all"]["sampling_truth"]["value"]
    return figures


def check_figures(audited: dict[str, float], expected: dict[str, float]) -> None:
    """Stop where a figure of the audit is not what the table implies."""
    for key, value in audited.items():
        if not abs(value - expected[key]) <= 1e-9:
            raise SystemExit(f"{key} is {expected[key]!r}, but the audit says {value!r}")


def run_size(folder: Path, parameters: dict[str, int], *, most_gib: float) -> dict[str, float]:
    """Make the table, audit it in a process of its own, and check what it says."""
    table = make_table(folder, parameters)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        temporary, outputs = Path(name, "temporary"), Path(name)
        temporary.mkdir()
        result = measured(audit_command(table, outputs, parameters), temporary, most_gib=most_gib)
        if result["status"] == 0:
            audit = json.loads((outputs / "audit.json").read_text(encoding="utf-8"))
            result["parts"] = audit["settings"]["parts"]
            check_figures(audited_figures(audit, parameters), expected_figures(table, parameters))
            result["left_over_bytes"] = folder_bytes(temporary)
    return {"rows": parameters["rows"], **result}


COLUMNS = (
    "rows",
    "seconds",
    "processor s",
    "rows/s",
    "x linear",
    "peak MiB",
    "x linear",
    "anonymous MiB",
    "temp GiB",
    "parts",
)
HEADING = " ".join(f"{name:>13}" for name in COLUMNS)


def line(result: dict[str, float], first: dict[str, float]) -> str:
    """One row of the table; `x linear` is the time a row over that of `first`, and so for memory."""
    if result["status"] != 0:
        return f"{result['rows']:>13,} ended with status {result['status']} at {result['peak_mib']:,.0f} MiB"
    rows, seconds, peak = (result[key] for key in ("rows", "seconds", "peak_mib"))
    linear = rows / first["rows"]
    cells = [f"{rows:,}", f"{seconds:.1f}", f"{result['processor_seconds']:.1f}", f"{rows / seconds:,.0f}"]
    cells += [f"{seconds / first['seconds'] / linear:.2f}", f"{peak:,.0f}", f"{peak / first['peak_mib'] / linear:.2f}"]
    cells += [f"{result['anonymous_mib']:,.0f}", f"{result['temporary_gib']:.3f}", f"{result['parts']}"]
    return " ".join(f"{cell:>13}" for cell in cells)


def parsed() -> argparse.Namespace:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--folder", type=Path, required=True, help="where tables are kept and found again")
    shared.add_argument("--group-size", type=int, default=8)
    shared.add_argument("--seed", type=int, default=0)
    shared.add_argument("--no-truth", action="store_true", help="leave the truth column out")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", parents=[shared], help="make a table")
    make.add_argument("--rows", type=int, default=20_000_000)
    audit = commands.add_parser("audit", parents=[shared], help="audit tables of several sizes, made where missing")
    audit.add_argument("--sizes", default="1000000,2000000,4000000", help="rows, with commas between")
    audit.add_argument("--most-gib", type=float, default=8.0, help="stop an audit that holds more memory")
    audit.add_argument("--json", type=Path, help="write the figures")
    return parser.parse_args()


def main() -> None:
    """Make a table, or audit tables of all sizes and print a line each."""
    arguments = parsed()
    options = {"group_size": arguments.group_size, "seed": arguments.seed, "truth": not arguments.no_truth}
    if arguments.command == "make":
        make_table(arguments.folder, parameters_of(arguments.rows, **options))
        return
    sizes = [parameters_of(int(rows), **options) for rows in arguments.sizes.split(",")]
    for parameters in sizes:
        make_table(arguments.folder, parameters)
    print(HEADING)
    results: list[dict[str, float]] = []
    for parameters in sizes:
        results.append(run_size(arguments.folder, parameters, most_gib=arguments.most_gib))
        print(line(results[-1], next((one for one in results if one["status"] == 0), results[0])), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if any(result["status"] for result in results):
        raise SystemExit("some audits did not end well")


if __name__ == "__main__":
    main()
