"""One solve to a sup-norm error: policycliff beside QuantEcon's modified policy iteration, in one run.

Garnet S x A x b: b successors a pair, drawn uniformly, Dirichlet weights, uniform rewards. Grid: a reward of -1 a step,
one absorbing goal, slips to the sides. Both sides start from the same SciPy arrays and build their MDP from them inside
the measured time (neither copies them); both must be within `--tolerance` of Q* in the sup norm. Our time contains the
checks of the input and the proven error bound; `epsilon` of QuantEcon is twice the error of its values, so it gets
twice the tolerance. Kernels are compiled on both sides before measuring, runs alternate, medians are compared, and the
answers are checked to agree. policycliff uses all processors, QuantEcon one: it knows no other way.

Tree: 299,593 nodes, branching 8, rewards at the leaves; `solve` alone, with its bound, beside one plain pass over the
same arrays that computes the values and nothing else; and beside stormpy's discounted value iteration, where stormpy is
installed.

`--memory` runs each side once in a process of its own and prints the peak of its resident memory.

    python benchmarks/solve_benchmark.py --memory --json result.json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numba import njit
from quantecon.markov import DiscreteDP

from policycliff import MDP, solve, write_source


@dataclass(frozen=True, slots=True)
class Problem:
    """The arrays of one MDP, as both sides get them."""

    kernel: sp.csr_matrix
    rewards: np.ndarray
    gamma: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians in seconds and what was checked."""

    problem: str
    ours_seconds: float
    other: str
    other_seconds: float
    ratio: float
    ours_best: float
    other_best: float
    error_bound: float
    difference: float


def garnet(states: int, actions: int, successors: int, *, gamma: float = 0.99, seed: int = 0) -> Problem:
    """A random sparse MDP; a successor drawn twice counts once with the sum of its weights."""
    rng = np.random.default_rng(seed)
    rows = states * actions
    indices = np.sort(rng.integers(states, size=(rows, successors)), axis=1).ravel()
    data = rng.dirichlet(np.ones(successors), rows).ravel()
    kernel = sp.csr_matrix((data, indices, np.arange(rows + 1) * successors), shape=(rows, states))
    kernel.sum_duplicates()
    return Problem(kernel=kernel, rewards=rng.random((states, actions)), gamma=gamma)


def grid(size: int, *, gamma: float = 0.99, slip: float = 0.1) -> Problem:
    """A square grid: moves slip to either side, walls hold, the last cell is an absorbing goal."""
    states = size * size
    row, column = np.divmod(np.arange(states), size)
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    ends = np.stack([np.clip(row + a, 0, size - 1) * size + np.clip(column + b, 0, size - 1) for a, b in moves], axis=1)
    ends[-1] = states - 1
    pairs = np.arange(4 * states).reshape(states, 4)
    rows, columns, data = [], [], []
    for action in range(4):
        for turn, mass in ((0, 1.0 - 2.0 * slip), (1, slip), (-1, slip)):
            rows.append(pairs[:, action])
            columns.append(ends[:, (action + turn) % 4])
            data.append(np.full(states, mass))
    places = np.concatenate(rows), np.concatenate(columns)
    kernel = sp.csr_matrix((np.concatenate(data), places), shape=(4 * states, states))
    kernel.sum_duplicates()
    kernel.sort_indices()
    rewards = np.full((states, 4), -1.0)
    rewards[-1] = 0.0
    return Problem(kernel=kernel, rewards=rewards, gamma=gamma)


def tree(branching: int, depth: int, *, gamma: float = 0.99, seed: int = 0) -> MDP:
    """A deterministic tree, parents first, with uniform rewards on the steps into its leaves."""
    sizes = [branching**level for level in range(depth + 1)]
    nodes, inner = sum(sizes), sum(sizes[:-1])
    leaves = np.arange(nodes) >= inner
    states = np.concatenate([np.repeat(np.arange(inner), branching), np.arange(inner, nodes)])
    indptr = np.concatenate([np.arange(nodes), np.full(sizes[-1], nodes - 1)])
    kernel = sp.csr_array((np.ones(nodes - 1), np.arange(1, nodes), indptr), shape=(states.size, nodes))
    rewards = np.zeros(states.size)
    rewards[: nodes - 1] = np.where(leaves[1:], np.random.default_rng(seed).random(nodes - 1), 0.0)
    return MDP.from_pairs(states, kernel, rewards, gamma, terminal=leaves)


