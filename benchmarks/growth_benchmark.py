"""How the cost of `solve` grows, where its time goes, how near it is to the machine's bandwidth, the rounding floor.

Growth: Garnet MDPs around 20,000 states x 10 actions x 5 successors at gamma 0.99, one of these four changed at a time,
and `solve_many` on 1,000 states with more and more rewards. "2 parts" and "5 parts" are Garnets rarely left for
each other, so that values spread slowly: there gamma counts, in plain ones it hardly does. QuantEcon is run there too.

Profile: one thread, seconds inside each kernel. Bandwidth: the bytes that one backup must move (12 a probability, what
a pair and a state need, each once) over its time, beside copying a large array in the same run.

Floor: `tolerance=0`; the bound that is reached, over the largest value.

    python benchmarks/growth_benchmark.py --json growth.json --html growth.html
"""

import argparse
import importlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.sparse as sp
from plotly.subplots import make_subplots
from solve_benchmark import Problem, garnet, machine, run_quantecon

from policycliff import MDP, Entropy, Solution, solve, solve_many
from policycliff.values.backup_kernels import hard_sweep

BASE = {"states": 20_000, "actions": 10, "successors": 5, "gamma": 0.99}
GROWTH = {
    "states": (1_000, 3_000, 10_000, 30_000, 100_000, 300_000),
    "actions": (2, 5, 10, 20, 50),
    "successors": (1, 2, 5, 10, 20, 50),
    "gamma": (0.9, 0.99, 0.999, 0.9999, 0.99999),
}
REWARDS = (1, 4, 8, 16, 64, 256, 1_000)
TOLERANCE = 1e-8
# Where the kernels of a solve are looked up, and what they do.
KERNELS = {
    "policycliff.mdp.blocks:rows_are_fine": "checks of the input",
    "policycliff.mdp.blocks:backward_order": "order of the states",
    "policycliff.values.gauss_seidel:absorbing_states": "order of the states",
    "policycliff.values.operator:hard_start": "backups",
    "policycliff.values.operator:hard_sweep": "backups",
    "policycliff.values.operator:keep_rows": "copies of the best rows",
    "policycliff.values.kept_rows:kept_sweeps": "sweeps over the best rows",
    "policycliff.values.certificates:span_certificate": "certificates",
    "policycliff.values.solve:shift_and_choose": "values and policy",
}


def slow(states: int, parts: int, *, gamma: float) -> Problem:
    """Garnets in a ring, each left for the next with probability 0.0001; rewards differ in scale from part to part."""
    size = states // parts
    garnets = [garnet(size, 10, 4, gamma=gamma, seed=seed) for seed in range(parts)]
    rows = garnets[0].kernel.shape[0]
    away = sp.csr_matrix((np.full(rows, 1e-4), (np.arange(rows), np.arange(rows) % size)), shape=(rows, size))
    blocks: list[list[sp.csr_matrix | None]] = [[None] * parts for _ in range(parts)]
    for part, one in enumerate(garnets):
        blocks[part][part] = one.kernel * (1.0 - 1e-4)
        blocks[part][(part + 1) % parts] = away
    rewards = np.vstack([one.rewards / (1.0 + part) for part, one in enumerate(garnets)])
    return Problem(kernel=sp.bmat(blocks, format="csr"), rewards=rewards, gamma=gamma)


def build(problem: Problem) -> MDP:
    """The MDP on the problem's own arrays."""
    return MDP.from_arrays(problem.kernel, problem.rewards, problem.gamma, copy=False)


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median of some calls, the first of them not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def growth(repeats: int) -> Iterator[dict[str, object]]:
    """One line a size: seconds, backups and nanoseconds a stored probability."""
    for name, sizes in GROWTH.items():
        for size in sizes:
            chosen = {**BASE, name: size}
            gamma = float(chosen.pop("gamma"))
            kinds = {"garnet": garnet(**chosen, gamma=gamma)}
            if name == "gamma":
                kinds |= {f"{parts} parts": slow(BASE["states"], parts, gamma=gamma) for parts in (2, 5)}
            for kind, problem in kinds.items():
                mdp = build(problem)
                # The same number of digits of the values, however large they are.
                tolerance = TOLERANCE * 0.01 / (1.0 - gamma)
                solution = solve(mdp, tolerance=tolerance)
                seconds = median_seconds(partial(solve, mdp, tolerance=tolerance), repeats)
                other = beside(problem, solution, tolerance) if kind != "garnet" else {}
                yield {
                    **other,
                    "varied": name,
                    "size": size,
                    "kind": kind,
                    "seconds": seconds,
                    "backups": solution.iterations,
                    "nanoseconds_a_probability": 1e9 * seconds / mdp.successors.size,
                    "status": solution.status,
                }


