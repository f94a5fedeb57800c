"""The radius of reward tuples, state by state, and over reachable states, against enumeration and dense inverses."""

from itertools import product

import numpy as np
import pytest
from core_oracles import advantage_gap, dense, garnet, policies, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, effective_reward, greedy_policy, solve, stability_radius, token_tree
from policycliff.errors import InvalidInputError


def chosen(mdp):
    return np.flatnonzero(solve(mdp).policy)


def dense_rows(mdp):
    """(pair, gap, coefficients over pairs, 0 at terminal states) of all rivals, by dense inverses."""
    best = chosen(mdp)
    kernel, owners = dense(mdp), mdp.pair_states
    inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * kernel[best])
    for pair in np.setdiff1d(np.arange(mdp.n_pairs), best):
        d = np.zeros(mdp.n_pairs)
        d[best] = (mdp.gamma * kernel[pair] - np.eye(mdp.n_states)[owners[pair]]) @ inverse
        d[pair] = 1.0
        d *= ~mdp.terminal[owners]
        yield pair, -float(d @ mdp.rewards), d


def tuple_of(mdp, seed, *, by_state):
    """Two or three components with weights of any sign, some of them 0."""
    rng = np.random.default_rng([seed, 11])
    k = int(rng.integers(2, 4))
    rewards = rng.normal(size=(k, mdp.n_pairs)) * ~mdp.terminal[mdp.pair_states]
    weights = rng.normal(size=(k, mdp.n_states) if by_state else k)
    return rewards, np.where(rng.random(weights.shape) < 0.2, 0.0, weights)


# Reward tuples ---------------------------------------------------------------------------------------------------


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.booleans(), st.sampled_from(["inf", "2"]), st.booleans())
@settings(max_examples=60)
def test_components_against_the_stacked_coefficients(recipe, by_state, norm, one):
    """The advantage is linear in all components, with coefficients d w_k: take the dual norm of the stack."""
    mdp = random_mdp(**recipe)
    rewards, weights = tuple_of(mdp, recipe["seed"], by_state=by_state)
    world = mdp.with_rewards(effective_reward(rewards, weights, mdp=mdp))
    spread = weights[:, mdp.pair_states] if by_state else np.repeat(weights[:, None], mdp.n_pairs, axis=1)
    moving = {"moving": "component", "component": 1} if one else {"moving": "components"}
    moved = spread[1:2] if one else spread
    widths = np.random.default_rng(recipe["seed"]).random(mdp.n_pairs)
    expected = np.inf
    for _, gap, d in dense_rows(world):
        size = np.linalg.norm((widths * d * moved).ravel(), ord=1 if norm == "inf" else 2)
        expected = min(expected, gap / size if size > 1e-13 else np.inf)
    result = stability_radius(mdp, rewards=rewards, weights=weights, norm=norm, half_widths=widths, **moving)
    assert result.radius == pytest.approx(expected, rel=1e-6, abs=1e-12)
    if np.isfinite(result.radius):
        change = result.component_witness
        assert change.shape == rewards.shape
        assert not np.delete(change, 1, axis=0).any() or not one
        scaled = np.divide(change, widths, out=np.zeros_like(change), where=widths > 0)
        assert np.linalg.norm(scaled.ravel(), ord=np.inf if norm == "inf" else 2) == pytest.approx(result.radius)
        np.testing.assert_allclose(effective_reward(change, weights, mdp=mdp), result.witness, atol=1e-9)
        best = chosen(world)
        for share, sign in ((0.999, 1.0), (1.001, -1.0)):
            moved_world = effective_reward(rewards + share * change, weights, mdp=mdp)
            assert sign * advantage_gap(mdp.with_rewards(moved_world), best) > 0.0


def test_convex_weights_leave_the_radius_of_all_components_at_that_of_the_reward():
    """Lemma 4.2: the ball of half-width sum_k w_k = 1."""
    mdp = random_mdp(5)
    rewards = np.random.default_rng(1).normal(size=(2, mdp.n_pairs))
    options = {"rewards": rewards, "weights": [0.25, 0.75]}
    whole = stability_radius(mdp, **options)
    assert stability_radius(mdp, moving="components", **options).radius == pytest.approx(whole.radius)
    alone = stability_radius(mdp, moving="component", component=0, **options)
    assert alone.radius == pytest.approx(4.0 * whole.radius)
    assert alone.lower_bound == pytest.approx(4.0 * whole.lower_bound)