PROBLEMS: dict[str, tuple[Callable[[], Problem], int]] = {
    "Garnet 1,000 x 10 x 5": (lambda: garnet(1_000, 10, 5), 31),
    "Garnet 10,000 x 10 x 5": (lambda: garnet(10_000, 10, 5), 31),
    "Garnet 100,000 x 10 x 5": (lambda: garnet(100_000, 10, 5), 11),
    "Garnet 1,000,000 x 4 x 4": (lambda: garnet(1_000_000, 4, 4), 5),
    "grid 300 x 300": (lambda: grid(300), 5),
}


def run_ours(problem: Problem, tolerance: float, threads: int | None = None) -> tuple[np.ndarray, float]:
    """Values, and the proven bound on the error of Q."""
    mdp = MDP.from_arrays(problem.kernel, problem.rewards, problem.gamma, copy=False)
    solution = solve(mdp, tolerance=tolerance, threads=threads)
    return solution.values, solution.error_bound


def run_quantecon(problem: Problem, tolerance: float) -> tuple[np.ndarray, float]:
    """Values of modified policy iteration on state-action pairs; it proves no bound."""
    states, actions = problem.rewards.shape
    pairs = np.repeat(np.arange(states), actions), np.tile(np.arange(actions), states)
    model = DiscreteDP(problem.rewards.ravel(), problem.kernel, problem.gamma, *pairs)
    return model.solve("modified_policy_iteration", epsilon=2.0 * tolerance).v, np.nan


def seconds(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternate(name: str, ours: Callable[[], object], other: Callable[[], object], repeats: int) -> dict[str, object]:
    """Medians and best times of both, run in turns."""
    mine, theirs = [], []
    for _ in range(repeats):
        mine.append(seconds(ours))
        theirs.append(seconds(other))
    return {
        "ours_seconds": statistics.median(mine),
        "other": name,
        "other_seconds": statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(mine),
        "ours_best": min(mine),
        "other_best": min(theirs),
    }


def compare(name: str, *, tolerance: float, threads: int | None) -> Comparison:
    """Both sides on one problem; raises if the answers differ by more than both errors."""
    make, repeats = PROBLEMS[name]
    problem = make()
    values, bound = run_ours(problem, tolerance, threads)
    other_values, _ = run_quantecon(problem, tolerance)
    difference = float(np.abs(values - other_values).max())
    if bound > tolerance or difference > 2.0 * tolerance:
        raise RuntimeError(f"answers differ by {difference}, our bound is {bound}, the tolerance {tolerance}")
    times = alternate(
        "QuantEcon", lambda: run_ours(problem, tolerance, threads), lambda: run_quantecon(problem, tolerance), repeats
    )
    return Comparison(problem=name, **times, error_bound=bound, difference=difference)


@njit
def plain_pass(offsets, indptr, successors, probabilities, rewards, gamma, v):
    """One pass from the leaves to the root: v = max (R + gamma P v)."""
    for state in range(v.size - 1, -1, -1):
        top = -np.inf
        for pair in range(offsets[state], offsets[state + 1]):
            total = 0.0
            for k in range(indptr[pair], indptr[pair + 1]):
                total += probabilities[k] * v[successors[k]]
            top = max(top, rewards[pair] + gamma * total)
        v[state] = top


def compare_tree(repeats: int = 31) -> Comparison:
    """`solve` beside one plain pass over the same arrays."""
    mdp = tree(8, 6)
    v = np.zeros(mdp.n_states)
    arrays = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma, v)
    plain_pass(*arrays)
    solution = solve(mdp)
    difference = float(np.abs(solution.values - v).max())
    if difference > solution.error_bound + 1e-15:
        raise RuntimeError(f"answers differ by {difference}")
    times = alternate("one plain pass", lambda: solve(mdp), lambda: plain_pass(*arrays), repeats)
    return Comparison(problem="tree, solve alone", **times, error_bound=solution.error_bound, difference=difference)


