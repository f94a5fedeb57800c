"""Lemma 4.2: with w_k(s) >= 0 that sum to 1 the effective reward is 1-Lipschitz in the reward tuple."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policycliff import effective_reward


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_mixture_moves_at_most_as_far_as_any_component(seed, components):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, components, 3, 2))
    weights = rng.dirichlet(np.ones(components), size=3).T
    change = effective_reward(first, weights) - effective_reward(second, weights)
    assert np.abs(change).max() <= np.abs(first - second).max() * (1 + 1e-12)


def test_a_common_shift_attains_the_bound():
    rewards = np.random.default_rng(0).normal(size=(2, 3, 2))
    weights = np.array([[0.2, 0.5, 1.0], [0.8, 0.5, 0.0]])
    change = effective_reward(rewards + 1.0, weights) - effective_reward(rewards, weights)
    np.testing.assert_allclose(change, 1.0, rtol=1e-14)


def test_raw_weights_need_another_constant():
    change = effective_reward(np.ones((2, 1)), [2.0, 1.0]) - effective_reward(np.zeros((2, 1)), [2.0, 1.0])
    assert change == 3.0
