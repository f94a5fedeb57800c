"""Gates against loops over states, finite differences, sign patterns of the logits, and random moves in the ball."""

import json
import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from core_oracles import random_mdp
from gate_oracles import arguments, build, cases, make_gate, naive_reward, naive_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, gated_reward, reward_gate, softmax_gate
from policycliff.errors import InvalidInputError
from policycliff.rewards.gates.gated import check_gate, with_move
from policycliff.rewards.gates.growth import (
    growth,
    largest_shift,
    local_growth,
    parameter_growth,
    pull_back,
    reward_shift,
    weight_shift,
)


def bandit(actions=2):
    return MDP.from_arrays(np.ones((1, actions, 1)), np.zeros((1, actions)), 0.0)


def attaining(epsilon, gain, temperature):
    """Two components that disagree by 2 on the first action; the second is read, and the gate turns with the move.

    The weights go from one side of 1/2 to the other while both components gain epsilon on the first action.
    """
    rewards, half = np.array([[1.0, 4.0], [-1.0, 4.0]]), gain * epsilon / 2.0
    gate = reward_gate(gain, statistic=[0.0, 1.0], bias=[-half, half], temperature=temperature)
    return gated_reward(bandit(), rewards, gate), np.array([[epsilon, epsilon], [epsilon, -epsilon]])


@given(cases(reading=True))
@settings(max_examples=60)
def test_weights_and_mixture_state_by_state(case):
    mdp, rewards, options = build(case)
    mixed = gated_reward(mdp, rewards, make_gate(mdp, len(rewards), options))
    weights = naive_weights(mdp, rewards, **arguments(mdp, len(rewards), options))
    np.testing.assert_allclose(mixed.weights, weights, rtol=1e-11, atol=1e-14)
    assert np.abs(mixed.rewards - naive_reward(mdp, rewards, weights)).max() <= mixed.rounding + 1e-15
    np.testing.assert_allclose(mixed.weights.sum(axis=0), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(mixed.mdp.rewards, mixed.rewards)
    assert mixed.rounding < 1e-12


def test_a_gate_over_features_is_a_softmax():
    features, parameters = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[0.5, 0.0], [1.0, -1.0]])
    mdp = MDP.from_arrays(np.full((2, 2, 2), 0.5), np.zeros((2, 2)), 0.5)
    mixed = gated_reward(mdp, np.ones((2, 2, 2)), softmax_gate(features, parameters, temperature=0.5))
    odds = [math.exp((2.5 - -2.0) / 0.5), math.exp((-1.0 - 1.0) / 0.5)]
    np.testing.assert_allclose(mixed.weights[0] / mixed.weights[1], odds, rtol=1e-12)
    np.testing.assert_allclose(mixed.rewards, 1.0)


@given(cases())
@settings(max_examples=60)
def test_the_derivative_against_finite_differences(case):
    mdp, rewards, options = build(case)
    mixed = gated_reward(mdp, rewards, make_gate(mdp, len(rewards), options))
    free, step = ~mdp.terminal[mdp.pair_states], 1e-5 * options["temperature"]
    rows = [pull_back(mixed, unit) for unit in np.eye(mdp.n_pairs)]
    exact = np.array([row.rewards.ravel() for row in rows])
    slopes = np.zeros_like(exact)
    for entry in range(rewards.size):
        push = np.zeros(rewards.size)
        push[entry] = step
        push = push.reshape(rewards.shape) * free
        ahead, behind = with_move(mixed, rewards=push), with_move(mixed, rewards=-push)
        slopes[:, entry] = (ahead.rewards - behind.rewards) / (2 * step)
    scale = 1.0 + np.abs(exact).max()
    np.testing.assert_allclose(exact, slopes, atol=1e-5 * scale)
    np.testing.assert_allclose(local_growth(mixed)[free], np.abs(slopes).sum(axis=1)[free], atol=1e-5 * scale * 12)
    assert (local_growth(mixed) <= growth(mixed) * (1 + 1e-9)).all()