def compare_storm(repeats: int = 11) -> Comparison:
    """`solve` beside the discounted value iteration of stormpy on the tree; building and reading files not included."""
    stormpy = import_module("stormpy")
    mdp = tree(8, 6)
    with tempfile.TemporaryDirectory() as folder:
        write_source(mdp, Path(folder) / "tree.drn")
        model = stormpy.build_model_from_drn(str(Path(folder) / "tree.drn"))
    question = stormpy.parse_properties(f'R{{"reward"}}max=? [Cdiscount={mdp.gamma}]')[0]

    def storm() -> Any:
        return stormpy.model_checking(model, question, only_initial_states=False)

    solution = solve(mdp)
    difference = float(np.abs(solution.values - np.array(storm().get_value_vector())).max())
    if difference > 1e-6:
        raise RuntimeError(f"answers differ by {difference}")
    times = alternate("stormpy", lambda: solve(mdp), storm, repeats)
    return Comparison(problem="tree, stormpy", **times, error_bound=solution.error_bound, difference=difference)


TREES: dict[str, Callable[..., Comparison]] = {"tree": compare_tree, "stormpy": compare_storm}


def peak_memory(side: str, name: str, tolerance: float) -> float:
    """Megabytes that a process holds at most while one side solves a problem, with its arrays and all imports."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import solve_benchmark as b\n"
        f"b.run_{side}(b.garnet(50, 3, 2), {tolerance}); problem = b.PROBLEMS[{name!r}][0]()\n"
        "b.forget_highest_memory()\n"
        f"b.run_{side}(problem, {tolerance})\n"
        "print(b.highest_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def forget_highest_memory() -> None:
    """Start anew, so that making the problem does not count."""
    Path("/proc/self/clear_refs").write_text("5")


def highest_memory() -> float:
    """Megabytes that this process has held at most (getrusage would count what held the parent when it started)."""
    status = Path("/proc/self/status")
    if not status.exists():
        raise RuntimeError("--memory needs /proc/self/status, which Linux has")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1e3


def machine() -> dict[str, str]:
    """The machine and the versions behind a figure."""
    packages = ("policycliff", "quantecon", "numba", "numpy", "scipy")
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def milliseconds(duration: float) -> str:
    """Milliseconds with three digits."""
    return f"{1e3 * duration:.3g} ms"


def main() -> None:
    """Print a table; with --json write it with the machine and the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tolerance", type=float, default=1e-8)
    parser.add_argument("--only", choices=[*PROBLEMS, *TREES], nargs="*", help="these problems only")
    parser.add_argument("--threads", type=int, help="threads of policycliff; by default all that pay")
    parser.add_argument("--memory", action="store_true", help="peak memory too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = options.only or [*PROBLEMS, "tree", *(["stormpy"] if find_spec("stormpy") else [])]
    print(f"{'problem':>26} {'policycliff':>12} {'other':>12} {'ratio':>6} {'best':>6}   proven bound")
    results, memory = [], {}
    for name in chosen:
        settings = {} if name in TREES else {"name": name, "tolerance": options.tolerance, "threads": options.threads}
        result = TREES.get(name, compare)(**settings)
        results.append(result)
        print(
            f"{result.problem:>26} {milliseconds(result.ours_seconds):>12} {milliseconds(result.other_seconds):>12} "
            f"{result.ratio:>6.2f} {result.other_best / result.ours_best:>6.2f}   {result.error_bound:.1e}",
            flush=True,
        )
    for name in chosen if options.memory else ():
        if name not in TREES:
            memory[name] = {side: peak_memory(side, name, options.tolerance) for side in ("ours", "quantecon")}
            ours, theirs = memory[name]["ours"], memory[name]["quantecon"]
            print(f"{name:>26}: peak memory {ours:.0f} MB, QuantEcon {theirs:.0f} MB", flush=True)
    if options.json is not None:
        report = {
            "machine": machine(),
            "tolerance": options.tolerance,
            "results": [asdict(result) for result in results],
            "peak_megabytes": memory,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
