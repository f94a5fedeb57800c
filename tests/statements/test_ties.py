"""The statements about ties hold on many instances, and say so when a construction is wrong."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from policycliff.cliffs.ties.construction import cliff_perturbation
from policycliff.statements.instances import built_in_instances, random_instance
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.statement import FAILS, HOLDS, NOT_MET

NUMBERS = ["Lemma 2.5", "Prop 2.9", "Prop 2.10", "Prop 3.2", "Prop 4.6", "Lemma C.1", "Lemma C.2", "Fig. soft policy"]
CHECKS = {item.number: item for item in STATEMENTS if item.number in NUMBERS}
INSTANCES = [*built_in_instances(), *(random_instance(seed) for seed in range(40))]
TIED = next(instance for instance in INSTANCES if instance.name == "tied chain")


@pytest.mark.parametrize("number", NUMBERS)
def test_they_hold(number):
    verdicts = [CHECKS[number].check(instance).verdict for instance in INSTANCES]
    assert set(verdicts) <= {HOLDS, NOT_MET}
    assert verdicts.count(HOLDS) >= 20


@pytest.mark.parametrize("number", ["2_9", "2_10", "3_2"])
@pytest.mark.parametrize("wrong", ["too large", "nothing", "another action"])
def test_a_wrong_construction_fails(number, wrong, monkeypatch):
    def spoiled(mdp, state, action, epsilon, **options):
        other = next(int(a) for a in (0, 1) if a != action) if wrong == "another action" else action
        moved = cliff_perturbation(mdp, state, other, epsilon, **options)
        factor = {"too large": 2.5, "nothing": 0.0, "another action": 1.0}[wrong]
        world = mdp.with_rewards(mdp.rewards + factor * moved.change)
        return replace(moved, after=replace(moved.after, mdp=world))

    module = import_module(f"policycliff.statements.proposition_{number}")
    monkeypatch.setattr(module, "cliff_perturbation", spoiled)
    assert module.check(TIED).verdict == FAILS


def test_a_bump_that_is_too_steep_fails(monkeypatch):
    module = import_module("policycliff.statements.lemma_c_1")
    real = module.bump
    monkeypatch.setattr(module, "bump", lambda *args, width, **rest: real(*args, width=width / 2, **rest))
    verdicts = [module.check(instance).verdict for instance in INSTANCES]
    assert FAILS in verdicts


def test_a_step_that_is_too_large_fails(monkeypatch):
    module = import_module("policycliff.statements.lemma_2_5")
    real = module.argmax_drift

    def spoiled(*args):
        drift = real(*args)
        return replace(drift, containment_step=40.0 * drift.containment_step)

    monkeypatch.setattr(module, "argmax_drift", spoiled)
    assert FAILS in [module.check(instance).verdict for instance in INSTANCES]


def test_a_softmax_that_is_too_cold_fails(monkeypatch):
    module = import_module("policycliff.statements.lemma_c_2")
    real = module._softmax
    monkeypatch.setattr(module, "_softmax", lambda q, temperature: real(q, temperature / 8))
    assert FAILS in [module.check(instance).verdict for instance in INSTANCES]


def test_the_figure_notices_another_tilt(monkeypatch):
    module = import_module("policycliff.statements.figure_soft_policy")
    real = module.soft_policy_figure
    monkeypatch.setattr(module, "soft_policy_figure", lambda *, tilt, **rest: real(tilt=1.5 * tilt, **rest))
    assert module.check(TIED).verdict == FAILS
    assert np.isfinite(module.check(TIED).claims[0].measured)
