"""The radius against its definition: nothing inside flips the policy, the witness just outside does."""

from itertools import product

import numpy as np
import pytest
from core_oracles import advantage_gap, dense, garnet, policies, random_mdp, recipes, tie_between_futures, trees
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policycliff import MDP, greedy_policy, optimal_actions, solve, stability_radius, token_tree
from policycliff.errors import InvalidInputError
from policycliff.values import left_solve


def chosen(mdp):
    return np.flatnonzero(solve(mdp).policy)


def resolvent_radius(mdp, widths, norm):
    """The closed form with dense inverses, pair by pair."""
    best = chosen(mdp)
    kernel, owners = dense(mdp), mdp.pair_states
    inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * kernel[best])
    v = inverse @ mdp.rewards[best]
    result = np.inf
    for pair in np.setdiff1d(np.arange(mdp.n_pairs), best):
        row = (mdp.gamma * kernel[pair] - np.eye(mdp.n_states)[owners[pair]]) @ inverse
        d = np.zeros(mdp.n_pairs)
        d[best], d[pair] = row, 1.0
        size = np.linalg.norm((widths * d)[~mdp.terminal[owners]], ord=1 if norm == "inf" else 2)
        if size > 1e-12:
            result = min(result, (v[owners[pair]] - mdp.rewards[pair] - mdp.gamma * kernel[pair] @ v) / size)
    return result


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), st.sampled_from(["inf", "2"]))
@settings(max_examples=120, deadline=None)
def test_nothing_inside_flips_and_the_witness_does(recipe, norm):
    mdp = random_mdp(**{**recipe, "integer": False})
    result = stability_radius(mdp, norm=norm)
    best = chosen(mdp)
    if result.radius == np.inf:
        assert (np.diff(mdp.offsets) == 1).all()
        return
    assert result.status == "exact"
    assert result.bracket[0] <= result.radius <= result.bracket[1]
    rng = np.random.default_rng(recipe["seed"])
    free = ~mdp.terminal[mdp.pair_states]
    for _ in range(20):
        push = rng.choice([-1.0, 1.0], mdp.n_pairs) if norm == "inf" else rng.normal(size=mdp.n_pairs)
        push *= free
        push *= 0.999 * result.radius / (np.abs(push).max() if norm == "inf" else np.linalg.norm(push))
        assert advantage_gap(mdp.with_rewards(mdp.rewards + push), best) > 0.0
    size = np.abs(result.witness).max() if norm == "inf" else np.linalg.norm(result.witness)
    assert size == pytest.approx(result.radius)
    assert advantage_gap(mdp.with_rewards(mdp.rewards + 0.999 * result.witness), best) > 0.0
    assert advantage_gap(mdp.with_rewards(mdp.rewards + 1.001 * result.witness), best) < 0.0
    assert advantage_gap(mdp.with_rewards(mdp.rewards + result.witness), best) == pytest.approx(0.0, abs=1e-8)


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4))
@settings(max_examples=100, deadline=None)
def test_between_the_bound_of_proposition_2_4_and_half_the_gap(recipe):
    mdp = random_mdp(**{**recipe, "integer": False})
    result = stability_radius(mdp)
    assume(np.isfinite(result.radius))
    gap = float(optimal_actions(solve(mdp)).gaps.min())
    assert result.lower_bound == pytest.approx(gap * (1 - mdp.gamma) / 2, rel=1e-6) or mdp.is_acyclic
    assert result.lower_bound <= result.radius * (1 + 1e-9)
    assert result.radius <= (gap if mdp.terminal.any() else gap / 2) * (1 + 1e-9)


@given(recipes(gammas=(0.5, 0.9), max_states=4), st.sampled_from(["inf", "2"]))
@settings(max_examples=100, deadline=None)
def test_half_widths_and_masks_against_dense_inverses(recipe, norm):
    mdp = random_mdp(**{**recipe, "integer": False})
    rng = np.random.default_rng(recipe["seed"])
    widths = rng.random(mdp.n_pairs) * (rng.random(mdp.n_pairs) < 0.7)
    for options, u in (({"half_widths": widths}, widths), ({"mask": widths > 0}, (widths > 0).astype(float))):
        result = stability_radius(mdp, norm=norm, **options)
        assert result.radius == pytest.approx(resolvent_radius(mdp, u, norm), rel=1e-6)
        assert not result.witness[u == 0.0].any()


