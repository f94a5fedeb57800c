"""EPIC and DARD against their definitions in loops, what they are blind to, and what they are not."""

import numpy as np
import pytest
from core_oracles import dense, garnet, random_mdp
from distance_oracles import (
    dard_by_loops,
    epic_by_loops,
    full_mdp,
    kernel_of,
    pearson,
    shape_pairs,
    shape_table,
    table_of,
    uniform_weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, greedy_policy, optimal_actions, reward_distance, solve, stability_radius
from policycliff.errors import InvalidInputError

SEEDS = st.integers(0, 10**6)
SIZES = {"states": st.integers(2, 4), "actions": st.integers(1, 3), "gamma": st.sampled_from([0.0, 0.5, 0.9, 0.99])}


def tables(seed, shape, count=2):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for _ in range(count)]


def check(found, expected):
    """Within its own bound of a number that itself has lost up to half its digits near 0."""
    assert found.status == "certified"
    assert found.error_bound < 1e-9
    assert found.value == pytest.approx(expected, abs=found.error_bound + 1e-12 + 1e-14 / max(expected, 1e-7))


@given(seed=SEEDS, branching=st.sampled_from([None, 1, 2]), terminals=st.integers(0, 1), **SIZES)
@settings(max_examples=40, deadline=None)
def test_over_transitions_against_loops(seed, states, actions, gamma, branching, terminals):
    mdp = full_mdp(seed, states=states, actions=actions, gamma=gamma, branching=branching, terminals=terminals)
    first, second = tables(seed, (states, actions, states))
    if terminals:  # One row stands for every action of a terminal state.
        first[-1], second[-1] = first[-1, 0], second[-1, 0]
    rng = np.random.default_rng(seed)
    spread, chosen = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(actions))
    policy = np.where(mdp.terminal[mdp.pair_states], 1.0, chosen[mdp.actions])
    weights = uniform_weights(mdp, actions)
    canonical = [epic_by_loops(r, gamma, chosen, spread) for r in (first, second)]
    found = reward_distance(mdp, first, second, kind="epic", policy=policy, state_distribution=spread)
    check(found, pearson(*canonical, weights))
    kernel = kernel_of(mdp, actions)
    canonical = [dard_by_loops(r, kernel, gamma, chosen) for r in (first, second)]
    found = reward_distance(mdp, first, second, kind="dard", policy=policy, coverage="uniform")
    check(found, pearson(*canonical, weights))
    found = reward_distance(mdp, first, second, kind="dard", policy=policy, coverage=weights / weights.sum())
    check(found, pearson(*canonical, weights))


@given(seed=SEEDS, terminals=st.integers(0, 1), **SIZES)
@settings(max_examples=40, deadline=None)
def test_over_pairs_against_loops(seed, states, actions, gamma, terminals):
    mdp = full_mdp(seed, states=states, actions=max(actions, 2), gamma=gamma, terminals=terminals, branching=2)
    actions, alive = max(actions, 2), ~mdp.terminal[mdp.pair_states]
    first, second = (np.where(alive, r, 0.0) for r in tables(seed, mdp.n_pairs))
    chosen, spread = np.full(actions, 1.0 / actions), np.full(states, 1.0 / states)
    whole = [table_of(mdp, r, actions) for r in (first, second)]
    kernel = kernel_of(mdp, actions)
    everywhere = uniform_weights(mdp, actions)
    along = kernel * everywhere
    canonical = [epic_by_loops(r, gamma, chosen, spread) for r in whole]
    check(reward_distance(mdp, first, second, kind="epic"), pearson(*canonical, everywhere))
    check(reward_distance(mdp, first, second, kind="epic", coverage="transitions"), pearson(*canonical, along))
    canonical = [dard_by_loops(r, kernel, gamma, chosen) for r in whole]
    check(reward_distance(mdp, first, second, kind="dard"), pearson(*canonical, along))
    check(reward_distance(mdp, first, second, kind="dard", coverage="uniform"), pearson(*canonical, everywhere))


def test_a_hand_calculated_value():
    # One state, three actions: the canonical reward is R up to a constant, and rho of (1, 0, 0) and (0, 1, 0) is -1/2.
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.5)
    for kind in ("epic", "dard"):
        assert reward_distance(mdp, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], kind=kind).value == pytest.approx(0.75**0.5)
        opposite = reward_distance(mdp, [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], kind=kind)
        assert opposite.value == pytest.approx(1.0)


