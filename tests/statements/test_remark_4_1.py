"""Remark 4.1 as a statement: instances that lose something, both ends of a bracket, and too many policies."""

from dataclasses import replace
from functools import partial

import numpy as np

from policycliff import MDP, mixture_gap
from policycliff.statements import remark_4_1
from policycliff.statements.instances import random_instance

LOSS = "what the effective policy loses with its own starts"
INSTANCES = [random_instance(seed) for seed in range(16)]


def found(instance, text=LOSS):
    return next(claim for claim in remark_4_1.check(instance).claims if claim.text == text)


def test_some_instances_lose_and_the_enumeration_agrees():
    claims = [found(instance) for instance in INSTANCES]
    assert sum(claim.measured > 0.01 for claim in claims) >= 3
    assert {claim.verdict for claim in claims} == {"holds"}


def test_a_bracket_is_claimed_at_both_ends(monkeypatch):
    monkeypatch.setattr(remark_4_1, "mixture_gap", partial(mixture_gap, max_policies=0))
    assert {remark_4_1.check(instance).verdict for instance in INSTANCES} == {"holds"}
    assert found(INSTANCES[0], f"{LOSS}, at least").relation == ">="
    assert found(INSTANCES[0], f"{LOSS}, at most").relation == "<="


def test_a_bracket_that_is_wrong_at_one_end_is_caught(monkeypatch):
    losing = next(instance for instance in INSTANCES if found(instance).measured > 0.01)
    for ends in ((0.0, 0.0), (1e3, 1e4)):

        def wrong(*arguments, ends=ends, **options):
            return replace(mixture_gap(*arguments, **options, max_policies=0), bracket=ends)

        monkeypatch.setattr(remark_4_1, "mixture_gap", wrong)
        assert remark_4_1.check(losing).verdict == "fails"


def test_too_many_policies_are_not_measured():
    mdp = MDP.from_arrays(np.full((7, 3, 7), 1 / 7), np.arange(21.0).reshape(7, 3), 0.5, initial=np.full(7, 1 / 7))
    outcome = remark_4_1.check(replace(INSTANCES[0], mdp=mdp))
    assert (outcome.verdict, outcome.why) == ("not measured", "more than 600 deterministic policies")
