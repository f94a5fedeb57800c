"""The cone of rewards of a policy against enumeration in fractions, dense rows, the radius and other projections."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import garnet, optimal_sets, random_mdp, recipes, tie_between_futures
from design_oracles import advantage_rows, exact_advantages, least_size, some_target
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from policycliff import MDP, feasible_rewards, greedy_policy, solve, stability_radius, token_tree, uniform_policy
from policycliff.errors import InvalidInputError

NORMS = st.sampled_from(["inf", "1", "2"])
DUALS = {"inf": 1, "1": np.inf, "2": 2}
ORDERS = {"inf": np.inf, "1": 1, "2": 2}


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.booleans())
@settings(max_examples=60, deadline=None)
def test_membership_against_enumeration_in_fractions(recipe, mixed):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    sets = optimal_sets(mdp)
    if rng.random() < 0.5:  # one that is optimal
        policy = np.zeros(mdp.n_pairs)
        for members in sets:
            chosen = sorted(members) if mixed else [int(rng.choice(sorted(members)))]
            policy[chosen] = 1.0 / len(chosen)
    else:
        policy = some_target(mdp, rng)
        if mixed:
            other = some_target(mdp, rng)
            policy = (policy + other) / 2.0
    support = {int(pair) for pair in np.flatnonzero(policy)}
    optimal = all(support & set(range(a, b)) <= members for (a, b), members in zip(spans(mdp), sets, strict=True))
    alone = optimal and all(len(members) == 1 for members in sets)
    found = feasible_rewards(mdp, policy).contains(mdp.rewards)
    assert found.status == ("inside" if alone else "boundary" if optimal else "outside")
    assert bool(found) is optimal
    if found.status == "outside" and not mixed:
        assert exact_advantages(mdp, sorted(support))[found.pair] > 0
        assert mdp.pair(found.state, found.action) == found.pair


def spans(mdp):
    return list(zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True))


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), NORMS)
@settings(max_examples=50, deadline=None)
def test_inside_the_distance_is_the_stability_radius(recipe, norm):
    mdp = random_mdp(**{**recipe, "integer": False})
    policy = greedy_policy(solve(mdp))
    found = feasible_rewards(mdp, policy).distance(mdp.rewards, norm=norm)
    _, rows = advantage_rows(mdp, np.flatnonzero(policy).tolist())
    truth = min((-(row @ mdp.rewards) / np.linalg.norm(row, DUALS[norm]) for row in rows), default=np.inf)
    assert found.side == "inside"
    assert found.distance == pytest.approx(truth, rel=1e-9)
    assert found.bracket[0] <= found.distance <= found.bracket[1]
    if norm != "1":
        assert found.distance == pytest.approx(stability_radius(mdp, norm=norm).radius, rel=1e-9)
    if np.isfinite(truth):
        step = found.nearest - mdp.rewards
        assert np.linalg.norm(step, ORDERS[norm]) == pytest.approx(truth)
        assert max(rows @ found.nearest) == pytest.approx(0.0, abs=1e-9)


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), NORMS)
@settings(max_examples=40, deadline=None)
def test_outside_the_nearest_point_is_in_the_cone(recipe, norm):
    mdp = random_mdp(**{**recipe, "integer": False})
    policy = some_target(mdp, np.random.default_rng(recipe["seed"]))
    cone, choice = feasible_rewards(mdp, policy), np.flatnonzero(policy).tolist()
    found = cone.distance(mdp.rewards, norm=norm)
    nearest = cone.project(mdp.rewards, norm=norm)
    if found.side == "inside":
        np.testing.assert_array_equal(nearest, mdp.rewards)
        return
    assert found.distance == pytest.approx(least_size(mdp, choice, margins=0.0, norm=norm), rel=1e-6, abs=1e-7)
    assert found.bracket[0] <= found.distance <= found.bracket[1]
    np.testing.assert_array_equal(nearest, found.nearest)
    assert max(exact_advantages(mdp, choice, nearest)) <= 0
    # A second projection stays: the point is in the cone, proven.
    assert cone.contains(nearest).status in {"inside", "boundary"}
    np.testing.assert_array_equal(cone.project(nearest, norm=norm), nearest)


@given(recipes(gammas=(0.0, 0.5, 0.9)))
@settings(max_examples=40, deadline=None)
def test_stochastic_policies_project_by_another_solver(recipe):
    mdp = random_mdp(**{**recipe, "integer": False})
    rng = np.random.default_rng(recipe["seed"])
    policy = (some_target(mdp, rng) + some_target(mdp, rng)) / 2.0
    support = np.flatnonzero(policy)
    first = [int(block[0]) for block in np.split(support, np.searchsorted(support, mdp.offsets[1:-1]))]
    rivals, rows = advantage_rows(mdp, first)
    equal = np.isin(rivals, support)
    start = np.zeros(mdp.n_pairs)
    answer = minimize(
        lambda r: 0.5 * np.sum((r - mdp.rewards) ** 2),
        start,
        jac=lambda r: r - mdp.rewards,
        constraints=[
            {"type": "eq", "fun": lambda r: rows[equal] @ r, "jac": lambda _: rows[equal]},
            {"type": "ineq", "fun": lambda r: -rows[~equal] @ r, "jac": lambda _: -rows[~equal]},
        ][slice(0 if equal.any() else 1, 2 if (~equal).any() else 1)],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    cone = feasible_rewards(mdp, policy)
    assert cone.has_interior == (not equal.any())
    nearest = cone.project(mdp.rewards)
    np.testing.assert_allclose(nearest, np.where(mdp.terminal[mdp.pair_states], 0.0, answer.x), atol=1e-5)
    assert np.abs(rows[equal] @ nearest).max(initial=0.0) <= 1e-9
    found = cone.distance(mdp.rewards, norm="2")
    if found.side != "inside":
        assert found.bracket[0] <= np.linalg.norm(answer.x - mdp.rewards) * (1 + 1e-6) + 1e-9


def test_the_projection_obeys_its_inequality():
    """(R - P) . (R' - P) <= 0 for all R' of the cone, and projections do not expand distances."""
    mdp = random_mdp(3, states=4, actions=3, gamma=0.9)
    rng = np.random.default_rng(0)
    policy = some_target(mdp, rng)
    cone = feasible_rewards(mdp, policy)
    points = [rng.normal(size=mdp.n_pairs) for _ in range(6)]
    projected = [cone.project(point) for point in points]
    for point, image in zip(points, projected, strict=True):
        for other, shadow in zip(points, projected, strict=True):
            assert (point - image) @ (shadow - image) <= 1e-7
            assert np.linalg.norm(image - shadow) <= np.linalg.norm(point - other) + 1e-7
        # A cone: what is left is orthogonal to the image.
        assert (point - image) @ image == pytest.approx(0.0, abs=1e-7)


def test_rows_are_advantages():
    mdp = random_mdp(8, states=5, actions=3, gamma=0.9, terminals=1)
    policy = some_target(mdp, np.random.default_rng(1))
    cone, choice = feasible_rewards(mdp, policy), np.flatnonzero(policy).tolist()
    expected = exact_advantages(mdp, choice)
    for pair in np.flatnonzero(policy == 0.0):
        row = cone.row(int(mdp.pair_states[pair]), int(mdp.actions[pair]))
        assert row @ mdp.rewards == pytest.approx(float(expected[pair]), abs=1e-12)


def test_degenerate_cones():
    single = random_mdp(0, actions=1)
    whole = feasible_rewards(single, np.ones(single.n_pairs))
    assert whole.contains(single.rewards).status == "inside"
    assert whole.contains(single.rewards, exact=True).status == "inside"
    assert whole.distance(single.rewards).distance == np.inf
    assert whole.distance(single.rewards).to_dict()["distance"] is None
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
    tied = feasible_rewards(bandit, [1.0, 0.0, 0.0])
    assert tied.contains(bandit.rewards).status == "boundary"
    assert tied.distance(bandit.rewards).bracket == (0.0, 0.0)
    uniform = feasible_rewards(bandit, [0.5, 0.5, 0.0])
    assert not uniform.has_interior
    assert uniform.contains([[1.0, 1.0, 0.5]]).status == "boundary"
    assert uniform.contains([[1.0, 0.75, 0.5]]).status == "outside"
    assert uniform.project([[1.0, 0.0, 2.0]]).tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_trees_at_gamma_1():
    tree = token_tree(["ab", "ac", "d"], [1.0, 0.4, 0.0])
    policy = greedy_policy(solve(tree))
    cone = feasible_rewards(tree, policy)
    assert cone.contains(tree.rewards).status == "inside"
    assert cone.distance(tree.rewards).distance == pytest.approx(stability_radius(tree).radius)
    assert cone.contains(-tree.rewards).status == "outside"
    assert cone.contains(cone.project(-tree.rewards))


def test_a_larger_mdp():
    kernel, rewards = garnet(2, states=400, actions=3, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.9)
    cone = feasible_rewards(mdp, greedy_policy(solve(mdp)))
    assert cone.distance(rewards, norm="2").distance == pytest.approx(stability_radius(mdp, norm="2").radius)
    assert cone.contains(cone.project(1.0 - rewards))
    found = cone.distance(1.0 - rewards, norm="2")
    assert found.bracket[1] - found.bracket[0] <= 1e-6 * found.distance


def test_undecided_is_said():
    """Two futures of equal value that floats cannot tell: open where the MDP is large, decided with `exact`."""
    mdp = MDP.from_arrays(*tie_between_futures(64))
    cone = feasible_rewards(mdp, greedy_policy(solve(mdp)))
    assert cone.contains(mdp.rewards).status == "unresolved"
    assert cone.contains(mdp.rewards, exact=True).status == "boundary"
    found = cone.distance(mdp.rewards)
    assert (found.side, found.bracket[0]) == ("unresolved", 0.0)
    assert found.distance <= 1e-9


def test_summaries():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 0.0)
    cone = feasible_rewards(bandit, [1.0, 0.0, 0.0])
    assert repr(cone) == "FeasibleRewards(2 inequalities over 3 pairs, with interior)"
    assert cone.to_dict()["n_inequalities"] == 2
    assert "inside" in repr(cone.contains(bandit.rewards))
    assert cone.contains(bandit.rewards).to_dict()["advantage"] == -0.5
    assert repr(cone.distance(bandit.rewards)).startswith("ConeDistance(0.25 in the inf-norm from inside")
    assert Fraction(cone.distance(bandit.rewards, norm="1").distance) == Fraction(1, 2)


def test_bad_input():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.5, 0.0]], 0.0)
    with pytest.raises(InvalidInputError, match="sum"):
        feasible_rewards(bandit, [1.0, 1.0, 0.0])
    cone = feasible_rewards(bandit, uniform_policy(bandit))
    for call in (cone.contains, cone.distance, cone.project):
        with pytest.raises(InvalidInputError):
            call([1.0, np.nan, 0.0])
    with pytest.raises(InvalidInputError, match="norm = '3'"):
        cone.distance(bandit.rewards, norm="3")
    with pytest.raises(InvalidInputError, match="norm = '3'"):
        cone.project(bandit.rewards, norm="3")
    with pytest.raises(InvalidInputError, match="action 7"):
        cone.row(0, 7)
