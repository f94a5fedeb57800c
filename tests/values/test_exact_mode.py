"""Rational arithmetic against enumeration with another elimination in Python's fractions."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import brute_force, exact_policy_values, policies, random_mdp, recipes, trees
from degenerate_mdps import build, degenerate, integer_rewards, returns_under
from hypothesis import given, settings

from policycliff import MDP, token_tree
from policycliff.errors import InvalidInputError
from policycliff.values import exact
from policycliff.values.exact import exact_q_values, fits_exact, make_exact, rational, rationals


def fractions(numbers):
    return [Fraction(int(number.p), int(number.q)) for number in numbers]


@given(recipes())
@settings(max_examples=60, deadline=None)
def test_rational_policy_iteration_finds_the_optimum_exactly(recipe):
    mdp = random_mdp(**recipe)
    assert fractions(exact_q_values(mdp, mdp.offsets[:-1])) == brute_force(mdp)[1]


@given(degenerate())
@settings(max_examples=40, deadline=None)
def test_values_of_a_policy_under_several_rewards(recipe):
    mdp, rng = build(recipe)
    other = integer_rewards(mdp, rng)
    choice = policies(mdp)[-1]
    first, second = make_exact(mdp).values(choice, [rationals(mdp.rewards), rationals(other)])
    assert fractions(first) == exact_policy_values(mdp, choice)
    assert fractions(second) == returns_under(mdp, choice, other)


@given(degenerate())
@settings(max_examples=40, deadline=None)
def test_optimum_among_allowed_pairs(recipe):
    mdp, rng = build(recipe)
    allowed = rng.random(mdp.n_pairs) < 0.6
    allowed[mdp.offsets[:-1] + rng.integers(np.diff(mdp.offsets))] = True
    start = [int(np.flatnonzero(allowed[a:b])[0] + a) for a, b in zip(mdp.offsets, mdp.offsets[1:], strict=False)]
    best, values, q = make_exact(mdp).optimise(rationals(mdp.rewards), start, allowed=allowed.tolist())
    among = [exact_policy_values(mdp, choice) for choice in policies(mdp) if allowed[choice].all()]
    assert fractions(values) == [max(column) for column in zip(*among, strict=True)]
    assert allowed[best].all()
    assert [fractions(q)[pair] for pair in best] == fractions(values)


def test_a_state_keeps_its_action_where_that_is_one_of_the_best():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.9)
    assert [make_exact(mdp).optimise(rationals(mdp.rewards), [pair])[0] for pair in (0, 1, 2)] == [[0], [1], [0]]


@given(trees())
@settings(max_examples=20, deadline=None)
def test_trees_at_gamma_1(tree):
    sequences, rewards = tree
    mdp = token_tree(sequences, rewards)
    values = make_exact(mdp).optimise(rationals(mdp.rewards), mdp.offsets[:-1].tolist())[1]
    assert fractions(values)[int(np.argmax(mdp.initial))] == max(rewards)


def test_a_tie_that_floats_cannot_see_and_one_that_only_looks_like_a_tie():
    """0.1 + 0.2 is not 0.3 as floats; three times 0.1 on one path is three times 0.1 on another."""
    kernel = np.zeros((4, 2, 4))
    kernel[0, 0, 1] = kernel[0, 1, 3] = kernel[1, :, 3] = kernel[2, :, 3] = 1.0
    terminal = np.arange(4) == 3
    rewards = np.array([[0.1, 0.3], [0.2, 0.2], [0.0, 0.0], [0.0, 0.0]])
    q = exact_q_values(MDP.from_arrays(kernel, rewards, 1.0, terminal=terminal), np.array([0, 2, 4, 6]))
    assert q[0] != q[1]
    assert q[0] == rational(0.1) + rational(0.2)
    # Two cycles of equal value, reached by different rows.
    rows = np.zeros((3, 2, 3))
    rows[0, 0, 1] = rows[0, 1, 2] = rows[1, :, 1] = rows[2, :, 2] = 1.0
    q = exact_q_values(MDP.from_arrays(rows, [[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]], 0.9), np.array([0, 2, 4]))
    assert q[0] == q[1]


def test_rational_is_the_number_that_is_stored():
    assert Fraction(0.1) == fractions([rational(0.1)])[0] != Fraction(1, 10)
    assert rational(5e-324) > 0


def test_large_mdps_are_refused(monkeypatch):
    with pytest.raises(InvalidInputError, match="at most 200"):
        exact_q_values(random_mdp(0, states=201, branching=1), np.zeros(201, np.int64))
    assert not fits_exact(random_mdp(0, states=201, branching=1))
    tree = token_tree(["ab", "c"], [1.0, 0.0])
    assert fits_exact(tree)
    monkeypatch.setattr(exact, "EXACT_ACYCLIC_LIMIT", 4)
    with pytest.raises(InvalidInputError, match="or 4 where the MDP is acyclic"):
        make_exact(tree)
    assert not fits_exact(tree)