def test_every_corner_of_two_components():
    mdp = random_mdp(2, states=2, actions=2, gamma=0.5)
    rewards, weights = np.random.default_rng(5).normal(size=(2, mdp.n_pairs)), np.array([0.75, -0.5])
    result = stability_radius(mdp, rewards=rewards, weights=weights, moving="components")
    best = chosen(mdp.with_rewards(effective_reward(rewards, weights)))
    gaps = []
    for signs in product([-1.0, 1.0], repeat=2 * mdp.n_pairs):
        corner = rewards + result.radius * np.reshape(signs, rewards.shape)
        gaps.append(advantage_gap(mdp.with_rewards(effective_reward(corner, weights)), best))
    assert min(gaps) == pytest.approx(0.0, abs=1e-10)


def test_a_component_without_weight_cannot_move_anything():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
    options = {"rewards": [[1.0, 0.0], [0.0, 1.0]], "weights": [1.0, 0.0]}
    result = stability_radius(mdp, moving="component", component=1, **options)
    assert (result.radius, result.status) == (np.inf, "exact")
    tied = stability_radius(mdp, rewards=[[1.0, 1.0], [0.0, 1.0]], weights=[1.0, 0.0], moving="components")
    assert (tied.radius, tied.status) == (0.0, "tied")
    assert not tied.component_witness.any()


def test_components_of_a_tree_at_gamma_one():
    texts = ["ab", "ac", "d"]
    rewards = [token_tree(texts, line).rewards for line in ([1.0, 0.0, 0.5], [0.0, 1.0, 0.5])]
    tree = token_tree(texts, [0.0, 0.0, 0.0])
    for reachable_only in (False, True):
        result = stability_radius(
            tree, rewards=rewards, weights=[0.75, 0.25], moving="components", reachable_only=reachable_only
        )
        # "ab" and "ac" differ in two steps each; "ab" has 3 steps, "d" 2: 0.5 / 4 against 0.25 / 5.
        assert result.radius == pytest.approx(0.25 / 5)
        assert result.component_witness is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"moving": "everything"}, "moving = 'everything'"),
        ({"moving": "component"}, "component = None"),
        ({"moving": "component", "component": 2}, "component = 2; expected 0 to 1"),
        ({"moving": "components", "component": 0}, "component = 0"),
        ({"moving": "components", "rewards": None, "weights": None}, "without a reward tuple"),
        ({"moving": "weights", "rewards": None, "weights": None}, "without a reward tuple"),
        ({"rewards": None}, "`weights` without `rewards`"),
        ({"weights": None}, "`rewards` without `weights`"),
        ({"weights": [1.0]}, "`weights` of shape"),
        ({"norm": "1"}, "norm = '1'"),
        ({"half_widths": [1.0, np.nan]}, "nan"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
    given = {"rewards": [[1.0, 0.0], [0.0, 1.0]], "weights": [1.0, 0.5], **options}
    with pytest.raises(InvalidInputError, match=message):
        stability_radius(mdp, **given)


# State by state --------------------------------------------------------------------------------------------------


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=4), st.sampled_from(["inf", "2"]))
@settings(max_examples=60)
def test_state_radii_against_dense_inverses(recipe, norm):
    mdp = random_mdp(**{**recipe, "integer": False})
    result = stability_radius(mdp, norm=norm, per_state=True)
    expected = np.full(mdp.n_states, np.inf)
    for pair, gap, d in dense_rows(mdp):
        size = np.linalg.norm(d, ord=1 if norm == "inf" else 2)
        state = mdp.pair_states[pair]
        expected[state] = min(expected[state], gap / size)
    np.testing.assert_allclose(result.state_radii, expected, rtol=1e-6)
    assert result.state_radii.min() == pytest.approx(result.radius)
    assert not np.isfinite(result.state_radii[mdp.terminal]).any()


@given(recipes(gammas=(0.5, 0.9), max_states=4), st.integers(0, 10**6))
@settings(max_examples=40)
def test_below_the_least_of_the_states_ahead_a_state_keeps_its_policy(recipe, seed):
    """What the number certifies: only states that can be reached from s matter for s."""
    mdp = random_mdp(**{**recipe, "integer": False, "branching": 1})
    radii = stability_radius(mdp, per_state=True).state_radii
    ahead = np.eye(mdp.n_states, dtype=bool)
    step = np.zeros_like(ahead)
    np.logical_or.at(step, mdp.pair_states, dense(mdp) > 0.0)
    for _ in range(mdp.n_states):
        ahead |= (ahead.astype(int) @ step.astype(int)) > 0
    rng, best = np.random.default_rng(seed), chosen(mdp)
    free = ~mdp.terminal[mdp.pair_states]
    for state in range(mdp.n_states):
        safe = min(radii[ahead[state]].min(), 100.0)
        for _ in range(5):
            push = 0.999 * safe * rng.choice([-1.0, 1.0], mdp.n_pairs) * free
            assert chosen(mdp.with_rewards(mdp.rewards + push))[state] == best[state]


