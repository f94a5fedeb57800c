"""Values of a given policy: the error bound is a theorem, checked against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, exact_error, exact_policy_values, garnet, random_mdp, recipes, solve_fractions, trees
from degenerate_mdps import build, degenerate, integer_rewards
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, greedy_policy, solve, token_tree, uniform_policy
from policycliff.values.evaluation import evaluate


def exact_values(mdp, policy, rewards):
    """(values, Q-values) of a policy over pairs in fractions, its probabilities divided by their exact sums."""
    n, gamma, kernel = mdp.n_states, Fraction(mdp.gamma), dense(mdp)
    reward = [
        Fraction(0) if mdp.terminal[s] else Fraction(float(r)) for s, r in zip(mdp.pair_states, rewards, strict=True)
    ]
    weights = [Fraction(float(p)) for p in policy]
    spans = list(zip(mdp.offsets, mdp.offsets[1:], strict=False))
    totals = [sum(weights[a:b]) for a, b in spans]
    matrix = [
        [
            Fraction(int(i == j)) - gamma * sum(weights[p] * Fraction(kernel[p, j]) for p in range(a, b)) / totals[i]
            for j in range(n)
        ]
        for i, (a, b) in enumerate(spans)
    ]
    values = solve_fractions(
        matrix, [sum(weights[p] * reward[p] for p in range(a, b)) / totals[i] for i, (a, b) in enumerate(spans)]
    )
    q = [
        reward[pair] + gamma * sum((Fraction(kernel[pair, s]) * values[s] for s in range(n)), Fraction(0))
        for pair in range(mdp.n_pairs)
    ]
    return values, q


def random_policy(mdp, rng, *, stochastic):
    """A policy over pairs."""
    if not stochastic:
        policy = np.zeros(mdp.n_pairs)
        policy[mdp.offsets[:-1] + rng.integers(np.diff(mdp.offsets))] = 1.0
        return policy
    weights = rng.random(mdp.n_pairs) * (rng.random(mdp.n_pairs) < 0.8) + 1e-3
    return weights / np.repeat(np.add.reduceat(weights, mdp.offsets[:-1]), np.diff(mdp.offsets))


def check(mdp, policy, rewards):
    found = evaluate(mdp, policy, rewards=rewards)
    values, q = exact_values(mdp, policy, rewards)
    assert exact_error(found.values, values) <= Fraction(found.error_bound)
    assert exact_error(found.q_values, q) <= Fraction(found.error_bound)
    assert not found.values.flags.writeable
    advantages = found.advantages(mdp)
    for pair in range(mdp.n_pairs):
        slack = 2 * Fraction(found.error_bound) + Fraction(2.0**-50) * (abs(q[pair]) + 1)
        assert abs(Fraction(float(advantages[pair])) - (q[pair] - values[mdp.pair_states[pair]])) <= slack
    return found


@given(recipes(gammas=(0.0, 0.5, 0.9, 0.999), max_states=4), st.booleans())
@settings(max_examples=80, deadline=None)
def test_the_bound_holds(recipe, stochastic):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    policy = random_policy(mdp, rng, stochastic=stochastic)
    found = check(mdp, policy, mdp.rewards)
    size = float(np.abs(mdp.rewards).max()) / (1.0 - mdp.gamma)
    assert found.error_bound <= max(1e-13, 1e-11 * size)
    # Any numbers at terminal states count as 0.
    check(mdp, policy, rng.normal(size=mdp.n_pairs))


@given(degenerate(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_bound_holds_on_degenerate_mdps(recipe, stochastic):
    mdp, rng = build(recipe)
    check(mdp, random_policy(mdp, rng, stochastic=stochastic), integer_rewards(mdp, rng))


@given(trees(), st.booleans(), st.sampled_from([1.0, 0.5]))
@settings(max_examples=40, deadline=None)
def test_trees_need_no_rounding(tree, integer, gamma):
    mdp = token_tree(*tree, gamma=gamma)
    rng = np.random.default_rng(len(tree[0]))
    policy = random_policy(mdp, rng, stochastic=False)
    rewards = integer_rewards(mdp, rng) if integer else rng.normal(size=mdp.n_pairs)
    found = check(mdp, policy, rewards)
    if integer:
        assert found.error_bound == 0.0


def test_rounding_of_the_last_addition_is_noticed():
    """Values are exact, but a Q-value is a rounded sum: the bound is not 0."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, :, 1] = kernel[1, :, 2] = 1.0
    rewards = np.array([[0.0, 2.0**-60], [1.0, 1.0], [0.0, 0.0]])
    mdp = MDP.from_arrays(kernel, rewards, 1.0, terminal=np.arange(3) == 2)
    found = check(mdp, np.array([1.0, 0.0, 1.0, 0.0, 1.0]), mdp.rewards)
    assert found.error_bound > 0.0


def test_one_state_whose_computed_residual_is_zero():
    mdp = MDP.from_arrays(np.ones((1, 1, 1)), [0.1], 0.9999)
    found = evaluate(mdp, np.ones(1))
    error = abs(Fraction(float(found.values[0])) - Fraction(0.1) / (1 - Fraction(0.9999)))
    assert 0 < error <= Fraction(found.error_bound)


@given(recipes(gammas=(0.5, 0.9)))
@settings(max_examples=30, deadline=None)
def test_the_optimal_policy_has_the_optimal_values(recipe):
    mdp = random_mdp(**recipe)
    solution = solve(mdp, tolerance=1e-13)
    found = evaluate(mdp, greedy_policy(solution))
    slack = found.error_bound + solution.error_bound + 2.0 * solution.error_bound / (1.0 - mdp.gamma)
    assert np.abs(found.values - solution.values).max() <= slack


def test_a_larger_mdp_against_a_direct_solve():
    kernel, rewards = garnet(0, states=800, actions=4, branching=5)
    mdp = MDP.from_arrays(kernel, rewards, 0.99)
    policy = uniform_policy(mdp)
    found = evaluate(mdp, policy)
    averaged = dense(mdp).reshape(800, 4, 800).mean(axis=1)
    expected = np.linalg.solve(np.eye(800) - 0.99 * averaged, rewards.mean(axis=1))
    assert found.error_bound < 1e-10
    np.testing.assert_allclose(found.values, expected, atol=1e-10)


def test_the_bound_is_not_vacuous():
    """An error that is planted beyond the bound is seen."""
    mdp = random_mdp(3)
    policy = uniform_policy(mdp)
    found = evaluate(mdp, policy)
    values, _ = exact_values(mdp, policy, mdp.rewards)
    assert exact_error(found.values + 4.0 * found.error_bound, values) > Fraction(found.error_bound)
    choice = np.flatnonzero(greedy_policy(solve(mdp))).tolist()
    assert exact_policy_values(mdp, choice) == exact_values(mdp, greedy_policy(solve(mdp)), mdp.rewards)[0]
    assert pytest.approx(float(values[0])) == found.values[0]
