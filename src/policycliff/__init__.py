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
    from policycliff.cliffs.degeneracy.regret import Regret, regret
    from policycliff.cliffs.design.cone import FeasibleRewards, feasible_rewards
    from policycliff.cliffs.design.result import TieBreakerDesign
    from policycliff.cliffs.design.tie_breaker import design_tie_breaker
    from policycliff.cliffs.flips.flip_probability import FlipProbability, flip_probability
    from policycliff.cliffs.gates.bounds import gate_bounds
    from policycliff.cliffs.gates.jump import GateJump, gate_jump
    from policycliff.cliffs.gates.radius import GateRadius, gate_radius
    from policycliff.cliffs.gates.result import GateBounds
    from policycliff.cliffs.lines.path import PerturbationPath, perturbation_path
    from policycliff.cliffs.phases.mixture_gap.gap import mixture_gap
    from policycliff.cliffs.phases.mixture_gap.result import MixtureGap
    from policycliff.cliffs.phases.phases import MixturePhases, mixture_phases
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
    from policycliff.cliffs.verdict.analysis import analyze_mdp
    from policycliff.cliffs.verdict.result import MDPAnalysis
    from policycliff.integrations.recorder import Recorder
    from policycliff.mdp.metric import MetricGrid
    from policycliff.mdp.model import MDP
    from policycliff.mdp.sources.read import read_source
    from policycliff.mdp.sources.source import MDPSource
    from policycliff.mdp.sources.write import write_source
    from policycliff.mdp.tree import token_tree
    from policycliff.policies.continuous import SoftPolicyFigure, soft_policy_figure
    from policycliff.policies.distances import excess, hausdorff_distance, total_variation
    from policycliff.policies.occupancy import Occupancy, occupancy
    from policycliff.policies.selection import greedy_policy, soft_policy, uniform_policy
    from policycliff.policies.zero_temperature import ZeroTemperaturePolicy, zero_temperature_policy
    from policycliff.report.phases.plots import phases_figure
    from policycliff.rewards.bump import bump
    from policycliff.rewards.distances.distance import reward_distance
    from policycliff.rewards.distances.result import RewardDistance
    from policycliff.rewards.effective import effective_reward
    from policycliff.rewards.gates.gate import Gate, reward_gate, softmax_gate
    from policycliff.rewards.gates.gated import GatedReward, gated_reward
    from policycliff.rewards.inverse import inverse_bellman
    from policycliff.rollouts.audit import Audit, audit
    from policycliff.rollouts.questions.answer import Answer
    from policycliff.rollouts.questions.behaviours.question import behaviours
    from policycliff.rollouts.questions.compare.compare import compare
    from policycliff.rollouts.questions.estimators.question import estimators
    from policycliff.rollouts.questions.mixture.mixture import mixture
    from policycliff.rollouts.questions.prefix_tree.question import prefix_tree
    from policycliff.rollouts.questions.reward_model_error.question import reward_model_error
    from policycliff.rollouts.questions.sampling.question import sampling
    from policycliff.rollouts.questions.tie_breakers.tie_breakers import tie_breakers
    from policycliff.statements.run import theorems
    from policycliff.values.many import solve_many
    from policycliff.values.regularizers import KL, Entropy
    from policycliff.values.solution import Solution
    from policycliff.values.solutions import Solutions
    from policycliff.values.solve import solve

