"""The designed change against dense programs, fractions, random search below its bound, and the bounds of Result 7."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, garnet, policies, random_mdp, recipes
from degenerate_mdps import build, degenerate
from design_oracles import (
    exact_advantages,
    exact_margin,
    indicator,
    least_reached_size,
    least_size,
    reached,
    some_target,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, design_tie_breaker, greedy_policy, optimal_actions, solve, token_tree
from policycliff.cliffs.design import search
from policycliff.errors import InvalidInputError

NORMS = st.sampled_from(["inf", "1", "2"])
ORDERS = {"inf": np.inf, "1": 1, "2": 2}


@given(degenerate(), NORMS)
@settings(max_examples=40, deadline=None)
def test_the_target_becomes_uniquely_optimal_with_the_margin(recipe, norm):
    mdp, rng = build(recipe)
    target = some_target(mdp, rng)
    found = design_tie_breaker(mdp, target, 0.25, norm)
    assert found.status == "solved"
    margin = exact_margin(mdp, target, found.rewards)
    if margin is None:
        assert found.size == 0.0
        return
    assert margin >= Fraction(found.attained_margin) >= Fraction(0.25)
    assert found.is_unique
    assert found.size == pytest.approx(np.linalg.norm(found.change, ORDERS[norm]))
    assert found.lower_bound <= found.size <= found.lower_bound * (1 + 1e-6) + 1e-8
    if norm == "inf":
        choice = np.flatnonzero(target).tolist()
        rivals = sorted(set(range(mdp.n_pairs)) - set(choice))
        excess = max(float(exact_advantages(mdp, choice)[pair]) + 0.25 for pair in rivals)
        assert found.size <= max(excess, 0.0) / (1 if mdp.terminal.any() else 2) + 1e-7


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), NORMS, st.sampled_from(["all", "mask", "change", "coefficients"]))
@settings(max_examples=100, deadline=None)
def test_against_dense_programs(recipe, norm, kind):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    target, free = some_target(mdp, rng), ~mdp.terminal[mdp.pair_states]
    options, measured = {}, None
    if kind == "mask":
        options["allowed"] = rng.random(mdp.n_pairs) < 0.6
        free = free & options["allowed"]
    directions = np.eye(mdp.n_pairs)[:, free]
    if kind in {"change", "coefficients"}:
        features = rng.normal(size=(min(2, int(free.sum())), mdp.n_pairs))
        options.update(features=features, measure=kind)
        directions = (features * free).T
        measured = directions if kind == "change" else np.eye(len(features))
    found = design_tie_breaker(mdp, target, 0.3, norm, **options)
    choice = np.flatnonzero(target).tolist()
    truth = least_size(mdp, choice, margins=0.3, norm=norm, directions=directions, measured=measured)
    if np.isinf(truth):
        assert (found.status, found.size, found.is_unique) == ("impossible", np.inf, False)
        assert found.largest_margin < 0.3
        assert not found.change.any()
        return
    assert found.status == "solved"
    assert found.size == pytest.approx(truth, rel=1e-6, abs=1e-6)
    assert found.lower_bound <= truth * (1 + 1e-7) + 1e-12
    margin = exact_margin(mdp, target, found.rewards)
    assert margin is None or margin >= Fraction(found.attained_margin) >= Fraction(0.3)
    assert not found.change[~free].any()
    if found.coefficients is not None:
        np.testing.assert_allclose(found.change, directions @ found.coefficients, atol=1e-12)


@given(recipes(gammas=(0.0, 0.5, 0.9)), NORMS)
@settings(max_examples=50, deadline=None)
def test_reached_states_only_against_every_way_to_go_on(recipe, norm):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    mdp = MDP.from_pairs(
        mdp.pair_states,
        mdp.transitions,
        mdp.rewards,
        mdp.gamma,
        terminal=mdp.terminal,
        initial=np.eye(mdp.n_states)[0],
    )
    target = some_target(mdp, rng)
    choice = np.flatnonzero(target).tolist()
    found = design_tie_breaker(mdp, target, 0.3, norm, reachable_only=True)
    assert found.status == "solved"
    assert found.size == pytest.approx(least_reached_size(mdp, choice, margin=0.3, norm=norm), rel=1e-6, abs=1e-6)
    everywhere = design_tie_breaker(mdp, target, 0.3, norm)
    assert found.lower_bound <= everywhere.size
    best = solve(mdp.with_rewards(found.rewards), tolerance=1e-12)
    counts = reached(mdp, choice)
    rivals = (target == 0.0) & counts[mdp.pair_states]
    gaps = best.values[mdp.pair_states] - best.q_values
    assert (gaps[rivals] >= 0.3 - 1e-9).all()
    assert (np.abs(gaps[(target > 0.0) & counts[mdp.pair_states]]) <= 1e-9).all()


@given(recipes(gammas=(0.0, 0.5, 0.9)), NORMS)
@settings(max_examples=30, deadline=None)
def test_nothing_below_the_bound_does_it(recipe, norm):
    """Random changes of a little less than the proven bound: none gives the margin."""
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    target = some_target(mdp, rng)
    found = design_tie_breaker(mdp, target, 0.3, norm)
    choice, owners = np.flatnonzero(target), mdp.pair_states
    others = np.setdiff1d(np.arange(mdp.n_pairs), choice)
    if found.size <= 1e-6 or others.size == 0:
        return
    inverse, kernel = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * dense(mdp)[choice]), dense(mdp)
    for attempt in range(200):
        push = found.change + attempt / 200 * found.size * rng.normal(size=mdp.n_pairs) * (found.change != 0.0)
        push = push * ~mdp.terminal[owners]
        push *= 0.999 * found.lower_bound / max(np.linalg.norm(push, ORDERS[norm]), 1e-300)
        v = inverse @ (mdp.rewards + push)[choice]
        q = mdp.rewards + push + mdp.gamma * kernel @ v
        assert (q[others] - v[owners[others]]).max() > -0.3


def test_half_the_excess_is_not_enough_with_terminal_states():
    """One state, gamma 1/2: stopping (the target) pays 0, staying 1. The design's upper bound would be 1/2."""
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 1] = kernel[0, 1, 0] = 1.0
    mdp = MDP.from_arrays(kernel, [[0.0, 1.0], [0.0, 0.0]], 0.5, terminal=np.array([False, True]))
    found = design_tie_breaker(mdp, [1.0, 0.0, 1.0], 0.0)
    assert (found.size, found.lower_bound) == pytest.approx((2.0 / 3.0, 2.0 / 3.0))


