"""STARC distances against dense solves and least squares over all transitions; invariances; what they certify."""

import numpy as np
import pytest
from core_oracles import dense, garnet, random_mdp, recipes
from distance_oracles import (
    advantages_by_solve,
    full_mdp,
    minimal_by_least_squares,
    shape_pairs,
    shape_table,
    table_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, optimal_actions, reward_distance, solve, stability_radius, token_tree, uniform_policy
from policycliff.errors import InvalidInputError
from policycliff.rewards.distances import starc

NORMS = ("1", "2", "inf")
ORDER = {"1": 1, "2": 2, "inf": np.inf}
FORMS = ("value", "minimal")


def other_reward(mdp, seed=0):
    return np.where(mdp.terminal[mdp.pair_states], 0.0, np.random.default_rng(seed).normal(size=mdp.n_pairs))


@given(recipe=recipes(max_states=4), norm=st.sampled_from(NORMS), metric=st.sampled_from(NORMS))
@settings(max_examples=60, deadline=None)
def test_value_form_against_a_dense_solve(recipe, norm, metric):
    mdp = random_mdp(**recipe)
    policy, other = uniform_policy(mdp), other_reward(mdp)
    forms = [np.repeat(advantages_by_solve(mdp, r, policy), mdp.n_states) for r in (mdp.rewards, other)]
    sizes = [np.linalg.norm(c, ORDER[norm]) for c in forms]
    found = reward_distance(mdp, mdp.rewards, other, kind="starc", norm=norm, metric=metric)
    if found.status == "unresolved":
        assert min(sizes) < 1e-9
        return
    standard = [c / size if size > 1e-9 else 0.0 * c for c, size in zip(forms, sizes, strict=True)]
    assert found.value == pytest.approx(np.linalg.norm(standard[0] - standard[1], ORDER[metric]), abs=1e-9)
    assert found.error_bound < 1e-8


@given(
    seed=st.integers(0, 10**6),
    gamma=st.sampled_from([0.0, 0.5, 0.95]),
    terminals=st.integers(0, 2),
    branching=st.sampled_from([None, 1, 2]),
    norm=st.sampled_from(NORMS),
    metric=st.sampled_from(NORMS),
)
@settings(max_examples=60, deadline=None)
def test_minimal_form_against_least_squares(seed, gamma, terminals, branching, norm, metric):
    mdp = random_mdp(seed, states=4, gamma=gamma, terminals=terminals, branching=branching)
    rng, actions = np.random.default_rng(seed), int(mdp.actions.max()) + 1
    tables = rng.normal(size=(2, mdp.n_states, actions, mdp.n_states))
    forms = [minimal_by_least_squares(mdp, table) for table in tables]
    found = reward_distance(mdp, tables[0], tables[1], kind="starc", canonical="minimal", norm=norm, metric=metric)
    sizes = [np.linalg.norm(c, ORDER[norm]) for c in forms]
    if found.status == "unresolved":
        assert min(sizes) < 1e-9
        return
    expected = np.linalg.norm(forms[0] / sizes[0] - forms[1] / sizes[1], ORDER[metric])
    assert found.value == pytest.approx(expected, abs=1e-8)
    assert found.scales == pytest.approx(tuple(sizes), abs=1e-8)
    assert found.error_bound < 1e-8


@given(recipe=recipes(max_states=4), scale=st.sampled_from([1e-6, 2.0, 1e6]), form=st.sampled_from(FORMS))
@settings(max_examples=60, deadline=None)
def test_blind_to_shaping_redistribution_and_scale(recipe, scale, form):
    mdp = random_mdp(**recipe)
    rng, actions = np.random.default_rng(recipe["seed"]), int(mdp.actions.max()) + 1
    potential = rng.normal(size=mdp.n_states)
    shaped = scale * shape_pairs(mdp, mdp.rewards, potential)
    options = {"kind": "starc", "canonical": form}
    assert reward_distance(mdp, mdp.rewards, shaped, **options).bracket[0] <= 0.0
    # Redistribution: noise over next states with mean 0 under the kernel.
    noise = rng.normal(size=(mdp.n_pairs, mdp.n_states))
    rows = dense(mdp)
    noise -= (rows * noise).sum(axis=1, keepdims=True)
    table = table_of(mdp, mdp.rewards, actions)
    table[mdp.pair_states, mdp.actions] += noise
    table = scale * shape_table(table, mdp.gamma, np.where(mdp.terminal, 0.0, potential))
    assert reward_distance(mdp, mdp.rewards, table, **options).bracket[0] <= 1e-12


@given(seed=st.integers(0, 10**6), form=st.sampled_from(FORMS), norm=st.sampled_from(NORMS))
@settings(max_examples=9, deadline=None)
def test_pseudometric(seed, form, norm):
    mdp = random_mdp(seed, states=4, terminals=1)
    rewards = [mdp.rewards, other_reward(mdp, seed), -mdp.rewards, np.zeros(mdp.n_pairs)]
    options = {"kind": "starc", "canonical": form, "norm": norm}
    values = np.array([[reward_distance(mdp, a, b, **options).value for b in rewards] for a in rewards])
    assert (np.diag(values) == 0.0).all()
    np.testing.assert_allclose(values, values.T, atol=1e-10)
    for a, b, c in np.ndindex(4, 4, 4):
        assert values[a, c] <= values[a, b] + values[b, c] + 1e-9
    assert values[0, 2] == pytest.approx(2.0)
    assert values[0, 3] == pytest.approx(1.0)


@given(
    seed=st.integers(0, 10**6),
    size=st.sampled_from([1e-3, 0.03, 0.3]),
    form=st.sampled_from(FORMS),
    norm=st.sampled_from(NORMS),
    metric=st.sampled_from(NORMS),
    terminals=st.integers(0, 1),
)
@settings(max_examples=80, deadline=None)
def test_below_the_radius_nothing_flips(seed, size, form, norm, metric, terminals):
    mdp = random_mdp(seed, states=4, terminals=terminals, gamma=0.7)
    rng = np.random.default_rng(seed)
    alive = ~mdp.terminal[mdp.pair_states]
    moved = np.where(alive, mdp.rewards + size * rng.uniform(-1.0, 1.0, mdp.n_pairs), 0.0)
    moved = rng.uniform(0.2, 5.0) * shape_pairs(mdp, moved, rng.normal(size=mdp.n_states))
    found = reward_distance(mdp, mdp.rewards, moved, kind="starc", canonical=form, norm=norm, metric=metric)
    radius = stability_radius(mdp).bracket[0]
    if found.scales[0] * found.bracket[1] < radius * (1.0 - 1e-9):
        before, after = (optimal_actions(solve(m)).members for m in (mdp, mdp.with_rewards(moved)))
        assert (before == after).all()


def test_the_certificate_is_of_use():
    mdp = random_mdp(0, states=4)
    moved = 3.0 * shape_pairs(mdp, mdp.rewards + 1e-3, np.arange(4.0))
    found = reward_distance(mdp, mdp.rewards, moved, kind="starc", metric="inf")
    assert found.scales[0] * found.bracket[1] < stability_radius(mdp).bracket[0]
    assert reward_distance(mdp, mdp.rewards, moved, kind="sup").value > stability_radius(mdp).radius


def test_a_trivial_reward_is_as_far_as_the_radius_at_least():
    for seed in range(20):
        mdp = random_mdp(seed, states=4)
        zero = reward_distance(mdp, mdp.rewards, np.zeros(mdp.n_pairs), kind="starc", metric="inf")
        assert zero.scales[1] == 0.0
        assert zero.scales[0] * zero.value >= stability_radius(mdp).radius


def test_pure_shaping_is_unresolved():
    mdp = random_mdp(0, states=4)
    pure = shape_pairs(mdp, np.zeros(mdp.n_pairs), np.array([0.3, 0.1, -0.7, 0.9]))
    for form in FORMS:
        found = reward_distance(mdp, mdp.rewards, pure, kind="starc", canonical=form)
        assert found.status == "unresolved"
        assert found.bracket[0] <= 1.0 <= found.bracket[1]


def test_a_tree_without_discount():
    tree = token_tree(["ab", "ac", "d"], [1.0, 0.0, 0.5])
    other = token_tree(["ab", "ac", "d"], [0.0, 1.0, 0.75]).rewards
    for form in FORMS:
        found = reward_distance(tree, tree.rewards, other, kind="starc", canonical=form)
        assert found.status == "certified"
        assert 0.5 < found.value < 2.0
        assert found.error_bound < 1e-12


def test_another_policy_is_another_distance():
    mdp = random_mdp(2, states=4)
    chosen = np.zeros(mdp.n_pairs)
    chosen[mdp.offsets[:-1]] = 1.0
    other = other_reward(mdp)
    a = reward_distance(mdp, mdp.rewards, other, kind="starc")
    b = reward_distance(mdp, mdp.rewards, other, kind="starc", policy=chosen)
    assert abs(a.value - b.value) > 1e-3
    assert (a.settings["policy"], b.settings["policy"]) == ("uniform", "given")
    exact = [advantages_by_solve(mdp, r, chosen) for r in (mdp.rewards, other)]
    expected = np.linalg.norm(exact[0] / np.linalg.norm(exact[0]) - exact[1] / np.linalg.norm(exact[1]))
    assert b.value == pytest.approx(expected)


def test_large_mdps_by_both_solvers(monkeypatch):
    kernel, rewards = garnet(1, states=400, actions=4, branching=5)
    mdp = MDP.from_arrays(kernel, rewards, 0.95)
    other = mdp.rewards + 0.1 * np.random.default_rng(1).random(mdp.n_pairs)
    direct = reward_distance(mdp, mdp.rewards, other, kind="starc", canonical="minimal")
    assert direct.error_bound < 1e-9
    monkeypatch.setattr(starc, "DIRECT_LIMIT", 0)
    sweeps = reward_distance(mdp, mdp.rewards, other, kind="starc", canonical="minimal")
    assert abs(direct.value - sweeps.value) <= direct.error_bound + sweeps.error_bound < 1e-6
    value = reward_distance(mdp, mdp.rewards, other, kind="starc")
    assert value.value == pytest.approx(direct.value, rel=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "3"}, r"norm = '3'.*'inf'"),
        ({"metric": "two"}, r"metric = 'two'"),
        ({"canonical": "epic"}, r"canonical = 'epic'.*'minimal'"),
        ({"canonical": "minimal", "policy": np.full(12, 1 / 3)}, r"`policy` with canonical = 'minimal'"),
        ({"policy": np.zeros(12)}, r"sum 0.0 at state 0"),
        ({"coverage": "uniform"}, r"`coverage` with kind = 'starc'"),
    ],
)
def test_bad_options(options, message):
    mdp = full_mdp(0)
    with pytest.raises(InvalidInputError, match=message):
        reward_distance(mdp, mdp.rewards, -mdp.rewards, kind="starc", **options)