def test_ties_and_frozen_states_state_by_state():
    kernel = np.zeros((3, 2, 3))
    kernel[:, :, 0] = 1.0
    mdp = MDP.from_arrays(kernel, [[1.0, 1.0], [1.0, 0.0], [2.0, 0.0]], 0.0)
    mask = np.array([True, True, True, True, False, False])
    result = stability_radius(mdp, mask=mask, per_state=True)
    np.testing.assert_array_equal(result.state_radii, [0.0, 0.5, np.inf])
    assert result.to_dict()["state_radii"] == [0.0, 0.5, None]
    assert stability_radius(mdp).state_radii is None


def test_state_radii_of_a_larger_mdp():
    mdp = MDP.from_arrays(*garnet(3, states=60, actions=3, branching=3), 0.9)
    result = stability_radius(mdp, per_state=True)
    expected = np.full(mdp.n_states, np.inf)
    for pair, gap, d in dense_rows(mdp):
        state = mdp.pair_states[pair]
        expected[state] = min(expected[state], gap / np.abs(d).sum())
    np.testing.assert_allclose(result.state_radii, expected, rtol=1e-6)


# Reachable states only -------------------------------------------------------------------------------------------


def occupancy(mdp, choice):
    kernel = dense(mdp)[choice]
    x = np.linalg.solve((np.eye(mdp.n_states) - mdp.gamma * kernel).T, mdp.initial)
    result = np.zeros(mdp.n_pairs)
    result[choice] = x * ~mdp.terminal
    return result


def reachable_by_enumeration(mdp):
    best = list(np.flatnonzero(greedy_policy(solve(mdp))))
    here, result = occupancy(mdp, best), np.inf
    for choice in policies(mdp):
        there = occupancy(mdp, choice)
        size = np.abs(there - here).sum()
        if size > 1e-12:
            result = min(result, (here - there) @ mdp.rewards / size)
    return result


@given(recipes(gammas=(0.5, 0.9)), st.integers(0, 2))
@settings(max_examples=60)
def test_the_bracket_contains_the_truth_and_often_closes(recipe, start):
    mdp = random_mdp(**{**recipe, "integer": False, "branching": 1})
    mdp = MDP.from_pairs(
        mdp.pair_states,
        mdp.transitions,
        mdp.rewards,
        mdp.gamma,
        actions=mdp.actions,
        terminal=mdp.terminal,
        initial=np.eye(mdp.n_states)[min(start, mdp.n_states - 1)],
    )
    result = stability_radius(mdp, reachable_only=True)
    truth = reachable_by_enumeration(mdp)
    assert result.bracket[0] <= truth * (1 + 1e-9)
    assert truth <= result.bracket[1] * (1 + 1e-9)
    if result.status == "exact":
        assert result.radius == pytest.approx(truth)


def test_states_that_no_policy_reaches_do_not_count():
    kernel = np.zeros((2, 2, 2))
    kernel[0, :, 0] = kernel[1, :, 1] = 1.0
    mdp = MDP.from_arrays(kernel, [[1.0, 0.0], [1.0, 1.0]], 0.5, initial=[1.0, 0.0])
    assert stability_radius(mdp).status == "tied"
    result = stability_radius(mdp, reachable_only=True)
    assert (result.status, result.state) == ("exact", 0)
    assert result.radius == pytest.approx(reachable_by_enumeration(mdp))


def test_a_detour_that_only_pays_when_two_states_change():
    """The bracket stays open: the nearest other behaviour changes the action off the path as well."""
    states, targets = [0, 0, 1, 1, 2], [3, 1, 2, 3, 3]
    rewards = [1.0, 0.0, 0.0, 0.9, 0.899]
    mdp = MDP.from_pairs(
        states, np.eye(4)[targets], rewards, 0.9, terminal=np.arange(4) == 3, initial=[0.5, 0.0, 0.5, 0.0]
    )
    result = stability_radius(mdp, reachable_only=True)
    truth = reachable_by_enumeration(mdp)
    assert result.status == "bracket"
    assert result.radius == result.bracket[0]
    assert result.bracket[0] <= truth <= result.bracket[1]
