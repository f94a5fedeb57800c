"""How a reward decides its policy (Xu, *The Policy Cliff*, arXiv 2507.20150).

Glossary, used everywhere: S states, A actions, X available (state, action) pairs, N rewards; `transitions` is the
kernel, `rewards` a vector over pairs, `values` V over states and `q_values` Q over pairs, `policy` probabilities over
pairs, `gamma` the discount, `temperature` the coefficient of entropy or KL, `weights` the mixture of reward components.

The public names below are loaded when they are first used, so that `import policycliff` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policycliff.actions.optimal import OptimalActions, optimal_actions
    from policycliff.cliffs.radius import StabilityRadius, stability_radius
    from policycliff.mdp.model import MDP
    from policycliff.mdp.tree import token_tree
    from policycliff.policies.distances import hausdorff_distance, total_variation
    from policycliff.policies.selection import greedy_policy, soft_policy, uniform_policy
    from policycliff.rewards.effective import effective_reward
    from policycliff.rollouts.audit import Audit, audit
    from policycliff.values.regularizers import KL, Entropy
    from policycliff.values.solution import Solution
    from policycliff.values.solve import solve

_MODULES = {
    "KL": "policycliff.values.regularizers",
    "MDP": "policycliff.mdp.model",
    "Audit": "policycliff.rollouts.audit",
    "Entropy": "policycliff.values.regularizers",
    "OptimalActions": "policycliff.actions.optimal",
    "Solution": "policycliff.values.solution",
    "StabilityRadius": "policycliff.cliffs.radius",
    "audit": "policycliff.rollouts.audit",
    "effective_reward": "policycliff.rewards.effective",
    "greedy_policy": "policycliff.policies.selection",
    "hausdorff_distance": "policycliff.policies.distances",
    "optimal_actions": "policycliff.actions.optimal",
    "soft_policy": "policycliff.policies.selection",
    "solve": "policycliff.values.solve",
    "stability_radius": "policycliff.cliffs.radius",
    "token_tree": "policycliff.mdp.tree",
    "total_variation": "policycliff.policies.distances",
    "uniform_policy": "policycliff.policies.selection",
}

__all__ = [
    "KL",
    "MDP",
    "Audit",
    "Entropy",
    "OptimalActions",
    "Solution",
    "StabilityRadius",
    "audit",
    "effective_reward",
    "greedy_policy",
    "hausdorff_distance",
    "optimal_actions",
    "soft_policy",
    "solve",
    "stability_radius",
    "token_tree",
    "total_variation",
    "uniform_policy",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'policycliff' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
