"""The least change that makes a random policy uniquely optimal: seconds and how narrow the proven bracket is, by norm.

Garnet S x A x b: b successors a pair, drawn uniformly, Dirichlet weights, uniform rewards, gamma 0.95. The target takes
a random action in every state; the margin is 0.01. The time contains the proofs of margin and bracket.

    python benchmarks/design_benchmark.py --json result.json
"""

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from policycliff import MDP, design_tie_breaker

SIZES = (300, 3_000, 10_000)
ACTIONS, SUCCESSORS, GAMMA, MARGIN = 4, 3, 0.95, 0.01


@dataclass(frozen=True, slots=True)
class Measurement:
    """One design."""

    states: int
    norm: str
    seconds: float
    size: float
    relative_width: float
    status: str
    attained_margin: float


def garnet(states: int, *, seed: int = 0) -> MDP:
    """A random sparse MDP."""
    rng = np.random.default_rng(seed)
    rows = states * ACTIONS
    successors = np.sort(rng.integers(states, size=(rows, SUCCESSORS)), axis=1).ravel()
    weights = rng.dirichlet(np.ones(SUCCESSORS), rows).ravel()
    kernel = sp.csr_matrix((weights, successors, np.arange(rows + 1) * SUCCESSORS), shape=(rows, states))
    kernel.sum_duplicates()
    return MDP.from_arrays(kernel, rng.random((states, ACTIONS)), GAMMA)


def measure(mdp: MDP, norm: str) -> Measurement:
    """Time one design."""
    rng = np.random.default_rng(1)
    target = np.zeros(mdp.n_pairs)
    target[mdp.offsets[:-1] + rng.integers(ACTIONS, size=mdp.n_states)] = 1.0
    start = time.perf_counter()
    design = design_tie_breaker(mdp, target, MARGIN, norm)
    seconds = time.perf_counter() - start
    return Measurement(
        states=mdp.n_states,
        norm=norm,
        seconds=seconds,
        size=design.size,
        relative_width=(design.size - design.lower_bound) / design.size,
        status=design.status,
        attained_margin=design.attained_margin,
    )


def main() -> None:
    """Print a table; with --json write it with the machine and the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--states", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    measure(garnet(20), "inf")
    print(f"{'states':>8} {'norm':>5} {'seconds':>8} {'size':>10} {'bracket':>9}  status")
    results = []
    for states in options.states:
        mdp = garnet(states)
        for norm in ("inf", "1", "2"):
            found = measure(mdp, norm)
            results.append(found)
            print(
                f"{states:>8} {norm:>5} {found.seconds:>8.2f} {found.size:>10.4g} {found.relative_width:>9.1g}"
                f"  {found.status}"
            )
    if options.json:
        packages = ("policycliff", "numpy", "scipy", "numba", "clarabel")
        machine = {"cpus": str(os.cpu_count()), "system": platform.platform()}
        versions = {package: version(package) for package in packages}
        content = {"machine": machine, "versions": versions, "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