def test_a_bandit_by_hand_and_a_target_that_is_optimal_already():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 0.0)
    assert design_tie_breaker(bandit, [0.0, 0.0, 1.0], 0.0).size == pytest.approx(0.5)
    # In the 1-norm raising the target alone is as cheap as it gets: 1 for the first, of which 0.5 serves the second.
    assert design_tie_breaker(bandit, [0.0, 0.0, 1.0], 0.0, "1").size == pytest.approx(1.0)
    # In the 2-norm all three meet at their mean.
    assert design_tie_breaker(bandit, [0.0, 0.0, 1.0], 0.0, "2").rewards.tolist() == pytest.approx([0.5, 0.5, 0.5])
    free = design_tie_breaker(bandit, [1.0, 0.0, 0.0], 0.25)
    assert (free.size, free.lower_bound, free.status) == (0.0, 0.0, "solved")
    assert not free.change.any()
    assert "already" in free.reason
    assert design_tie_breaker(bandit, [1.0, 0.0, 0.0], 0.7).size == pytest.approx(0.1)
    assert design_tie_breaker(bandit, [1.0, 0.0, 0.0]).margin == 0.01


@pytest.mark.parametrize("norm", ["inf", "1", "2"])
@pytest.mark.parametrize("seed", range(4))
def test_a_target_that_ties_already_needs_no_change_for_margin_0(seed, norm):
    mdp = random_mdp(seed, states=3, gamma=0.9)
    alike = mdp.with_rewards(np.ones(mdp.n_pairs) / 4)
    zero = mdp.with_rewards(np.zeros(mdp.n_pairs))
    target = np.zeros(mdp.n_pairs)
    target[mdp.offsets[:-1]] = 1.0
    for world, options in ((zero, {}), (zero, {"allowed": np.arange(mdp.n_pairs) == 1})):
        found = design_tie_breaker(world, target, 0.0, norm, **options)
        assert (found.status, found.size, found.lower_bound, found.attained_margin) == ("solved", 0.0, 0.0, 0.0)
        assert not found.change.any()
        assert not found.is_unique
    assert design_tie_breaker(alike, target, 0.0, norm).size < 1e-12


