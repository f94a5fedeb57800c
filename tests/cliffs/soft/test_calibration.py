"""Calibrated temperatures keep their promise, the price is an upper bound, the frontier is what it says."""

import json
from itertools import pairwise

import numpy as np
import pytest
from core_oracles import random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st
from soft_oracles import reference_for, soft_optimum, state_tv

from policycliff import MDP, calibrate_temperature, soft_policy_bounds, solve, token_tree, uniform_policy
from policycliff.cliffs.soft.frontier import make_price
from policycliff.cliffs.soft.problem import make_problem
from policycliff.errors import InvalidInputError

THEOREMS = ("universal", "horizon", "mixing", "certified")


def returns(mdp, policy):
    """(states,) values of a policy without regularizer, by a dense solve."""
    kernel = np.add.reduceat(policy[:, None] * mdp.transitions.toarray(), mdp.offsets[:-1], axis=0)
    reward = np.add.reduceat(policy * mdp.rewards, mdp.offsets[:-1])
    return np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * kernel, reward)


@given(
    recipes(gammas=(0.0, 0.5, 0.9), max_states=3),
    st.sampled_from([0.02, 0.5]),
    st.sampled_from([0.05, 0.5]),
    st.sampled_from(["entropy", "kl", "zeros"]),
)
@settings(max_examples=5)
def test_every_proven_temperature_keeps_its_promise(recipe, epsilon, goal, kind):
    mdp = random_mdp(**recipe)
    base = None if kind == "entropy" else reference_for(mdp, recipe["seed"], zeros=kind == "zeros")
    result = calibrate_temperature(mdp, epsilon, goal, reference_policy=base, temperatures=[1.0], starts=1)
    for larger, smaller in pairwise(THEOREMS):
        assert getattr(result, smaller) <= getattr(result, larger) * (1 + 1e-9)
    rng = np.random.default_rng(recipe["seed"])
    free = ~mdp.terminal[mdp.pair_states]
    for temperature in {getattr(result, name) for name in THEOREMS} - {0.0}:
        before = soft_optimum(mdp, temperature, base=base)
        for _ in range(4):
            change = epsilon * free * rng.choice([-1.0, 1.0], mdp.n_pairs)
            after = soft_optimum(mdp, temperature, rewards=mdp.rewards + change, base=base)
            assert state_tv(mdp, before, after).max() <= goal + 1e-8


def test_the_universal_temperature_is_necessary():
    """In the extremal world a colder policy moves further; the calibrated one moves by exactly the goal."""
    epsilon, gamma, goal = 0.3, 0.75, 0.2
    start = epsilon / (2 * (1 - gamma))
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = kernel[1, :, 1] = kernel[2, :, 2] = 1.0
    available = np.array([[True, True], [True, False], [True, False]])
    mdp = MDP.from_arrays(kernel, [[-start, start], [0.0, 0.0], [0.0, 0.0]], gamma, available=available)
    result = calibrate_temperature(mdp, epsilon, goal, temperatures=[1.0])
    expected = epsilon / (2 * (1 - gamma) * np.arctanh(goal))
    for name in (*THEOREMS, "measured"):
        assert getattr(result, name) == pytest.approx(expected, rel=1e-3), name
    assert soft_policy_bounds(mdp, epsilon, 0.99 * expected).worst("measured") > goal


def test_this_reward_needs_less_than_every_reward():
    mdp = random_mdp(1, states=4, actions=3, gamma=0.9)
    result = calibrate_temperature(mdp, 0.1, 0.1, temperatures=[0.5, 1.0], starts=2)
    assert result.certified < 0.7 * result.mixing < 0.7 * result.universal
    assert result.measured <= result.certified
    assert soft_policy_bounds(mdp, 0.1, result.certified, starts=0).worst("certified") <= 0.1
    assert soft_policy_bounds(mdp, 0.1, 0.97 * result.certified, starts=0).worst("certified") > 0.1
    assert result.price.temperature == result.certified
    assert result.price.certified <= 0.1


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), st.sampled_from([0.02, 0.3, 2.0]), st.booleans())
@settings(max_examples=60)
def test_regret_is_exact_and_bounded(recipe, temperature, towards_reference):
    mdp = random_mdp(**recipe)
    base = reference_for(mdp, recipe["seed"]) if towards_reference else None
    price = make_price(mdp, make_problem(mdp, reference_policy=base, mask=None, half_widths=None))
    policy = soft_optimum(mdp, temperature, base=base)
    earned, regret, error = price.regret(policy)
    assert earned == pytest.approx(float(mdp.initial @ returns(mdp, policy)), abs=1e-9)
    assert regret == pytest.approx(float(mdp.initial @ (solve(mdp).values - returns(mdp, policy))), abs=1e-9)
    assert -error - 1e-12 <= regret <= price.bound(temperature) + error + 1e-12
    if base is None and mdp.gamma < 1.0:
        widest = float(np.log(np.diff(mdp.offsets).max()))
        assert price.bound(temperature) <= temperature * widest / (1 - mdp.gamma) + 1e-9


