"""Seconds of lines of rewards, a breakpoint each, and of the distances between two rewards.

Garnet S x A x b: b successors a pair, drawn uniformly, uniform rewards, gamma 0.95. "53 bits": Dirichlet weights, so
that every probability has 53 random bits; "6 bits": multiples of 1/64. Trees hold answers of 8 tokens out of 3. A line
goes from R in a random direction and stops after ten breakpoints; its seconds are divided by their number. A distance
is between R and another uniform reward. Kernels are compiled before measuring. Processor time beside wall time, each
the best of three runs, of fewer where these take more than ten seconds: where other programs run, only the first says
something.

    python benchmarks/analyses_benchmark.py --json result.json
"""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from policycliff import MDP, perturbation_path, reward_distance, token_tree

GAMMA, SUCCESSORS, SHORT_BITS = 0.95, 5, 6
BREAKPOINTS, REPEATS, PATIENCE = 10, 3, 10.0
LINES = ((30, 53), (60, 53), (100, 53), (30, SHORT_BITS), (60, SHORT_BITS), (100, SHORT_BITS))
"""States and bits of the lines in fractions."""
TREES, FLOATS, DISTANCES, SHAPING = (100, 1_000), (1_000, 10_000), (20_000,), (1_000, 3_000)
"""Answers of trees, and states of lines in floats, of distances, and of those modulo shaping."""
QUICK_LINES, QUICK = ((8, 53), (8, SHORT_BITS)), (30,)
KINDS: dict[str, dict[str, str]] = {
    "sup": {"kind": "sup"},
    "epic": {"kind": "epic"},
    "dard": {"kind": "dard"},
    "starc": {"kind": "starc"},
    "starc, minimal": {"kind": "starc", "canonical": "minimal"},
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One question about one MDP; `ask` returns by what its seconds are divided in the table, and the status."""

    name: str
    mdp: MDP
    question: str
    ask: Callable[[], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row: the seconds of all `parts` together (the breakpoints of a line, else 1)."""

    problem: str
    states: int
    pairs: int
    question: str
    processor_seconds: float
    wall_seconds: float
    parts: int
    status: str
    runs: int


def garnet(states: int, actions: int, *, bits: int = 53, seed: int = 0) -> MDP:
    """A random sparse MDP; a successor drawn twice counts once with the sum of its weights."""
    rng = np.random.default_rng(seed)
    rows = states * actions
    indices = np.sort(rng.integers(states, size=(rows, SUCCESSORS)), axis=1).ravel()
    if bits == 53:
        weights = rng.dirichlet(np.ones(SUCCESSORS), rows)
    else:
        weights = rng.multinomial(2**bits, np.ones(SUCCESSORS) / SUCCESSORS, size=rows) / 2**bits
    kernel = sp.csr_matrix((weights.ravel(), indices, np.arange(rows + 1) * SUCCESSORS), shape=(rows, states))
    kernel.sum_duplicates()
    return MDP.from_arrays(kernel, rng.random((states, actions)), GAMMA)


def answers(count: int) -> MDP:
    """A tree of random answers with random rewards."""
    rng = np.random.default_rng(0)
    drawn = sorted({"".join(rng.choice(list("abc"), 8)) for _ in range(count)})
    return token_tree(drawn, rng.random(len(drawn)))


def line(mdp: MDP, *, exact: bool) -> tuple[int, str]:
    """The first breakpoints in a random direction."""
    direction = np.random.default_rng(1).uniform(-0.5, 0.5, mdp.n_pairs) * ~mdp.terminal[mdp.pair_states]
    path = perturbation_path(mdp, direction, 0.0, 1.0, exact=exact, max_breakpoints=BREAKPOINTS)
    return max(len(path.breakpoints), 1), path.status


def distance(mdp: MDP, options: dict[str, str]) -> tuple[int, str]:
    """One distance to another reward."""
    other = np.random.default_rng(2).random(mdp.n_pairs)
    return 1, reward_distance(mdp, mdp.rewards, other, **options).status


def lines(*, quick: bool) -> Iterator[Problem]:
    """Lines of rewards."""
    for states, bits in QUICK_LINES if quick else LINES:
        mdp = garnet(states, 3, bits=bits)
        yield Problem(f"{bits} bits", mdp, "line, fractions", partial(line, mdp, exact=True))
    for count in QUICK if quick else TREES:
        mdp = answers(count)
        yield Problem("tree", mdp, "line, fractions", partial(line, mdp, exact=True))
    for states in QUICK if quick else FLOATS:
        mdp = garnet(states, 4)
        yield Problem("53 bits", mdp, "line, floats", partial(line, mdp, exact=False))


def distances(*, quick: bool) -> Iterator[Problem]:
    """Distances between rewards."""
    for states in QUICK if quick else DISTANCES:
        mdp = garnet(states, 4)
        for name, options in KINDS.items():
            yield Problem("53 bits", mdp, name, partial(distance, mdp, options))
    for states in QUICK if quick else SHAPING:
        mdp = garnet(states, 4)
        yield Problem("53 bits", mdp, "shaping", partial(distance, mdp, {"kind": "shaping"}))


def measure(problem: Problem) -> Measurement:
    """The best of a few runs."""
    processor, wall, runs, spent = math.inf, math.inf, 0, 0.0
    while runs < REPEATS and spent < PATIENCE:
        started, began = time.process_time(), time.perf_counter()
        parts, status = problem.ask()
        taken = time.perf_counter() - began
        processor, wall = min(processor, time.process_time() - started), min(wall, taken)
        runs, spent = runs + 1, spent + taken
    return Measurement(
        problem=problem.name,
        states=problem.mdp.n_states,
        pairs=problem.mdp.n_pairs,
        question=problem.question,
        processor_seconds=processor,
        wall_seconds=wall,
        parts=parts,
        status=status,
        runs=runs,
    )


def machine() -> dict[str, Any]:
    """The machine and the versions behind a figure."""
    packages = ("policycliff", "numba", "numpy", "scipy", "python-flint")
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def main() -> None:
    """Print a table; with --json write it with the machine and the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small problems")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for problem in (*lines(quick=True), *distances(quick=True)):  # compiles the kernels
        problem.ask()
    print(f"{'question':>16} {'problem':>8} {'states':>7} {'pairs':>7} {'processor s':>12} {'wall s':>8}  status")
    results = []
    for problem in (found for family in (lines, distances) for found in family(quick=options.quick)):
        found = measure(problem)
        results.append(found)
        processor, wall = found.processor_seconds / found.parts, found.wall_seconds / found.parts
        print(
            f"{found.question:>16} {found.problem:>8} {found.states:>7} {found.pairs:>7} "
            f"{processor:>12.4f} {wall:>8.4f}  {found.status}",
            flush=True,
        )
    if options.json is not None:
        report = {"machine": machine(), "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
