"""The inverse Bellman map: solving its reward gives the Q-values back, and no other reward does."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import brute_force, dense, garnet, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, inverse_bellman, solve, token_tree
from policycliff.errors import InvalidInputError
from policycliff.rewards.inverse import inverse_bellman_error


def wanted_q(mdp, seed, scale=1.0):
    q = scale * np.random.default_rng(seed).normal(size=mdp.n_pairs)
    return np.where(mdp.terminal[mdp.pair_states], 0.0, q)


def exact_inverse(mdp, q):
    """The map in fractions, from the dense kernel."""
    kernel = dense(mdp)
    spans = list(zip(mdp.offsets, mdp.offsets[1:], strict=False))
    best = [max(Fraction(x) for x in q[a:b]) for a, b in spans]
    return [
        Fraction(q[pair])
        - Fraction(mdp.gamma) * sum((Fraction(p) * v for p, v in zip(kernel[pair], best, strict=True)), Fraction(0))
        for pair in range(mdp.n_pairs)
    ]


@given(recipes(max_states=4), st.sampled_from([1e-3, 1.0, 1e6]))
@settings(max_examples=80, deadline=None)
def test_solving_gives_the_q_values_back(recipe, scale):
    mdp = random_mdp(**recipe)
    q = wanted_q(mdp, recipe["seed"], scale)
    solution = solve(mdp.with_rewards(inverse_bellman(mdp, q)), tolerance=1e-12 * scale)
    allowed = solution.error_bound + inverse_bellman_error(mdp, q) / (1 - mdp.gamma)
    assert np.abs(solution.q_values - q).max() <= allowed
    assert allowed <= 1e-9 * scale


@given(recipes(max_states=3))
@settings(max_examples=60, deadline=None)
def test_rounding_stays_within_its_bound(recipe):
    mdp = random_mdp(**recipe)
    q = wanted_q(mdp, recipe["seed"])
    exact = exact_inverse(mdp, q)
    worst = max(abs(Fraction(float(a)) - b) for a, b in zip(inverse_bellman(mdp, q), exact, strict=True))
    assert worst <= Fraction(inverse_bellman_error(mdp, q))


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=3))
@settings(max_examples=40, deadline=None)
def test_it_inverts_the_map_from_rewards_to_q_values(recipe):
    mdp = random_mdp(**recipe)
    _, q = brute_force(mdp)
    floats = np.array([float(x) for x in q])
    np.testing.assert_allclose(inverse_bellman(mdp, floats), mdp.rewards, atol=1e-12)


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5, unique=True), st.integers(0, 10**5))
@settings(max_examples=40, deadline=None)
def test_trees_at_gamma_one(sequences, seed):
    tree = token_tree(sequences, np.zeros(len(sequences)))
    q = np.where(
        tree.terminal[tree.pair_states], 0.0, np.random.default_rng(seed).integers(-4, 5, tree.n_pairs)
    ).astype(float)
    solution = solve(tree.with_rewards(inverse_bellman(tree, q)))
    assert solution.error_bound == 0.0
    assert solution.q_values.tolist() == q.tolist()


def test_other_rewards_have_other_q_values():
    mdp = random_mdp(5)
    q = wanted_q(mdp, 5)
    rewards = inverse_bellman(mdp, q).copy()
    rewards[3] += 1e-3
    assert np.abs(solve(mdp.with_rewards(rewards)).q_values - q).max() >= 1e-3 - 1e-9


def test_a_large_sparse_mdp():
    kernel, rewards = garnet(1, states=20_000, actions=4, branching=5)
    mdp = MDP.from_arrays(kernel, rewards, 0.99)
    q = wanted_q(mdp, 1)
    solution = solve(mdp.with_rewards(inverse_bellman(mdp, q)), tolerance=1e-9)
    assert np.abs(solution.q_values - q).max() <= solution.error_bound + 100 * inverse_bellman_error(mdp, q)


def test_bad_input_is_refused():
    mdp = MDP.from_arrays(np.full((2, 1, 2), [0.0, 1.0]), np.zeros((2, 1)), 0.5, terminal=np.array([False, True]))
    assert inverse_bellman(mdp, [1.0, 0.0]).tolist() == [1.0, 0.0]
    with pytest.raises(InvalidInputError, match=r"1\.0 at terminal state 1"):
        inverse_bellman(mdp, [0.0, 1.0])
    with pytest.raises(InvalidInputError, match="one value a pair"):
        inverse_bellman(mdp, [1.0])
    with pytest.raises(InvalidInputError, match="finite"):
        inverse_bellman(mdp, [np.nan, 0.0])
    with pytest.raises(InvalidInputError, match="finite"):
        inverse_bellman_error(mdp, [np.inf, 0.0])


def test_the_result_is_read_only():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.5)
    with pytest.raises(ValueError, match="read-only"):
        inverse_bellman(mdp, [1.0, 2.0])[0] = 3.0
