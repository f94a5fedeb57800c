"""Fresh processes: importing and solving a small MDP, with kernels from the cache, and the help of `policycliff`.

Beside them what NumPy, SciPy and Numba take to be imported and to load one trivial kernel from the cache.

python benchmarks/startup_benchmark.py --repeats 9
"""

import argparse
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

SOLVE = (
    "import numpy as np; from policycliff import MDP, solve; "
    "solve(MDP.from_arrays(np.full((3, 2, 3), 1 / 3), np.arange(6.0).reshape(3, 2), 0.9))"
)
TRIVIAL = """import numpy, scipy.sparse
from numba import njit
@njit(cache=True)
def add(x):
    return x + 1
add(1)
"""
POLICYCLIFF = str(Path(sysconfig.get_path("scripts")) / "policycliff")
COMMANDS = {
    "import and first solve": [sys.executable, "-c", SOLVE],
    "policycliff --help": [POLICYCLIFF, "--help"],
    "policycliff audit --help": [POLICYCLIFF, "audit", "--help"],
    "python alone": [sys.executable, "-c", "pass"],
}


def seconds(command: list[str]) -> float:
    """Seconds that one process takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print medians and best times; the first run of each fills the caches and is not counted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "trivial.py"
        script.write_text(TRIVIAL)
        for name, command in {**COMMANDS, "one trivial kernel": [sys.executable, str(script)]}.items():
            seconds(command)
            times = [seconds(command) for _ in range(options.repeats)]
            print(f"{name:>24}: median {statistics.median(times):.2f} s, best {min(times):.2f} s")


if __name__ == "__main__":
    main()
