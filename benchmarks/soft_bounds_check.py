"""How tight the bounds on the soft policy are on random MDPs, and whether their order ever fails.

Instances: 2 to 5 states and 2 to 4 actions (each there with probability 0.8), Dirichlet rows, normal rewards, one in
four with a terminal state; gamma 0, 0.5, 0.9 or 0.99; temperatures from 0.003 to 10 and epsilons from 0.001 to 1,
uniform in the logarithm; entropy, and KL towards a random reference, in turn. In every state of every instance

    measured <= certified <= mixing <= sharp <= linear

is checked; an instance where it fails is listed and the status is 1. The table: the largest entry of a bound over the
largest measured shift, on instances where that is between 1e-6 and 0.9. Measured shifts are found by search, each is
realised by a reward in the ball: the true worst case lies between `measured` and `certified`. Nothing is timed: the
figures depend on the seed alone. Takes some minutes.

    python benchmarks/soft_bounds_check.py --instances 1500 --json result.json
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np

from policycliff import MDP, SoftPolicyBounds, soft_policy_bounds

GAMMAS = (0.0, 0.5, 0.9, 0.99)
TEMPERATURES, EPSILONS = (0.003, 10.0), (0.001, 1.0)
MOST_STATES, MOST_ACTIONS, AVAILABLE, ENDING = 5, 4, 0.8, 0.25
ORDER = ("linear", "sharp", "mixing", "certified", "measured")
ROUNDING = 1e-12
"""Relative room for rounding between two proven columns; `measured` has none."""
VISIBLE = (1e-6, 0.9)
LOOSE = 10.0
QUANTILES = (0.5, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Instance:
    """One random MDP, its settings and the largest entry of each column."""

    index: int
    states: int
    gamma: float
    kind: str
    epsilon: float
    temperature: float
    linear: float
    sharp: float
    mixing: float
    certified: float
    measured: float
    violations: list[str]

    @property
    def visible(self) -> bool:
        """The shift is neither lost in the error nor all there can be."""
        return VISIBLE[0] <= self.measured <= VISIBLE[1]


def random_mdp(rng: np.random.Generator) -> MDP:
    """A random MDP with at least one action in every state."""
    states, actions = int(rng.integers(2, MOST_STATES + 1)), int(rng.integers(2, MOST_ACTIONS + 1))
    kernel = rng.dirichlet(np.ones(states), size=(states, actions))
    rewards = rng.normal(size=(states, actions))
    available = rng.random((states, actions)) < AVAILABLE
    available[np.arange(states), rng.integers(actions, size=states)] = True
    terminal = (np.arange(states) == states - 1) & (rng.random() < ENDING)
    kernel[terminal] = np.eye(states)[terminal][:, None, :]
    rewards[terminal] = 0.0
    gamma = float(rng.choice(GAMMAS))
    return MDP.from_arrays(kernel, rewards, gamma, available=available, terminal=terminal)


def between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A number between the ends, uniform in the logarithm."""
    return float(np.exp(rng.uniform(*np.log(ends))))


def violations(bounds: SoftPolicyBounds) -> list[str]:
    """The states in which the order of the columns fails."""
    found = []
    for larger, smaller in pairwise(ORDER):
        room = 1.0 if smaller == "measured" else 1.0 + ROUNDING
        wrong = getattr(bounds, smaller) > getattr(bounds, larger) * room
        found += [f"{smaller} > {larger} in state {state}" for state in bounds.states[wrong].tolist()]
    return found


def measure(seed: int, index: int) -> Instance:
    """All columns on one random MDP."""
    rng = np.random.default_rng([seed, index])
    mdp = random_mdp(rng)
    temperature, epsilon = between(rng, TEMPERATURES), between(rng, EPSILONS)
    weights = rng.uniform(0.1, 1.0, mdp.n_pairs)
    reference = weights / np.add.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states] if index % 2 else None
    bounds = soft_policy_bounds(mdp, epsilon, temperature, reference_policy=reference)
    return Instance(
        index=index,
        states=mdp.n_states,
        gamma=mdp.gamma,
        kind=bounds.kind,
        epsilon=epsilon,
        temperature=temperature,
        **{name: bounds.worst(name) for name in ORDER},
        violations=violations(bounds),
    )


def summary(instances: list[Instance]) -> dict[str, list[float]]:
    """Quantiles of bound over measured shift, by bound, over the visible instances."""
    visible = [instance for instance in instances if instance.visible]
    if not visible:
        return {}
    ratios = {name: [getattr(instance, name) / instance.measured for instance in visible] for name in ORDER[:-1]}
    return {name: np.quantile(column, QUANTILES).tolist() for name, column in ratios.items()}


def report(instances: list[Instance]) -> None:
    """Print the table and every instance that is wrong."""
    visible = sum(instance.visible for instance in instances)
    print(f"{len(instances)} MDPs, {visible} with a measured shift between {VISIBLE[0]:g} and {VISIBLE[1]:g}")
    print(f"{'bound / measured':<20}{'median':>10}{'90 %':>10}{'largest':>12}")
    for name, quantiles in summary(instances).items():
        print(f"{name:<20}{quantiles[0]:>10.4g}{quantiles[1]:>10.4g}{quantiles[2]:>12.4g}")
    loose = [instance for instance in instances if instance.visible and instance.certified > LOOSE * instance.measured]
    warmest = max((instance.temperature for instance in loose), default=0.0)
    print(f"certified above {LOOSE:g} times measured: {len(loose)} instances, at temperatures up to {warmest:.2g}")
    wrong = [instance for instance in instances if instance.violations]
    print(f"instances in which measured <= certified <= mixing <= sharp <= linear fails: {len(wrong)}")
    for instance in wrong:
        print(f"  instance {instance.index}: {'; '.join(instance.violations)}")


def main() -> None:
    """Print the ratios; with --json write every instance. Status 1 if the order fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="30 instances")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    count = 30 if options.quick else options.instances
    instances = [measure(options.seed, index) for index in range(count)]
    report(instances)
    if options.json is not None:
        content = {
            "versions": {name: version(name) for name in ("policycliff", "numpy", "scipy")},
            "seed": options.seed,
            "levels": QUANTILES,
            "quantiles": summary(instances),
            "instances": [asdict(instance) for instance in instances],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    sys.exit(1 if any(instance.violations for instance in instances) else 0)


if __name__ == "__main__":
    main()
