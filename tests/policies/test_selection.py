import numpy as np
import pytest
from core_oracles import random_mdp

from policycliff import MDP, Entropy, greedy_policy, optimal_actions, soft_policy, solve, uniform_policy
from policycliff.errors import InvalidInputError


@pytest.fixture
def tied():
    return MDP.from_arrays(np.full((2, 3, 2), 0.5), [[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]], 0.5)


def test_selections_from_a_tied_set(tied):
    actions = optimal_actions(solve(tied))
    np.testing.assert_array_equal(uniform_policy(actions), [0.5, 0.0, 0.5, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(greedy_policy(actions), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0])


def test_greedy_of_a_solution_is_its_policy():
    solution = solve(random_mdp(2))
    np.testing.assert_array_equal(greedy_policy(solution), solution.policy)


def test_uniform_over_all_actions(tied):
    np.testing.assert_allclose(uniform_policy(tied), np.full(6, 1 / 3))


def test_soft_policy_of_optimal_soft_q_values_is_the_solution():
    mdp = random_mdp(2)
    solution = solve(mdp, regularizer=Entropy(0.3))
    np.testing.assert_array_equal(soft_policy(mdp, solution.q_values, regularizer=Entropy(0.3)), solution.policy)


@pytest.mark.parametrize(("q", "message"), [([1.0], "shape"), ([np.nan] * 6, "finite")])
def test_bad_q_values_are_refused(tied, q, message):
    with pytest.raises(InvalidInputError, match=message):
        soft_policy(tied, np.array(q), regularizer=Entropy(1.0))


def test_policies_are_read_only(tied):
    for policy in (uniform_policy(tied), greedy_policy(solve(tied))):
        with pytest.raises(ValueError, match="read-only"):
            policy[0] = 0.0
