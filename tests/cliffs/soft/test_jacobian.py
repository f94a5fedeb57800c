"""The derivative of the soft policy: against central differences, and its norm against all vertices of the ball."""

import numpy as np
import pytest
from core_oracles import garnet, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st
from soft_oracles import finite_difference_jacobian, reference_for, subset_modulus

from policycliff import KL, MDP, Entropy, soft_policy_bounds, solve, token_tree
from policycliff.cliffs.soft.jacobian import make_soft_map
from policycliff.values import left_solve


def soft_map(mdp, temperature, base=None):
    regularizer = Entropy(temperature) if base is None else KL(temperature, base)
    return make_soft_map(mdp, solve(mdp, regularizer=regularizer, tolerance=1e-12).policy, temperature)


def jacobian_of(mdp, temperature, base=None):
    """All rows, as gradients of single actions."""
    found, rows = soft_map(mdp, temperature, base), []
    for state in range(mdp.n_states):
        size = int(mdp.offsets[state + 1] - mdp.offsets[state])
        rows += [found.gradient(state, np.arange(size) == action) for action in range(size)]
    return np.array(rows)


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), st.sampled_from([0.3, 1.0]), st.booleans())
@settings(max_examples=25)
def test_gradients_against_central_differences(recipe, temperature, towards_reference):
    mdp = random_mdp(**recipe)
    base = reference_for(mdp, recipe["seed"]) if towards_reference else None
    free = ~mdp.terminal[mdp.pair_states]
    expected = finite_difference_jacobian(mdp, temperature, base=base)
    np.testing.assert_allclose(jacobian_of(mdp, temperature, base)[:, free], expected[:, free], atol=2e-8, rtol=1e-5)


def test_gradients_on_a_tree_at_gamma_1():
    mdp = token_tree(["a", "ba", "bb", "bac"], [1.0, 0.0, 0.5, 2.0])
    expected = finite_difference_jacobian(mdp, 0.7)
    free = ~mdp.terminal[mdp.pair_states]
    np.testing.assert_allclose(jacobian_of(mdp, 0.7)[:, free], expected[:, free], atol=1e-8)


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=3), st.booleans())
@settings(max_examples=40)
def test_the_local_modulus_is_the_largest_of_all_vertices(recipe, unequal):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    widths = rng.integers(0, 3, mdp.n_pairs) / 2.0 if unequal else np.ones(mdp.n_pairs)
    bounds = soft_policy_bounds(mdp, 0.0, 0.5, half_widths=widths, starts=0)
    whole = jacobian_of(mdp, 0.5) * ~mdp.terminal[mdp.pair_states]
    for state in range(mdp.n_states):
        block = whole[mdp.offsets[state] : mdp.offsets[state + 1]]
        assert bounds.local[state] == pytest.approx(subset_modulus(block, widths), rel=1e-8, abs=1e-13)
        assert bounds.local_high[state] == pytest.approx(bounds.local[state], rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("limit", [0, 3000])
def test_sweeps_and_factors_agree(monkeypatch, limit):
    kernel, rewards = garnet(3, states=50, actions=4, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.95)
    expected = soft_policy_bounds(mdp, 0.1, 0.5, starts=0).local
    monkeypatch.setattr(left_solve, "DIRECT_LIMIT", limit)
    np.testing.assert_allclose(soft_policy_bounds(mdp, 0.1, 0.5, starts=0).local, expected, rtol=1e-8)


def test_a_coin_has_modulus_one_half_over_the_temperature():
    bounds = soft_policy_bounds(MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0), 1.0, 0.25, starts=0)
    # d pi = p (1 - p) (D1 - D2) / alpha, and D1 - D2 is at most 2.
    assert bounds.local[0] == pytest.approx(0.5 / 0.25)
