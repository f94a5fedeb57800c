"""Lemma 2.5: the argmax correspondence is non-empty, compact and upper, not lower, hemi-continuous."""

import numpy as np
from core_oracles import optimal_sets, random_mdp, recipes
from hypothesis import given, settings

from policycliff import MDP, hausdorff_distance, optimal_actions, solve


@given(recipes(gammas=(0.0, 0.5, 0.9)))
@settings(max_examples=60, deadline=None)
def test_sets_are_never_empty_and_shrink_under_small_changes(recipe):
    mdp = random_mdp(**recipe)
    sets = optimal_sets(mdp)
    gap = optimal_actions(solve(mdp), exact=True)
    finite = [
        float(np.max(solve(mdp).q_values[a:b]) - q)
        for (a, b), members in zip(zip(mdp.offsets, mdp.offsets[1:], strict=False), sets, strict=True)
        for pair, q in enumerate(solve(mdp).q_values[a:b], start=a)
        if pair not in members
    ]
    small = 0.49 * min(finite, default=1.0) * (1 - mdp.gamma)
    push = np.random.default_rng(recipe["seed"]).choice([-small, small], mdp.n_pairs)
    push *= ~mdp.terminal[mdp.pair_states]
    after = optimal_sets(mdp.with_rewards(mdp.rewards + push))
    for state, members in enumerate(after):
        assert members
        assert members <= sets[state]
        assert members <= set(gap.pairs(state).tolist())


def test_limits_of_optimal_actions_are_optimal():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
    for size in (1e-3, 1e-9, 1e-15):
        assert optimal_actions(solve(bandit.with_rewards([1.0, 1.0 + size]))).pairs(0).tolist() == [1]
    assert 1 in optimal_actions(solve(bandit)).pairs(0)


def test_the_set_jumps_down_in_hausdorff_distance():
    places = np.array([-5.0, 0.0, 5.0])
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.0)
    before = places[optimal_actions(solve(bandit)).pairs(0)]
    for size in (1e-3, 1e-9, 1e-15):
        after = places[optimal_actions(solve(bandit.with_rewards([1.0, 1.0, 1.0 + size]))).pairs(0)]
        assert after.tolist() == [5.0]
        assert hausdorff_distance(before, after) == 10.0