def test_allowed_pairs_and_why_it_is_impossible():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 0.5, action_names=["yes", "no", "maybe"])
    found = design_tie_breaker(bandit, [0.0, 1.0, 0.0], 0.0, allowed=np.array([True, False, False]))
    assert found.change.tolist() == pytest.approx([-0.5, 0.0, 0.0])
    assert found.changed.tolist() == [0]
    assert found.active_rivals.tolist() == [0]
    none = design_tie_breaker(bandit, [0.0, 1.0, 0.0], 0.1, allowed=np.array([False, False, True]))
    assert (none.status, none.size, none.active_rivals.tolist()) == ("impossible", np.inf, [0])
    assert none.largest_margin == pytest.approx(-0.5)
    assert none.reason.startswith("No allowed change affects the advantage of action 0 ('yes') at state 0;")
    assert none.to_dict()["size"] is None
    nothing = design_tie_breaker(bandit, [0.0, 1.0, 0.0], 0.1, allowed=np.zeros(3, dtype=bool))
    assert nothing.status == "impossible"


def test_demands_that_collide_are_named():
    """One feature raises one rival and lowers the other: each demand can be met, not both."""
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.5)
    found = design_tie_breaker(bandit, [1.0, 0.0, 0.0], 0.5, features=[[0.0, 1.0, -1.0]])
    assert found.status == "impossible"
    assert sorted(found.active_rivals.tolist()) == [1, 2]
    assert "collide" in found.reason
    assert found.largest_margin == pytest.approx(0.0, abs=1e-9)


def test_features_measure_their_coefficients_or_the_change():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5)
    features = [[0.0, 10.0]]
    change = design_tie_breaker(bandit, [0.0, 1.0], 0.5, features=features)
    weight = design_tie_breaker(bandit, [0.0, 1.0], 0.5, features=features, measure="coefficients")
    assert (change.size, weight.size) == pytest.approx((1.5, 0.15))
    assert change.coefficients.tolist() == weight.coefficients.tolist() == pytest.approx([0.15])


def test_trees_at_gamma_1():
    tree = token_tree(["ab", "c"], [1.0, 0.0])
    root = tree.pair_states == int(np.argmax(tree.initial))
    other = np.where(root, np.array(tree.action_names)[tree.actions] == "c", 1.0)
    found = design_tie_breaker(tree, other, 0.5)
    # "ab" has three steps and "c" two: five rewards that share the gap of 1.5.
    assert found.size == pytest.approx(0.3)
    assert exact_margin(tree, other, found.rewards) >= Fraction(0.5)
    for norm in ("1", "2"):
        assert design_tie_breaker(tree, other, 0.5, norm).status == "solved"


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e12, 1e200])
def test_tiny_and_huge_rewards(scale):
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[scale, 0.5 * scale, 0.0]], 0.9)
    # In the 2-norm the target rises by t = (1.1 + 0.6) / 3, and both rivals fall to 0.1 below it.
    euclidean = np.linalg.norm([1.7 / 3, 1.1 - 1.7 / 3, 0.6 - 1.7 / 3])
    for norm, size in (("inf", 0.55), ("1", 1.1), ("2", euclidean)):
        found = design_tie_breaker(mdp, [0.0, 0.0, 1.0], 0.1 * scale, norm)
        assert found.status == "solved"
        assert found.size / scale == pytest.approx(size, rel=1e-6)
        assert found.attained_margin >= 0.1 * scale


