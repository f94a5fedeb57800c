"""The least change that attains the best of the tied optimum, against enumeration of all policies."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import exact_policy_values, policies, random_mdp, recipes
from design_oracles import indicator, least_reached_size, reached
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, degeneracy_price, design_tie_breaker, solve, token_tree
from policycliff.cliffs.design import targets
from policycliff.cliffs.design.targets import best_targets


def from_first_state(mdp):
    """The same with all of the initial distribution on state 0, and rewards that tie often."""
    return MDP.from_pairs(
        mdp.pair_states,
        mdp.transitions,
        mdp.rewards,
        mdp.gamma,
        terminal=mdp.terminal,
        initial=np.eye(mdp.n_states)[0],
    )


def best_choices(mdp, truth):
    """Policies of largest true return among those that are optimal from state 0 where they go, by enumeration."""
    start = next(state for state in range(mdp.n_states) if mdp.initial[state] > 0.0)
    every = policies(mdp)
    values = [exact_policy_values(mdp, choice) for choice in every]
    best = [max(column) for column in zip(*values, strict=True)]
    tied = []
    for choice, value in zip(every, values, strict=True):
        here = np.flatnonzero(reached(mdp, choice))
        if all(value[state] == best[state] for state in here):
            tied.append((exact_policy_values(mdp.with_rewards(truth), choice)[start], choice))
    top = max(worth for worth, _ in tied)
    return top, [choice for worth, choice in tied if worth == top]


@given(recipes(gammas=(0.0, 0.5), max_actions=2), st.sampled_from(["inf", "1", "2"]))
@settings(max_examples=50, deadline=None)
def test_least_over_every_policy_that_attains_the_best(recipe, norm):
    mdp = from_first_state(random_mdp(**{**recipe, "integer": True, "branching": 1}))
    mdp = mdp.with_rewards(np.sign(mdp.rewards) * (np.abs(mdp.rewards) > 1.0))
    rng = np.random.default_rng(recipe["seed"])
    truth = np.where(mdp.terminal[mdp.pair_states], 0.0, rng.integers(0, 2, mdp.n_pairs).astype(float))
    found = design_tie_breaker(mdp, true_rewards=truth, margin=0.25, norm=norm)
    top, choices = best_choices(mdp, truth)
    assert (found.scope, found.status, found.reachable_only) == ("every best policy", "solved", True)
    sizes = [least_reached_size(mdp, choice, margin=0.25, norm=norm) for choice in choices]
    assert found.size == pytest.approx(min(sizes), rel=1e-6, abs=1e-6)
    worth = exact_policy_values(mdp.with_rewards(truth), np.flatnonzero(found.target_policy).tolist())[0]
    assert worth == top
    # Whatever is optimal for the changed reward earns it: solve that MDP by itself.
    after = degeneracy_price(mdp.with_rewards(found.rewards), truth, exact=True)
    assert after.brackets["worst"][1] >= float(top) >= after.brackets["worst"][0]
    assert after.tie_breaker_price == 0.0


def test_the_tree_of_the_reference():
    texts = [t.split() for t in ["think so 4", "guess 4", "think so 5"]]
    graded = token_tree(texts, [1.0, 1.0, 0.0])
    wanted = token_tree(texts, [1.0, 0.25, 0.5])
    found = design_tie_breaker(graded, true_rewards=wanted.rewards, margin=0.1)
    # think so 4 <end> against guess 4 <end>: seven rewards share the margin.
    assert found.size == pytest.approx(0.1 / 7)
    assert found.lower_bound == pytest.approx(0.1 / 7)
    after = degeneracy_price(graded.with_rewards(found.rewards), wanted.rewards)
    assert after.best == after.worst == pytest.approx(1.0)
    assert design_tie_breaker(graded, true_rewards=wanted.rewards).margin == 0.01


def test_states_off_the_path_are_free():
    """Everywhere, a tie that nobody reaches has to be broken as well."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, :, 2] = kernel[1, :, 2] = 1.0
    terminal = np.array([False, False, True])
    mdp = MDP.from_arrays(kernel, [[1.0, 0.0], [5.0, 0.0], [0.0, 0.0]], 0.5, terminal=terminal, initial=[1.0, 0.0, 0.0])
    target = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    assert design_tie_breaker(mdp, target, 0.5).size == pytest.approx(2.75)
    assert design_tie_breaker(mdp, target, 0.5, reachable_only=True).size == 0.0
    found = design_tie_breaker(mdp, true_rewards=[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], margin=0.5)
    assert (found.size, found.scope) == (0.0, "every best policy")


def test_the_cheapest_of_several_best_policies():
    """Two ways are equally right; only one of them may be paid more."""
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.0, initial=[1.0])
    allowed = np.array([False, True, False])
    found = design_tie_breaker(bandit, true_rewards=[[1.0, 1.0, 0.0]], margin=0.5, allowed=allowed)
    assert found.target_policy.tolist() == [0.0, 1.0, 0.0]
    assert (found.size, found.status, found.scope) == (pytest.approx(0.5), "solved", "every best policy")
    none = design_tie_breaker(bandit, true_rewards=[[1.0, 1.0, 0.0]], margin=0.5, allowed=np.array([False] * 3))
    assert none.status == "impossible"


def test_many_best_policies_are_not_enumerated(monkeypatch):
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.0, initial=[1.0])
    assert len(best_targets(bandit, [[1.0, 1.0, 0.0]])[0]) == 2
    monkeypatch.setattr(targets, "MOST_TARGETS", 1)
    found = design_tie_breaker(bandit, true_rewards=[[1.0, 1.0, 0.0]], margin=0.5)
    assert (found.scope, found.status) == ("one best policy", "solved")
    assert Fraction(found.attained_margin) >= Fraction(1, 2)


def test_the_target_is_optimal_for_the_mdp_and_best_for_the_truth():
    mdp = from_first_state(random_mdp(4, states=4, actions=3, gamma=0.5, integer=True, branching=1))
    truth = np.random.default_rng(0).normal(size=mdp.n_pairs)
    found = design_tie_breaker(mdp, true_rewards=truth, margin=0.2)
    price = degeneracy_price(mdp, truth)
    new = solve(mdp.with_rewards(found.rewards)).policy
    kept = new[found.target_policy > 0.0][reached(mdp, np.flatnonzero(found.target_policy))]
    assert (kept == 1.0).all()
    assert exact_policy_values(mdp.with_rewards(truth), np.flatnonzero(new).tolist())[0] == pytest.approx(price.best)
    assert indicator(mdp, np.flatnonzero(found.target_policy)).tolist() == found.target_policy.tolist()
