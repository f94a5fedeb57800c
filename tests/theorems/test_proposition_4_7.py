"""Proposition 4.7: TV of soft policies <= ||R1 - R2|| / (2 alpha (1 - gamma)), and the sharper tanh of it."""

import numpy as np
import pytest
from core_oracles import random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import KL, MDP, Entropy, solve, total_variation, uniform_policy


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.sampled_from([0.05, 0.5, 5.0]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_soft_policies_are_lipschitz_in_the_reward(recipe, temperature, towards_reference):
    mdp = random_mdp(**recipe)
    regularizer = KL(temperature, uniform_policy(mdp)) if towards_reference else Entropy(temperature)
    push = np.random.default_rng(recipe["seed"]).normal(size=mdp.n_pairs) * ~mdp.terminal[mdp.pair_states]
    other = mdp.with_rewards(mdp.rewards + push)
    first, second = (solve(world, regularizer=regularizer).policy for world in (mdp, other))
    bound = np.abs(push).max() / (2 * temperature * (1 - mdp.gamma))
    shift = total_variation(first, second, mdp=mdp)
    assert shift <= bound + 1e-9
    assert shift <= np.tanh(bound) + 1e-9


@pytest.mark.parametrize("size", [0.01, 0.3, 2.0])
def test_the_hyperbolic_tangent_is_attained(size):
    """A choice between a state that gains and one that loses; the reward at the choice moves the other way."""
    gamma, temperature = 0.5, 0.7
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = kernel[1, :, 1] = kernel[2, :, 2] = 1.0
    available = np.array([[True, True], [True, False], [True, False]])
    start = size / (2 * (1 - gamma))
    policies = []
    for step in (0.0, size):
        push = np.array([step - start * (1 - gamma), -step + start * (1 - gamma)])
        rewards = np.array([push, [push[0], 0.0], [push[1], 0.0]])
        mdp = MDP.from_arrays(kernel, rewards, gamma, available=available)
        policies.append(solve(mdp, regularizer=Entropy(temperature)).policy)
    shift = total_variation(*policies, mdp=mdp)
    assert shift == pytest.approx(np.tanh(size / (2 * temperature * (1 - gamma))), rel=1e-6)


def test_the_hard_policy_jumps_where_the_soft_one_glides():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
    moved = mdp.with_rewards([1.0, 1.0 + 1e-6])
    assert total_variation(solve(mdp).policy, solve(moved).policy) == 1.0
    soft = [solve(world, regularizer=Entropy(0.5)).policy for world in (mdp, moved)]
    assert total_variation(*soft) <= 1e-6
