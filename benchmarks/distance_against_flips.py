"""Reward distances against what happens: does the optimal policy flip, and what does the flip cost?

Pairs (R, R') on random MDPs: four kinds of world, three discounts, six kinds of change. For every distance: how well
it ranks pairs that flip above pairs that do not (AUC: the probability that a flipped pair is further than one that is
not), the same after division by what the distance would have to stay below according to the stability radius of R, the
share of pairs below that threshold and how many of *them* flip (0 where the threshold is proven: always, for EPIC
where no state is terminal, for DARD never), and the rank correlation with the regret, in R, of a policy that is optimal
for R'. A flip: the sets of optimal actions differ in some state, both certified. "shaped (s, a)" is R + gamma P Phi -
Phi over pairs; "shaped (s, a, s')" has the same means and is given over transitions, where EPIC and DARD do not see it.

    python benchmarks/distance_against_flips.py --json flips.json --html flips.html
"""

import argparse
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from policycliff import MDP, optimal_actions, regret, reward_distance, solve, stability_radius

STATES, ACTIONS = 6, 3
WORLDS = ("dense", "two successors", "deterministic", "with an end")
GAMMAS = (0.5, 0.9, 0.99)
CHANGES = ("noise", "one pair", "shaped (s, a)", "shaped (s, a, s')", "scaled", "worst direction")
# The name of a distance, its arguments, and whether the threshold on it is proven.
DISTANCES = {
    "sup": ({"kind": "sup"}, True),
    "shaping": ({"kind": "shaping"}, True),
    "STARC, value": ({"kind": "starc", "metric": "inf"}, True),
    "STARC, minimal": ({"kind": "starc", "canonical": "minimal", "metric": "inf"}, True),
    "EPIC": ({"kind": "epic"}, False),
    "EPIC, transitions": ({"kind": "epic", "coverage": "transitions"}, False),
    "DARD": ({"kind": "dard"}, False),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of rewards: distances, the same over their thresholds, whether the policy flipped and the regret."""

    world: str
    gamma: float
    change: str
    flipped: bool
    regret: float
    distances: dict[str, float]
    ratios: dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """What is printed for one distance."""

    distance: str
    proven: bool
    auc: float
    auc_of_ratio: float
    below: float
    flips_below: int
    regret_correlation: float
    auc_by_change: dict[str, float]


def make_world(world: str, gamma: float, rng: np.random.Generator) -> MDP:
    """A random MDP with normal rewards; in the last kind of world one state is terminal."""
    kernel = rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS))
    keep = {"dense": STATES, "two successors": 2, "deterministic": 1, "with an end": 2}[world]
    kernel = np.where(np.argsort(rng.random(kernel.shape), axis=2) < keep, kernel + 1e-3, 0.0)
    kernel /= kernel.sum(axis=2, keepdims=True)
    terminal = np.zeros(STATES, dtype=bool)
    terminal[-1] = world == "with an end"
    kernel[terminal] = 0.0
    rewards = np.where(terminal[:, None], 0.0, rng.normal(size=(STATES, ACTIONS)))
    return MDP.from_arrays(kernel, rewards, gamma, terminal=terminal, initial=np.full(STATES, 1.0 / STATES))


def changed(
    mdp: MDP, change: str, rng: np.random.Generator, *, witness: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R' as its means over pairs; then R and R' in the form in which they are compared.

    Sizes are log-uniform, from a thousandth of the span of R to the whole.
    """
    size = float(np.ptp(mdp.rewards)) * 10.0 ** rng.uniform(-3.0, 0.0)
    noise = size * rng.uniform(-1.0, 1.0, mdp.n_pairs)
    if change == "one pair":
        noise *= np.arange(mdp.n_pairs) == rng.integers(mdp.n_pairs)
    if change == "worst direction":
        noise = np.sign(witness) * radius * 10.0 ** rng.uniform(-1.0, 1.0)
    moved = mdp.rewards + noise
    if change == "scaled":
        moved = moved * 10.0 ** rng.uniform(-1.0, 1.0)
    moved = np.where(mdp.terminal[mdp.pair_states], 0.0, moved)
    if not change.startswith("shaped"):
        return moved, mdp.rewards, moved
    potential = np.where(mdp.terminal, 0.0, rng.normal(size=STATES))
    tables = [np.zeros((STATES, ACTIONS, STATES)) for _ in range(2)]
    for table, rewards in zip(tables, (mdp.rewards, moved), strict=True):
        table[mdp.pair_states, mdp.actions] = rewards[:, None]
    tables[1] += mdp.gamma * potential[None, None, :] - potential[:, None, None]
    shaped = moved + mdp.gamma * (mdp.transitions @ potential) - potential[mdp.pair_states]
    shaped = np.where(mdp.terminal[mdp.pair_states], 0.0, shaped)
    return (shaped, tables[0], tables[1]) if change == CHANGES[3] else (shaped, mdp.rewards, shaped)


def factor(mdp: MDP, name: str) -> float:
    """By what a distance over the scale of R has to be multiplied to bound the change of a pair's mean reward."""
    if not name.startswith(("EPIC", "DARD")):
        return 1.0
    pairs = int((~mdp.terminal[mdp.pair_states]).sum())
    # 2 d is the 2-norm under the coverage D; a mean under P is at most sqrt(max P / D) times that.
    share = float(mdp.probabilities.max()) * STATES if name == "EPIC" else 1.0
    return 2.0 * float(np.sqrt(pairs * share))


def measure(seeds: int) -> Iterator[Pair]:
    """All pairs; one whose flip cannot be decided, or whose radius is not exact, is left out."""
    for number in range(seeds):
        for world in WORLDS:
            for gamma in GAMMAS:
                rng = np.random.default_rng([number, WORLDS.index(world), GAMMAS.index(gamma)])
                mdp = make_world(world, gamma, rng)
                found, before = stability_radius(mdp), optimal_actions(solve(mdp))
                if found.status != "exact" or not before.is_resolved:
                    continue
                for change in CHANGES:
                    moved, first, second = changed(mdp, change, rng, witness=found.witness, radius=found.radius)
                    after = optimal_actions(solve(mdp.with_rewards(moved)))
                    if after.is_resolved:
                        flipped = bool((before.members != after.members).any())
                        lost = regret(mdp, moved, mdp.rewards).normalised_worst
                        distances, ratios = compare(mdp, first, second, found.bracket[0])
                        yield Pair(world, gamma, change, flipped, lost, distances, ratios)


def compare(
    mdp: MDP, first: np.ndarray, second: np.ndarray, radius: float
) -> tuple[dict[str, float], dict[str, float]]:
    """By name, the distances and their upper ends over their thresholds."""
    distances, ratios = {}, {}
    for name, (arguments, _) in DISTANCES.items():
        result = reward_distance(mdp, first, second, **arguments)
        scale = 1.0 if result.scales is None else result.scales[0]
        distances[name] = result.value
        ratios[name] = result.bracket[1] * scale * factor(mdp, name) / radius
    return distances, ratios


def auc(scores: np.ndarray, flipped: np.ndarray) -> float:
    """Probability that a flipped pair scores higher than one that is not flipped."""
    above, below = int(flipped.sum()), int((~flipped).sum())
    if above == 0 or below == 0:
        return float("nan")
    return float((rankdata(scores)[flipped].sum() - above * (above + 1) / 2) / (above * below))


def summarise(pairs: list[Pair]) -> list[Row]:
    """One row a distance."""
    flipped = np.array([pair.flipped for pair in pairs])
    lost = np.array([pair.regret for pair in pairs])
    kinds = np.array([pair.change for pair in pairs])
    rows = []
    for name, (_, proven) in DISTANCES.items():
        values = np.array([pair.distances[name] for pair in pairs])
        ratios = np.array([pair.ratios[name] for pair in pairs])
        inside = ratios < 1.0
        rows.append(
            Row(
                distance=name,
                proven=proven,
                auc=auc(values, flipped),
                auc_of_ratio=auc(ratios, flipped),
                below=float(inside.mean()),
                flips_below=int((inside & flipped).sum()),
                regret_correlation=float(spearmanr(values, lost).statistic),
                auc_by_change={kind: auc(values[kinds == kind], flipped[kinds == kind]) for kind in CHANGES},
            )
        )
    return rows


def write_plot(pairs: list[Pair], path: Path) -> None:
    """Share of flips against the distance (by its rank) and against the distance over its threshold."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    titles = ("against the distance, by its rank", "against the distance over its threshold")
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.08)
    flipped = np.array([pair.flipped for pair in pairs])
    colours = ("#1b6ca8", "#0b2545", "#2a9d8f", "#8ab17d", "#e76f51", "#f4a261", "#9d4edd")
    for (name, (_, proven)), colour in zip(DISTANCES.items(), colours, strict=True):
        ranks = rankdata([pair.distances[name] for pair in pairs]) / len(pairs) * 100.0
        logs = np.log10(np.maximum([pair.ratios[name] for pair in pairs], 1e-3))
        style = {"line": {"color": colour, "dash": "solid" if proven else "dot"}, "name": name, "legendgroup": name}
        for column, (scores, edges) in enumerate(
            ((ranks, np.linspace(0.0, 100.0, 11)), (logs, np.arange(-2.0, 3.01, 0.25))), start=1
        ):
            bins = np.digitize(scores, edges[1:-1])
            used = [b for b in range(edges.size - 1) if (bins == b).sum() >= 15]
            centres = [0.5 * (edges[b] + edges[b + 1]) for b in used]
            x = centres if column == 1 else [10.0**c for c in centres]
            shares = [float(flipped[bins == b].mean()) for b in used]
            figure.add_scatter(x=x, y=shares, mode="lines+markers", showlegend=column == 1, row=1, col=column, **style)
    figure.add_trace(
        go.Scatter(x=[1.0, 1.0], y=[0.0, 1.0], mode="lines", showlegend=False, line={"color": "#888", "dash": "dash"}),
        row=1,
        col=2,
    )
    figure.update_xaxes(title_text="rank of the distance, %", row=1, col=1)
    figure.update_xaxes(title_text="distance / threshold (1: the stability radius)", type="log", row=1, col=2)
    figure.update_yaxes(title_text="share of pairs whose optimal policy flips", range=[-0.03, 1.03], row=1, col=1)
    figure.update_yaxes(range=[-0.03, 1.03], row=1, col=2)
    figure.update_layout(template="plotly_white", width=1150, height=460, margin={"t": 50, "l": 60, "r": 20, "b": 55})
    figure.write_html(path, include_plotlyjs=True, config={"displayModeBar": False})


def main() -> None:
    """Measure, print the tables, write JSON and the plot on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=60, help="MDPs of each kind of world and discount")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--html", type=Path)
    arguments = parser.parse_args()
    pairs = list(measure(arguments.seeds))
    rows = summarise(pairs)
    flips = sum(pair.flipped for pair in pairs)
    print(f"{len(pairs)} pairs, {flips} flips ({flips / len(pairs):.0%})\n")
    print(f"{'distance':<18} {'AUC':>6} {'AUC d/rho':>10} {'below':>7} {'flips':>6} {'regret':>7}   AUC by change")
    print(f"{'':<18} {'':>6} {'':>10} {'':>7} {'below':>6} {'corr.':>7}   {' '.join(f'{c:>17}' for c in CHANGES)}")
    for row in rows:
        by_change = " ".join(f"{value:>17.3f}" for value in row.auc_by_change.values())
        print(
            f"{row.distance:<18} {row.auc:>6.3f} {row.auc_of_ratio:>10.3f} {row.below:>7.1%} {row.flips_below:>6} "
            f"{row.regret_correlation:>7.3f}   {by_change}"
        )
    if arguments.json:
        machine = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "scipy": version("scipy"),
        }
        result = {"machine": machine, "pairs": len(pairs), "flips": flips, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(result, indent=1))
    if arguments.html:
        write_plot(pairs, arguments.html)


if __name__ == "__main__":
    main()