@pytest.mark.parametrize("norm", ["inf", "1", "2"])
def test_descent_agrees_with_the_programs(monkeypatch, norm):
    kernel, rewards = garnet(1, states=300, actions=4, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.9)
    noise = 0.1 * np.random.default_rng(0).normal(size=rewards.shape)
    target = greedy_policy(solve(mdp.with_rewards(rewards + noise)))
    exact = design_tie_breaker(mdp, target, 1e-2, norm)
    monkeypatch.setattr(search, "PROGRAM_LIMIT", 0)
    coarse = design_tie_breaker(mdp, target, 1e-2, norm)
    assert exact.status == "solved"
    assert coarse.lower_bound <= exact.size * (1 + 1e-9)
    assert exact.lower_bound <= coarse.size <= exact.size * 1.02
    assert coarse.lower_bound >= 0.98 * exact.size
    for found in (exact, coarse):
        assert found.attained_margin >= 1e-2
        actions = optimal_actions(solve(mdp.with_rewards(found.rewards), tolerance=1e-12))
        np.testing.assert_array_equal(actions.members, target > 0.0)


def test_every_policy_of_a_small_mdp_can_be_made_optimal():
    mdp = random_mdp(5, states=3, actions=2, gamma=0.5)
    sizes = []
    for choice in policies(mdp):
        found = design_tie_breaker(mdp, indicator(mdp, choice), 0.1, "2")
        sizes.append(found.size)
        assert exact_margin(mdp, found.target_policy, found.rewards) >= Fraction(0.1)
    assert min(sizes) == 0.0 < max(sizes)


def test_summaries():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5)
    found = design_tie_breaker(bandit, [0.0, 1.0], 0.5)
    assert repr(found).startswith("TieBreakerDesign(solved: inf-norm of the change 0.75")
    assert found.to_dict()["changed"] == [0, 1]
    assert found.to_dict()["scope"] == "target"


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ([0.5, 0.5], {"margin": 0.1}, "deterministic target"),
        ([1.0, 1.0], {"margin": 0.1}, "sum to 1"),
        ([1.0, 0.0], {"margin": -0.1}, "margin = -0.1"),
        ([1.0, 0.0], {"margin": np.nan}, "margin = nan"),
        ([1.0, 0.0], {"norm": "3"}, "norm = '3'"),
        ([1.0, 0.0], {"allowed": [1, 0]}, "boolean mask"),
        ([1.0, 0.0], {"features": [1.0, 0.0]}, "`features` of shape"),
        ([1.0, 0.0], {"features": [[1.0, 0.0, 0.0]]}, "`features` of shape"),
        ([1.0, 0.0], {"features": [[1.0, np.inf]]}, "inf in `features`"),
        ([1.0, 0.0], {"features": [[1.0, 0.0], [2.0, 0.0]]}, "feature 1"),
        ([1.0, 0.0], {"features": [[1.0, 0.0]], "allowed": np.array([False, True])}, "feature 0"),
        ([1.0, 0.0], {"features": [[1.0, 0.0]], "measure": "weight"}, "measure = 'weight'"),
        ([1.0, 0.0], {"measure": "coefficients"}, "without features"),
        ([1.0, 0.0], {"reachable_only": True}, "initial"),
        ([1.0, 0.0], {"true_rewards": [[1.0, 0.0]]}, "both targets"),
        (None, {}, "neither"),
        (None, {"true_rewards": [[1.0, 0.0]]}, "initial"),
    ],
)
def test_bad_input(target, options, message):
    with pytest.raises(InvalidInputError, match=message):
        design_tie_breaker(MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5), target, **options)


@pytest.mark.parametrize("norm", ["inf", "1", "2"])
def test_a_margin_that_is_there_already_up_to_rounding_where_nothing_may_change(norm):
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[0.0, 1.0, 0.0]], 0.9)
    design = design_tie_breaker(mdp, [0.0, 1.0, 0.0], 1.0, norm, allowed=np.zeros(3, dtype=bool))
    assert (design.status, design.size, design.changed.size) == ("unresolved", 0.0, 0)
    assert "is missing" in design.reason
    assert 1.0 - 1e-11 < design.attained_margin < 1.0
    less = design_tie_breaker(mdp, [0.0, 1.0, 0.0], 1.0 - 1e-11, norm, allowed=np.zeros(3, dtype=bool))
    assert (less.status, less.size) == ("solved", 0.0)
