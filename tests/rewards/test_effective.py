import numpy as np
import pytest
from core_oracles import random_mdp

from policycliff import effective_reward
from policycliff.errors import InvalidInputError
from policycliff.rewards.effective import mixture_modulus


def test_constant_weights_are_a_plain_sum():
    rewards = np.random.default_rng(0).normal(size=(3, 4, 2))
    expected = 0.2 * rewards[0] - 1.5 * rewards[1] + 3.0 * rewards[2]
    np.testing.assert_allclose(effective_reward(rewards, [0.2, -1.5, 3.0]), expected, rtol=1e-13)


def test_state_weights_spread_over_tables_and_pairs_alike():
    mdp = random_mdp(1)
    rng = np.random.default_rng(2)
    tables, weights = rng.normal(size=(2, mdp.n_states, 3)), rng.random((2, mdp.n_states))
    over_table = effective_reward(tables, weights)
    over_pairs = effective_reward(tables[:, mdp.pair_states, mdp.actions], weights, mdp=mdp)
    np.testing.assert_allclose(over_pairs, over_table[mdp.pair_states, mdp.actions], rtol=1e-14)


@pytest.mark.parametrize(
    ("rewards", "weights", "message"),
    [
        ([[1.0, 2.0]], [1.0, 2.0], "shape"),
        ([1.0, 2.0], [1.0, 2.0], "shape"),
        ([[1.0, np.nan]], [1.0], "finite"),
        ([[1.0, 2.0]], [np.inf], "finite"),
        ([[1.0, 2.0]], [[1.0, 1.0]], "no MDP"),
        (np.ones((1, 3, 2)), np.ones((1, 2)), "weights for 2 states"),
    ],
)
def test_bad_mixtures_are_refused(rewards, weights, message):
    with pytest.raises(InvalidInputError, match=message):
        effective_reward(rewards, weights)


def test_vectors_must_fit_the_mdp():
    mdp = random_mdp(1)
    with pytest.raises(InvalidInputError, match="pairs of the MDP"):
        effective_reward(np.ones((1, 2)), np.ones((1, mdp.n_states)), mdp=mdp)
    with pytest.raises(InvalidInputError, match="weights for 1 states"):
        effective_reward(np.ones((1, mdp.n_pairs)), np.ones((1, 1)), mdp=mdp)


def test_modulus_of_raw_weights():
    assert mixture_modulus([0.25, 0.75]) == 1.0
    assert mixture_modulus([[2.0, 0.5], [-1.0, 0.5]]) == 3.0
