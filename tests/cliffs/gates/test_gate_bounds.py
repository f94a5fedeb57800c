"""Bounds through a gate against random moves, dense soft solves, finite differences and hand-made instances."""

import json
import math
from itertools import pairwise, product

import numpy as np
import pytest
from core_oracles import garnet, random_mdp
from gate_oracles import build, cases, make_gate
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, effective_reward, gate_bounds, reward_gate, soft_policy_bounds, softmax_gate, token_tree
from policycliff.errors import InvalidInputError
from policycliff.rewards.gates.gated import gated_reward, with_move
from policycliff.statements.measure import measured_q, measured_soft_q, state_tv

ALPHA = 0.5


def dense_policy(mdp, rewards, *, temperature=ALPHA, base=None):
    """The soft policy by dense linear algebra."""
    alive = rewards * ~mdp.terminal[mdp.pair_states]
    measure = np.ones(mdp.n_pairs) if base is None else base
    return measured_soft_q(mdp, alive, base=measure, temperature=temperature)[1]


@given(cases(max_components=3), st.sampled_from([0.01, 0.2, 2.0]))
@settings(max_examples=5)
def test_random_moves_stay_within_every_bound(case, epsilon):
    mdp, rewards, options = build(case)
    gate = make_gate(mdp, len(rewards), options)
    sizes = {"parameter_epsilon": epsilon / 2} if gate.parameters is not None else {}
    found = gate_bounds(mdp, rewards, gate, epsilon, ALPHA, starts=1, **sizes)
    mixed, rng = found.gated, np.random.default_rng(options["seed"])
    free = ~mdp.terminal[mdp.pair_states]
    before, values = dense_policy(mdp, mixed.rewards), measured_q(mdp, mixed.mdp.rewards)[0]
    shift, moved_q = np.zeros(mdp.n_states), 0.0
    for _ in range(5):
        push = None if gate.parameters is None else epsilon / 2 * rng.choice([-1.0, 1.0], gate.parameters.shape)
        move = epsilon * rng.choice([-1.0, 1.0], rewards.shape) * free
        moved = with_move(mixed, rewards=move, parameters=push)
        shift = np.maximum(shift, state_tv(mdp, before, dense_policy(mdp, moved.rewards)))
        moved_q = max(moved_q, float(np.abs(measured_q(mdp, moved.mdp.rewards)[0] - values)[free].max()))
    assert (shift <= found.certified + 1e-10).all()
    assert moved_q <= found.q_bound + 1e-9
    for smaller, larger in pairwise(("measured", "certified", "mixing", "sharp", "linear")):
        assert (getattr(found, smaller) <= getattr(found, larger) + 1e-12).all()
    assert found.worst("linear") <= found.paper_form * (1 + 1e-9) + 1e-9
    assert found.reward_measured <= found.reward_shift.max()
    assert found.q_measured <= found.q_bound


@given(st.integers(0, 10**6), st.sampled_from(["mean", "max", "linear"]))
@settings(max_examples=2)
def test_the_first_order_is_the_worst_corner_of_a_small_ball(seed, statistic):
    rng, mdp = np.random.default_rng(seed), random_mdp(seed, states=2, actions=2, gamma=0.5)
    rewards, size = rng.normal(size=(2, mdp.n_pairs)), 1e-6
    chosen = rng.normal(size=mdp.n_pairs) if statistic == "linear" else statistic
    gate = reward_gate(rng.normal(size=(2, 2)), statistic=chosen, temperature=0.7)
    found = gate_bounds(mdp, rewards, gate, size, ALPHA, starts=0)
    before, worst = dense_policy(mdp, found.gated.rewards), np.zeros(mdp.n_states)
    for signs in product((-1.0, 1.0), repeat=rewards.size):
        moved = with_move(found.gated, rewards=size * np.array(signs).reshape(rewards.shape))
        worst = np.maximum(worst, state_tv(mdp, before, dense_policy(mdp, moved.rewards)))
    np.testing.assert_allclose(found.first_order, worst, rtol=1e-4, atol=1e-11)
    assert (found.first_order <= found.certified + 1e-11).all()


