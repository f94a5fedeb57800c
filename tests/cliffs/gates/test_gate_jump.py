"""The jump at a tie of a hard gate, in closed form and as a limit of smaller and smaller moves."""

import json
import math

import numpy as np
import pytest
from core_oracles import random_mdp
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, gate_jump, reward_gate, softmax_gate
from policycliff.errors import InvalidInputError
from policycliff.rewards.gates.gated import gated_reward, softened, with_move
from policycliff.statements.measure import measured_soft_q, state_tv

OPPOSED = [[1.0, 0.0], [0.0, 1.0]]


def bandit(actions=2):
    return MDP.from_arrays(np.ones((1, actions, 1)), np.zeros((1, actions)), 0.0)


def dense_policy(mdp, rewards, temperature):
    alive = rewards * ~mdp.terminal[mdp.pair_states]
    return measured_soft_q(mdp, alive, base=np.ones(mdp.n_pairs), temperature=temperature)[1]


@pytest.mark.parametrize("temperature", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("statistic", ["mean", "max", [1.0, 1.0]])
def test_two_opposed_rewards_jump_by_the_hyperbolic_tangent(temperature, statistic):
    found = gate_jump(bandit(), OPPOSED, reward_gate(2.0, statistic=statistic, temperature=0.0), temperature)
    assert found.policy_jump == pytest.approx(math.tanh(1.0 / (2.0 * temperature)), abs=found.policy_error + 1e-15)
    assert found.reward_jump == 1.0
    assert found.components.tolist() == [0, 1]
    # However small the move, the shift stays: the map is discontinuous, entropy or not.
    np.testing.assert_allclose(found.measured, found.policy_jump, rtol=0.1)
    assert found.measured[-1] == pytest.approx(found.policy_jump, rel=1e-4)
    assert found.steps[-1] < 1e-5


@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from(["mean", "max"]))
@settings(max_examples=6)
def test_every_direction_singles_out_its_component(seed, components, statistic):
    mdp, rng = random_mdp(seed, states=3, actions=3, gamma=0.5), np.random.default_rng(seed)
    rewards = rng.normal(size=(components, mdp.n_pairs))
    gate = reward_gate(1.0, statistic=statistic, temperature=0.0)
    # Make all statistics of state 0 equal by whole numbers that are exact.
    here = slice(int(mdp.offsets[0]), int(mdp.offsets[1]))
    rewards[:, here] = np.array([np.roll(np.arange(here.stop - here.start), k) for k in range(components)])
    found = gate_jump(mdp, rewards, gate, 0.5, state=0)
    assert found.components.tolist() == list(range(components))
    mixed = gated_reward(mdp, rewards, gate)
    for component, direction, limit in zip(found.components, found.directions, found.limits, strict=True):
        assert np.abs(direction).max() <= 1.0
        moved = with_move(mixed, rewards=1e-9 * direction)
        assert moved.weights[component, 0] == 1.0
        assert np.abs(moved.rewards - limit).max() < 1e-8
    policies = [dense_policy(mdp, limit, 0.5) for limit in found.limits]
    largest = max(state_tv(mdp, a, b).max() for a in policies for b in policies)
    assert found.policy_jump == pytest.approx(largest, abs=1e-9)


def test_a_soft_gate_crosses_within_its_temperature_over_its_speed():
    mixed = gated_reward(bandit(), OPPOSED, reward_gate(1.0, temperature=0.0))
    direction = gate_jump(bandit(), OPPOSED, reward_gate(1.0), 1.0).directions[0]
    speed = 2.0  # the first mean rises as the second falls
    for temperature in (1.0, 1e-2, 1e-4):
        soft = softened(mixed, temperature)
        for share in (0.1, 1.0, 10.0):
            step = share * temperature / speed
            ends = [with_move(soft, rewards=sign * step * direction).weights[0, 0] for sign in (1.0, -1.0)]
            assert ends[0] - ends[1] == pytest.approx(math.tanh(speed * step / (2.0 * temperature)), rel=1e-6)