@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0]), st.integers(1, 4))
@settings(max_examples=40)
def test_the_derivative_in_the_parameters(seed, temperature, components):
    rng, mdp = np.random.default_rng(seed), random_mdp(seed, states=3, actions=2)
    features, parameters = rng.normal(size=(3, 2)), rng.normal(size=(2, components))
    rewards = rng.normal(size=(components, mdp.n_pairs))
    mixed = gated_reward(mdp, rewards, softmax_gate(features, parameters, temperature=temperature))
    still, step = np.zeros_like(rewards), 1e-5 * temperature
    slopes = []
    for entry in range(parameters.size):
        push = np.zeros(parameters.size)
        push[entry] = step
        push = push.reshape(parameters.shape)
        ends = [with_move(mixed, rewards=still, parameters=sign * push).rewards for sign in (1, -1)]
        slopes.append((ends[0] - ends[1]) / (2 * step))
    slopes = np.array(slopes).T
    exact = np.array([pull_back(mixed, unit).parameters.ravel() for unit in np.eye(mdp.n_pairs)])
    np.testing.assert_allclose(exact, slopes, atol=1e-5 * (1 + np.abs(exact).max()))
    sizes = np.abs(slopes).sum(axis=1)
    np.testing.assert_allclose(local_growth(mixed, 0.0, 1.0), sizes, atol=1e-4 * (1 + sizes.max()))
    assert (sizes <= parameter_growth(mixed) + 1e-5 * (1 + sizes)).all()
    moved = with_move(mixed, rewards=still, parameters=0.3 * rng.choice([-1.0, 1.0], parameters.shape))
    shift = np.abs(moved.rewards - mixed.rewards)
    assert (shift <= reward_shift(mixed, 0.0, 0.3) + 1e-14).all()
    assert (shift <= 0.3 * parameter_growth(mixed) + 1e-14).all()


@given(cases(), st.sampled_from([1e-6, 0.03, 0.5, 20.0]), st.floats(0.0, 1.0))
@settings(max_examples=80)
def test_nothing_in_the_ball_moves_more_than_the_bound(case, epsilon, inside):
    mdp, rewards, options = build(case)
    gate = make_gate(mdp, len(rewards), options)
    mixed = gated_reward(mdp, rewards, gate)
    rng, free = np.random.default_rng(options["seed"]), ~mdp.terminal[mdp.pair_states]
    bound, turned = reward_shift(mixed, epsilon), weight_shift(mixed, epsilon)
    best = np.zeros(mdp.n_pairs)
    for trial in range(12):
        size = epsilon * (inside if trial % 4 == 3 else 1.0)
        moved = with_move(mixed, rewards=size * rng.choice([-1.0, 1.0], rewards.shape) * free)
        best = np.maximum(best, np.abs(moved.rewards - mixed.rewards))
        assert (0.5 * np.abs(moved.weights - mixed.weights).sum(axis=0) <= turned + 1e-14).all()
    assert (best <= bound).all()
    assert (bound <= epsilon * growth(mixed) * (1 + 1e-9) + 1e-11).all()
    if not gate.reads_rewards:
        np.testing.assert_allclose(bound[free], epsilon, atol=1e-11)
        assert (growth(mixed) == 1.0).all()


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01, 1e-4])
@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 2.0])
def test_the_bound_is_attained_at_every_size(epsilon, temperature):
    gain = 0.7
    mixed, move = attaining(epsilon, gain, temperature)
    found = with_move(mixed, rewards=move).rewards[0] - mixed.rewards[0]
    claimed = epsilon + 2.0 * math.tanh(gain * epsilon / (2.0 * temperature))
    assert found == pytest.approx(claimed, rel=1e-9)
    # The bound for this tuple knows its weights, and here they are the worst.
    assert reward_shift(mixed, epsilon)[0] == pytest.approx(claimed, rel=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 0.01])
def test_the_constant_is_attained_and_grows_like_one_over_the_temperature(temperature):
    mixed, _ = attaining(0.0, 0.7, temperature)
    claimed = 1.0 + 0.7 * 2.0 / (2.0 * temperature)
    assert growth(mixed)[0] == pytest.approx(claimed)
    assert local_growth(mixed)[0] == pytest.approx(claimed)


def test_a_statistic_that_reads_the_pair_itself_costs_less():
    # The component that is to lose weight has to lose reward: w2 - beta on its own coefficient, not w2 + beta.
    mdp = MDP.from_arrays(np.ones((1, 1, 1)), [[0.0]], 0.0)
    mixed = gated_reward(mdp, [[0.5], [-0.5]], reward_gate(1.0, bias=[-0.5, 0.5], temperature=1.0))
    assert growth(mixed)[0] == 1.5
    assert local_growth(mixed)[0] == pytest.approx(1.0)


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([1e-3, 0.5, 3.0, 40.0, 700.0]))
@settings(max_examples=80)
def test_the_shift_of_a_softmax_is_sharp(seed, components, width):
    logits = np.random.default_rng(seed).normal(size=components) * 3.0
    weights = np.exp(logits) / np.exp(logits).sum()
    found = 0.0
    for signs in product((-0.5, 0.5), repeat=components):
        moved = logits + width * np.array(signs)
        other = np.exp(moved - moved.max())
        found = max(found, 0.5 * np.abs(other / other.sum() - weights).sum())
    claimed = float(largest_shift(np.log(weights[:, None]), np.array([width]))[0])
    assert claimed == pytest.approx(found, rel=1e-9, abs=1e-14)
    assert claimed <= math.tanh(width / 4.0) + 1e-12


