"""Best and worst true return over optimal policies, against enumeration of all policies in fractions."""

import json
from dataclasses import replace
from fractions import Fraction
from math import log

import numpy as np
import pytest
from core_oracles import garnet, policies, tie_between_futures
from degenerate_mdps import build, degenerate, integer_rewards, optimal_policies, returns_under, start_value, traces
from hypothesis import given, settings

from policycliff import MDP, degeneracy_price, optimal_actions, solve, token_tree
from policycliff.cliffs.degeneracy import optimal_sets
from policycliff.cliffs.degeneracy import price as degeneracy
from policycliff.errors import InvalidInputError


def by_enumeration(mdp, rewards):
    """The figures of `DegeneracyPrice` by name, in fractions."""
    tied = [start_value(mdp, returns_under(mdp, choice, rewards)) for choice in optimal_policies(mdp)]
    top = max(start_value(mdp, returns_under(mdp, choice, rewards)) for choice in policies(mdp))
    figures = {"best": max(tied), "worst": min(tied), "true_optimum": top}
    return figures | {"tie_breaker_price": max(tied) - min(tied), "misspecification": top - max(tied)}


def inside(bracket, number):
    return Fraction(bracket[0]) <= number <= Fraction(bracket[1])


@given(degenerate())
@settings(max_examples=60, deadline=None)
def test_against_enumeration(recipe):
    mdp, rng = build(recipe)
    rewards = integer_rewards(mdp, rng)
    truth = by_enumeration(mdp, rewards)
    for exact in (False, True):
        price = degeneracy_price(mdp, rewards, exact=exact)
        assert price.status == "exact"
        for name, number in truth.items():
            assert inside(price.brackets[name], number)
            assert getattr(price, name) == pytest.approx(float(number), abs=1e-9)
            if exact:
                assert getattr(price, name) == float(number)


@given(degenerate())
@settings(max_examples=40, deadline=None)
def test_the_policies_are_optimal_and_attain_the_ends(recipe):
    mdp, rng = build(recipe)
    rewards = integer_rewards(mdp, rng)
    price = degeneracy_price(mdp, rewards, exact=True)
    among = optimal_policies(mdp)
    for policy, values, total in (
        (price.best_policy, price.best_values, price.best),
        (price.worst_policy, price.worst_values, price.worst),
    ):
        choice = np.flatnonzero(policy).tolist()
        assert choice in among
        found = returns_under(mdp, choice, rewards)
        assert [float(value) for value in found] == values.tolist()
        assert float(start_value(mdp, found)) == total


@given(degenerate(["acyclic", "trees"]))
@settings(max_examples=40, deadline=None)
def test_counts_of_policies_and_traces(recipe):
    mdp, _ = build(recipe)
    among = optimal_policies(mdp)
    count = len(traces(mdp, among))
    for exact in (False, True):
        price = degeneracy_price(mdp, mdp.rewards, exact=exact)
        assert price.log_optimal_policies == pytest.approx(log(len(among)))
        assert price.log_optimal_traces == pytest.approx(log(count), abs=1e-12)
        low, high = price.brackets["log_optimal_traces"]
        assert low * (1 - 1e-15) <= log(count) <= high * (1 + 1e-15)
        assert price.tie_breaker_price == price.misspecification == 0.0
    assert price.log_reached_policies <= price.log_optimal_policies


@given(degenerate())
@settings(max_examples=20, deadline=None)
def test_an_infinitesimal_bonus_reaches_both_ends(recipe):
    """The optimum of R_train + e R_true, in fractions at a small e, has the true return `best` (and -e: `worst`)."""
    mdp, rng = build(recipe)
    rewards = integer_rewards(mdp, rng)
    price = degeneracy_price(mdp, rewards, exact=True)
    for sign, end in ((1, price.best), (-1, price.worst)):
        scored = []
        for choice in policies(mdp):
            train = start_value(mdp, returns_under(mdp, choice, mdp.rewards))
            true = start_value(mdp, returns_under(mdp, choice, rewards))
            scored.append((train + sign * true / 10**60, true))
        assert float(max(scored)[1] if sign > 0 else max(scored, key=lambda item: item[0])[1]) == pytest.approx(end)