@pytest.mark.parametrize("gain", [1e-12, 1e-9, -1e-9, 1e15, 1e30])
def test_the_size_of_the_gain_does_not_matter(gain):
    found = gate_jump(bandit(), OPPOSED, reward_gate(gain, temperature=0.0), 1.0)
    assert found.components.tolist() == [0, 1]
    assert found.policy_jump == pytest.approx(math.tanh(0.5))
    np.testing.assert_allclose(np.abs(found.directions).max(axis=(1, 2)), 1.0)


def test_components_that_the_gate_reads_alike_win_together():
    # The first and the last logit are one number; the second can rise above both or fall below them.
    gain = [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, -1.0]]
    rewards, gate = [[2.0, 0.0], [1.0, -1.0], [0.0, 2.0]], reward_gate(gain, temperature=0.0)
    found = gate_jump(bandit(), rewards, gate, 0.5)
    assert found.components.tolist() == [0, 1]
    assert found.limits.tolist() == [[1.0, 1.0], [1.0, -1.0]]
    # From a tie of the two actions to a lead of 2.
    assert found.policy_jump == pytest.approx(0.5 * math.tanh(2.0))
    assert found.measured[-1] == pytest.approx(found.policy_jump, rel=1e-4)


def test_a_tie_that_cannot_be_broken_does_not_hide_another():
    # The gate reads nothing in the first state, where components disagree most.
    worlds = MDP.from_arrays(np.tile(np.eye(2)[:, None], (1, 2, 1)), np.zeros((2, 2)), 0.0)
    rewards = np.array([[9.0, 0.0, 1.0, 0.0], [0.0, 9.0, 0.0, 1.0]])
    gate = reward_gate(1.0, statistic=[0.0, 0.0, 1.0, 1.0], temperature=0.0)
    found = gate_jump(worlds, rewards, gate, 0.5)
    assert (found.state, found.components.tolist()) == (1, [0, 1])
    assert found.policy_jump == pytest.approx(math.tanh(1.0))


def test_a_component_inside_the_hull_of_the_others_cannot_be_singled_out():
    # The second logit is the mean of the other two, whatever the rewards are.
    gain = [[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 1.0]]
    rewards = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    found = gate_jump(bandit(), rewards, reward_gate(gain, temperature=0.0), 1.0)
    assert found.components.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("rewards", "gate"),
    [
        ([[1.0, 0.0], [0.0, 2.0]], reward_gate(1.0)),
        (OPPOSED, reward_gate(1.0, bias=[1.0, 0.0])),
        (OPPOSED, softmax_gate([[1.0]], [[0.0, 0.0]])),
        (OPPOSED, reward_gate(1.0, statistic=[0.0, 0.0])),
        ([[1.0, 0.0]], reward_gate(1.0)),
    ],
)
def test_no_tie_that_rewards_can_break_no_jump(rewards, gate):
    found = gate_jump(bandit(), rewards, gate, 1.0)
    assert (found.state, found.policy_jump, found.reward_jump) == (-1, 0.0, 0.0)
    assert "no jump" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_equal_components_tie_without_a_jump():
    found = gate_jump(bandit(), [[1.0, 0.0], [1.0, 0.0]], reward_gate(1.0), 1.0)
    assert found.components.size == 2
    assert found.reward_jump == 0.0
    assert found.policy_jump <= found.policy_error


def test_results_are_json():
    json.dumps(gate_jump(bandit(), OPPOSED, reward_gate(1.0), 1.0).to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("temperature", "state", "message"), [(0.0, None, "temperature"), (1.0, 3, "0 to 0"), (-1.0, None, "temperature")]
)
def test_bad_input_is_refused(temperature, state, message):
    with pytest.raises(InvalidInputError, match=message):
        gate_jump(bandit(), OPPOSED, reward_gate(1.0), temperature, state=state)
