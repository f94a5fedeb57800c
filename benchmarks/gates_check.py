"""How tight the bounds through a gate are on random MDPs: what is measured over what is proven, at three temperatures.

Random MDPs of 4 states and up to 3 actions (each is there with probability 0.8), Dirichlet rows, gamma 0, 0.5 and 0.9
in turn; three components of normal rewards; a gate of gain 1 that reads their mean or their maximum in turn. Components
may be off by 0.02, the policy has temperature 0.5. Measured worst cases are found by search: they are lower bounds, so
a ratio of 1 proves that a bound is attained, and a smaller one leaves open which of the two is off. Nothing is timed:
the figures depend on the seeds alone. Takes some minutes.

    python benchmarks/gates_check.py --json result.json
"""

import argparse
import json
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path

import numpy as np

from policycliff import MDP, Gate, gate_bounds, gate_radius, reward_gate

TEMPERATURES = (1.0, 0.1, 0.01)
STATES, ACTIONS, COMPONENTS, AVAILABLE = 4, 3, 3, 0.8
GAMMAS, STATISTICS = (0.0, 0.5, 0.9), ("mean", "max")
GAIN, EPSILON, POLICY_TEMPERATURE = 1.0, 0.02, 0.5
QUANTILES = (0.0, 0.1, 0.5, 0.9)
MEANINGS = {
    "reward": "effective reward: measured / proven",
    "q_values": "Q*: measured / proven",
    "policy": "soft policy: measured / certified",
    "growth": "constant of the gate",
    "reward_shift": "proven shift of the reward / epsilon",
    "radius": "radius: proven / measured end",
    "radius_over_growth": "radius: proven end / growth bound",
}


@dataclass(frozen=True, slots=True)
class Ratios:
    """What was found on one MDP; NaN for a radius whose search found no change."""

    reward: float
    q_values: float
    policy: float
    growth: float
    reward_shift: float
    radius: float
    radius_over_growth: float

    @property
    def largest(self) -> float:
        """The largest measured share of a proven bound: never above 1, up to rounding."""
        return max(self.reward, self.q_values, self.policy)


def random_problem(seed: int) -> tuple[MDP, np.ndarray]:
    """A random MDP and three components of its rewards."""
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS))
    available = rng.random((STATES, ACTIONS)) < AVAILABLE
    available[np.arange(STATES), rng.integers(ACTIONS, size=STATES)] = True
    gamma = GAMMAS[seed % len(GAMMAS)]
    mdp = MDP.from_arrays(kernel, np.zeros((STATES, ACTIONS)), gamma, available=available)
    return mdp, rng.normal(size=(COMPONENTS, mdp.n_pairs))


def measure(mdp: MDP, rewards: np.ndarray, gate: Gate) -> Ratios:
    """The ratios on one MDP."""
    bounds = gate_bounds(mdp, rewards, gate, EPSILON, POLICY_TEMPERATURE)
    radius = gate_radius(mdp, rewards, gate)
    proven, found = radius.bracket
    return Ratios(
        reward=bounds.reward_measured / float(bounds.reward_shift.max()),
        q_values=bounds.q_measured / bounds.q_bound,
        policy=bounds.worst("measured") / bounds.worst("certified"),
        growth=bounds.growth,
        reward_shift=float(bounds.reward_shift.max()) / EPSILON,
        radius=proven / found if np.isfinite(found) else np.nan,
        radius_over_growth=proven / radius.growth_bound if np.isfinite(found) else np.nan,
    )


def summary(ratios: list[Ratios]) -> dict[str, list[float]]:
    """The quantiles of each ratio."""
    names = [item.name for item in fields(Ratios)]
    columns = {name: [getattr(item, name) for item in ratios] for name in names}
    return {name: np.nanquantile(column, QUANTILES).tolist() for name, column in columns.items()}


def main() -> None:
    """Print the quantiles by gate temperature; with --json write every ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mdps", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="two MDPs")
    parser.add_argument("--temperatures", type=float, nargs="+", default=list(TEMPERATURES), help="of the gate")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    count, results = 2 if options.quick else options.mdps, []
    for temperature in options.temperatures:
        ratios = []
        for seed in range(count):
            gate = reward_gate(GAIN, statistic=STATISTICS[seed % len(STATISTICS)], temperature=temperature)
            ratios.append(measure(*random_problem(seed), gate))
        quantiles = summary(ratios)
        title = f"gate temperature {temperature:g}, {count} MDPs"
        print(f"{title:<44}{'least':>9}{'10 %':>9}{'median':>9}{'90 %':>9}")
        for name, found in quantiles.items():
            print(f"  {MEANINGS[name]:<42}" + "".join(f"{entry:>9.3g}" for entry in found))
        unseen = sum(np.isnan(item.radius) for item in ratios)
        most = max(item.largest for item in ratios)
        print(
            f"  largest measured share of a proven bound {most:.6f}; {unseen} radii without a measured end", flush=True
        )
        rows = [
            {name: value if np.isfinite(value) else None for name, value in asdict(item).items()} for item in ratios
        ]
        results.append({"temperature": temperature, "quantiles": quantiles, "mdps": rows})
    if options.json:
        packages = ("policycliff", "numpy", "scipy")
        content = {"versions": {name: version(name) for name in packages}, "results": results}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