def test_a_frozen_tie_cannot_be_broken():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
    assert stability_radius(mdp).radius == 0.0
    frozen_tie = stability_radius(mdp, mask=np.array([False, False, True]))
    assert frozen_tie.radius == 1.0
    assert stability_radius(mdp, mask=np.zeros(3, dtype=bool)).radius == np.inf


def test_ties_give_zero():
    result = stability_radius(MDP.from_arrays(np.ones((1, 2, 1)), [[0.3, 0.3]], 0.9))
    assert (result.radius, result.status, result.lower_bound) == (0.0, "tied", 0.0)
    assert not result.witness.any()
    assert result.state == 0


def test_unresolved_gaps_are_decided_exactly_or_reported():
    small = stability_radius(MDP.from_arrays(*tie_between_futures(4)))
    assert (small.radius, small.status) == (0.0, "tied")
    large = stability_radius(MDP.from_arrays(*tie_between_futures(64)))
    assert (large.radius, large.status) == (0.0, "unresolved")
    assert 0.0 < large.bracket[1] < 1e-9
    assert large.lower_bound == 0.0


def test_actions_without_rivals_have_an_infinite_radius():
    result = stability_radius(random_mdp(0, actions=1))
    assert (result.radius, result.state, result.action, result.lower_bound) == (np.inf, -1, -1, np.inf)
    assert result.to_dict()["radius"] is None


def test_a_bandit_has_half_the_gap():
    result = stability_radius(MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 0.25, 0.5]], 0.0))
    assert (result.radius, result.state, result.action) == (0.25, 0, 2)
    np.testing.assert_array_equal(result.witness, [-0.25, 0.0, 0.25])


def test_frozen_terminal_rewards_lift_the_radius_above_half_the_gap():
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 1] = kernel[0, 1, 0] = 1.0
    mdp = MDP.from_arrays(kernel, [[1.0, 0.0], [0.0, 0.0]], 0.5, terminal=np.array([False, True]))
    assert optimal_actions(solve(mdp)).gaps[0] == pytest.approx(0.5)
    assert stability_radius(mdp).radius == pytest.approx(1 / 3)


@pytest.mark.parametrize("limit", [0, 3000])
def test_large_and_small_paths_agree(monkeypatch, limit):
    kernel, rewards = garnet(3, states=60, actions=3, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.95)
    expected = resolvent_radius(mdp, np.ones(mdp.n_pairs), "inf")
    monkeypatch.setattr(left_solve, "DIRECT_LIMIT", limit)
    result = stability_radius(mdp)
    assert result.radius == pytest.approx(expected, rel=1e-7)
    assert result.rows_solved < mdp.n_pairs - mdp.n_states


def test_acyclic_mdps_at_gamma_one():
    tree = token_tree(["ab", "ac", "d"], [1.0, 0.4, 0.0])
    result = stability_radius(tree)
    assert result.radius == pytest.approx(resolvent_radius(tree, np.ones(tree.n_pairs), "inf"))
    assert result.lower_bound == pytest.approx(0.6 / 6)


# Reachable states only -------------------------------------------------------------------------------------------


def occupancy(mdp, choice):
    kernel = dense(mdp)[choice]
    x = np.linalg.solve((np.eye(mdp.n_states) - mdp.gamma * kernel).T, mdp.initial)
    result = np.zeros(mdp.n_pairs)
    result[choice] = x * ~mdp.terminal
    return result


def reachable_by_enumeration(mdp, widths=1.0, norm="inf"):
    """min (J - J') / ||u (x' - x)|| over all deterministic policies with another occupancy."""
    best = list(np.flatnonzero(greedy_policy(solve(mdp))))
    here, result = occupancy(mdp, best), np.inf
    for choice in policies(mdp):
        there = occupancy(mdp, choice)
        size = np.linalg.norm(widths * (there - here), ord=1 if norm == "inf" else 2)
        if size > 1e-12:
            result = min(result, (here - there) @ mdp.rewards / size)
    return result


