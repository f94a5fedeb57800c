"""Lemma C.2: softmax at temperature alpha is 1/alpha-Lipschitz from the sup norm to the 1-norm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policycliff import MDP, Entropy, soft_policy


def softmax(q, temperature):
    bandit = MDP.from_arrays(np.ones((1, len(q), 1)), np.zeros((1, len(q))), 0.0)
    return soft_policy(bandit, np.asarray(q, dtype=float), regularizer=Entropy(temperature))


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=6),
    st.sampled_from([0.01, 0.5, 10.0]),
)
def test_softmax_is_lipschitz(pairs, temperature):
    first, second = np.array(pairs).T
    change = np.abs(softmax(first, temperature) - softmax(second, temperature)).sum()
    assert change <= np.abs(first - second).max() / temperature + 1e-12


def test_the_constant_is_reached_in_the_limit_of_two_equal_actions():
    change = np.abs(softmax([1e-6, -1e-6], 0.5) - softmax([0.0, 0.0], 0.5)).sum()
    assert change == pytest.approx(1e-6 / 0.5, rel=1e-6)