def test_the_coldest_gate():
    assert gated_reward(bandit(), np.eye(2) * [1.0, 2.0], reward_gate(1.0, temperature=1e-60)).weights.tolist() == [
        [0.0],
        [1.0],
    ]


def test_many_components_have_the_hyperbolic_tangent():
    weights = np.full((13, 1), 1.0 / 13.0)
    assert largest_shift(np.log(weights), np.array([2.0]))[0] == pytest.approx(math.tanh(0.5))


def test_weights_that_underflow_can_still_come_back():
    mixed = gated_reward(bandit(), [[800.0, 0.0], [0.0, 0.0]], reward_gate(1.0, statistic="max"))
    assert mixed.weights[1, 0] == 0.0
    assert weight_shift(mixed, 500.0)[0] == pytest.approx(1.0)


def test_a_cold_gate_that_has_decided_moves_only_when_its_lead_is_used_up():
    # A lead of 800 at temperature 1e-3: 800,000 exponents.
    mixed = gated_reward(bandit(), [[800.0, 0.0], [0.0, 0.0]], reward_gate(1.0, statistic="max", temperature=1e-3))
    assert weight_shift(mixed, 399.9)[0] < 1e-8
    assert weight_shift(mixed, 400.0)[0] == pytest.approx(0.5, abs=1e-6)
    assert weight_shift(mixed, 400.1)[0] == pytest.approx(1.0)


def test_a_shared_largest_reward_has_the_larger_of_its_derivatives():
    rewards = np.array([[1.0, 1.0], [0.0, 3.0]])
    mixed = gated_reward(bandit(), rewards, reward_gate(1.0, statistic="max", temperature=1.0))
    slopes = []
    for signs in product((-1.0, 1.0), repeat=4):
        moved = with_move(mixed, rewards=1e-7 * np.array(signs).reshape(2, 2))
        slopes.append(np.abs(moved.rewards - mixed.rewards) / 1e-7)
    np.testing.assert_allclose(local_growth(mixed), np.max(slopes, axis=0), rtol=1e-5)


def test_hard_gates_take_the_largest_and_share_ties():
    mixed = gated_reward(bandit(), [[2.0, 0.0], [0.0, 3.0]], reward_gate(1.0, temperature=0.0))
    assert mixed.weights.T.tolist() == [[0.0, 1.0]]
    # Means 1 and 1.5: nothing moves before 0.25, everything may beyond.
    assert weight_shift(mixed, 0.2499).tolist() == [0.0]
    assert weight_shift(mixed, 0.2501).tolist() == [1.0]
    assert reward_shift(mixed, 0.2)[0] == pytest.approx(0.2)
    assert local_growth(mixed).tolist() == [1.0, 1.0]
    tied = gated_reward(bandit(), [[2.0, 0.0], [0.0, 2.0]], reward_gate(1.0, temperature=0.0))
    assert tied.weights.T.tolist() == [[0.5, 0.5]]
    assert weight_shift(tied, 1e-9).tolist() == [0.5]
    assert np.isinf(growth(tied)).all()
    assert np.isinf(local_growth(tied)).all()


def test_the_rounding_of_features_is_counted():
    # Logits of a thousand that differ by 1e-13 through a gate of temperature 1e-12, against fractions.
    for seed in range(30):
        rng = np.random.default_rng(seed)
        features, parameters = rng.normal(size=3), 1e3 * rng.normal(size=(3, 2))
        parameters[:, 1] = parameters[:, 0] + 1e-13 * rng.normal(size=3)
        move = 1e-13 * np.sign(np.outer(features, [1.0, -1.0]))
        mixed = gated_reward(
            bandit(), [[1.0, 0.0], [-1.0, 0.0]], softmax_gate([features], parameters, temperature=1e-12)
        )
        ends = []
        for theta in (parameters, parameters + move):
            exact = np.array([Fraction(x) for x in features]) @ np.vectorize(Fraction)(theta)
            first, second = exact.tolist()
            ends.append(math.tanh(float((first - second) / Fraction(1e-12)) / 2.0))
        assert abs(mixed.rewards[0] - ends[0]) <= mixed.rounding
        assert abs(ends[1] - ends[0]) <= reward_shift(mixed, 0.0, np.abs(parameters + move - parameters).max())[0]