@given(trees(), st.sampled_from([1.0, 0.9]), st.sampled_from(["inf", "2"]), st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_trees_with_half_widths(tree, gamma, norm, seed):
    rng = np.random.default_rng(seed)
    mdp = token_tree(tree[0], [reward + rng.random() for reward in tree[1]], gamma=gamma)
    widths = rng.random(mdp.n_pairs) * (rng.random(mdp.n_pairs) < 0.7)
    result = stability_radius(mdp, reachable_only=True, half_widths=widths, norm=norm)
    assert result.radius == pytest.approx(reachable_by_enumeration(mdp, widths, norm), rel=1e-9)
    if np.isfinite(result.radius):
        moved = mdp.with_rewards(mdp.rewards + 1.001 * result.witness)
        best = list(np.flatnonzero(greedy_policy(solve(mdp))))
        assert max(occupancy(moved, choice) @ moved.rewards for choice in policies(moved)) > (
            occupancy(moved, best) @ moved.rewards
        )


@given(trees(), st.sampled_from([1.0, 0.9]))
@settings(max_examples=80, deadline=None)
def test_trees_exactly(tree, gamma):
    mdp = token_tree(*tree, gamma=gamma)
    result = stability_radius(mdp, reachable_only=True)
    assert result.radius == pytest.approx(reachable_by_enumeration(mdp), abs=1e-12)
    assert result.status in {"exact", "tied", "unresolved"}


@given(recipes(gammas=(0.5, 0.9)))
@settings(max_examples=80, deadline=None)
def test_elsewhere_a_bracket(recipe):
    mdp = random_mdp(**{**recipe, "integer": False})
    result = stability_radius(mdp, reachable_only=True)
    truth = reachable_by_enumeration(mdp)
    assert result.bracket[0] <= truth * (1 + 1e-9)
    assert truth <= result.bracket[1] * (1 + 1e-9)
    assert result.radius == result.bracket[0] or result.status != "bracket"


def test_the_example_of_three_paths():
    #         0 -> end (10); 0 -> 1; 1 -> end (9); 1 -> 2 -> 3 -> 4 -> 5 -> end (8.9): 1, 2 and 6 steps
    states, targets = [0, 0, 1, 1, 2, 3, 4, 5], [6, 1, 6, 2, 3, 4, 5, 6]
    rewards = [10.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 8.9]
    mdp = MDP.from_pairs(states, np.eye(7)[targets], rewards, 1.0, terminal=np.arange(7) == 6, initial=np.eye(7)[0])
    result = stability_radius(mdp, reachable_only=True)
    assert result.radius == pytest.approx(1.1 / 7)
    assert result.status == "exact"
    assert np.flatnonzero(result.witness == 0.0).tolist() == [2, 8]
    np.testing.assert_allclose(np.abs(result.witness[[0, 1, 3, 4, 5, 6, 7]]), result.radius)
    after = mdp.with_rewards(mdp.rewards + result.witness)
    returns = {length: after.rewards[path].sum() for length, path in ((1, [0]), (2, [1, 2]), (6, [1, 3, 4, 5, 6, 7]))}
    assert returns[1] == pytest.approx(returns[6])
    assert stability_radius(mdp).radius == pytest.approx(0.1 / 6)


def test_prompts_do_not_interact():
    tree = token_tree(["a", "b", "a", "b"], [1.0, 0.0, 5.0, 4.5], prompts=[0, 0, 1, 1])
    assert stability_radius(tree, reachable_only=True).radius == pytest.approx(0.5 / 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "1"}, "norm"),
        ({"mask": [1, 0]}, "boolean mask"),
        ({"mask": np.ones(2, dtype=bool)}, "`mask` of shape"),
        ({"half_widths": [-1.0] * 8}, None),
        ({"mask": np.ones(8, dtype=bool), "half_widths": np.ones(8)}, "both"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    mdp = MDP.from_arrays(np.full((4, 2, 4), 0.25), np.arange(8.0).reshape(4, 2), 0.5)
    with pytest.raises(InvalidInputError, match=message or "half-width -1.0 at pair 0"):
        stability_radius(mdp, **options)


def test_reachability_needs_an_initial_distribution():
    with pytest.raises(InvalidInputError, match="initial"):
        stability_radius(MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5), reachable_only=True)


def test_all_sign_patterns_on_a_small_mdp():
    mdp = random_mdp(11, states=2, actions=2, gamma=0.8)
    result, best = stability_radius(mdp), chosen(mdp)
    signs = np.array(list(product([-1.0, 1.0], repeat=mdp.n_pairs)))
    gaps = [advantage_gap(mdp.with_rewards(mdp.rewards + result.radius * sign), best) for sign in signs]
    assert min(gaps) == pytest.approx(0.0, abs=1e-10)


def test_summaries():
    result = stability_radius(random_mdp(0))
    assert repr(result).startswith("StabilityRadius(")
    assert result.to_dict()["witness"] == result.witness.tolist()
