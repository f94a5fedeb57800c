"""The least change against grids, exact margins and the bounds of the design."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, exact_policy_values, garnet, random_mdp, recipes
from degenerate_mdps import build, degenerate
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, greedy_policy, solve, token_tree
from policycliff.cliffs.degeneracy.tie_breaker_program import least_change
from policycliff.errors import InvalidInputError


def some_target(mdp, rng):
    target = np.zeros(mdp.n_pairs)
    target[mdp.offsets[:-1] + rng.integers(np.diff(mdp.offsets))] = 1.0
    return target


def exact_margin(mdp, target):
    """Smallest V - Q of other pairs under the target, in fractions (None without another pair)."""
    choice = np.flatnonzero(target).tolist()
    values, kernel = exact_policy_values(mdp, choice), dense(mdp)
    found = []
    for pair in sorted(set(range(mdp.n_pairs)) - set(choice)):
        ahead = sum((Fraction(p) * v for p, v in zip(kernel[pair], values, strict=True)), Fraction(0))
        found.append(values[mdp.pair_states[pair]] - Fraction(mdp.rewards[pair]) - Fraction(mdp.gamma) * ahead)
    return min(found, default=None)


@given(degenerate(), st.sampled_from(["inf", "1"]))
@settings(max_examples=40, deadline=None)
def test_the_target_becomes_uniquely_optimal_with_the_margin(recipe, norm):
    mdp, rng = build(recipe)
    target = some_target(mdp, rng)
    found = least_change(mdp, target, margin=0.25, norm=norm)
    assert found.status == "solved"
    margin = exact_margin(mdp.with_rewards(mdp.rewards + found.change), target)
    if margin is None:
        assert found.cost == 0.0
        return
    assert margin >= Fraction(0.25)
    assert margin >= Fraction(found.margin) >= Fraction(0.25) - Fraction(1, 10**12)
    if norm == "inf":
        assert found.lower_bound * (1 - 1e-7) <= found.cost <= found.upper_bound * (1 + 1e-7) + 1e-9
        excess = max(exact_excess(mdp, target, 0.25), default=Fraction(0))
        if not mdp.terminal.any():
            assert found.cost <= float(excess) / 2 + 1e-7


def exact_excess(mdp, target, margin):
    """[advantage + margin]+ of all other pairs under the target, in fractions."""
    choice = np.flatnonzero(target).tolist()
    values, kernel = exact_policy_values(mdp, choice), dense(mdp)
    for pair in sorted(set(range(mdp.n_pairs)) - set(choice)):
        ahead = sum((Fraction(p) * v for p, v in zip(kernel[pair], values, strict=True)), Fraction(0))
        advantage = Fraction(mdp.rewards[pair]) + Fraction(mdp.gamma) * ahead - values[mdp.pair_states[pair]]
        yield max(advantage + Fraction(margin), Fraction(0))


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.sampled_from(["inf", "1"]))
@settings(max_examples=30, deadline=None)
def test_nothing_cheaper_does_it(recipe, norm):
    """Random changes of a little less cost: none of them makes the target optimal with the margin."""
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    target = some_target(mdp, rng)
    found = least_change(mdp, target, margin=0.3, norm=norm)
    choice, owners = np.flatnonzero(target), mdp.pair_states
    inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * dense(mdp)[choice])
    others = np.setdiff1d(np.arange(mdp.n_pairs), choice)
    if found.cost <= 1e-6 or others.size == 0:
        return
    for attempt in range(200):
        push = np.where(rng.random(mdp.n_pairs) < 0.7, np.sign(found.change), rng.choice([-1.0, 1.0], mdp.n_pairs))
        push = found.change + 0.1 * attempt / 200 * push * found.cost if norm == "1" else push
        push = push * ~mdp.terminal[owners]
        size = np.abs(push).max() if norm == "inf" else np.abs(push).sum()
        if size == 0.0:
            continue
        rewards = mdp.rewards + 0.99 * found.cost / size * push
        v = inverse @ rewards[choice]
        q = rewards + mdp.gamma * dense(mdp) @ v
        assert (q[others] - v[owners[others]]).max() > -0.3


def test_half_the_excess_is_not_enough_with_terminal_states():
    """One state, gamma 1/2: stopping (the target) pays 0, staying 1. The design's upper bound would be 1/2."""
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 1] = kernel[0, 1, 0] = 1.0
    mdp = MDP.from_arrays(kernel, [[0.0, 1.0], [0.0, 0.0]], 0.5, terminal=np.array([False, True]))
    found = least_change(mdp, [1.0, 0.0, 1.0], margin=0.0)
    assert found.cost == pytest.approx(2.0 / 3.0)
    assert (found.lower_bound, found.upper_bound) == pytest.approx((2.0 / 3.0, 1.0))


