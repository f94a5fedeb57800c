"""The public names are a contract: adding one is a decision, renaming one a break."""

import subprocess
import sys

import pytest

import policycliff

NAMES = [
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


def test_the_list_is_pinned():
    assert policycliff.__all__ == NAMES
    assert set(NAMES) <= set(dir(policycliff))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_loads(name):
    assert callable(getattr(policycliff, name))


def test_unknown_names_fail_like_any_module():
    with pytest.raises(AttributeError, match="no attribute 'Cliff'"):
        policycliff.Cliff  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, policycliff; print([m for m in ('numba', 'numpy', 'polars', 'scipy') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_nothing_but_the_core_dependencies_is_needed():
    """Every module loads where no extra and none of the tests' libraries is installed."""
    missing = ("jaxtyping", "beartype", "pandas", "pyarrow", "datasets", "torch", "transformers", "ray", "gymnasium")
    code = f"""
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
import policycliff
for module in pkgutil.walk_packages(policycliff.__path__, "policycliff."):
    importlib.import_module(module.name)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
