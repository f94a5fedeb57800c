"""The limit of temperature to 0: what `solve` approaches, counted by hand on trees, and not the obvious guesses."""

import json

import numpy as np
import pytest
from core_oracles import brute_force, optimal_sets, random_mdp, recipes, tie_between_futures, trees
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import KL, MDP, Entropy, optimal_actions, solve, token_tree, uniform_policy, zero_temperature_policy
from policycliff.errors import InvalidInputError


def reference_for(mdp, seed):
    weights = np.random.default_rng(seed).random(mdp.n_pairs) + 0.05
    return weights / np.add.reduceat(weights, mdp.offsets[:-1])[mdp.pair_states]


@given(
    recipes(gammas=(0.0, 0.5, 0.875), max_states=4),
    st.booleans(),
)
@settings(max_examples=60)
def test_soft_policies_approach_it(recipe, towards_reference):
    mdp = random_mdp(**{**recipe, "integer": True})
    base = reference_for(mdp, recipe["seed"]) if towards_reference else None
    limit = zero_temperature_policy(mdp, reference_policy=base, exact=True)
    assert limit.status == "proven"
    values, q = brute_force(mdp)
    gaps = [float(values[state] - value) for state, value in zip(mdp.pair_states, q, strict=True)]
    smallest = min((gap for gap in gaps if gap > 0.0), default=np.inf)
    for temperature in (1e-2, 1e-3, 1e-4):
        regularizer = Entropy(temperature) if base is None else KL(temperature, base)
        solution = solve(mdp, regularizer=regularizer, tolerance=1e-13)
        if smallest / temperature > 60:
            tolerance = 1e-12 + 2 * solution.policy_error_bound
            np.testing.assert_allclose(limit.policy, solution.policy, atol=tolerance)


def tied_world(gamma):
    """Two ways on; behind the first there are three equally good actions, behind the second one."""
    kernel = np.zeros((4, 3, 4))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    kernel[1, :, 3] = kernel[2, :, 3] = 1.0
    available = np.array([[1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=bool)
    rewards = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    terminal = np.array([False, False, False, True])
    return MDP.from_arrays(kernel, rewards, gamma, available=available, terminal=terminal, initial=[1.0, 0, 0, 0])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("towards_reference", [False, True])
def test_it_is_not_the_base_renormalised(gamma, towards_reference):
    mdp = tied_world(gamma)
    base = reference_for(mdp, 3) if towards_reference else np.ones(mdp.n_pairs)
    limit = zero_temperature_policy(mdp, reference_policy=base if towards_reference else None)
    # By hand: the weight of a way is its base times (the optimal base mass behind it) ** gamma.
    ways = base[:2] * np.array([base[2:5].sum(), base[5]]) ** gamma
    np.testing.assert_allclose(limit.policy[:2], ways / ways.sum(), rtol=1e-12)
    if gamma > 0.0:
        guess = base[:2] / base[:2].sum()
        assert np.abs(limit.policy[:2] - guess).max() > 0.01
    errors = []
    for temperature in (0.1, 1e-3, 1e-5):
        regularizer = KL(temperature, base) if towards_reference else Entropy(temperature)
        errors.append(float(np.abs(solve(mdp, regularizer=regularizer).policy - limit.policy).max()))
    assert errors[0] > 1e-5
    assert errors[1] < 1e-9
    assert errors[2] < 1e-9


def test_entropy_is_not_the_uniform_selection():
    mdp = tied_world(1.0)
    actions = optimal_actions(solve(mdp))
    assert np.abs(zero_temperature_policy(mdp).policy - uniform_policy(actions)).max() == pytest.approx(0.25)


@given(trees())
@settings(max_examples=60)
def test_on_trees_it_is_uniform_over_optimal_completions(tree):
    sequences, rewards = tree
    mdp = token_tree(sequences, rewards)
    limit = zero_temperature_policy(mdp)
    assert limit.status == "proven"
    best = [text for text, reward in zip(sequences, rewards, strict=True) if reward == max(rewards)]
    root = int(np.argmax(mdp.initial))
    assert limit.log_mass[root] == pytest.approx(np.log(len(best)), abs=1e-12)
    for pair in range(mdp.offsets[root], mdp.offsets[root + 1]):
        token = mdp.action_names[mdp.actions[pair]]
        begins = [text for text in best if (text[:1] == token) or (not text and token == "<end>")]
        assert limit.policy[pair] == pytest.approx(len(begins) / len(best), abs=1e-12)


@given(recipes(max_states=3), st.booleans())
@settings(max_examples=40)
def test_it_lives_on_the_optimal_actions_and_solves_its_equation(recipe, towards_reference):
    mdp = random_mdp(**{**recipe, "integer": True})
    base = reference_for(mdp, 1) if towards_reference else np.ones(mdp.n_pairs)
    limit = zero_temperature_policy(mdp, reference_policy=base if towards_reference else None, exact=True)
    sets = optimal_sets(mdp)
    assert set(np.flatnonzero(limit.members)) == set().union(*sets)
    ahead = np.exp(mdp.gamma * mdp.transitions.toarray() @ limit.log_mass)
    for state, pairs in enumerate(sets):
        weights = np.zeros(mdp.n_pairs)
        weights[sorted(pairs)] = (base * ahead)[sorted(pairs)]
        span = slice(mdp.offsets[state], mdp.offsets[state + 1])
        np.testing.assert_allclose(limit.policy[span], weights[span] / weights.sum(), atol=1e-10)
        if not mdp.terminal[state]:
            assert limit.log_mass[state] == pytest.approx(np.log(weights.sum()), abs=1e-9)


def test_values_grow_like_temperature_times_the_log_mass():
    mdp = tied_world(0.9)
    limit, hard = zero_temperature_policy(mdp), solve(mdp)
    soft = solve(mdp, regularizer=Entropy(1e-3))
    np.testing.assert_allclose((soft.values - hard.values) / 1e-3, limit.log_mass, atol=1e-9)


def test_what_the_reference_excludes_stays_excluded():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[9.0, 1.0, 1.0]], 0.0)
    limit = zero_temperature_policy(mdp, reference_policy=[0.0, 0.25, 0.75])
    np.testing.assert_allclose(limit.policy, [0.0, 0.25, 0.75])
    assert limit.members.tolist() == [False, True, True]
    assert solve(mdp, regularizer=KL(1e-5, [0.0, 0.25, 0.75])).policy == pytest.approx(limit.policy)


def test_an_undecided_tie_is_said():
    mdp = MDP.from_arrays(*tie_between_futures(4))
    assert zero_temperature_policy(mdp).status == "unresolved"
    exact = zero_temperature_policy(mdp, exact=True)
    assert exact.status == "proven"
    assert exact.policy[:2].tolist() == [0.5, 0.5]
    assert json.loads(json.dumps(exact.to_dict()))["status"] == "proven"
    assert "proven" in repr(exact)


def test_bad_references():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
    for reference, message in (([0.5, 0.4], "sum 0.9"), ([1.0], r"shape \(1,\)"), ([np.nan, 1.0], "nan")):
        with pytest.raises(InvalidInputError, match=message):
            zero_temperature_policy(mdp, reference_policy=reference)