def test_a_gate_that_reads_nothing_is_a_plain_mixture():
    mdp = random_mdp(4, states=3)
    rng = np.random.default_rng(4)
    rewards, features, parameters = rng.normal(size=(3, mdp.n_pairs)), rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
    found = gate_bounds(mdp, rewards, softmax_gate(features, parameters), 0.1, ALPHA, starts=2)
    assert found.growth == 1.0
    logits = (features @ parameters).T
    weights = np.exp(logits) / np.exp(logits).sum(axis=0)
    plain = soft_policy_bounds(mdp.with_rewards(effective_reward(rewards, weights, mdp=mdp)), 0.1, ALPHA, starts=2)
    for column in ("linear", "sharp", "mixing", "certified"):
        np.testing.assert_allclose(getattr(found, column), getattr(plain, column), rtol=1e-9)
    np.testing.assert_allclose(found.first_order, 0.1 * plain.local, rtol=1e-8)
    assert found.worst("measured") == pytest.approx(plain.worst("measured"), rel=0.05)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("temperature", [1.0, 0.05])
def test_reward_and_q_bounds_are_attained(gamma, temperature):
    # One state; the first action is paid and taken, the second one is read and never taken.
    mdp, epsilon, gain = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), gamma), 0.05, 1.0
    rewards, half = [[9.0, -4.0], [7.0, -4.0]], gain * epsilon / 2
    gate = reward_gate(gain, statistic=[0.0, 1.0], bias=[-half, half], temperature=temperature)
    found = gate_bounds(mdp, rewards, gate, epsilon, ALPHA)
    claimed = epsilon + 2.0 * math.tanh(gain * epsilon / (2.0 * temperature))
    assert found.reward_shift.max() == pytest.approx(claimed, rel=1e-9)
    assert found.reward_measured == pytest.approx(claimed, rel=1e-9)
    # Q* moves by the whole of it over 1 - gamma, because the state returns to itself.
    assert found.q_bound == pytest.approx(found.reward_shift[0] + gamma * claimed / (1 - gamma), rel=1e-6)
    assert found.q_measured == pytest.approx(claimed / (1 - gamma), rel=1e-6)


def test_the_constant_grows_like_one_over_the_gates_temperature():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    constants = []
    for temperature in (1.0, 0.1, 0.01, 0.001):
        gate = reward_gate(1.0, temperature=temperature)
        found = gate_bounds(mdp, [[1.0, 0.0], [0.0, 1.0]], gate, 1e-4, ALPHA, starts=1)
        constants.append((found.growth - 1.0) * temperature)
        # Continuous all the same: the shift is small for a small enough move.
        assert found.worst("measured") <= found.worst("certified") <= found.growth * 1e-4 / (2.0 * ALPHA) * (1 + 1e-6)
    np.testing.assert_allclose(constants, 0.5)


def test_a_hard_gate_moves_by_a_jump_at_a_tie_and_not_before():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    hard = reward_gate(1.0, temperature=0.0)
    tied = gate_bounds(mdp, [[1.0, 0.0], [0.0, 1.0]], hard, 1e-9, ALPHA)
    assert tied.growth == np.inf
    assert tied.paper_form == np.inf
    # From the middle to one of the two rewards: half of the jump between them.
    assert tied.worst("measured") == pytest.approx(0.5 * math.tanh(0.5 / ALPHA), rel=1e-6)
    assert np.isnan(tied.first_order).all()
    clear = gate_bounds(mdp, [[1.0, 0.0], [0.0, 1.2]], hard, 0.01, ALPHA)
    assert clear.worst("certified") < 0.011
    assert clear.worst("measured") == pytest.approx(clear.worst("certified"), rel=0.02)
    json.dumps(tied.to_dict(), allow_nan=False)


