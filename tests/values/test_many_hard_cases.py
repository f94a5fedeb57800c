"""Worlds that an independent review of `solve` and `solve_many` found hard."""

from dataclasses import replace

import numpy as np
import pytest
from core_oracles import brute_force, exact_error, random_mdp

from policycliff import KL, MDP, Entropy, solve, solve_many
from policycliff.errors import InvalidInputError
from policycliff.mdp.compilation import frozen
from policycliff.values.many_kernels import largest_size


def detour(n_states, gamma, pay, *, absorbing, seed):
    """A path: its left end pays 1 for ever, its right end `pay`, which looks better until the left one is known."""
    place = np.random.default_rng(seed).permutation(n_states + 1)
    kernel, rewards = np.zeros((n_states + 1, 2, n_states + 1)), np.zeros((n_states + 1, 2))
    for state in range(n_states):
        kernel[place[state], 0, place[max(state - 1, 0)]] = 1.0
        kernel[place[state], 1, place[state + 1]] = 1.0
    last = place[n_states]
    kernel[last, :, last] = 1.0
    if not absorbing:
        kernel[last, 1] = np.eye(n_states + 1)[place[n_states - 1]]
    rewards[place[0], 0], rewards[last] = 1.0, pay
    return MDP.from_arrays(kernel, rewards, gamma)


@pytest.mark.parametrize("terminals", [0, 1])
def test_rewards_of_many_sizes_in_one_block(terminals):
    mdp = random_mdp(seed=11, states=4, actions=3, gamma=0.99, terminals=terminals, branching=2)
    sizes = 10.0 ** np.array([-200, -12, 0, 3, 9, 40, 150, 250, -300])
    rewards = sizes[:, None] * np.random.default_rng(0).normal(size=(9, mdp.n_pairs))
    rewards *= ~mdp.terminal[mdp.pair_states]
    found = solve_many(mdp, rewards, tolerance=0.0)
    for i, size in enumerate(sizes):
        values, q = brute_force(mdp.with_rewards(rewards[i]))
        assert exact_error(found.q_values[i], q) <= found.error_bounds[i] <= 1e-9 * size + 1e-295
        assert exact_error(found.values[i], values) <= found.error_bounds[i]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("tiny", [1e-40, 1e-60])
def test_references_below_single_precision(tiny, terminal):
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 0] = kernel[0, 1, 1] = 1.0
    kernel[1, 0, 1] = 1.0
    available = [[True, True], [True, False]]
    mdp = MDP.from_arrays(kernel, np.zeros((2, 2)), 0.9, terminal=[False, terminal], available=available)
    regularizer, rewards = KL(1e-3, np.array([tiny, 1.0 - tiny, 1.0])), np.array([[1.0, 0.0, 0.0]])
    found = solve_many(mdp, rewards, regularizer=regularizer)
    alone = solve(mdp.with_rewards(rewards[0]), regularizer=regularizer)
    assert found.statuses == ("converged",)
    assert np.abs(found.q_values[0] - alone.q_values).max() <= found.error_bounds[0] + alone.error_bound


def test_a_start_with_other_terminal_states():
    mdp = MDP.from_arrays([[[0.1, 0.9]], [[0.0, 0.0]]], np.zeros((2, 1)), 0.9, terminal=[False, True])
    other = MDP.from_arrays([[[0.1565, 0.8435]], [[0.5332, 0.4668]]], [[-0.0889], [0.2258]], 0.9)
    start = solve(other, regularizer=Entropy(1.0))
    found = solve_many(mdp, np.zeros((1, 2)), start=start, regularizer=Entropy(1.0), tolerance=0.1)
    # One action: the optimum is 0.
    assert np.abs(found.q_values).max() <= found.error_bounds[0]


def test_nothing_is_certified_about_nan():
    mdp, regularizer = random_mdp(seed=0, states=6, actions=3, gamma=0.9, terminals=1), Entropy(0.3)
    right = solve(mdp, regularizer=regularizer)
    wrong = replace(right, values=frozen(np.where(np.arange(6) == 1, np.nan, right.values)))
    with pytest.raises(InvalidInputError, match="not finite"):
        solve_many(mdp, mdp.rewards[None], start=wrong, regularizer=regularizer)
    # And where it comes from elsewhere, it ends every certificate.
    assert largest_size(np.array([1.0, np.nan, 2.0])) == np.inf


@pytest.mark.parametrize(("n_states", "gamma", "pay", "seed"), [(150, 0.99, 0.5, 1), (25, 0.999, 0.95, 2)])
def test_gauss_seidel_stops_at_rounding_only(n_states, gamma, pay, seed):
    found = solve(detour(n_states, gamma, pay, absorbing=True, seed=seed))
    assert found.method == "gauss_seidel"
    assert found.error_bound <= 1e-7


def test_shared_newton_steps_stop_at_rounding_only():
    mdp = detour(150, 0.99, 0.9, absorbing=False, seed=0)
    assert solve(mdp).status == "converged"
    assert solve_many(mdp, mdp.rewards[None]).statuses == ("converged",)


def test_a_start_helps_where_an_absorbing_state_pays():
    mdp = random_mdp(seed=3, states=20, actions=3, gamma=0.9999)
    kernel, available = np.zeros((20, 3, 20)), np.zeros((20, 3), bool)
    kernel[mdp.pair_states, mdp.actions] = mdp.transitions.toarray()
    available[mdp.pair_states, mdp.actions] = True
    kernel[-1] = np.eye(20)[-1]
    rewards = np.zeros((20, 3))
    rewards[mdp.pair_states, mdp.actions] = mdp.rewards
    mdp = MDP.from_arrays(kernel, rewards, 0.9999, available=available)
    near = mdp.rewards + 1e-4 * np.random.default_rng(0).normal(size=(2, mdp.n_pairs))
    cold, warm = (solve_many(mdp, near, start=start, tolerance=1e-6) for start in (None, solve(mdp)))
    assert warm.iterations.sum() <= 2 * cold.iterations.sum()