def beside(problem: Problem, solution: Solution, tolerance: float) -> dict[str, float]:
    """Seconds of QuantEcon, and how far its values are from ours, whose error is proven."""
    start = time.perf_counter()
    values, _ = run_quantecon(problem, tolerance)
    seconds = time.perf_counter() - start
    return {"quantecon_seconds": seconds, "quantecon_error": float(np.abs(values - solution.values).max())}


def rewards_growth(repeats: int) -> Iterator[dict[str, object]]:
    """Milliseconds a reward of `solve_many` on 1,000 states."""
    mdp = build(garnet(1_000, 10, 5))
    start = solve(mdp, tolerance=TOLERANCE)
    for count in REWARDS:
        drawn = np.random.default_rng(0).random((count, mdp.n_pairs))
        near = mdp.rewards + 1e-3 * drawn
        calls = {
            "independent": lambda drawn=drawn: solve_many(mdp, drawn, tolerance=TOLERANCE),
            "near, with a start": lambda near=near: solve_many(mdp, near, tolerance=TOLERANCE, start=start),
            "entropy": lambda drawn=drawn: solve_many(mdp, drawn, tolerance=TOLERANCE, regularizer=Entropy(0.1)),
        }
        for kind, call in calls.items():
            seconds = median_seconds(call, repeats)
            yield {"rewards": count, "kind": kind, "milliseconds_a_reward": 1e3 * seconds / count}


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """While this lasts, seconds inside the kernels are added up."""

    def wrapped(kernel: Callable, purpose: str) -> Callable:
        def call(*arguments: object) -> object:
            start = time.perf_counter()
            result = kernel(*arguments)
            spent[purpose] = spent.get(purpose, 0.0) + time.perf_counter() - start
            return result

        return call

    with ExitStack() as stack:
        for place, purpose in KERNELS.items():
            module, name = place.split(":")
            kernel = getattr(importlib.import_module(module), name)
            stack.enter_context(mock.patch(f"{module}.{name}", wrapped(kernel, purpose)))
        yield


def profile(states: int, repeats: int) -> dict[str, float]:
    """Median share of each purpose in the time of building and solving, on one thread."""
    problem = garnet(states, 10, 5)
    solve(build(problem), tolerance=TOLERANCE, threads=1)
    runs = []
    for _ in range(repeats):
        spent: dict[str, float] = {}
        with timed(spent):
            start = time.perf_counter()
            solve(build(problem), tolerance=TOLERANCE, threads=1)
            total = time.perf_counter() - start
        runs.append({"milliseconds": 1e3 * total, **{name: t / total for name, t in spent.items()}})
    table = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {**table, "the rest": 1.0 - sum(share for name, share in table.items() if name != "milliseconds")}


def bandwidth(states: int, repeats: int) -> dict[str, float]:
    """Gigabytes a second of one backup on one thread, and of copying."""
    mdp = build(garnet(states, 10, 5))
    v, q, values = np.zeros(mdp.n_states), np.empty(mdp.n_pairs), np.empty(mdp.n_states)
    arrays = (mdp.offsets, mdp.indptr, mdp.successors, mdp.probabilities, mdp.rewards, mdp.gamma, v, q, values)
    seconds = median_seconds(lambda: hard_sweep(0, mdp.n_states, *arrays), repeats)
    moved = 12 * mdp.successors.size + (4 + 8 + 8) * mdp.n_pairs + (8 + 8 + 8) * mdp.n_states
    large = np.ones(25_000_000)
    target = np.empty_like(large)
    copying = median_seconds(lambda: np.copyto(target, large), 5)
    return {
        "states": states,
        "nanoseconds_a_probability": 1e9 * seconds / mdp.successors.size,
        "gigabytes_a_second": moved / seconds / 1e9,
        "copying": 2 * large.nbytes / copying / 1e9,
    }


def floors() -> Iterator[dict[str, object]]:
    """The best bound at each gamma."""
    for gamma in GROWTH["gamma"]:
        for kind, regularizer in (("hard", None), ("entropy", Entropy(0.1))):
            solution = solve(build(garnet(1_000, 10, 5, gamma=gamma)), tolerance=0.0, regularizer=regularizer)
            yield {
                "gamma": gamma,
                "form": kind,
                "bound": solution.error_bound,
                "largest_value": float(np.abs(solution.values).max()),
                "status": solution.status,
            }


