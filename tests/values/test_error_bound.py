"""The error bound is a theorem: checked against exact rational solutions, also where rounding is all there is."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import brute_force, exact_error, random_mdp, recipes, trees
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policycliff import MDP, solve, token_tree

ITERATIVE = ["value_iteration", "policy_iteration", "modified_policy_iteration", "gauss_seidel"]


@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.parametrize("gamma", [0.9, 0.9999, 0.999999])
def test_one_state_whose_computed_residual_is_zero(method, gamma):
    solution = solve(MDP.from_arrays(np.ones((1, 1, 1)), [0.1], gamma), method=method)
    exact = Fraction(0.1) / (1 - Fraction(gamma))
    assert exact_error(solution.q_values, [exact]) <= solution.error_bound
    assert solution.error_bound <= 1e-15 * 0.1 / (1 - gamma) ** 2 * 20


@given(
    recipes(gammas=(0.0, 0.5, 0.9, 0.99, 0.9999)), st.sampled_from(ITERATIVE), st.sampled_from([1e-2, 1e-6, 1e-10, 0.0])
)
@settings(max_examples=150, deadline=None)
def test_iterative_methods(recipe, method, tolerance):
    assume(recipe["gamma"] < 0.999 or method != "value_iteration")
    mdp = random_mdp(**recipe)
    solution = solve(mdp, method=method, tolerance=tolerance)
    values, q = brute_force(mdp)
    assert exact_error(solution.q_values, q) <= solution.error_bound
    assert exact_error(solution.values, values) <= solution.error_bound
    assert solution.status == "rounding_floor" or solution.error_bound <= tolerance


@given(
    trees(), st.sampled_from([0.3, 0.9, 1.0]), st.sampled_from(["auto", *ITERATIVE]), st.sampled_from([1.0, 0.1, 1e12])
)
@settings(max_examples=100, deadline=None)
def test_trees(tree, gamma, method, scale):
    sequences, rewards = tree
    mdp = token_tree(sequences, [scale * reward for reward in rewards], gamma=gamma)
    solution = solve(mdp, method=method)
    _, q = _backward_fractions(mdp)
    assert exact_error(solution.q_values, q) <= solution.error_bound
    if method == "auto" and gamma == 1.0:
        assert solution.error_bound == 0.0


@given(st.integers(0, 10**6), st.sampled_from([0.7, 1.0]))
@settings(max_examples=50, deadline=None)
def test_stochastic_acyclic_mdps(seed, gamma):
    rng = np.random.default_rng(seed)
    kernel = np.triu(rng.random((5, 2, 5)).transpose(1, 0, 2), k=1).transpose(1, 0, 2)
    kernel[:4] /= kernel[:4].sum(axis=2, keepdims=True)
    mdp = MDP.from_arrays(
        kernel, rng.normal(size=(5, 2)) * (np.arange(5) < 4)[:, None], gamma, terminal=np.arange(5) == 4
    )
    _, q = _backward_fractions(mdp)
    for method in ("auto", *ITERATIVE):
        solution = solve(mdp, method=method)
        assert exact_error(solution.q_values, q) <= solution.error_bound < 1e-12


def test_rounding_is_measured_not_estimated():
    thirds = token_tree(["a"], [[0.1, 0.2]])
    solution = solve(thirds)
    assert 0.0 < solution.error_bound < 1e-16
    assert exact_error(solution.q_values, _backward_fractions(thirds)[1]) <= solution.error_bound
    assert solve(token_tree(["a"], [[0.25, 0.5]])).error_bound == 0.0
    assert solve(token_tree(["ab"], [1.0], gamma=0.5)).error_bound == 0.0
    assert solve(token_tree(["ab"], [1.0], gamma=0.9)).error_bound > 0.0


def _backward_fractions(mdp):
    """Exact values of an acyclic MDP, by recursion over the kernel as an array."""
    kernel, gamma = mdp.transitions.toarray(), Fraction(mdp.gamma)
    values, q = {}, [Fraction(0)] * mdp.n_pairs

    def value(state):
        if state not in values:
            pairs = range(mdp.offsets[state], mdp.offsets[state + 1])
            for pair in pairs:
                rest = sum((Fraction(kernel[pair, s]) * value(s) for s in np.flatnonzero(kernel[pair])), Fraction(0))
                q[pair] = Fraction(mdp.rewards[pair]) + gamma * rest
            values[state] = max(q[pair] for pair in pairs)
        return values[state]

    return [value(state) for state in range(mdp.n_states)], q


@pytest.mark.parametrize("gamma", [0.5, 0.9, 1.0])
def test_overflow_is_not_certified(gamma):
    kernel = np.zeros((3, 1, 3))
    kernel[0, 0, 1] = kernel[1, 0, 2] = 1.0
    mdp = MDP.from_arrays(kernel, [[1.5e308], [1.5e308], [0.0]], gamma, terminal=np.arange(3) == 2)
    solution = solve(mdp)
    assert (solution.error_bound, solution.status) == (np.inf, "rounding_floor")
