"""The figures of the theorems' page, as plain data: on the user's MDP, or on built-in instances that show them well."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from policycliff.cliffs.soft.bounds import soft_policy_bounds
from policycliff.policies.continuous import soft_policy_figure
from policycliff.statements.cliff_figure import cliff_figure
from policycliff.statements.facts import reward_scale
from policycliff.statements.instances import Instance
from policycliff.statements.measure import DENSE_LIMIT

SHOWN, BOUNDED = "tied chain", "unique chain"
BOUND_POINTS = 13
COLUMNS = ("linear", "sharp", "mixing", "certified", "measured")


def figures(instances: Sequence[Instance]) -> dict[str, Any]:
    """Figure by name; one that says nothing about the instance is None."""
    return {
        "cliff": cliff_figure(_named(instances, SHOWN)),
        "continuous": continuous_figure(),
        "bounds": bounds_figure(_named(instances, BOUNDED)),
    }


def continuous_figure() -> dict[str, Any]:
    """The paper's figure of the soft policy, with a small tilt."""
    figure = soft_policy_figure(temperature=0.5, tilt=0.02)
    return {
        "actions": figure.actions.tolist(),
        "q_before": figure.q_before.tolist(),
        "q_after": figure.q_after.tolist(),
        "soft_before": figure.density_before.tolist(),
        "soft_after": figure.density_after.tolist(),
        "hard_before": figure.actions[figure.maximisers_before].tolist(),
        "hard_after": figure.actions[figure.maximisers_after].tolist(),
        "temperature": figure.temperature,
        "tilt": figure.tilt,
        "hard_distance": figure.hard_distance,
        "total_variation": figure.soft_shift,
        "bound": figure.soft_bound,
    }


def bounds_figure(instance: Instance) -> dict[str, Any] | None:
    """Bounds on the soft policy against the reward error, and the worst case that a search found; None where large."""
    mdp = instance.mdp
    if mdp.n_states > DENSE_LIMIT:
        return None
    temperature = 0.25 * reward_scale(mdp)
    sizes = np.linspace(0.0, 0.5 * reward_scale(mdp), BOUND_POINTS).tolist()
    found = [soft_policy_bounds(mdp, size, temperature, starts=4, seed=instance.seed) for size in sizes]
    curves = {name: [min(bounds.worst(name), 1.0) for bounds in found] for name in COLUMNS}
    if max(curves["linear"]) == 0.0:
        return None
    return {"instance": instance.name, "temperature": temperature, "epsilon": sizes, **curves}


def _named(instances: Sequence[Instance], name: str) -> Instance:
    return next((instance for instance in instances if instance.name == name), instances[0])