def write_plot(sizes: list[dict], rewards: list[dict], path: Path) -> None:
    """Five panels: seconds against each size, milliseconds a reward against their number."""
    names = [*GROWTH, "rewards"]
    titles = ["states", "actions", "successors a pair", "1 / (1 - gamma)", "rewards (1,000 states)"]
    figure = make_subplots(1, 5, subplot_titles=titles, horizontal_spacing=0.045)
    colours = {
        "garnet": "#1f4e79",
        "2 parts": "#c55a11",
        "5 parts": "#8b1a1a",
        "independent": "#1f4e79",
        "entropy": "#7f3f98",
    }
    for column, name in enumerate(names, start=1):
        rows = rewards if name == "rewards" else [row for row in sizes if row["varied"] == name]
        for kind in dict.fromkeys(row["kind"] for row in rows):
            chosen = [row for row in rows if row["kind"] == kind]
            x = [row["rewards"] if name == "rewards" else row["size"] for row in chosen]
            y = [row["milliseconds_a_reward"] if name == "rewards" else 1e3 * row["seconds"] for row in chosen]
            if name == "gamma":
                x = [1.0 / (1.0 - gamma) for gamma in x]
            style = {"color": colours.get(kind, "#2e7d32")}
            figure.add_scatter(
                x=x, y=y, name=kind, mode="lines+markers", line=style, row=1, col=column, showlegend=False
            )
            ends = {"x": np.log10(x[-1]), "y": np.log10(y[-1]), "text": kind, "showarrow": False, "font": style}
            if name in {"gamma", "rewards"}:
                figure.add_annotation(**ends, xanchor="right", yanchor="bottom", yshift=6, row=1, col=column)
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log", title_standoff=2)
    figure.update_yaxes(title_text="milliseconds", row=1, col=1)
    figure.update_yaxes(title_text="milliseconds a reward", row=1, col=5)
    figure.update_layout(template="plotly_white", width=1500, height=340, margin={"t": 40, "l": 60, "r": 20, "b": 40})
    figure.write_html(path, include_plotlyjs=True, config={"displayModeBar": False})


def main() -> None:
    """Print the tables; write JSON and the plots on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--html", type=Path)
    options = parser.parse_args()
    sizes = []
    for row in growth(options.repeats):
        sizes.append(row)
        print(
            f"{row['varied']:>11} {row['size']:>9,} {row['kind']:>7}: {1e3 * row['seconds']:>8.1f} ms, "
            f"{row['backups']:>3} backups, {row['nanoseconds_a_probability']:>5.1f} ns a probability, {row['status']}",
            flush=True,
        )
        if "quantecon_error" in row:
            theirs = f"{1e3 * row['quantecon_seconds']:.1f} ms, values off by {row['quantecon_error']:.2g}"
            print(f"{'':>11} QuantEcon on the same: {theirs}", flush=True)
    rewards = []
    for row in rewards_growth(options.repeats):
        rewards.append(row)
        print(
            f"{row['rewards']:>6,} rewards, {row['kind']:>18}: {row['milliseconds_a_reward']:.2f} ms a reward",
            flush=True,
        )
    profiles = {states: profile(states, options.repeats) for states in (10_000, 100_000)}
    for states, shares in profiles.items():
        parts = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if name != "milliseconds")
        print(f"{states:,} states, building and solving, {shares['milliseconds']:.1f} ms: {parts}")
    passes = [bandwidth(states, 4 * options.repeats) for states in (1_000, 10_000, 100_000, 300_000)]
    for row in passes:
        print(
            f"{row['states']:>7,} states: a backup takes {row['nanoseconds_a_probability']:.2f} ns a probability, "
            f"moves {row['gigabytes_a_second']:.1f} GB/s; copying moves {row['copying']:.1f} GB/s"
        )
    limits = list(floors())
    for row in limits:
        share = row["bound"] / row["largest_value"]
        print(
            f"gamma {row['gamma']:<7} {row['form']:>7}: floor {row['bound']:.1e}, {share:.1e} of the largest value "
            f"({row['largest_value']:.3g}), {row['status']}"
        )
    if options.json:
        report = {
            "machine": machine(),
            "growth": sizes,
            "rewards": rewards,
            "profiles": profiles,
            "bandwidth": passes,
            "floors": limits,
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if options.html:
        write_plot(sizes, rewards, options.html)


if __name__ == "__main__":
    main()