@given(degenerate())
@settings(max_examples=40, deadline=None)
def test_unsettled_sets_give_brackets_that_contain_the_truth(recipe):
    """Sets as floating point leaves them, widened by false members that nothing has ruled out."""
    mdp, rng = build(recipe)
    rewards = integer_rewards(mdp, rng)
    truth = by_enumeration(mdp, rewards)
    true_sets = optimal_actions(solve(mdp), exact=True)
    loose = rng.random(mdp.n_states) < 0.6
    members = true_sets.members | ((rng.random(mdp.n_pairs) < 0.5) & loose[mdp.pair_states])
    codes = np.where(loose & (np.diff(mdp.offsets) > 1), 2, true_sets.codes).astype(np.int8)
    unsettled = replace(true_sets, members=members, codes=codes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(degeneracy, "settled_actions", lambda mdp, *, exact: unsettled)
        price = degeneracy_price(mdp, rewards)
    for name, number in truth.items():
        low, high = price.brackets[name]
        assert low - 1e-12 <= float(number) <= high + 1e-12, name
    counts = price.brackets["log_optimal_policies"]
    assert counts[0] - 1e-12 <= log(len(optimal_policies(mdp))) <= counts[1] + 1e-12
    if price.log_optimal_traces is not None:
        low, high = price.brackets["log_optimal_traces"]
        assert low - 1e-12 <= log(len(traces(mdp, optimal_policies(mdp)))) <= high + 1e-12


@pytest.mark.parametrize(
    ("n_states", "exact", "status"), [(4, False, "exact"), (64, False, "bracket"), (64, True, "exact")]
)
def test_an_open_tie_is_decided_where_small_and_bracketed_where_large(n_states, exact, status):
    mdp = MDP.from_arrays(*tie_between_futures(n_states), initial=np.arange(n_states) == 0)
    true = np.zeros((n_states, 2))
    true[1, 0] = 1.0
    price = degeneracy_price(mdp, true, exact=exact)
    assert price.status == status
    assert (price.best, price.worst, price.tie_breaker_price) == pytest.approx((7.0, 0.0, 7.0))
    low, high = price.brackets["tie_breaker_price"]
    assert high == pytest.approx(7.0)
    # Either branch may be the only optimal one: then nothing is decided.
    assert low == pytest.approx(7.0 if status == "exact" else 0.0)


def test_a_tie_that_no_optimal_policy_reaches_costs_nothing():
    tree = token_tree(["aa", "ab", "b"], [0.0, 0.0, 1.0])
    true = token_tree(["aa", "ab", "b"], [5.0, 0.0, 1.0]).rewards
    price = degeneracy_price(tree, true)
    assert price.log_optimal_traces == 0.0
    assert price.log_reached_policies == 0.0
    assert price.log_optimal_policies == pytest.approx(log(2))
    assert price.brackets["tie_breaker_price"] == (0.0, 0.0)


def test_at_gamma_0_only_the_first_choice_counts():
    kernel = np.zeros((2, 2, 2))
    kernel[:, :, 1] = 1.0
    mdp = MDP.from_arrays(kernel, np.ones((2, 2)), 0.0, initial=[1.0, 0.0])
    price = degeneracy_price(mdp, [[0.0, 1.0], [7.0, 0.0]])
    assert (price.best, price.worst) == (1.0, 0.0)
    assert price.log_reached_policies == pytest.approx(log(2))
    assert price.log_optimal_traces is None


def test_many_traces_need_logarithms():
    """Every word of 9 bits is optimal; then 2,000 binary choices in a row, which no integer type holds."""
    words = [f"{number:09b}" for number in range(512)]
    price = degeneracy_price(token_tree(words, np.ones(512)), token_tree(words, np.arange(512.0)).rewards)
    assert price.log_optimal_traces == pytest.approx(9 * log(2), rel=1e-12)
    assert (price.best, price.worst) == (511.0, 0.0)
    size = 2001
    kernel = np.zeros((size, 2, size))
    kernel[np.arange(size - 1), :, np.arange(1, size)] = 1.0
    chain = MDP.from_arrays(
        kernel, np.zeros((size, 2)), 1.0, terminal=np.arange(size) == size - 1, initial=np.arange(size) == 0
    )
    for exact in (False, True):
        price = degeneracy_price(chain, np.where(np.arange(size)[:, None] < size - 1, [[0.0, 1.0]], 0.0), exact=exact)
        low, high = price.brackets["log_optimal_traces"]
        assert low <= 2000 * log(2) <= high <= low * (1 + 1e-9)
        assert (price.worst, price.best) == (0.0, 2000.0)


def test_a_larger_mdp():
    kernel, rewards = garnet(3, states=3000, actions=4, branching=3)
    mdp = MDP.from_arrays(kernel, np.round(rewards, 1), 0.9, initial=np.full(3000, 1 / 3000))
    price = degeneracy_price(mdp, rewards)
    assert price.status == "exact"
    assert price.worst <= price.best <= price.true_optimum
    assert price.brackets["best"][1] - price.brackets["best"][0] < 1e-9


def bandit(initial):
    return MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.5, initial=initial)


def large_mdp():
    kernel, rewards = garnet(0, states=201, actions=2, branching=2)
    return MDP.from_arrays(kernel, rewards, 0.9, initial=np.full(201, 1 / 201))


@pytest.mark.parametrize(
    ("mdp", "rewards", "exact", "message"),
    [
        (bandit(None), [[0.0, 0.0]], False, "initial"),
        (bandit([1.0]), [[0.0, 0.0, 0.0, 0.0]] * 2, False, r"`true_rewards` of shape \(2, 4\)"),
        (bandit([1.0]), [[0.0, np.nan]], False, "nan in `true_rewards`"),
        (token_tree(["a", "b"], [1.0, 1.0]), np.ones(5), False, "1.0 in `true_rewards` at terminal"),
        (large_mdp(), np.zeros(402), True, "at most 200"),
    ],
)
def test_bad_input(mdp, rewards, exact, message):
    with pytest.raises(InvalidInputError, match=message):
        degeneracy_price(mdp, rewards, exact=exact)


def test_what_it_prints_and_its_dictionary():
    tree = token_tree(["a", "b"], [1.0, 1.0])
    price = degeneracy_price(tree, token_tree(["a", "b"], [1.0, 0.0]).rewards)
    assert "a tie-breaker decides 1" in repr(price)
    stored = json.loads(json.dumps(price.to_dict()))
    assert stored["status"] == "exact"
    assert stored["brackets"]["tie_breaker_price"] == [1.0, 1.0]
    assert optimal_sets.AUTOMATIC_EXACT_LIMIT == 40
