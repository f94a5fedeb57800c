"""Arguments of a wrong type are refused by a message that names them, never by an error from inside."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import policycliff
from policycliff import (
    MDP,
    calibrate_temperature,
    degeneracy_price,
    greedy_policy,
    incomplete_reward_certificate,
    perturbation_path,
    soft_policy_bounds,
    theorems,
    uniform_policy,
)
from policycliff.errors import InvalidInputError

WORLD = MDP.from_arrays(np.full((2, 2, 2), 0.5), [[1.0, 1.0], [0.0, 2.0]], 0.5, initial=[1.0, 0.0])
CHANGE = [1.0, -1.0, 0.0, 0.5]
NO_NUMBERS = ["x", [1.0], [], 1j, None, {}, np.zeros(2), float("nan"), float("inf"), 10**400, True]
NO_WHOLE_NUMBERS = ["x", 1.5, -1, None, [1], True]
NO_VECTORS = ["x", ["a"] * 4, [1j] * 4, [np.nan] * 4, [np.inf] * 4, np.zeros((4, 1)), [], {}, 5, 10**400]
# The function, what it is given, and the argument that is then replaced.
CASES = [
    (perturbation_path, {"direction": CHANGE, "t_min": -1.0, "t_max": 1.0}, "direction", NO_VECTORS),
    (perturbation_path, {"direction": CHANGE, "t_min": -1.0, "t_max": 1.0}, "t_max", NO_NUMBERS),
    (soft_policy_bounds, {"epsilon": 0.1, "temperature": 1.0}, "epsilon", [*NO_NUMBERS, -1.0]),
    (soft_policy_bounds, {"epsilon": 0.1, "temperature": 1.0}, "temperature", [*NO_NUMBERS, 0.0]),
    (soft_policy_bounds, {"epsilon": 0.1, "temperature": 1.0}, "states", ["x", [9], [-1], [0.5], [], [[0], [1, 0]]]),
    (soft_policy_bounds, {"epsilon": 0.1, "temperature": 1.0}, "starts", [*NO_WHOLE_NUMBERS, 10**30]),
    (soft_policy_bounds, {"epsilon": 0.1, "temperature": 1.0}, "seed", NO_WHOLE_NUMBERS),
    (calibrate_temperature, {"epsilon": 0.1, "total_variation": 0.1}, "total_variation", [*NO_NUMBERS, 1.0]),
    (calibrate_temperature, {"epsilon": 0.1, "total_variation": 0.1}, "seed", NO_WHOLE_NUMBERS),
    (degeneracy_price, {"true_rewards": CHANGE}, "true_rewards", [*NO_VECTORS, None]),
    (incomplete_reward_certificate, {"missing_rewards": CHANGE}, "missing_rewards", [*NO_VECTORS, None]),
]


def not_named():
    """What is accepted, or refused by another error or without the argument's name."""
    for function, given, name, values in CASES:
        for value in values:
            try:
                function(WORLD, **{**given, name: value})
                yield f"{function.__name__}: {name} = {value!r} is accepted"
            except InvalidInputError as error:
                if name not in str(error):
                    yield f"{function.__name__}: {name} = {value!r} is not named: {error}"
            except Exception as error:  # noqa: BLE001 - that there is none is what is tested
                yield f"{function.__name__}: {name} = {value!r} raises {error!r}"


def subjects():
    """Public functions of an MDP, a solution or sets of actions, and how these are called there."""
    for name in policycliff.__all__:
        function = getattr(policycliff, name)
        if inspect.isfunction(function):
            first, *others = inspect.signature(function).parameters.values()
            if first.name in {"mdp", "solution"} or function in {greedy_policy, uniform_policy}:
                yield function, first.name, [other for other in others if other.default is other.empty]


def not_refused():
    """Whatever else is given first is refused before anything else is looked at; `theorems()` needs no MDP."""
    for function, first, others in subjects():
        given = {other.name: 0.5 for other in others if other.kind is not other.VAR_KEYWORD}
        for value in ["x", 3, np.zeros(4), *([] if function is theorems else [None])]:
            try:
                function(value, **given)
                yield f"{function.__name__} accepts {value!r}"
            except InvalidInputError as error:
                if f"`{first}` of type" not in str(error):
                    yield f"{function.__name__}: {value!r} is not named: {error}"
            except Exception as error:  # noqa: BLE001 - that there is none is what is tested
                yield f"{function.__name__}: {value!r} raises {error!r}"


def test_there_are_subjects():
    assert len(list(subjects())) >= 25


@pytest.mark.parametrize("what", ["not_named", "not_refused"])
def test_the_argument_is_named(what):
    # In a process of its own: the shape checks of the tests would refuse some of these first.
    script = f"import test_bad_arguments as here; print(*here.{what}(), sep='\\n')"
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", script], cwd=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