def test_the_price_of_kl_takes_the_optimal_action_that_the_reference_likes_best():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0, initial=[1.0])
    base = np.array([0.1, 0.6, 0.3])
    price = make_price(mdp, make_problem(mdp, reference_policy=base, mask=None, half_widths=None))
    assert price.bound(0.5) == pytest.approx(0.5 * np.log(1 / 0.6))
    excluded = np.array([0.0, 0.0, 1.0])
    price = make_price(mdp, make_problem(mdp, reference_policy=excluded, mask=None, half_widths=None))
    assert price.bound(0.5) == np.inf
    assert price.regret(excluded)[1] == pytest.approx(1.0)


def test_trees_have_a_finite_price_at_gamma_1():
    mdp = token_tree(["aa", "ab", "b"], [1.0, 0.0, 0.5])
    result = calibrate_temperature(mdp, 0.1, 0.2, temperatures=[0.1, 1.0])
    assert result.universal == np.inf
    assert result.horizon == pytest.approx(0.1 * 3 / (2 * np.arctanh(0.2)))
    # Two choices of two on the way to "aa": the entropy of a policy is at most 2 log 2.
    assert result.frontier[1].regret_bound == pytest.approx(2 * np.log(2))
    assert json.loads(json.dumps(result.to_dict()))["universal"] is None


def test_the_frontier_trades_return_for_stability():
    mdp = random_mdp(1, states=4, actions=3, gamma=0.9)
    for base in (None, uniform_policy(mdp)):
        points = calibrate_temperature(mdp, 0.1, 0.1, reference_policy=base, starts=1).frontier
        assert len(points) == 9
        assert np.all(np.diff([point.temperature for point in points]) > 0)
        for name, sign in (("expected_return", -1), ("regret", 1), ("sharp", -1), ("mixing", -1)):
            assert np.all(sign * np.diff([getattr(point, name) for point in points]) >= -1e-9), name
        for point in points:
            assert point.measured <= point.certified <= point.mixing <= point.sharp
            assert point.regret <= point.regret_bound + point.regret_error
            assert point.expected_return + point.regret == pytest.approx(float(mdp.initial @ solve(mdp).values))


def test_without_room_no_temperature_is_needed():
    mdp = random_mdp(3, states=3, actions=2)
    for options in ({"mask": np.zeros(mdp.n_pairs, dtype=bool)}, {"epsilon": 0.0}):
        result = calibrate_temperature(mdp, options.pop("epsilon", 0.1), 0.1, **options)
        assert [getattr(result, name) for name in (*THEOREMS, "local", "measured")] == [0.0] * 6
        assert result.price is None
        assert result.frontier == ()
        assert "free" in repr(result)


def test_without_initial_distribution_the_worst_state_counts():
    mdp = MDP.from_arrays(np.eye(2)[:, None].repeat(2, axis=1), [[1.0, 0.0], [5.0, 0.0]], 0.5)
    point = calibrate_temperature(mdp, 0.1, 0.1, temperatures=[1.0], starts=1).frontier[0]
    policy = soft_optimum(mdp, 1.0)
    assert point.regret == pytest.approx(float((solve(mdp).values - returns(mdp, policy)).max()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_variation": 0.0}, "total_variation = 0.0"),
        ({"total_variation": 1.0}, "total_variation = 1.0"),
        ({"total_variation": np.nan}, "total_variation = nan"),
        ({"epsilon": -1.0}, "epsilon = -1.0"),
        ({"epsilon": np.nan}, "epsilon = nan"),
        ({"temperatures": [1.0, 0.0]}, r"`temperatures` \[1.0, 0.0\]"),
        ({"temperatures": []}, r"`temperatures` \[\]"),
        ({"reference_policy": [0.5, 0.4]}, "sum 0.9"),
        ({"reference_policy": [1.0]}, r"shape \(1,\)"),
        ({"starts": 0}, "starts = 0"),
        ({"half_widths": [1.0]}, r"shape \(1,\)"),
    ],
)
def test_bad_input(options, message):
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    arguments = {"epsilon": 0.1, "total_variation": 0.1, **options}
    with pytest.raises(InvalidInputError, match=message):
        calibrate_temperature(mdp, arguments.pop("epsilon"), arguments.pop("total_variation"), **arguments)
