"""Discounted visits against fractions, the return identity and simulated episodes."""

import json
from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, garnet, random_mdp, solve_fractions
from degenerate_mdps import build, degenerate, integer_rewards, returns_under, start_value
from hypothesis import given, settings

import policycliff
from policycliff import MDP, token_tree, uniform_policy
from policycliff.errors import InvalidInputError
from policycliff.policies import occupancy
from policycliff.policies.occupancy import pair_visits, start_distribution, state_visits


def deterministic(mdp, rng):
    policy = np.zeros(mdp.n_pairs)
    policy[mdp.offsets[:-1] + rng.integers(np.diff(mdp.offsets))] = 1.0
    return policy


@given(degenerate())
@settings(max_examples=60, deadline=None)
def test_visits_their_bound_and_the_return_against_fractions(recipe):
    mdp, rng = build(recipe)
    policy = deterministic(mdp, rng)
    choice, n = np.flatnonzero(policy), mdp.n_states
    rows = dense(mdp)[choice]
    # x (I - gamma P) = mu, transposed.
    matrix = [[Fraction(int(i == j)) - Fraction(mdp.gamma) * Fraction(rows[j, i]) for j in range(n)] for i in range(n)]
    exact = solve_fractions(matrix, [Fraction(p) for p in mdp.initial])
    exact = [Fraction(0) if mdp.terminal[s] else exact[s] for s in range(n)]
    found = policycliff.occupancy(mdp, policy)
    for visits in (found.states, found.pairs[choice]):
        missed = sum(abs(Fraction(float(x)) - y) for x, y in zip(visits, exact, strict=True))
        assert missed <= Fraction(found.error_bound)
    assert found.error_bound < 1e-9
    assert found.pairs[policy == 0.0].sum() == 0.0
    assert (found.states == state_visits(mdp, policy)).all()
    assert (found.pairs == pair_visits(mdp, policy)).all()
    np.testing.assert_allclose(found.states, [float(x) for x in exact], rtol=1e-10, atol=1e-12)
    rewards = integer_rewards(mdp, rng)
    total = float(start_value(mdp, returns_under(mdp, choice.tolist(), rewards)))
    assert found.pairs @ rewards == pytest.approx(total, abs=1e-10)


def test_visits_add_up_to_the_horizon_without_terminal_states():
    mdp = random_mdp(0, states=6, gamma=0.9)
    visits = pair_visits(mdp, uniform_policy(mdp))
    assert visits.sum() == pytest.approx(10.0)
    np.testing.assert_allclose(np.add.reduceat(visits, mdp.offsets[:-1]), state_visits(mdp, uniform_policy(mdp)))


def test_gamma_0_counts_the_start_only():
    mdp = random_mdp(1, gamma=0.0, terminals=1)
    np.testing.assert_allclose(state_visits(mdp, uniform_policy(mdp)), np.where(mdp.terminal, 0.0, mdp.initial))


def test_a_tree_at_gamma_1_counts_probabilities():
    tree = token_tree(["ab", "ac", "d"], [0.0, 0.0, 0.0])
    visits = dict(zip(tree.state_names, state_visits(tree, uniform_policy(tree)), strict=True))
    assert visits == {"<end>": 0.0, "": 1.0, "a": 0.5, "a b": 0.25, "a c": 0.25, "d": 0.5}


def test_simulated_episodes():
    mdp = random_mdp(4, states=4, gamma=0.5, terminals=1)
    policy, rng = uniform_policy(mdp), np.random.default_rng(0)
    chain = np.add.reduceat(policy[:, None] * dense(mdp), mdp.offsets[:-1], axis=0)
    chain[mdp.terminal, mdp.terminal] = 1.0
    states = rng.choice(4, 40_000, p=mdp.initial)
    counts = np.zeros(4)
    for step in range(30):
        counts += 0.5**step * np.bincount(states, minlength=4) / states.size
        states = (rng.random(states.size)[:, None] > chain.cumsum(axis=1)[states]).sum(axis=1).clip(max=3)
    counts[mdp.terminal] = 0.0
    np.testing.assert_allclose(state_visits(mdp, policy), counts, atol=0.02)


@pytest.mark.parametrize(("states", "gamma"), [(400, 0.95), (300, 0.99)])
def test_sweeps_agree_with_the_direct_solve_within_the_bounds(monkeypatch, states, gamma):
    kernel, rewards = garnet(2, states=states, actions=3, branching=4)
    mdp = MDP.from_arrays(kernel, rewards, gamma, initial=np.eye(states)[7])
    direct = policycliff.occupancy(mdp, uniform_policy(mdp))
    monkeypatch.setattr(occupancy, "DIRECT_LIMIT", 0)
    sweeps = policycliff.occupancy(mdp, uniform_policy(mdp))
    np.testing.assert_allclose(sweeps.states, direct.states, rtol=1e-9, atol=1e-13)
    assert np.abs(direct.states - sweeps.states).sum() <= direct.error_bound + sweeps.error_bound < 1e-8


def test_another_start_and_none():
    mdp = random_mdp(0, gamma=0.0)
    start = np.array([0.0, 1.0, 0.0, 0.0])
    assert state_visits(mdp, uniform_policy(mdp), initial=start).tolist() == start.tolist()
    assert mdp.initial.sum() == pytest.approx(1.0)
    bare = MDP.from_arrays(np.ones((1, 1, 1)), [[1.0]], 0.5)
    for call in (state_visits, pair_visits, policycliff.occupancy):
        with pytest.raises(InvalidInputError, match="initial"):
            call(bare, np.ones(1))
    assert start_distribution(bare, np.ones(1)).tolist() == [1.0]


def test_the_public_name_checks_and_prints():
    mdp = random_mdp(0, gamma=0.5)
    found = policycliff.occupancy(mdp, uniform_policy(mdp))
    assert found.states.sum() == pytest.approx(2.0)
    assert json.loads(json.dumps(found.to_dict()))["states"] == found.states.tolist()
    assert "2 discounted visits of 4 of 4 states" in repr(found)
    moved = policycliff.occupancy(mdp, uniform_policy(mdp), initial=[0.0, 0.0, 0.0, 1.0])
    assert moved.states[3] > 1.0
    with pytest.raises(InvalidInputError, match=r"sum 2\.0"):
        policycliff.occupancy(mdp, 2.0 * uniform_policy(mdp))
    with pytest.raises(InvalidInputError, match=r"sum 4\.0"):
        policycliff.occupancy(mdp, uniform_policy(mdp), initial=np.ones(4))
