"""Proposition 2.4: ||Q*_R1 - Q*_R2|| <= ||R1 - R2|| / (1 - gamma) in the sup norm."""

import numpy as np
import pytest
from core_oracles import brute_force, random_mdp, recipes
from hypothesis import given, settings

from policycliff import MDP, solve, token_tree


@given(recipes(gammas=(0.0, 0.5, 0.9)))
@settings(max_examples=60, deadline=None)
def test_q_values_are_lipschitz_in_the_reward(recipe):
    mdp = random_mdp(**recipe)
    push = np.random.default_rng(recipe["seed"] + 1).normal(size=mdp.n_pairs) * ~mdp.terminal[mdp.pair_states]
    other = mdp.with_rewards(mdp.rewards + push)
    first, second = (np.array(brute_force(world)[1], dtype=float) for world in (mdp, other))
    assert np.abs(first - second).max() <= np.abs(mdp.rewards - other.rewards).max() / (1 - mdp.gamma) * (1 + 1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_a_constant_attains_the_bound(gamma):
    mdp = random_mdp(3, gamma=gamma)
    first, second = solve(mdp), solve(mdp.with_rewards(mdp.rewards + 1.0))
    np.testing.assert_allclose(second.q_values - first.q_values, 1.0 / (1.0 - gamma), rtol=1e-8)


def test_without_a_discount_the_number_of_steps_takes_its_place():
    tree = token_tree(["abc", "d"], [1.0, 0.0])
    push = 0.01 * ~tree.terminal[tree.pair_states]
    change = solve(tree.with_rewards(tree.rewards + push)).q_values - solve(tree).q_values
    assert np.abs(change).max() == pytest.approx(0.04)


def test_the_bound_needs_the_same_kernel():
    other = MDP.from_arrays(np.eye(2)[:, None, :], [0.0, 1.0], 0.9)
    swapped = MDP.from_arrays(np.eye(2)[::-1][:, None, :], [0.0, 1.0], 0.9)
    assert np.abs(solve(other).q_values - solve(swapped).q_values).max() > 1.0
