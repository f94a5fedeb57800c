"""The exact stability radius of random sparse MDPs: seconds, and how many rows of the resolvent it takes.

Garnet S x A x b: b successors a pair, drawn uniformly, Dirichlet weights, uniform rewards. The time contains the solve.
Beside it: the largest memory of the process so far, and how many times the radius is what Proposition 2.4 alone
certifies. The noise of the flip probability has a tenth of the radius as its standard deviation.

    python benchmarks/radius_benchmark.py --json result.json
"""

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff import MDP, flip_probability, stability_radius

SIZES = ((1_000, 10, 5), (10_000, 10, 5), (100_000, 10, 5))


@dataclass(frozen=True, slots=True)
class Measurement:
    """One question about one MDP."""

    states: int
    actions: int
    successors: int
    question: str
    seconds: float
    rows_solved: int
    value: float
    times_lower_bound: float
    peak_megabytes: float


def garnet(states: int, actions: int, successors: int, *, gamma: float, seed: int = 0) -> MDP:
    """A random sparse MDP; a successor drawn twice counts once with the sum of its weights."""
    rng = np.random.default_rng(seed)
    rows = states * actions
    indices = np.sort(rng.integers(states, size=(rows, successors)), axis=1).ravel()
    data = rng.dirichlet(np.ones(successors), rows).ravel()
    kernel = sp.csr_matrix((data, indices, np.arange(rows + 1) * successors), shape=(rows, states))
    kernel.sum_duplicates()
    return MDP.from_arrays(kernel, rng.random((states, actions)), gamma)


def questions(mdp: MDP) -> dict[str, Callable[[], Any]]:
    """What is asked, as functions without arguments."""
    deviation = 0.1 * stability_radius(mdp).radius
    rng = np.random.default_rng(1)
    rewards = np.stack([mdp.rewards, rng.random(mdp.n_pairs)])
    mask = rng.random(mdp.n_pairs) < 0.5
    return {
        "radius": lambda: stability_radius(mdp),
        "radius, 2-norm": lambda: stability_radius(mdp, norm="2"),
        "radius, half masked": lambda: stability_radius(mdp, mask=mask),
        "weights": lambda: stability_radius(mdp, rewards=rewards, weights=[0.8, 0.2], moving="weights"),
        "flips, bounds only": lambda: flip_probability(mdp, standard_deviation=deviation, samples=0),
    }


def measure(size: tuple[int, int, int], *, gamma: float, seed: int = 0) -> list[Measurement]:
    """All questions about one MDP."""
    mdp, results = garnet(*size, gamma=gamma, seed=seed), []
    for name, ask in questions(mdp).items():
        start = time.perf_counter()
        answer = ask()
        seconds = time.perf_counter() - start
        value = answer.lower_bound if name.startswith("flips") else answer.radius
        results.append(
            Measurement(
                *size,
                question=name,
                seconds=seconds,
                rows_solved=getattr(answer, "rows_solved", 0) or getattr(answer, "pairs_solved", 0),
                value=float(value),
                times_lower_bound=value / answer.lower_bound if name.startswith("radius") else float("nan"),
                peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
            )
        )
    return results


def machine() -> dict[str, str]:
    """The machine and the versions behind a figure."""
    packages = ("policycliff", "numba", "numpy", "scipy")
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
    parser.add_argument("--gamma", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=0, help="of the random MDPs")
    parser.add_argument("--quick", action="store_true", help="the smallest size alone")
    parser.add_argument("--states", type=int, nargs="*", help="only these sizes")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    measure((50, 3, 2), gamma=options.gamma)  # compiles the kernels
    print(f"{'states x actions x successors':>30} {'question':>20} {'seconds':>8} {'rows':>6} {'value':>10} / Prop 2.4")
    results = []
    for size in SIZES[:1] if options.quick else SIZES:
        if options.states and size[0] not in options.states:
            continue
        for found in measure(size, gamma=options.gamma, seed=options.seed):
            results.append(found)
            print(
                f"{' x '.join(map(str, size)):>30} {found.question:>20} {found.seconds:>8.2f} {found.rows_solved:>6} "
                f"{found.value:>10.3g} {found.times_lower_bound:>10.3g}   {found.peak_megabytes:.0f} MB"
            )
    if options.json is not None:
        report = {
            "machine": machine(),
            "gamma": options.gamma,
            "seed": options.seed,
            "results": [asdict(r) for r in results],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
