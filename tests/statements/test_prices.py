"""Prop 3.1 and Results 6, 7 and 9 hold on many instances, and say so when what they check is wrong."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from policycliff.statements.instances import Instance, built_in_instances, random_instance, started
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.statement import FAILS, HOLDS, NOT_MEASURED, NOT_MET

MODULES = {"Prop 3.1": "proposition_3_1", "Result 6": "result_6", "Result 7": "result_7", "Result 9": "result_9"}
INSTANCES = [*built_in_instances(), *(random_instance(seed) for seed in range(16))]


def module(number):
    return import_module(f"policycliff.statements.{MODULES[number]}")


def verdicts(number):
    return [module(number).check(instance).verdict for instance in INSTANCES]


@pytest.mark.parametrize("number", MODULES)
def test_they_hold_and_are_registered(number):
    found = verdicts(number)
    assert set(found) <= {HOLDS, NOT_MET}
    assert found.count(HOLDS) >= 8
    assert number in {statement.number for statement in STATEMENTS}


def spoil(monkeypatch, number, name, change):
    real = getattr(module(number), name)
    monkeypatch.setattr(module(number), name, lambda *args, **rest: change(real(*args, **rest)))
    return verdicts(number)


@pytest.mark.parametrize("field", ["best", "worst", "misspecification", "log_optimal_policies"])
def test_a_wrong_price_fails(monkeypatch, field):
    found = spoil(
        monkeypatch,
        "Result 6",
        "degeneracy_price",
        lambda price: replace(price, **{field: getattr(price, field) + 0.1}),
    )
    assert found.count(FAILS) >= 20


def test_a_wrong_certificate_fails(monkeypatch):
    assert FAILS in spoil(
        monkeypatch,
        "Prop 3.1",
        "incomplete_reward_certificate",
        lambda c: replace(c, one_step_gain=2.0 * c.one_step_gain),
    )
    assert FAILS in spoil(
        monkeypatch, "Prop 3.1", "incomplete_reward_certificate", lambda c: replace(c, loss=c.loss + 0.1)
    )


def test_a_change_that_is_too_small_or_too_dear_fails(monkeypatch):
    def scaled(factor):
        return lambda c: replace(c, change=factor * c.change, size=factor * c.size)

    for factor in (0.9, 2.5):
        with monkeypatch.context() as patch:
            assert FAILS in spoil(patch, "Result 7", "design_tie_breaker", scaled(factor))


def test_errors_beyond_the_bound_and_false_ties_fail(monkeypatch):
    off = spoil(monkeypatch, "Result 9", "solve", lambda s: replace(s, q_values=s.q_values + 1e-3))
    assert off.count(FAILS) >= 20
    monkeypatch.undo()
    everything = spoil(
        monkeypatch,
        "Result 9",
        "optimal_actions",
        lambda a: replace(a, members=np.ones_like(a.members), codes=np.ones_like(a.codes)),
    )
    assert FAILS in everything


def test_a_large_mdp_is_not_measured():
    world = random_instance(0).mdp
    size = 500
    kernel = np.zeros((size, 2, size))
    kernel[np.arange(size), :, 0] = 1.0
    large = type(world).from_arrays(kernel, np.zeros((size, 2)), 0.5)
    instance = Instance(name="large", mdp=started(large))
    for number in ("Prop 3.1", "Result 7", "Result 9"):
        assert module(number).check(instance).verdict == NOT_MEASURED
    assert module("Result 6").check(instance).verdict == HOLDS
