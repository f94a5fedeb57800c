"""A restricted MDP is the MDP that one would have built from the kept pairs."""

import numpy as np
import pytest
from core_oracles import brute_force, dense, exact_policy_values, policies, random_mdp
from degenerate_mdps import build, degenerate
from hypothesis import given, settings

from policycliff import MDP, solve, token_tree
from policycliff.errors import InvalidInputError
from policycliff.mdp.restriction import restrict


def some_members(mdp, rng):
    members = rng.random(mdp.n_pairs) < 0.5
    members[mdp.offsets[:-1] + rng.integers(np.diff(mdp.offsets))] = True
    return members


@given(degenerate())
@settings(max_examples=40, deadline=None)
def test_against_a_new_mdp(recipe):
    mdp, rng = build(recipe)
    members = some_members(mdp, rng)
    smaller = restrict(mdp, members)
    rebuilt = MDP.from_pairs(
        mdp.pair_states[members],
        dense(mdp)[members],
        mdp.rewards[members],
        mdp.gamma,
        actions=mdp.actions[members],
        terminal=mdp.terminal,
        initial=mdp.initial,
    )
    for name in ("offsets", "actions", "indptr", "rewards", "terminal"):
        np.testing.assert_array_equal(getattr(smaller.mdp, name), getattr(rebuilt, name))
        assert not getattr(smaller.mdp, name).flags.writeable
    assert smaller.mdp.initial is mdp.initial
    np.testing.assert_array_equal(dense(smaller.mdp), dense(mdp)[members])
    assert (smaller.mdp.gamma, smaller.n_pairs) == (mdp.gamma, mdp.n_pairs)
    assert smaller.pairs.tolist() == np.flatnonzero(members).tolist()


@given(degenerate())
@settings(max_examples=25, deadline=None)
def test_its_optimum_is_the_best_of_the_policies_that_are_left(recipe):
    mdp, rng = build(recipe)
    members = some_members(mdp, rng)
    smaller = restrict(mdp, members)
    among = [exact_policy_values(mdp, choice) for choice in policies(mdp) if members[choice].all()]
    assert brute_force(smaller.mdp)[0] == [max(column) for column in zip(*among, strict=True)]
    solution = solve(smaller.mdp)
    choice = np.flatnonzero(smaller.widen(solution.policy))
    assert members[choice].all()
    assert choice.size == mdp.n_states


def test_widen_and_other_rewards():
    mdp = random_mdp(0, terminals=1)
    members = some_members(mdp, np.random.default_rng(0))
    smaller = restrict(mdp, members, rewards=np.arange(mdp.n_pairs) + 1.0)
    ends = mdp.terminal[mdp.pair_states]
    np.testing.assert_array_equal(
        smaller.widen(smaller.mdp.rewards), np.where(members & ~ends, np.arange(mdp.n_pairs) + 1.0, 0.0)
    )
    assert not smaller.widen(smaller.mdp.rewards).flags.writeable
    np.testing.assert_array_equal(restrict(mdp, np.ones(mdp.n_pairs, bool)).mdp.rewards, mdp.rewards)


def test_acyclic_mdps_stay_acyclic_and_gamma_1_works():
    tree = token_tree(["ab", "ac", "d"], [1.0, 2.0, 0.0])
    members = np.ones(tree.n_pairs, bool)
    members[tree.offsets[2]] = False
    members[tree.offsets[1]] = True
    smaller = restrict(tree, members | (np.diff(tree.offsets)[tree.pair_states] == 1)).mdp
    assert smaller.is_acyclic
    assert solve(smaller).error_bound == 0.0


def test_bad_members():
    mdp = MDP.from_arrays(np.full((2, 2, 2), 0.5), np.ones((2, 2)), 0.5, state_names=["x", "y"])
    with pytest.raises(InvalidInputError, match=r"no member pair in state 1 .'y'"):
        restrict(mdp, np.array([True, False, False, False]))
    with pytest.raises(InvalidInputError, match="shape"):
        restrict(mdp, np.ones(3, dtype=bool))
