"""Solve random sparse MDPs: policycliff beside QuantEcon's modified policy iteration, in one run.

Garnet S x A x b: b successors a pair, drawn uniformly, Dirichlet weights, uniform rewards. Both sides start from the
same SciPy arrays and build their MDP from them inside the measured time; both must be within `--tolerance` of Q* in the
sup norm. Our time contains the checks of the input and the proven error bound; `epsilon` of QuantEcon is twice the
error of its values, so it gets twice the tolerance. Kernels are compiled on both sides before measuring, runs
alternate, and medians are compared; the answers are checked to agree. Both sides run on one thread.

    python benchmarks/solve_benchmark.py --json result.json
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from quantecon.markov import DiscreteDP

from policycliff import MDP, solve

SIZES = ((1_000, 10, 5), (10_000, 10, 5), (100_000, 10, 5))


@dataclass(frozen=True, slots=True)
class Problem:
    """The arrays of one MDP, as both sides get them."""

    kernel: sp.csr_matrix
    rewards: np.ndarray
    gamma: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians in seconds and what was checked."""

    states: int
    actions: int
    successors: int
    ours_seconds: float
    quantecon_seconds: float
    ratio: float
    ours_best: float
    quantecon_best: float
    ours_sweeps: int
    quantecon_sweeps: int
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


def run_ours(problem: Problem, tolerance: float) -> tuple[np.ndarray, int, float]:
    """Values, sweeps over all pairs, and the proven bound on the error of Q."""
    solution = solve(MDP.from_arrays(problem.kernel, problem.rewards, problem.gamma, copy=False), tolerance=tolerance)
    return solution.values, solution.iterations, solution.error_bound


def run_quantecon(problem: Problem, tolerance: float) -> tuple[np.ndarray, int]:
    """Values and sweeps of modified policy iteration on state-action pairs."""
    states, actions = problem.rewards.shape
    pairs = np.repeat(np.arange(states), actions), np.tile(np.arange(actions), states)
    model = DiscreteDP(problem.rewards.ravel(), problem.kernel, problem.gamma, *pairs)
    result = model.solve("modified_policy_iteration", epsilon=2.0 * tolerance)
    return result.v, result.num_iter


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare(size: tuple[int, int, int], *, tolerance: float, repeats: int) -> Comparison:
    """Alternate both sides on one problem; raise if the answers differ by more than both errors."""
    problem = garnet(*size)
    ours, theirs = [], []
    values, sweeps, bound = run_ours(problem, tolerance)
    other_values, other_sweeps = run_quantecon(problem, tolerance)
    for _ in range(repeats):
        ours.append(timed(lambda: run_ours(problem, tolerance))[0])
        theirs.append(timed(lambda: run_quantecon(problem, tolerance))[0])
    difference = float(np.abs(values - other_values).max())
    if bound > tolerance or difference > 2.0 * tolerance:
        raise RuntimeError(f"answers differ by {difference}, our bound is {bound}, the tolerance {tolerance}")
    return Comparison(
        *size,
        ours_seconds=statistics.median(ours),
        quantecon_seconds=statistics.median(theirs),
        ratio=statistics.median(theirs) / statistics.median(ours),
        ours_best=min(ours),
        quantecon_best=min(theirs),
        ours_sweeps=sweeps,
        quantecon_sweeps=other_sweeps,
        error_bound=bound,
        difference=difference,
    )


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


def main() -> None:
    """Print a table; with --json write it with the machine and the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tolerance", type=float, default=1e-8)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{'states x actions x successors':>30} {'policycliff':>12} {'QuantEcon':>12} {'ratio':>6}   proven bound")
    results = []
    for size in SIZES:
        result = compare(size, tolerance=options.tolerance, repeats=options.repeats)
        results.append(result)
        ours, theirs = f"{1e3 * result.ours_seconds:.1f} ms", f"{1e3 * result.quantecon_seconds:.1f} ms"
        print(
            f"{' x '.join(map(str, size)):>30} {ours:>12} {theirs:>12} {result.ratio:>6.2f}   {result.error_bound:.1e}"
        )
    if options.json is not None:
        report = {"machine": machine(), "tolerance": options.tolerance, "results": [asdict(r) for r in results]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
