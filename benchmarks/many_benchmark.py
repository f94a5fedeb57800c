"""Many rewards on one kernel: `solve_many` beside a loop of QuantEcon's modified policy iteration, in one run.

Rewards are uniform and independent ("sweep"), or one reward plus noise of a thousandth of its range ("near"); then both
sides start from the solution of that reward. Both reach the same error in the sup norm; ours is proven. Building
the MDP once from SciPy arrays is included for both, and QuantEcon builds one model a reward, for a model holds its
reward. Each timed call follows an untimed one. The soft forms, which QuantEcon does not have, are timed beside its hard
one. Answers are checked to agree.

    python benchmarks/many_benchmark.py --json result.json
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from quantecon.markov import DiscreteDP
from solve_benchmark import Problem, garnet, machine

from policycliff import KL, MDP, Entropy, solve, solve_many

SIZES = ((1_000, 1_000), (10_000, 200))
NOISE = 1e-3


def ours(problem: Problem, rewards: np.ndarray, form: str, tolerance: float) -> np.ndarray:
    """Q-values of all rewards, (N, pairs)."""
    mdp = MDP.from_arrays(problem.kernel, problem.rewards, problem.gamma, copy=False)
    regularizer = {
        "entropy": Entropy(0.1),
        "KL": KL(0.1, np.full(mdp.n_pairs, 1.0 / problem.rewards.shape[1])),
    }.get(form)
    start = solve(mdp, tolerance=tolerance) if form == "near" else None
    found = solve_many(mdp, rewards, start=start, tolerance=tolerance, regularizer=regularizer)
    if not (found.error_bounds <= tolerance).all():
        raise RuntimeError("a bound is above the tolerance")
    return found.values


def quantecon(problem: Problem, rewards: np.ndarray, form: str, tolerance: float) -> Iterator[np.ndarray]:
    """Values of one reward after another."""
    states, actions = problem.rewards.shape
    pairs = np.repeat(np.arange(states), actions), np.tile(np.arange(actions), states)
    settings = {"method": "modified_policy_iteration", "epsilon": 2.0 * tolerance}
    first = None
    if form == "near":
        model = DiscreteDP(problem.rewards.ravel(), problem.kernel, problem.gamma, *pairs)
        first = model.solve(**settings).v
    for reward in rewards:
        model = DiscreteDP(reward, problem.kernel, problem.gamma, *pairs)
        yield model.solve(v_init=first, **settings).v


def seconds(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(states: int, count: int, form: str, *, tolerance: float, repeats: int) -> dict[str, object]:
    """Medians and best times of both sides, run in turns."""
    problem = garnet(states, 10, 5)
    rng = np.random.default_rng(0)
    rewards = rng.random((count, problem.rewards.size))
    if form == "near":
        rewards = problem.rewards.ravel() + NOISE * rewards
    # What is compiled, and whether the answers agree, on a few rewards.
    few = ours(problem, rewards[:9], form, tolerance)
    for mine, theirs in zip(few, quantecon(problem, rewards[:9], form, tolerance), strict=True):
        if form in {"sweep", "near"} and np.abs(mine - theirs).max() > 2.0 * tolerance:
            raise RuntimeError("answers differ")
    mine, theirs = [], []
    for _ in range(repeats):
        # On virtual machines memory that was given back is slow when it is first touched again: not what is measured.
        ours(problem, rewards, form, tolerance)
        mine.append(seconds(lambda: ours(problem, rewards, form, tolerance)))
        sum(1 for _ in quantecon(problem, rewards[: count // 10], form, tolerance))
        theirs.append(seconds(lambda: sum(1 for _ in quantecon(problem, rewards, form, tolerance))))
    return {
        "states": states,
        "rewards": count,
        "form": form,
        "ours_seconds": statistics.median(mine),
        "quantecon_seconds": statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(mine),
        "ratio_of_best": min(theirs) / min(mine),
    }


def main() -> None:
    """Print a table; with --json write it with the machine and the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tolerance", type=float, default=1e-8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{'states':>8} {'rewards':>8} {'form':>8} {'policycliff':>12} {'QuantEcon':>10} {'ratio':>6} {'best':>6}")
    results = []
    for states, count in SIZES:
        for form in ("sweep", "near", "entropy", "KL"):
            result = compare(states, count, form, tolerance=options.tolerance, repeats=options.repeats)
            results.append(result)
            print(
                f"{states:>8,} {count:>8,} {form:>8} {result['ours_seconds']:>10.3f} s "
                f"{result['quantecon_seconds']:>8.2f} s {result['ratio']:>6.1f} {result['ratio_of_best']:>6.1f}",
                flush=True,
            )
    if options.json is not None:
        report = {"machine": machine(), "tolerance": options.tolerance, "results": results}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
