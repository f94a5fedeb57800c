"""Time and memory of the audit of a generated table: `python benchmarks/audit_benchmark.py [--prompts N ...]`.

The table has 8 completions of 200 characters a prompt, three rewards (pass or fail, a continuous model score, a format
score), a truth, and one completion in twenty that repeats the one before it and is scored again with noise, so that
every figure has work to do. Each size runs in a process of its own; imports, reading, all figures, intervals and JSON
count.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

COMPLETIONS = 8
TEXT_LENGTH = 200


def generated_table(n_prompts: int, seed: int = 0) -> pl.DataFrame:
    """A table of `n_prompts * 8` completions with three rewards and a truth."""
    rng = np.random.default_rng(seed)
    n_rows = n_prompts * COMPLETIONS
    prompt = np.repeat(np.arange(n_prompts), COMPLETIONS)
    repeated = (rng.random(n_rows) < 0.05) & (np.arange(n_rows) % COMPLETIONS > 0)
    text_of = np.where(repeated, np.arange(n_rows) - 1, np.arange(n_rows))
    passed = (rng.random(n_rows) < np.repeat(rng.beta(0.6, 0.6, n_prompts), COMPLETIONS)).astype(float)[text_of]
    quality = (rng.normal(size=n_rows) + passed)[text_of]
    model_score = np.round(quality + rng.normal(scale=0.05, size=n_rows), 3)
    formatted = rng.choice([0.0, 0.5, 1.0], size=n_rows, p=[0.1, 0.1, 0.8])[text_of]
    truth = np.where(rng.random(n_rows) < 0.9, passed, 1.0 - passed)[text_of]
    return pl.DataFrame(
        {
            "prompt_id": prompt,
            "completion": _texts(n_rows, rng).gather(text_of),
            "passed": passed,
            "model_score": model_score,
            "formatted": formatted,
            "truth": truth,
        }
    ).with_columns("prompt-" + pl.col("prompt_id").cast(pl.String).str.zfill(8))


def _texts(n_rows: int, rng: np.random.Generator) -> pl.Series:
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz      ", dtype=np.uint8)
    drawn = letters[rng.integers(0, len(letters), size=(n_rows, TEXT_LENGTH), dtype=np.uint8)]
    return pl.Series([row.tobytes().decode() for row in drawn], dtype=pl.String)


def timed_audit(table: Path, folder: Path, *, noise: str = "auto") -> dict[str, float]:
    """Wall time and peak resident memory of the command as a whole process."""
    command = [
        sys.executable, "-m", "policycliff", "audit", str(table), "--quiet", "--json", str(folder / "audit.json"),
        "--html", str(folder / "audit.html"),
        "--reward", "passed", "--reward", "model_score=0.2", "--reward", "formatted=0.1", "--truth", "truth",
        "--max-reward", "passed=1", "--noise", noise,
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"the audit failed with status {status}")
    page = (folder / "audit.html").stat().st_size / 1e6
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_megabytes": usage.ru_maxrss / 1024, "page_megabytes": page}


def main() -> None:
    """Run all sizes, print a table and write JSON on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, nargs="+", default=[12_500, 31_250, 62_500, 125_000])
    parser.add_argument("--noise", default="auto")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n_prompts in arguments.prompts:
            table = folder / f"{n_prompts}.parquet"
            generated_table(n_prompts).write_parquet(table)
            measured = timed_audit(table, folder, noise=arguments.noise)
            rows.append({"rows": n_prompts * COMPLETIONS, **measured})
            per_row = 1e6 * measured["seconds"] / (n_prompts * COMPLETIONS)
            print(
                f"{n_prompts * COMPLETIONS:>10,} rows  {measured['seconds']:7.2f} s  {per_row:6.2f} us/row  "
                f"{measured['peak_megabytes']:8.0f} MB  page {measured['page_megabytes']:.1f} MB"
            )
    if arguments.json:
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "polars": pl.__version__}
        arguments.json.write_text(json.dumps({"machine": machine, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
