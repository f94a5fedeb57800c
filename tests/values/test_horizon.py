"""H bounds how far Q-values follow a reward, over all sign patterns, and is attained."""

from itertools import product

import numpy as np
import pytest
from core_oracles import brute_force, random_mdp, recipes, trees
from degenerate_mdps import build, degenerate
from hypothesis import given, settings

from policycliff import MDP, solve, token_tree
from policycliff.values.horizon import reward_horizon


def q_of(mdp, rewards):
    return np.array([float(value) for value in brute_force(mdp.with_rewards(rewards))[1]])


@given(degenerate())
@settings(max_examples=25, deadline=None)
def test_no_sign_pattern_moves_q_further(recipe):
    mdp, rng = build(recipe, max_policies=16)
    free = ~mdp.terminal[mdp.pair_states]
    widths = rng.integers(0, 3, mdp.n_pairs) / 2.0 * free
    horizon = reward_horizon(mdp, widths)
    base = q_of(mdp, mdp.rewards)
    step = 0.25
    signs = (
        list(product([-1.0, 1.0], repeat=int(free.sum())))
        if free.sum() <= 4
        else rng.choice([-1.0, 1.0], (12, free.sum()))
    )
    for pattern in signs:
        change = np.zeros(mdp.n_pairs)
        change[free] = pattern
        moved = q_of(mdp, mdp.rewards + step * widths * change) - base
        assert (np.abs(moved) <= step * horizon + 1e-9).all()


@given(degenerate())
@settings(max_examples=25, deadline=None)
def test_attained_at_the_reward_zero(recipe):
    mdp, rng = build(recipe, max_policies=60)
    widths = rng.random(mdp.n_pairs) * ~mdp.terminal[mdp.pair_states]
    zero = mdp.with_rewards(np.zeros(mdp.n_pairs))
    horizon = reward_horizon(mdp, widths)
    exact = q_of(zero, widths)
    assert (horizon >= exact * (1.0 - 1e-15)).all()
    np.testing.assert_allclose(horizon, exact, atol=1e-9)


def test_without_terminal_states_it_is_proposition_2_4():
    np.testing.assert_allclose(reward_horizon(random_mdp(0, gamma=0.9)), 10.0, rtol=1e-9)


@given(recipes(gammas=(0.5, 0.9)))
@settings(max_examples=30, deadline=None)
def test_never_more_than_proposition_2_4(recipe):
    mdp = random_mdp(**recipe)
    horizon = reward_horizon(mdp)
    assert (horizon <= (1.0 + 1e-9) / (1.0 - mdp.gamma)).all()
    assert (horizon[mdp.terminal[mdp.pair_states]] == 0.0).all()


@given(trees())
@settings(max_examples=30, deadline=None)
def test_trees_at_gamma_1(tree):
    """All rewards free: the longest way to the end; only the last step free: 1, whatever the length."""
    mdp = token_tree(*tree)
    root = int(np.argmax(mdp.initial))
    values = np.maximum.reduceat(reward_horizon(mdp), mdp.offsets[:-1])
    assert values[root] == max(len(sequence) for sequence in tree[0]) + 1
    last = np.array([mdp.terminal[mdp.successors[a:b]].any() for a, b in zip(mdp.indptr, mdp.indptr[1:], strict=False)])
    assert set(reward_horizon(mdp, last.astype(float))[mdp.pair_states == root]) == {1.0}


def test_gamma_0_and_half_widths_of_0():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[3.0, 1.0]], 0.0)
    assert reward_horizon(mdp).tolist() == pytest.approx([1.0, 1.0])
    assert reward_horizon(mdp, np.array([0.0, 2.0])).tolist() == pytest.approx([0.0, 2.0])
    assert reward_horizon(random_mdp(1), np.zeros(random_mdp(1).n_pairs)).max() < 1e-290
    assert solve(mdp).values[0] == 3.0