def test_a_bandit_by_hand_and_a_target_that_is_optimal_already():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 0.0)
    assert least_change(bandit, [0.0, 0.0, 1.0], margin=0.0).cost == pytest.approx(0.5)
    # In the 1-norm raising the target alone is as cheap as it gets: 1 for the first, of which 0.5 serves the second.
    assert least_change(bandit, [0.0, 0.0, 1.0], margin=0.0, norm="1").cost == pytest.approx(1.0)
    free = least_change(bandit, [1.0, 0.0, 0.0], margin=0.25)
    assert (free.cost, free.lower_bound, free.upper_bound) == (0.0, 0.0, 0.0)
    assert not free.change.any()
    assert least_change(bandit, [1.0, 0.0, 0.0], margin=0.7).cost == pytest.approx(0.1)


def test_allowed_pairs():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 0.5)
    found = least_change(bandit, [0.0, 1.0, 0.0], margin=0.0, mask=np.array([True, False, False]))
    assert found.change.tolist() == pytest.approx([-0.5, 0.0, 0.0])
    assert found.lower_bound <= found.cost * (1 + 1e-9)
    none = least_change(bandit, [0.0, 1.0, 0.0], margin=0.1, mask=np.array([False, False, True]))
    assert (none.status, none.cost) == ("impossible", np.inf)


def test_trees_at_gamma_1():
    tree = token_tree(["ab", "c"], [1.0, 0.0])
    root = tree.pair_states == int(np.argmax(tree.initial))
    other = np.where(root, np.array(tree.action_names)[tree.actions] == "c", 1.0)
    found = least_change(tree, other, margin=0.5)
    # "ab" has three steps and "c" two: five rewards that share the gap of 1.5.
    assert found.cost == pytest.approx(0.3)
    assert exact_margin(tree.with_rewards(tree.rewards + found.change), other) >= Fraction(0.5)


def test_a_larger_mdp():
    kernel, rewards = garnet(1, states=300, actions=4, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.9)
    target = greedy_policy(
        solve(mdp.with_rewards(rewards + 0.05 * np.random.default_rng(0).normal(size=rewards.shape)))
    )
    found = least_change(mdp, target, margin=1e-3)
    assert found.status == "solved"
    assert found.margin >= 1e-3
    assert found.lower_bound <= found.cost <= found.upper_bound * (1 + 1e-7)
    np.testing.assert_array_equal(greedy_policy(solve(mdp.with_rewards(mdp.rewards + found.change))), target)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ([0.5, 0.5], {"margin": 0.1}, "deterministic target"),
        ([1.0, 1.0], {"margin": 0.1}, "sum to 1"),
        ([1.0, 0.0], {"margin": -0.1}, "margin = -0.1"),
        ([1.0, 0.0], {"margin": np.nan}, "margin = nan"),
        ([1.0, 0.0], {"margin": 0.1, "norm": "2"}, "norm = '2'"),
        ([1.0, 0.0], {"margin": 0.1, "mask": [1, 0]}, "boolean mask"),
    ],
)
def test_bad_input(target, options, message):
    with pytest.raises(InvalidInputError, match=message):
        least_change(MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5), target, **options)