def test_the_rewards_of_the_paper_on_its_grid_by_hand():
    """Rewards of states on the 3 x 3 grid of Gleave et al., as their published code has them.

    For R(s, a, s') = R(s) the mean m is R, the canonical form gamma (R(s') - E R): EPIC is the Pearson distance of the
    nine numbers. Of path and cliff: products 26, squares 20 and 50, sums 0 and -6, so rho = 26 / sqrt(20 * 46).
    """
    sparse, path, cliff = (
        np.array(rows, dtype=float)
        for rows in ([0] * 8 + [1], [0, -1, -1, 0, 0, 0, -1, -1, 4], [0, -1, -1, 0, 0, 0, -4, -4, 4])
    )
    kernel = np.zeros((9, 5, 9))
    for s, (row, column) in enumerate(np.ndindex(3, 3)):
        for a, (down, right) in enumerate([(0, 1), (1, 0), (0, -1), (-1, 0), (0, 0)]):
            kernel[s, a, 3 * np.clip(row + down, 0, 2) + np.clip(column + right, 0, 2)] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((9, 5)), 0.99)
    found = reward_distance(mdp, path, cliff, kind="epic")
    assert found.value == pytest.approx(((1 - 26 / 920**0.5) / 2) ** 0.5, abs=found.error_bound)
    assert round(found.value, 4) == 0.2672
    # Dense: sparse, shaped by the distance to the goal.
    whole = np.repeat(sparse, 45).reshape(9, 5, 9)
    dense_goal = shape_table(whole, 0.99, -np.array([4.0, 3.0, 2.0, 3.0, 2.0, 1.0, 2.0, 1.0, 0.0]))
    for kind in ("epic", "dard", "starc"):
        assert reward_distance(mdp, whole, dense_goal, kind=kind).value < 1e-12
    # Path and cliff have the same optimal policies on this grid, and are not equivalent.
    members = [optimal_actions(solve(mdp.with_rewards(r)), exact=True).members for r in (path, cliff)]
    assert (members[0] == members[1]).all()


@given(seed=SEEDS, scale=st.sampled_from([1e-6, 0.5, 3.0, 1e6]), **SIZES)
@settings(max_examples=30, deadline=None)
def test_blind_to_shaping_over_transitions_scale_and_constants(seed, states, actions, gamma, scale):
    mdp = full_mdp(seed, states=states, actions=actions, gamma=gamma)
    (first,) = tables(seed, (states, actions, states), 1)
    potential = np.random.default_rng(seed).normal(size=states)
    moved = scale * shape_table(first, gamma, potential) + 7.0 * scale
    for kind in ("epic", "dard"):
        found = reward_distance(mdp, first, moved, kind=kind)
        assert found.value <= found.error_bound + 1e-9


@given(seed=SEEDS, **SIZES)
@settings(max_examples=25, deadline=None)
def test_pseudometric(seed, states, actions, gamma):
    mdp = full_mdp(seed, states=states, actions=actions, gamma=gamma)
    r = [*tables(seed, (states, actions, states), 2), np.ones((states, actions, states))]
    for kind in ("epic", "dard"):
        between = [[reward_distance(mdp, a, b, kind=kind) for b in r] for a in r]
        values = np.array([[d.value for d in row] for row in between])
        assert (np.diag(values) == 0.0).all()
        np.testing.assert_allclose(values, values.T, atol=1e-12)
        assert values.max() <= 1.0 + 1e-12
        assert values[0, 1] <= values[0, 2] + values[2, 1] + 1e-12
        assert values[0, 2] == pytest.approx(0.5)
        assert between[0][2].scales[1] == 0.0


def test_shaping_over_pairs_is_not_seen_through():
    mdp = full_mdp(3)
    shaped = shape_pairs(mdp, mdp.rewards, np.array([3.0, -1.0, 0.0, 2.0]))
    for kind in ("epic", "dard"):
        assert reward_distance(mdp, mdp.rewards, shaped, kind=kind).bracket[0] > 0.1
    assert reward_distance(mdp, mdp.rewards, shaped, kind="starc").value < 1e-12


def test_frozen_terminal_rewards_break_the_invariance():
    mdp = full_mdp(3, terminals=1, branching=2)
    potential = np.array([3.0, -1.0, 2.0, 0.0])
    table = np.random.default_rng(0).normal(size=(4, 3, 4))
    table[3] = 0.0
    everywhere = shape_table(table, mdp.gamma, potential)
    frozen_end = everywhere.copy()
    frozen_end[3] = 0.0
    for kind in ("epic", "dard"):
        assert reward_distance(mdp, table, everywhere, kind=kind, coverage="uniform").value < 1e-12
        assert reward_distance(mdp, table, frozen_end, kind=kind, coverage="uniform").bracket[0] > 0.01
    # Both pay the same in the MDP: nothing differs but the row of the terminal state.
    assert reward_distance(mdp, everywhere, frozen_end, kind="sup").value == 0.0


