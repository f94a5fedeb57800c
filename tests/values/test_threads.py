"""Threads change no bit of a result; who is solved together with whom changes it within the error bounds."""

import numpy as np
import pytest
from core_oracles import garnet, two_halves

from policycliff import MDP, Entropy, solve, solve_many
from policycliff.values import kept_rows, threads
from policycliff.values.threads import state_ranges


@pytest.fixture
def small_parts(monkeypatch):
    """Ranges and threaded sweeps at sizes that tests can afford."""
    monkeypatch.setattr(threads, "NONZEROS_A_THREAD", 500)
    monkeypatch.setattr(threads, "STATES_A_THREAD", 50)
    monkeypatch.setattr(kept_rows, "WORTH_THREADS", 0)


def world(seed=0, *, gamma=0.97):
    kernel, rewards = garnet(seed, states=700, actions=4, branching=3)
    return MDP.from_arrays(kernel, rewards, gamma)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("method", "regularizer"),
    [
        ("modified_policy_iteration", None),
        ("value_iteration", None),
        ("modified_policy_iteration", Entropy(0.1)),
        ("policy_iteration", Entropy(0.1)),
    ],
)
def test_threads_change_no_bit(method, regularizer):
    mdp = world()
    assert len(state_ranges(mdp, 3)) == 3
    alone, shared = (solve(mdp, method=method, regularizer=regularizer, threads=count) for count in (1, 3))
    assert (alone.q_values == shared.q_values).all()
    assert (alone.policy == shared.policy).all()
    assert (alone.error_bound, alone.iterations) == (shared.error_bound, shared.iterations)


@pytest.mark.usefixtures("small_parts")
def test_threads_change_no_bit_where_values_spread_slowly():
    mdp = two_halves(1, states=300, gamma=0.999)
    alone, shared = (solve(mdp, tolerance=1e-6, threads=count) for count in (1, 3))
    assert len(state_ranges(mdp, 3)) > 1
    assert (alone.q_values == shared.q_values).all()
    assert alone.iterations == shared.iterations <= 10


@pytest.mark.usefixtures("small_parts")
def test_ranges_cover_all_states_once():
    for seed in range(5):
        ranges = state_ranges(world(seed), 4)
        assert [first for first, _ in ranges] == [0, *(last for _, last in ranges[:-1])]
        assert ranges[-1][1] == 700


def test_small_worlds_have_one_range():
    assert state_ranges(world(), 8) == ((0, 700),)


@pytest.mark.parametrize("regularizer", [None, Entropy(0.1)])
def test_eight_rewards_at_once_are_as_one(regularizer):
    mdp = world()
    rewards = np.random.default_rng(1).random((8, mdp.n_pairs))
    together = solve_many(mdp, rewards, regularizer=regularizer)
    for row in range(0, 8, 3):
        alone = solve_many(mdp, rewards[row : row + 1], regularizer=regularizer)
        both = alone.error_bounds[0] + together.error_bounds[row]
        assert np.abs(alone.q_values[0] - together.q_values[row]).max() <= both
