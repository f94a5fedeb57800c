"""Results 2, 3 and 11 as statements: the enumeration they measure with, and that wrong claims are caught."""

from dataclasses import replace

import numpy as np
import pytest

from policycliff import MDP, perturbation_path
from policycliff.statements import result_2, result_3, result_11
from policycliff.statements.envelope import inner, make_envelope
from policycliff.statements.instances import built_in_instances, random_instance

INSTANCES = {instance.name: instance for instance in built_in_instances()}


def test_kinks_by_hand():
    bandit = MDP.from_arrays(np.ones((1, 4, 1)), [[3.0, 2.0, 0.0, 0.5]], 0.0)
    envelope = make_envelope(bandit, np.array([0.0, 1.0, 2.0, 0.5]))
    assert envelope.kinks(0.0, 4.0) == [1.0, 2.0]
    assert envelope.kinks(1.0, 1.5) == []
    assert envelope.mixed(np.array([1.0])).kinks(0.0, 4.0) == [1.0, 2.0]


def test_points_that_rounding_cannot_tell_apart_are_one():
    assert inner([0.0, 1e-12, 0.5, 0.5 + 1e-12, 1.0 - 1e-12], 0.0, 1.0) == [0.5]


def test_too_many_policies_are_not_enumerated():
    kernel = np.full((7, 3, 7), 1 / 7)
    mdp = MDP.from_arrays(kernel, np.arange(21.0).reshape(7, 3), 0.5)
    assert make_envelope(mdp, np.ones(21)) is None


@pytest.mark.parametrize("module", [result_2, result_3])
@pytest.mark.parametrize("damage", ["missing", "moved", "added"])
def test_a_wrong_path_is_caught(monkeypatch, module, damage):
    def wrong(*arguments, **options):
        path = perturbation_path(*arguments, **options)
        points = list(path.breakpoints)
        inside = next(i for i, item in enumerate(points) if path.t_min < item.t < path.t_max)
        if damage == "missing":
            del points[inside]
        elif damage == "moved":
            points[inside] = replace(points[inside], t=points[inside].t + 1e-3)
        else:
            points.append(replace(points[inside], t=points[inside].t + 1e-3))
        return replace(path, breakpoints=tuple(points))

    instance = INSTANCES["discounted traces"]
    assert module.check(instance).verdict == "holds"
    monkeypatch.setattr(module, "perturbation_path", wrong)
    assert module.check(instance).verdict == "fails"


def test_wrong_sets_between_breakpoints_are_caught(monkeypatch):
    def wrong(*arguments, **options):
        path = perturbation_path(*arguments, **options)
        lazy = tuple(replace(item, members=path.intervals[0].members) for item in path.intervals)
        return replace(path, intervals=lazy)

    monkeypatch.setattr(result_2, "perturbation_path", wrong)
    assert result_2.check(INSTANCES["graded completions"]).verdict == "fails"


def test_a_wrong_radius_is_caught(monkeypatch):
    true = result_11.length_radius
    monkeypatch.setattr(result_11, "length_radius", lambda *args, **options: 1.01 * true(*args, **options))
    assert result_11.check(INSTANCES["discounted traces"]).verdict == "fails"


@pytest.mark.parametrize("module", [result_2, result_3, result_11])
def test_random_instances(module):
    assert {module.check(random_instance(seed)).verdict for seed in range(32)} == {"holds"}


def test_an_instance_too_large_to_enumerate():
    rng = np.random.default_rng(0)
    mdp = MDP.from_arrays(rng.dirichlet(np.ones(70), (70, 3)), rng.normal(size=(70, 3)), 0.9)
    outcome = result_2.check(replace(INSTANCES["unique chain"], mdp=mdp))
    assert outcome.verdict == "holds"
    assert len(outcome.claims) == 2