def test_with_terminal_states_distance_0_does_not_keep_the_policy():
    # Going on costs 1 or earns 1 a step, and quitting ends it: a constant decides, and EPIC and DARD do not see it.
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 0] = kernel[0, 1, 1] = 1.0
    table = np.arange(8.0).reshape(2, 2, 2) / 8.0
    table[:, 1] = table[:, 0]
    ends = np.array([False, True])
    built = [
        MDP.from_arrays(kernel, np.where(ends[:, None, None], 0.0, table + shift), 0.9, terminal=ends)
        for shift in (2.0, -2.0)
    ]
    for kind in ("epic", "dard"):
        found = reward_distance(built[0], table + 2.0, table - 2.0, kind=kind, coverage="uniform")
        assert found.value <= 1e-12
    policies = [greedy_policy(solve(mdp)).tolist() for mdp in built]
    assert policies[0] != policies[1]


def test_dard_over_the_dynamics_can_be_0_between_opposite_policies():
    # From states 0 and 1 the way leads to 0; in 2 one moves to 1 or stays. Pay 1 in state 0: its shaping by the mean
    # reward m leaves 0 at 0, gamma at 1 -> 0 and 0 at 2, and DARD takes off gamma times the mean reward one step later,
    # which is the same number everywhere.
    kernel = np.zeros((3, 2, 3))
    kernel[:2, :, 0] = kernel[2, 0, 1] = kernel[2, 1, 2] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), 0.9)
    paid, staying = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    for first, second in ((staying + 5.0 * paid, staying - 5.0 * paid), (staying, staying + 5.0 * paid)):
        assert reward_distance(mdp, first, second, kind="dard").value <= 1e-12
        chosen = [greedy_policy(solve(mdp.with_rewards(r)))[4:].tolist() for r in (first, second)]
        assert chosen[0] != chosen[1]
        for kind in ("epic", "starc"):
            assert reward_distance(mdp, first, second, kind=kind).bracket[0] > 0.1


@given(
    seed=SEEDS,
    size=st.sampled_from([1e-3, 0.03, 0.3]),
    coverage=st.sampled_from(["uniform", "transitions"]),
    over_transitions=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_epic_certifies_where_no_state_is_terminal(seed, size, coverage, over_transitions):
    """No flip while 2 scale distance sqrt(max P / D) < radius."""
    mdp, rng = full_mdp(seed, gamma=0.7, branching=2), np.random.default_rng(seed)
    moved = mdp.rewards + size * rng.uniform(-1.0, 1.0, mdp.n_pairs)
    first, second = mdp.rewards, rng.uniform(0.2, 5.0) * moved
    if over_transitions:
        first, second = (table_of(mdp, r, 3) for r in (first, second))
        second = shape_table(second, mdp.gamma, rng.normal(size=4))
    found = reward_distance(mdp, first, second, kind="epic", coverage=coverage)
    ratio = mdp.n_pairs * (1.0 if coverage == "transitions" else 4.0 * mdp.probabilities.max())
    if 2.0 * found.scales[0] * found.bracket[1] * ratio**0.5 < stability_radius(mdp).bracket[0]:
        before, after = (optimal_actions(solve(mdp.with_rewards(r))).members for r in (mdp.rewards, moved))
        assert (before == after).all()


def test_a_constant_is_certified_and_a_pure_shaping_is_unresolved():
    mdp = full_mdp(0, states=3, actions=2)
    one = np.ones((3, 2, 3))
    pure = shape_table(np.zeros((3, 2, 3)), mdp.gamma, np.array([0.1, 0.7, -0.3]))
    other = np.random.default_rng(0).normal(size=(3, 2, 3))
    assert reward_distance(mdp, one, 2.0 * one, kind="epic").bracket == (0.0, 0.0)
    for kind in ("epic", "dard"):
        found = reward_distance(mdp, pure, other, kind=kind)
        assert found.status == "unresolved"
        assert found.bracket[0] == 0.0
        assert found.bracket[1] >= 1.0
        assert reward_distance(mdp, pure, pure, kind=kind).bracket == (0.0, 0.0)


def test_close_rewards_keep_their_digits():
    mdp = full_mdp(1)
    table = np.random.default_rng(0).normal(size=(4, 3, 4))
    bump = np.zeros_like(table)
    bump[0, 0, 0] = 1.0
    far = [reward_distance(mdp, table, table + size * bump, kind="epic") for size in (1e-9, 1e-6)]
    assert far[0].error_bound < 1e-2 * far[0].value
    assert far[0].value == pytest.approx(1e-3 * far[1].value, rel=1e-2)


def test_weights_of_pairs_follow_the_kernel():
    mdp = full_mdp(5)
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4, 3, 4))
    weights = rng.dirichlet(np.ones(mdp.n_pairs))
    along = dense(mdp).reshape(4, 3, 4) * weights.reshape(4, 3, 1)
    a, b = (reward_distance(mdp, first, second, kind="dard", coverage=c) for c in (weights, along))
    assert a.value == pytest.approx(b.value, abs=1e-12)
    assert dict(a.settings)["coverage"] == "given over pairs"