def test_nothing_moves_at_size_0_and_terminal_states_stay():
    mdp = random_mdp(3, states=3, terminals=2)
    rewards = np.ones((2, mdp.n_pairs)) * ~mdp.terminal[mdp.pair_states]
    mixed = gated_reward(mdp, rewards, reward_gate(5.0, temperature=0.1))
    assert not reward_shift(mixed, 0.0).any()
    assert not reward_shift(mixed, 1.0)[mdp.terminal[mdp.pair_states]].any()
    assert not pull_back(mixed, np.ones(mdp.n_pairs)).rewards[:, mdp.terminal[mdp.pair_states]].any()


def test_results_are_json_and_one_screen():
    features = softmax_gate([[1.0]], [[1.0, 0.0]])
    for gate in (features, reward_gate(1.0, statistic=[1.0, 0.0]), reward_gate(np.eye(2), bias=[0.0, 1.0])):
        mixed = gated_reward(bandit(), [[1.0, 0.0], [0.0, 1.0]], gate)
        json.dumps(mixed.to_dict(), allow_nan=False)
        assert len(repr(mixed)) < 400
        assert not mixed.weights.flags.writeable


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: softmax_gate([[1.0]], [[1.0], [2.0]]), r"`features` of shape \(1, 1\)"),
        (lambda: softmax_gate([1.0], [[1.0]]), "shape"),
        (lambda: softmax_gate([[np.nan]], [[1.0]]), "finite"),
        (lambda: softmax_gate([[1e200]], [[1.0]]), "`features` at index"),
        (lambda: softmax_gate([[1e50]], [[1e50]]), "features @ parameters"),
        (lambda: softmax_gate([[1.0]], [[1.0]], temperature=-1.0), "at least 0"),
        (lambda: reward_gate([[1.0, 2.0]]), "`gain` of shape"),
        (lambda: reward_gate([1.0, 2.0]), "`gain` of shape"),
        (lambda: reward_gate(np.inf), "finite"),
        (lambda: reward_gate("strong"), "numbers"),
        (lambda: reward_gate(1.0, statistic="median"), "median"),
        (lambda: reward_gate(1.0, statistic=[[1.0]]), "`statistic` of shape"),
        (lambda: reward_gate(1.0, bias=np.zeros((1, 1, 1))), "`bias` of shape"),
        (lambda: reward_gate(1.0, temperature=np.inf), "finite number"),
        (lambda: reward_gate(1.0, temperature=5e-324), "temperature = 5e-324"),
        (lambda: reward_gate(1.0, temperature=1e300), "temperature = 1e"),
        (lambda: reward_gate(1e300), "`gain`"),
        (lambda: reward_gate(1.0, bias=[0.0, -1e300]), "`bias` at index"),
        (lambda: reward_gate(1.0, bias=[]), "`bias` of shape"),
        (lambda: reward_gate(np.eye(2), bias=[0.0, 1.0, 2.0]), "`bias` of shape"),
        (lambda: reward_gate(1.0, statistic=[]), "`statistic` of shape"),
        (lambda: reward_gate(1.0, statistic=[1e300]), "`statistic` at index"),
    ],
)
def test_bad_gates_are_refused(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()


@pytest.mark.parametrize(
    ("rewards", "gate", "message"),
    [
        ([1.0, 0.0], reward_gate(1.0), "not a list of components"),
        ("abc", reward_gate(1.0), "not a list of components"),
        ([[1.0, 0.0, 2.0]], reward_gate(1.0), "shape"),
        ([[1.0, 0.0], [0.0, np.nan]], reward_gate(1.0), r"nan in `rewards\[1\]` at index \(1,\)"),
        ([[1.0, 0.0], [0.0, -1e300]], reward_gate(1.0), r"-1e\+300 in `rewards\[1\]` at index \(1,\)"),
        ([[1.0, 0.0], [0.0]], reward_gate(1.0), r"`rewards\[1\]` of shape \(1,\) beside"),
        ([[[1.0, 0.0], [0.0]]], reward_gate(1.0), r"`rewards\[0\]`"),
        ([[1.0, 0.0], [0.0, 1.0]], reward_gate(np.eye(3)), "`gain` of shape"),
        ([[1.0, 0.0], [0.0, 1.0]], reward_gate(1.0, bias=[1.0, 2.0, 3.0]), "logits of shape"),
        ([[1.0, 0.0], [0.0, 1.0]], reward_gate(1.0, statistic=[1.0]), "`statistic` of shape"),
        ([[1.0, 0.0], [0.0, 1.0]], softmax_gate([[1.0], [2.0]], [[1.0, 0.0]]), "logits of shape"),
    ],
)
def test_what_does_not_fit_is_refused(rewards, gate, message):
    with pytest.raises(InvalidInputError, match=message):
        gated_reward(bandit(), rewards, gate)


def test_a_gate_is_a_gate():
    with pytest.raises(InvalidInputError, match="a Gate"):
        check_gate(bandit(), "softmax", 2)