def test_with_a_reference_policy_and_excluded_actions():
    mdp, rng = random_mdp(11, states=3, actions=3), np.random.default_rng(11)
    base = np.add.reduceat(np.ones(mdp.n_pairs), mdp.offsets[:-1])[mdp.pair_states]
    base = np.where(np.arange(mdp.n_pairs) == mdp.offsets[mdp.pair_states], 2.0, 1.0) / base
    base[int(mdp.offsets[1]) + 1 : int(mdp.offsets[2])] = 0.0
    base /= np.add.reduceat(base, mdp.offsets[:-1])[mdp.pair_states]
    rewards = rng.normal(size=(2, mdp.n_pairs))
    found = gate_bounds(mdp, rewards, reward_gate(2.0), 0.1, ALPHA, reference_policy=base)
    before = dense_policy(mdp, found.gated.rewards, base=base)
    moved = gated_reward(mdp, rewards + found.change, reward_gate(2.0))
    shift = state_tv(mdp, before, dense_policy(mdp, moved.rewards, base=base))
    assert shift.max() == pytest.approx(found.worst("measured"), abs=1e-8)
    assert (shift <= found.certified + 1e-10).all()
    assert found.certified[1] == 0.0
    assert not found.policy[base == 0.0].any()


def test_trees_at_gamma_1():
    tree = token_tree([["a", "b"], ["a", "c"], ["d"]], [1.0, 0.0, 0.5])
    rewards = np.array([tree.rewards, 0.5 * tree.rewards[::-1] * ~tree.terminal[tree.pair_states]])
    found = gate_bounds(tree, rewards, reward_gate(1.0, statistic="max"), 0.05, ALPHA)
    assert found.paper_form == np.inf
    assert 0.0 < found.worst("measured") <= found.worst("certified") < 1.0
    assert found.q_bound < 1.0


def test_a_terminal_state_has_nothing_to_move():
    ended = MDP.from_arrays(np.ones((1, 1, 1)), np.zeros((1, 1)), 0.5, terminal=[True])
    found = gate_bounds(ended, np.zeros((2, 1)), reward_gate(1.0), 0.1, ALPHA)
    assert found.reward_shift.max() == found.reward_measured == found.q_measured == found.worst("measured") == 0.0


def test_nothing_moves_at_size_0():
    found = gate_bounds(random_mdp(1), np.ones((2, random_mdp(1).n_pairs)), reward_gate(1.0), 0.0, ALPHA)
    assert found.worst("certified") == found.worst("measured") == found.q_bound == found.reward_measured == 0.0
    assert found.paper_form == 0.0


def test_a_larger_instance():
    kernel, table = garnet(0, states=60, actions=3, branching=3)
    mdp, rng = MDP.from_arrays(kernel, table, 0.9), np.random.default_rng(0)
    rewards = rng.random((3, mdp.n_pairs))
    found = gate_bounds(mdp, rewards, reward_gate(1.0), 0.01, 0.2, starts=1)
    assert 0.0 < found.worst("measured") <= found.worst("certified") <= found.worst("sharp")
    moved = gated_reward(mdp, rewards + found.change, reward_gate(1.0))
    shift = state_tv(
        mdp,
        dense_policy(mdp, found.gated.rewards, temperature=0.2),
        dense_policy(mdp, moved.rewards, temperature=0.2),
    )
    assert shift.max() == pytest.approx(found.worst("measured"), rel=1e-6)
    assert len(repr(found)) < 1000


def test_results_are_json():
    mdp = random_mdp(5)
    found = gate_bounds(mdp, np.ones((2, mdp.n_pairs)), softmax_gate(np.ones((4, 1)), [[0.0, 1.0]]), 0.1, ALPHA)
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.to_dict()["parameter_change"] is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": -1.0}, "at least 0"),
        ({"epsilon": np.inf}, "finite"),
        ({"temperature": 0.0}, "temperature"),
        ({"parameter_epsilon": -0.1}, "at least 0"),
        ({"parameter_epsilon": 0.1}, "without parameters"),
        ({"states": [7]}, "state indices"),
        ({"starts": -1}, "starts = -1"),
        ({"seed": -1}, "seed = -1"),
        ({"epsilon": 1e300}, "`epsilon`"),
        ({"rewards": [[1.0, 0.0, 2.0]]}, "shape"),
        ({"reference_policy": [0.2, 0.2]}, "1"),
    ],
)
def test_bad_input_is_refused(changes, message):
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    given = {"rewards": [[1.0, 0.0], [0.0, 1.0]], "epsilon": 0.1, "temperature": 1.0, **changes}
    first = [given.pop(name) for name in ("rewards", "epsilon", "temperature")]
    with pytest.raises(InvalidInputError, match=message):
        gate_bounds(mdp, first[0], reward_gate(1.0), first[1], first[2], **given)