def test_a_large_mdp_over_pairs():
    kernel, rewards = garnet(0, states=3000, actions=4, branching=5)
    mdp = MDP.from_arrays(kernel, rewards, 0.95)
    other = mdp.rewards + 0.1 * np.random.default_rng(1).random(mdp.n_pairs)
    for kind in ("epic", "dard"):
        found = reward_distance(mdp, mdp.rewards, other, kind=kind)
        assert found.status == "certified"
        assert 0.01 < found.value < 0.2
        assert found.error_bound < 1e-10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "dard", "state_distribution": [1.0]}, r"`state_distribution` with kind = 'dard'.*Drop"),
        ({"kind": "sup", "policy": [1.0]}, r"`policy` with kind = 'sup'"),
        ({"kind": "EPIC"}, r"kind = 'EPIC'.*'epic'"),
        ({"kind": "epic", "coverage": "all"}, r"coverage = 'all'.*'uniform'"),
        ({"kind": "epic", "coverage": np.full(12, 1.0)}, r"sum 12.0.*Divide by the sum"),
        ({"kind": "epic", "coverage": np.ones(5) / 5}, r"shape \(5,\).*\(12,\)"),
        ({"kind": "epic", "coverage": np.r_[2.0, -1.0, np.zeros(10)]}, r"minimum -1.0"),
        ({"kind": "epic", "coverage": np.full((4, 3, 4), np.nan)}, r"nan in `coverage`"),
        ({"kind": "epic", "coverage": np.full((4, 4, 4), 1 / 64)}, r"sum 0.75"),
        ({"kind": "epic", "state_distribution": [0.5, 0.5, 0.5, 0.5]}, r"sum 2.0"),
        ({"kind": "epic", "policy": np.ones(12)}, r"sum 3.0 at state 0"),
        ({"kind": "dard", "policy": np.r_[1.0, 0.0, 0.0, np.full(9, 1 / 3)]}, r"depends on the state"),
    ],
)
def test_bad_options(options, message):
    mdp = full_mdp(0)
    with pytest.raises(InvalidInputError, match=message):
        reward_distance(mdp, mdp.rewards, -mdp.rewards, **options)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (np.zeros((4, 3, 3)), r"`r2` of shape \(4, 3, 3\).*\(4, 3, 4\)"),
        (np.zeros((4, 2, 4)), r"`r2` for 2 actions.*at least 3"),
        (np.full((4, 3, 4), np.inf), r"inf in `r2`"),
        (np.zeros(7), r"`r2` of shape \(7,\)"),
        (None, r"`r2` of shape \(\)"),
        (np.r_[np.nan, np.zeros(11)], r"nan in `r2`"),
        (np.zeros(12).astype("datetime64[D]"), r"`r2` that does not convert"),
        (["a"] * 12, r"`r2` that does not convert"),
    ],
)
def test_bad_rewards(reward, message):
    mdp = full_mdp(0)
    with pytest.raises(InvalidInputError, match=message):
        reward_distance(mdp, mdp.rewards, reward, kind="epic")


def test_states_with_different_actions():
    mdp = random_mdp(1, states=4)
    assert np.unique(np.diff(mdp.offsets)).size > 1
    assert reward_distance(mdp, mdp.rewards, -mdp.rewards, kind="epic").value == pytest.approx(1.0)
    with pytest.raises(InvalidInputError, match="one action for several states"):
        reward_distance(mdp, mdp.rewards, -mdp.rewards, kind="dard")


def test_coverage_of_terminal_states():
    mdp = full_mdp(0, terminals=1)
    weights = np.full(mdp.n_pairs, 1.0 / mdp.n_pairs)
    with pytest.raises(InvalidInputError, match="`coverage` of terminal state 3"):
        reward_distance(mdp, mdp.rewards, -mdp.rewards, kind="epic", coverage=weights)
    ended = MDP.from_arrays(np.zeros((1, 1, 1)), [[0.0]], 0.5, terminal=np.array([True]))
    with pytest.raises(InvalidInputError, match="all terminal"):
        reward_distance(ended, [0.0], [0.0], kind="epic")
    for kind in ("sup", "shaping", "starc"):
        assert reward_distance(ended, [0.0], [0.0], kind=kind).bracket == (0.0, 0.0)
    assert reward_distance(ended, [0.0], [0.0], kind="starc", canonical="minimal").value == 0.0
