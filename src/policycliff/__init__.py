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
    from policycliff.cliffs.degeneracy.incomplete import IncompleteRewardCertificate, incomplete_reward_certificate
    from policycliff.cliffs.degeneracy.price import DegeneracyPrice, degeneracy_price
    from policycliff.cliffs.flips.flip_probability import FlipProbability, flip_probability
    from policycliff.cliffs.lines.path import PerturbationPath, perturbation_path
    from policycliff.cliffs.radius.radius import stability_radius
    from policycliff.cliffs.radius.result import StabilityRadius
    from policycliff.cliffs.radius.weight_radius import WeightRadius
    from policycliff.cliffs.soft.bounds import soft_policy_bounds
    from policycliff.cliffs.soft.calibration import TemperatureCalibration, calibrate_temperature
    from policycliff.cliffs.soft.result import SoftPolicyBounds
    from policycliff.cliffs.ties.components import ComponentPerturbation, component_perturbation
    from policycliff.cliffs.ties.construction import cliff_perturbation
    from policycliff.cliffs.ties.hemicontinuity import ArgmaxDrift, argmax_drift
    from policycliff.cliffs.ties.perturbation import CliffPerturbation
    from policycliff.mdp.metric import MetricGrid
    from policycliff.mdp.model import MDP
    from policycliff.mdp.tree import token_tree
    from policycliff.policies.continuous import SoftPolicyFigure, soft_policy_figure
    from policycliff.policies.distances import excess, hausdorff_distance, total_variation
    from policycliff.policies.selection import greedy_policy, soft_policy, uniform_policy
    from policycliff.policies.zero_temperature import ZeroTemperaturePolicy, zero_temperature_policy
    from policycliff.rewards.bump import bump
    from policycliff.rewards.effective import effective_reward
    from policycliff.rewards.inverse import inverse_bellman
    from policycliff.rollouts.audit import Audit, audit
    from policycliff.statements.run import theorems
    from policycliff.values.regularizers import KL, Entropy
    from policycliff.values.solution import Solution
    from policycliff.values.solve import solve

_MODULES = {
    "KL": "policycliff.values.regularizers",
    "MDP": "policycliff.mdp.model",
    "ArgmaxDrift": "policycliff.cliffs.ties.hemicontinuity",
    "Audit": "policycliff.rollouts.audit",
    "CliffPerturbation": "policycliff.cliffs.ties.perturbation",
    "ComponentPerturbation": "policycliff.cliffs.ties.components",
    "DegeneracyPrice": "policycliff.cliffs.degeneracy.price",
    "Entropy": "policycliff.values.regularizers",
    "FlipProbability": "policycliff.cliffs.flips.flip_probability",
    "IncompleteRewardCertificate": "policycliff.cliffs.degeneracy.incomplete",
    "MetricGrid": "policycliff.mdp.metric",
    "OptimalActions": "policycliff.actions.optimal",
    "PerturbationPath": "policycliff.cliffs.lines.path",
    "SoftPolicyBounds": "policycliff.cliffs.soft.result",
    "SoftPolicyFigure": "policycliff.policies.continuous",
    "Solution": "policycliff.values.solution",
    "StabilityRadius": "policycliff.cliffs.radius.result",
    "TemperatureCalibration": "policycliff.cliffs.soft.calibration",
    "WeightRadius": "policycliff.cliffs.radius.weight_radius",
    "ZeroTemperaturePolicy": "policycliff.policies.zero_temperature",
    "argmax_drift": "policycliff.cliffs.ties.hemicontinuity",
    "audit": "policycliff.rollouts.audit",
    "bump": "policycliff.rewards.bump",
    "calibrate_temperature": "policycliff.cliffs.soft.calibration",
    "cliff_perturbation": "policycliff.cliffs.ties.construction",
    "component_perturbation": "policycliff.cliffs.ties.components",
    "degeneracy_price": "policycliff.cliffs.degeneracy.price",
    "effective_reward": "policycliff.rewards.effective",
    "excess": "policycliff.policies.distances",
    "flip_probability": "policycliff.cliffs.flips.flip_probability",
    "greedy_policy": "policycliff.policies.selection",
    "hausdorff_distance": "policycliff.policies.distances",
    "incomplete_reward_certificate": "policycliff.cliffs.degeneracy.incomplete",
    "inverse_bellman": "policycliff.rewards.inverse",
    "optimal_actions": "policycliff.actions.optimal",
    "perturbation_path": "policycliff.cliffs.lines.path",
    "soft_policy": "policycliff.policies.selection",
    "soft_policy_bounds": "policycliff.cliffs.soft.bounds",
    "soft_policy_figure": "policycliff.policies.continuous",
    "solve": "policycliff.values.solve",
    "stability_radius": "policycliff.cliffs.radius.radius",
    "theorems": "policycliff.statements.run",
    "token_tree": "policycliff.mdp.tree",
    "total_variation": "policycliff.policies.distances",
    "uniform_policy": "policycliff.policies.selection",
    "zero_temperature_policy": "policycliff.policies.zero_temperature",
}

__all__ = [
    "KL",
    "MDP",
    "ArgmaxDrift",
    "Audit",
    "CliffPerturbation",
    "ComponentPerturbation",
    "DegeneracyPrice",
    "Entropy",
    "FlipProbability",
    "IncompleteRewardCertificate",
    "MetricGrid",
    "OptimalActions",
    "PerturbationPath",
    "SoftPolicyBounds",
    "SoftPolicyFigure",
    "Solution",
    "StabilityRadius",
    "TemperatureCalibration",
    "WeightRadius",
    "ZeroTemperaturePolicy",
    "argmax_drift",
    "audit",
    "bump",
    "calibrate_temperature",
    "cliff_perturbation",
    "component_perturbation",
    "degeneracy_price",
    "effective_reward",
    "excess",
    "flip_probability",
    "greedy_policy",
    "hausdorff_distance",
    "incomplete_reward_certificate",
    "inverse_bellman",
    "optimal_actions",
    "perturbation_path",
    "soft_policy",
    "soft_policy_bounds",
    "soft_policy_figure",
    "solve",
    "stability_radius",
    "theorems",
    "token_tree",
    "total_variation",
    "uniform_policy",
    "zero_temperature_policy",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'policycliff' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
