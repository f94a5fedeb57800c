"""Regret against brute force over deterministic policies in fractions; ties; normalisation."""

import json
from fractions import Fraction

import numpy as np
import pytest
from core_oracles import exact_policy_values, garnet, policies, random_mdp, recipes
from hypothesis import given, settings

from policycliff import MDP, Regret, regret, token_tree
from policycliff.errors import InvalidInputError


def start_return(mdp, values):
    return sum((Fraction(p) * v for p, v in zip(mdp.initial, values, strict=True)), Fraction(0))


def brute(mdp, trained_on, true):
    """(best, worst) regret and the range, over policies that are optimal for `trained_on` in every state."""
    trained, wanted = mdp.with_rewards(trained_on), mdp.with_rewards(true)
    choices = policies(mdp)
    values = [exact_policy_values(trained, choice) for choice in choices]
    top = [max(column) for column in zip(*values, strict=True)]
    returns = [start_return(mdp, exact_policy_values(wanted, choice)) for choice in choices]
    tied = [total for total, value in zip(returns, values, strict=True) if value == top]
    best = max(returns)
    return best - max(tied), best - min(tied), best - min(returns)


def rewards_of(mdp, seed):
    rewards = np.random.default_rng(seed).integers(-2, 3, mdp.n_pairs).astype(float)
    return np.where(mdp.terminal[mdp.pair_states], 0.0, rewards)


@given(recipe=recipes())
@settings(max_examples=25, deadline=None)
def test_against_brute_force(recipe):
    mdp = random_mdp(**{**recipe, "integer": True})
    true = rewards_of(mdp, recipe["seed"] + 1)
    best, worst, spread = brute(mdp, mdp.rewards, true)
    for exact in (False, True):
        found = regret(mdp, mdp.rewards, true, exact=exact)
        assert found.status == "exact"
        for name, expected in (("best", best), ("worst", worst), ("value_range", spread)):
            low, high = found.brackets[name]
            assert Fraction(low) <= expected <= Fraction(high)
            assert low <= getattr(found, name) <= high
            assert high - low < 1e-9
        assert found.best <= found.uniform + 1e-9 <= found.worst + 2e-9
        share = float(worst / spread) if spread else 0.0
        assert found.normalised_worst == pytest.approx(share, abs=1e-9)


def test_the_uniform_choice_is_the_mean_of_a_tied_bandit():
    bandit = MDP.from_arrays(np.ones((1, 4, 1)), np.zeros((1, 4)), 0.0, initial=[1.0])
    found = regret(bandit, [1.0, 1.0, 1.0, 0.0], [4.0, 2.0, 0.0, 8.0])
    assert (found.best, found.worst) == (4.0, 8.0)
    assert found.uniform == pytest.approx(6.0)
    assert (found.true_optimum, found.value_range) == (8.0, 8.0)
    assert found.normalised_uniform == pytest.approx(0.75)
    low, high = found.brackets["normalised_uniform"]
    assert low <= 0.75 <= high


def test_the_uniform_choice_on_a_tree():
    tree = token_tree(["ab", "ac", "d"], [1.0, 1.0, 1.0])
    true = token_tree(["ab", "ac", "d"], [0.0, 1.0, 0.25]).rewards
    found = regret(tree, tree.rewards, true)
    # Half of the time d; a quarter each for ab and ac.
    assert found.uniform == pytest.approx(1.0 - (0.5 * 0.25 + 0.25 * 1.0))
    assert (found.best, found.worst) == (0.0, 1.0)


def test_scale_and_shaping_of_the_true_reward_leave_the_share():
    mdp = random_mdp(3, states=4, gamma=0.8)
    true = rewards_of(mdp, 1)
    potential = np.array([1.0, -2.0, 0.5, 3.0])
    shaped = 5.0 * (true + 0.8 * mdp.transitions @ potential - potential[mdp.pair_states])
    a, b = regret(mdp, mdp.rewards, true), regret(mdp, mdp.rewards, shaped)
    assert a.normalised_worst == pytest.approx(b.normalised_worst)
    assert b.worst == pytest.approx(5.0 * a.worst)
    assert a.normalised_worst > 0.05


def test_the_own_reward_and_its_opposite():
    mdp = random_mdp(5, states=5, gamma=0.9, terminals=1)
    same, opposite = regret(mdp, mdp.rewards, mdp.rewards), regret(mdp, -mdp.rewards, mdp.rewards)
    assert same.worst == pytest.approx(0.0, abs=1e-9)
    assert opposite.normalised_best == pytest.approx(1.0)
    assert opposite.worst == pytest.approx(opposite.value_range)


def test_a_true_reward_without_anything_to_lose():
    mdp = random_mdp(5, states=3, gamma=0.5)
    found = regret(mdp, mdp.rewards, np.zeros(mdp.n_pairs))
    assert (found.worst, found.value_range, found.normalised_worst) == (0.0, 0.0, 0.0)
    constant = regret(mdp, mdp.rewards, np.ones(mdp.n_pairs))
    assert constant.brackets["worst"][1] < 1e-9
    low, high = constant.brackets["normalised_worst"]
    assert 0.0 <= low <= constant.normalised_worst <= high <= 1.0


def test_the_mdps_own_reward_does_not_matter_and_gamma_0_counts_one_step():
    mdp = random_mdp(7, states=4, gamma=0.0)
    true = rewards_of(mdp, 3)
    a = regret(mdp, rewards_of(mdp, 2), true)
    b = regret(mdp.with_rewards(true), rewards_of(mdp, 2), true)
    assert a.to_dict() == b.to_dict()
    best, worst, _ = brute(mdp, rewards_of(mdp, 2), true)
    assert a.best == pytest.approx(float(best))
    assert a.worst == pytest.approx(float(worst))


def test_a_larger_mdp():
    kernel, rewards = garnet(0, states=2000, actions=4, branching=4)
    mdp = MDP.from_arrays(kernel, rewards, 0.9, initial=np.eye(2000)[0])
    noisy = mdp.rewards + 0.05 * np.random.default_rng(0).normal(size=mdp.n_pairs)
    found = regret(mdp, noisy, mdp.rewards)
    assert 0.0 < found.brackets["worst"][0] < found.worst < 0.5
    assert found.best == pytest.approx(found.worst)
    assert found.normalised_worst < 0.2


def test_json_and_repr():
    mdp = random_mdp(0)
    found = regret(mdp, mdp.rewards, rewards_of(mdp, 1))
    assert isinstance(found, Regret)
    assert json.loads(json.dumps(found.to_dict()))["worst"] == found.worst
    assert len(repr(found)) < 250


def test_bad_input():
    mdp = random_mdp(0)
    bare = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5)
    with pytest.raises(InvalidInputError, match=r"without initial.*initial="):
        regret(bare, [1.0, 0.0], [0.0, 1.0])
    with pytest.raises(InvalidInputError, match="`trained_on` of shape"):
        regret(mdp, np.ones(3), mdp.rewards)
    with pytest.raises(InvalidInputError, match="nan in `true`"):
        regret(mdp, mdp.rewards, np.full(mdp.n_pairs, np.nan))
    ended = random_mdp(0, terminals=1)
    with pytest.raises(InvalidInputError, match="in `trained_on` at terminal state 3"):
        regret(ended, np.ones(ended.n_pairs), ended.rewards)
    large = MDP.from_arrays(*(garnet(0, states=300, actions=2, branching=2)), 0.9, initial=np.eye(300)[0])
    with pytest.raises(InvalidInputError, match="exact"):
        regret(large, large.rewards, large.rewards, exact=True)