_MODULES = {
    "KL": "policycliff.values.regularizers",
    "MDP": "policycliff.mdp.model",
    "Answer": "policycliff.rollouts.questions.answer",
    "ArgmaxDrift": "policycliff.cliffs.ties.hemicontinuity",
    "Audit": "policycliff.rollouts.audit",
    "CliffPerturbation": "policycliff.cliffs.ties.perturbation",
    "ComponentPerturbation": "policycliff.cliffs.ties.components",
    "DegeneracyPrice": "policycliff.cliffs.degeneracy.price",
    "Entropy": "policycliff.values.regularizers",
    "FeasibleRewards": "policycliff.cliffs.design.cone",
    "FlipProbability": "policycliff.cliffs.flips.flip_probability",
    "Gate": "policycliff.rewards.gates.gate",
    "GateBounds": "policycliff.cliffs.gates.result",
    "GateJump": "policycliff.cliffs.gates.jump",
    "GateRadius": "policycliff.cliffs.gates.radius",
    "GatedReward": "policycliff.rewards.gates.gated",
    "IncompleteRewardCertificate": "policycliff.cliffs.degeneracy.incomplete",
    "MDPAnalysis": "policycliff.cliffs.verdict.result",
    "MDPSource": "policycliff.mdp.sources.source",
    "MetricGrid": "policycliff.mdp.metric",
    "MixtureGap": "policycliff.cliffs.phases.mixture_gap.result",
    "MixturePhases": "policycliff.cliffs.phases.phases",
    "Occupancy": "policycliff.policies.occupancy",
    "OptimalActions": "policycliff.actions.optimal",
    "PerturbationPath": "policycliff.cliffs.lines.path",
    "Recorder": "policycliff.integrations.recorder",
    "Regret": "policycliff.cliffs.degeneracy.regret",
    "RewardDistance": "policycliff.rewards.distances.result",
    "SoftPolicyBounds": "policycliff.cliffs.soft.result",
    "SoftPolicyFigure": "policycliff.policies.continuous",
    "Solution": "policycliff.values.solution",
    "Solutions": "policycliff.values.solutions",
    "StabilityRadius": "policycliff.cliffs.radius.result",
    "TemperatureCalibration": "policycliff.cliffs.soft.calibration",
    "TieBreakerDesign": "policycliff.cliffs.design.result",
    "WeightRadius": "policycliff.cliffs.radius.weight_radius",
    "ZeroTemperaturePolicy": "policycliff.policies.zero_temperature",
    "analyze_mdp": "policycliff.cliffs.verdict.analysis",
    "argmax_drift": "policycliff.cliffs.ties.hemicontinuity",
    "audit": "policycliff.rollouts.audit",
    "behaviours": "policycliff.rollouts.questions.behaviours.question",
    "bump": "policycliff.rewards.bump",
    "calibrate_temperature": "policycliff.cliffs.soft.calibration",
    "cliff_perturbation": "policycliff.cliffs.ties.construction",
    "compare": "policycliff.rollouts.questions.compare.compare",
    "component_perturbation": "policycliff.cliffs.ties.components",
    "degeneracy_price": "policycliff.cliffs.degeneracy.price",
    "design_tie_breaker": "policycliff.cliffs.design.tie_breaker",
    "effective_reward": "policycliff.rewards.effective",
    "estimators": "policycliff.rollouts.questions.estimators.question",
    "excess": "policycliff.policies.distances",
    "feasible_rewards": "policycliff.cliffs.design.cone",
    "flip_probability": "policycliff.cliffs.flips.flip_probability",
    "gate_bounds": "policycliff.cliffs.gates.bounds",
    "gate_jump": "policycliff.cliffs.gates.jump",
    "gate_radius": "policycliff.cliffs.gates.radius",
    "gated_reward": "policycliff.rewards.gates.gated",
    "greedy_policy": "policycliff.policies.selection",
    "hausdorff_distance": "policycliff.policies.distances",
    "incomplete_reward_certificate": "policycliff.cliffs.degeneracy.incomplete",
    "inverse_bellman": "policycliff.rewards.inverse",
    "mixture": "policycliff.rollouts.questions.mixture.mixture",
    "mixture_gap": "policycliff.cliffs.phases.mixture_gap.gap",
    "mixture_phases": "policycliff.cliffs.phases.phases",
    "occupancy": "policycliff.policies.occupancy",
    "optimal_actions": "policycliff.actions.optimal",
    "perturbation_path": "policycliff.cliffs.lines.path",
    "phases_figure": "policycliff.report.phases.plots",
    "prefix_tree": "policycliff.rollouts.questions.prefix_tree.question",
    "read_source": "policycliff.mdp.sources.read",
    "regret": "policycliff.cliffs.degeneracy.regret",
    "reward_distance": "policycliff.rewards.distances.distance",
    "reward_gate": "policycliff.rewards.gates.gate",
    "reward_model_error": "policycliff.rollouts.questions.reward_model_error.question",
    "sampling": "policycliff.rollouts.questions.sampling.question",
    "soft_policy": "policycliff.policies.selection",
    "soft_policy_bounds": "policycliff.cliffs.soft.bounds",
    "soft_policy_figure": "policycliff.policies.continuous",
    "softmax_gate": "policycliff.rewards.gates.gate",
    "solve": "policycliff.values.solve",
    "solve_many": "policycliff.values.many",
    "stability_radius": "policycliff.cliffs.radius.radius",
    "theorems": "policycliff.statements.run",
    "tie_breakers": "policycliff.rollouts.questions.tie_breakers.tie_breakers",
    "token_tree": "policycliff.mdp.tree",
    "total_variation": "policycliff.policies.distances",
    "uniform_policy": "policycliff.policies.selection",
    "write_source": "policycliff.mdp.sources.write",
    "zero_temperature_policy": "policycliff.policies.zero_temperature",
}

__all__ = [
    "KL",
    "MDP",
    "Answer",
    "ArgmaxDrift",
    "Audit",
    "CliffPerturbation",
    "ComponentPerturbation",
    "DegeneracyPrice",
    "Entropy",
    "FeasibleRewards",
    "FlipProbability",
    "Gate",
    "GateBounds",
    "GateJump",
    "GateRadius",
    "GatedReward",
    "IncompleteRewardCertificate",
    "MDPAnalysis",
    "MDPSource",
    "MetricGrid",
    "MixtureGap",
    "MixturePhases",
    "Occupancy",
    "OptimalActions",
    "PerturbationPath",
    "Recorder",
    "Regret",
    "RewardDistance",
    "SoftPolicyBounds",
    "SoftPolicyFigure",
    "Solution",
    "Solutions",
    "StabilityRadius",
    "TemperatureCalibration",
    "TieBreakerDesign",
    "WeightRadius",
    "ZeroTemperaturePolicy",
    "analyze_mdp",
    "argmax_drift",
    "audit",
    "behaviours",
    "bump",
    "calibrate_temperature",
    "cliff_perturbation",
    "compare",
    "component_perturbation",
    "degeneracy_price",
    "design_tie_breaker",
    "effective_reward",
    "estimators",
    "excess",
    "feasible_rewards",
    "flip_probability",
    "gate_bounds",
    "gate_jump",
    "gate_radius",
    "gated_reward",
    "greedy_policy",
    "hausdorff_distance",
    "incomplete_reward_certificate",
    "inverse_bellman",
    "mixture",
    "mixture_gap",
    "mixture_phases",
    "occupancy",
    "optimal_actions",
    "perturbation_path",
    "phases_figure",
    "prefix_tree",
    "read_source",
    "regret",
    "reward_distance",
    "reward_gate",
    "reward_model_error",
    "sampling",
    "soft_policy",
    "soft_policy_bounds",
    "soft_policy_figure",
    "softmax_gate",
    "solve",
    "solve_many",
    "stability_radius",
    "theorems",
    "tie_breakers",
    "token_tree",
    "total_variation",
    "uniform_policy",
    "write_source",
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
