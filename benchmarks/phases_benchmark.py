"""Cells of the weights of five published multi-objective MDPs: ours beside the linear support of morl-baselines.

Both get the optimum at a mixture from the same solver, so that the difference is the search: which mixtures are asked,
how corners are found, and what rounding does. morl-baselines rounds value vectors to four decimals where it looks for
corners. Loss: the largest amount by which its best vector is below the optimum, over random mixtures. It is stopped
after --seconds a problem. Needs morl-baselines with its `ols` extra (pycddlib and CVXPY); without it, ours alone. Only
its linear support is used: where torch and the rest are not installed, stand-ins take their place.

    python benchmarks/phases_benchmark.py --data tests/data --json result.json
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import platform
import sys
import time
import types
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from policycliff import MDP, mixture_phases, solve
from policycliff.policies.occupancy import pair_visits

PROBLEMS = ("deep_sea_treasure_convex", "resource_gathering", "breakable_bottles", "fruit_tree_5", "fruit_tree_6")
UNUSED = {
    "morl_baselines.common.evaluation": ("policy_evaluation_mo",),
    "morl_baselines.common.morl_algorithm": ("MOPolicy",),
    "morl_baselines.common.performance_indicators": ("hypervolume",),
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One method on one problem; `loss` is relative to the exact cells; no vertices for morl-baselines."""

    problem: str
    rewards: int
    method: str
    seconds: float
    cells: int
    vertices: int | None
    solves: int
    loss: float
    finished: bool


def load_momdp(folder: Path, name: str, gamma: float) -> tuple[MDP, np.ndarray]:
    """The MDP and its rewards over pairs, from the tables."""
    rows = pl.read_parquet(folder / "momdp_transitions.parquet").filter(pl.col("mdp") == name)
    states = pl.read_parquet(folder / "momdp_states.parquet").filter(pl.col("mdp") == name).sort("state")
    actions = rows["action"].unique().sort()
    rows = rows.with_columns(label=rows["action"].replace_strict(actions, range(len(actions)))).sort("state", "label")
    pairs = rows.select("state", "label").unique(maintain_order=True).with_row_index("pair")
    rows = rows.join(pairs, on=["state", "label"], maintain_order="left")
    entries = (rows["probability"], (rows["pair"], rows["next_state"]))
    kernel = sp.coo_array(entries, shape=(pairs.height, states.height)).tocsr()
    columns = [c for c in rows.columns if c.startswith("reward_") and rows[c].null_count() == 0]
    mdp = MDP.from_pairs(
        pairs["state"].to_numpy(),
        kernel,
        np.zeros(pairs.height),
        gamma,
        actions=pairs["label"].to_numpy(),
        terminal=states["terminal"].to_numpy(),
        initial=states["initial_probability"].to_numpy(),
    )
    components = np.zeros((len(columns), mdp.n_pairs))
    inner = ~mdp.terminal[mdp.pair_states]
    components[:, inner] = [np.bincount(rows["pair"], rows["probability"] * rows[c]) for c in columns]
    return mdp, components


def load_linear_support() -> Any:
    """The class, or None where it is not installed."""
    module = "morl_baselines.multi_policy.linear_support.linear_support"
    try:
        return importlib.import_module(module).LinearSupport
    except ImportError:
        pass
    for name, names in UNUSED.items():
        stand_in = types.ModuleType(name)
        for entry in names:
            setattr(stand_in, entry, None)
        sys.modules[name] = stand_in
    try:
        return importlib.import_module(module).LinearSupport
    except ImportError:
        return None


def measure_ours(problem: str, mdp: MDP, rewards: np.ndarray, *, exact: bool) -> tuple[Measurement, Any]:
    """Our cells."""
    start = time.perf_counter()
    found = mixture_phases(mdp, rewards, exact=exact)
    seconds = time.perf_counter() - start
    name = "policycliff, " + ("fractions" if exact else "floats")
    row = Measurement(
        problem,
        len(rewards),
        name,
        seconds,
        len(found.cells),
        len(np.unique(np.concatenate([cell.vertices for cell in found.cells]).round(9), axis=0)),
        found.rounds,
        found.error_bound,
        found.status != "truncated",
    )
    return row, found


def measure_theirs(
    problem: str, mdp: MDP, rewards: np.ndarray, *, linear_support: Any, limit: float, truth: np.ndarray
) -> Measurement:
    """The vectors of morl-baselines, with our solver for each of its weights."""
    search = linear_support(num_objectives=len(rewards), epsilon=0.0, verbose=False)
    solves, start = 0, time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        weight = search.next_weight()
        while not search.ended() and time.perf_counter() - start < limit:
            policy = solve(mdp.with_rewards(weight @ rewards), tolerance=1e-12).policy
            search.add_solution(rewards @ pair_visits(mdp, policy), weight)
            solves += 1
            weight = search.next_weight()
    seconds = time.perf_counter() - start
    mixtures = np.random.default_rng(0).dirichlet(np.ones(len(rewards)), 20_000)
    loss = ((mixtures @ truth.T).max(axis=1) - (mixtures @ np.array(search.ccs).T).max(axis=1)).max()
    name = "morl-baselines"
    return Measurement(
        problem, len(rewards), name, seconds, len(search.ccs), None, solves, float(loss), bool(search.ended())
    )


def machine() -> dict[str, str]:
    """The machine and the versions behind a figure."""
    result = {
        "processor": platform.processor() or platform.machine(),
        "cpus": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    for package in ("policycliff", "numpy", "scipy", "python-flint", "morl-baselines", "pycddlib", "cvxpy"):
        with contextlib.suppress(PackageNotFoundError):
            result[package] = version(package)
    return result


def main() -> None:
    """Print a table; with --json write it with the machine and the versions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("tests/data"), help="folder of the momdp tables")
    parser.add_argument("--gamma", type=float, default=0.95)
    parser.add_argument("--seconds", type=float, default=120.0, help="limit for morl-baselines, a problem")
    parser.add_argument("--only", nargs="*", default=PROBLEMS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    linear_support, results = load_linear_support(), []
    print(
        f"{'problem':>26} {'method':>22} {'seconds':>8} {'cells':>6} {'vertices':>8} {'solves':>7} {'loss':>9} finished"
    )
    for problem in options.only:
        mdp, rewards = load_momdp(options.data, problem, options.gamma)
        mixture_phases(mdp, rewards[:2], exact=False)  # compiles the kernels
        rows, truth = [], np.empty((0, len(rewards)))
        for exact in (True, False):
            row, found = measure_ours(problem, mdp, rewards, exact=exact)
            rows.append(row)
            truth = np.array([cell.values for cell in found.cells])
        if linear_support is not None:
            their = measure_theirs(
                problem, mdp, rewards, linear_support=linear_support, limit=options.seconds, truth=truth
            )
            rows.append(their)
        for row in rows:
            print(
                f"{row.problem:>26} {row.method:>22} {row.seconds:>8.2f} {row.cells:>6} {row.vertices or '':>8} "
                f"{row.solves:>7} {row.loss:>9.2g} {'yes' if row.finished else 'no'}",
                flush=True,
            )
        results += rows
    if options.json is not None:
        report = {"machine": machine(), "gamma": options.gamma, "results": [asdict(row) for row in results]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
