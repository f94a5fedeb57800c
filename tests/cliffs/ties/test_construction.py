"""The constructions of Props 2.9, 2.10 and 3.2 against enumeration of all policies in fractions."""

import json
from fractions import Fraction

import numpy as np
import pytest
from core_oracles import brute_force, garnet, optimal_sets, random_mdp, recipes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policycliff import (
    MDP,
    MetricGrid,
    cliff_perturbation,
    greedy_policy,
    inverse_bellman,
    solve,
    token_tree,
    uniform_policy,
)
from policycliff.cliffs.ties.construction import added_within
from policycliff.errors import InvalidInputError

SIZES = [2.0**-2, 2.0**-20, 2.0**-40]
METHODS = ["paper", "sharp", "pair"]


def tied_mdp(seed, *, states=3, actions=3, terminals=0):
    """Whole-number Q-values on a dyadic kernel, gamma = 1/2: ties are exact in floating point."""
    rng = np.random.default_rng(seed)
    kernel = rng.multinomial(8, rng.dirichlet(np.ones(states)), size=(states, actions)) / 8.0
    terminal = np.arange(states) >= states - terminals
    kernel[terminal] = 0.0
    available = rng.random((states, actions)) < 0.9
    available[:, 0] = True
    gamma = float(rng.choice([0.0, 0.5]))
    mdp = MDP.from_arrays(
        kernel, np.zeros((states, actions)), gamma, available=available, terminal=terminal, initial=np.eye(states)[0]
    )
    q = np.where(terminal[mdp.pair_states], 0.0, rng.integers(0, 3, mdp.n_pairs) / 1.0)
    return mdp.with_rewards(inverse_bellman(mdp, q))


def ties(mdp):
    """(state, action, pair) for every tied optimal pair, by enumeration."""
    return [
        (state, int(mdp.actions[pair]), pair)
        for state, members in enumerate(optimal_sets(mdp))
        if len(members) > 1
        for pair in sorted(members)
    ]


@given(st.integers(0, 10**5), st.integers(0, 1), st.sampled_from(SIZES), st.sampled_from(METHODS))
@settings(max_examples=30, deadline=None)
def test_any_tied_action_wins_under_any_small_change(seed, terminals, epsilon, method):
    mdp = tied_mdp(seed, terminals=terminals)
    assume(ties(mdp))
    sets = optimal_sets(mdp)
    for state, action, pair in ties(mdp):
        result = cliff_perturbation(mdp, state, action, epsilon, construction=method)
        exact_change = [Fraction(a) - Fraction(b) for a, b in zip(result.rewards, mdp.rewards, strict=True)]
        assert max(abs(x) for x in exact_change) <= Fraction(epsilon)
        assert [float(x) for x in exact_change] == result.change.tolist()
        after = optimal_sets(mdp.with_rewards(result.rewards))
        assert after[state] == {pair}
        assert result.status == "certified"
        assert result.actions_before.tolist() == sorted(int(mdp.actions[p]) for p in sets[state])
        assert result.actions_after.tolist() == [action]
        assert result.states_changed.tolist() == [s for s in range(mdp.n_states) if after[s] != sets[s]]
        assert result.uniform_jump == pytest.approx((len(sets[state]) - 1) / len(sets[state]))
        assert result.greedy_jump == (0.0 if pair == min(sets[state]) else 1.0)


@given(st.integers(0, 10**5), st.sampled_from(["paper", "sharp"]))
@settings(max_examples=30, deadline=None)
def test_the_indicator_changes_q_at_one_pair_and_the_set_at_one_state(seed, method):
    mdp = tied_mdp(seed, terminals=1)
    assume(ties(mdp))
    state, action, pair = ties(mdp)[-1]
    size = 2.0**-10 * (1 + mdp.gamma if method == "paper" else 1)  # a short height: rewards stay exact
    result = cliff_perturbation(mdp, state, action, size, construction=method)
    _, before = brute_force(mdp)
    _, after = brute_force(mdp.with_rewards(result.rewards))
    moved = [float(b - a) for a, b in zip(before, after, strict=True)]
    assert moved == pytest.approx(result.height * (np.arange(mdp.n_pairs) == pair), abs=1e-14)
    assert result.states_changed.tolist() == [state]
    assert result.height == 2.0**-10


def test_rounding_of_the_rewards_can_break_a_tie_elsewhere_and_is_reported():
    """A height of 2^-10 / 1.5 has no short binary form: what the predecessors of s0 pay back is rounded."""
    mdp = tied_mdp(224, terminals=1)
    state, action, _ = ties(mdp)[-1]
    result = cliff_perturbation(mdp, state, action, 2.0**-10)
    after = optimal_sets(mdp.with_rewards(result.rewards))
    assert result.states_changed.tolist() == [s for s in range(mdp.n_states) if after[s] != optimal_sets(mdp)[s]]
    assert result.states_changed.size == 2


@given(st.integers(0, 10**5), st.sampled_from(SIZES), st.floats(0.2, 8.0))
@settings(max_examples=30, deadline=None)
def test_wide_bumps_on_metric_sets(seed, epsilon, width):
    """Bumps that reach other states and other optimal actions: the norm holds, and a2 still wins alone."""
    mdp = tied_mdp(seed, terminals=1)
    assume(ties(mdp))
    rng = np.random.default_rng(seed)
    state, action, pair = ties(mdp)[0]
    states, actions = MetricGrid.from_points(rng.permutation(9)[:3]), MetricGrid.from_points(rng.permutation(9)[:3])
    result = cliff_perturbation(
        mdp, state, action, epsilon, width=width, construction="sharp", state_metric=states, action_metric=actions
    )
    sets = optimal_sets(mdp)
    after = optimal_sets(mdp.with_rewards(result.rewards))
    assert after[state] == {pair}
    assert result.status == "certified"
    assert result.states_changed.tolist() == [s for s in range(mdp.n_states) if after[s] != sets[s]]
    low, high = result.change_range
    assert -mdp.gamma * epsilon <= low <= high <= epsilon
    assert (result.shape[mdp.terminal[mdp.pair_states]] == 0.0).all()
    _, old = brute_force(mdp)
    _, new = brute_force(mdp.with_rewards(result.rewards))
    moved = np.array([float(b - a) for a, b in zip(old, new, strict=True)])
    np.testing.assert_allclose(moved, epsilon * result.shape, atol=1e-13)


def test_the_default_width_is_the_distance_to_the_nearest_rival():
    bandit = MDP.from_arrays(np.ones((1, 4, 1)), [[1.0, 0.5, 1.0, 1.0]], 0.0)
    line = MetricGrid.from_points([0.0, 1.0, 3.0, 10.0])
    result = cliff_perturbation(bandit, 0, 0, 0.25, action_metric=line)
    np.testing.assert_allclose(result.shape, [1.0, 2 / 3, 0.0, 0.0])
    assert result.actions_after.tolist() == [0]


def test_the_factor_of_the_paper_is_not_needed_and_the_bound_is_attained():
    """A move to s0 certain under every action: the change is -gamma e there and e at (s0, a2)."""
    kernel = np.zeros((2, 2, 2))
    kernel[0, :, 1], kernel[1, :, 0] = 1.0, 1.0
    mdp = MDP.from_arrays(kernel, [[1.0, 1.0], [0.0, -1.0]], 0.5)
    sharp = cliff_perturbation(mdp, 0, 1, 0.25, construction="sharp")
    assert sharp.change_range == (-0.125, 0.25)
    assert sharp.norm == 0.25
    paper = cliff_perturbation(mdp, 0, 1, 0.25)
    assert paper.norm == pytest.approx(0.25 / 1.5)


def test_one_reward_alone_decides_but_breaks_ties_on_the_way():
    """From state 0 both ways are worth 1; one leads to the tie. 'pair' breaks both ties, 'sharp' only the one."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1], kernel[0, 1, 2], kernel[1, :, 2] = 1.0, 1.0, 1.0
    terminal = np.array([False, False, True])
    mdp = MDP.from_arrays(kernel, [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], 1.0, terminal=terminal)
    pair = cliff_perturbation(mdp, 1, 0, 0.25, construction="pair")
    assert pair.states_changed.tolist() == [0, 1]
    assert (pair.change != 0).sum() == 1
    sharp = cliff_perturbation(mdp, 1, 0, 0.25, construction="sharp")
    assert sharp.states_changed.tolist() == [1]
    assert sharp.change.tolist() == [-0.25, 0.0, 0.25, 0.0, 0.0]


@given(st.integers(0, 10**5))
@settings(max_examples=25, deadline=None)
def test_the_gap_after_moving_one_reward_is_at_least_one_minus_gamma_of_it(seed):
    mdp = tied_mdp(seed)
    assume(ties(mdp))
    state, action, pair = ties(mdp)[0]
    moved = mdp.with_rewards(cliff_perturbation(mdp, state, action, 0.25, construction="pair").rewards)
    values, q = brute_force(moved)
    rivals = [p for p in range(mdp.offsets[state], mdp.offsets[state + 1]) if p != pair]
    assert all(values[state] - q[p] >= Fraction(0.25) * (1 - Fraction(mdp.gamma)) for p in rivals)


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=2, max_size=4, unique=True), st.sampled_from(METHODS))
@settings(max_examples=30, deadline=None)
def test_trees_at_gamma_one(sequences, method):
    tree = token_tree(sequences, np.ones(len(sequences)))
    assume(ties(tree))
    for state, action, pair in ties(tree)[:2]:
        result = cliff_perturbation(tree, state, action, 2.0**-8, construction=method)
        assert result.status == "certified"
        assert optimal_sets(tree.with_rewards(result.rewards))[state] == {pair}
        assert result.norm == 2.0**-8 / (2 if method == "paper" else 1)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_every_selection_jumps_and_uniform_is_the_least_bad(count):
    bandit = MDP.from_arrays(np.ones((1, count, 1)), np.ones((1, count)), 0.0)
    results = [cliff_perturbation(bandit, 0, action, 1e-6) for action in range(count)]
    for rule in (greedy_policy(solve(bandit)), np.random.default_rng(count).dirichlet(np.ones(count))):
        assert max(r.selection_jump(rule) for r in results) >= (count - 1) / count
        assert max(r.selection_jump(rule) for r in results) == pytest.approx(1 - min(rule))
    uniform = uniform_policy(bandit)
    assert [r.selection_jump(uniform) for r in results] == pytest.approx([(count - 1) / count] * count)


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=3), st.sampled_from([1e-1, 1e-7]))
@settings(max_examples=30, deadline=None)
def test_ties_of_any_float_kernel_in_exact_arithmetic(recipe, epsilon):
    """A copied action ties exactly, whatever the numbers; other states are anything."""
    mdp = random_mdp(**{**recipe, "terminals": 0})
    kernel, owners = mdp.transitions.toarray(), np.append(mdp.pair_states, mdp.n_states - 1)
    first = int(mdp.offsets[-2])
    best = first + int(np.argmax(solve(mdp).q_values[first:]))
    twin = MDP.from_pairs(
        owners, np.vstack([kernel, kernel[best]]), np.append(mdp.rewards, mdp.rewards[best]), mdp.gamma
    )
    assume(len(optimal_sets(twin)[-1]) > 1)
    action = int(twin.actions[-1])
    result = cliff_perturbation(twin, twin.n_states - 1, action, epsilon, exact=True)
    assert result.status == "certified"
    assert result.after.error_bound == 0.0
    assert optimal_sets(twin.with_rewards(result.rewards))[-1] == {twin.n_pairs - 1}


def test_a_large_mdp_is_certified_in_floating_point():
    kernel, rewards = garnet(3, states=5_000, actions=3, branching=4)
    copied = kernel.tolil()
    copied[7] = copied[6]
    tied = MDP.from_arrays(
        copied.tocsr(), np.where(np.arange(15_000) // 2 == 3, 2.0, rewards.ravel()).reshape(-1, 3), 0.9
    )
    for method in METHODS:
        result = cliff_perturbation(tied, 2, 1, 1e-6, construction=method)
        assert result.status == "certified", method
        assert result.norm <= 1e-6


def test_what_is_no_tie_is_refused():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.25]], 0.0)
    with pytest.raises(InvalidInputError, match=r"0\.75 below the best.*stability_radius"):
        cliff_perturbation(bandit, 0, 2, 0.1)
    unique = bandit.with_rewards([1.0, 0.5, 0.25])
    with pytest.raises(InvalidInputError, match=r"only optimal action.*Thm 2\.7"):
        cliff_perturbation(unique, 0, 0, 0.1)


def test_bad_arguments_are_refused_before_any_work():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
    for epsilon in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match="positive finite size"):
            cliff_perturbation(bandit, 0, 1, epsilon)
    with pytest.raises(InvalidInputError, match="construction = 'best'"):
        cliff_perturbation(bandit, 0, 1, 0.1, construction="best")
    with pytest.raises(InvalidInputError, match="available actions"):
        cliff_perturbation(bandit, 0, 5, 0.1)
    with pytest.raises(InvalidInputError, match="width = 0"):
        cliff_perturbation(bandit, 0, 1, 0.1, width=0.0)
    with pytest.raises(InvalidInputError, match="one an action index"):
        cliff_perturbation(bandit, 0, 1, 0.1, action_metric=MetricGrid.discrete(1))
    ended = MDP.from_arrays(np.ones((1, 1, 1)), [[0.0]], 0.5, terminal=np.array([True]))
    with pytest.raises(InvalidInputError, match="terminal state 0"):
        cliff_perturbation(ended, 0, 0, 0.1)


def test_a_change_below_the_rounding_of_the_reward_is_refused():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1e6, 1e6]], 0.0)
    with pytest.raises(InvalidInputError, match="distance to the next float"):
        cliff_perturbation(bandit, 0, 1, 1e-12)
    smallest = cliff_perturbation(bandit, 0, 1, float(np.spacing(1e6)))
    assert smallest.status == "certified"


def test_a_bump_that_is_one_at_the_rival_in_floating_point_is_reported():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
    assert cliff_perturbation(bandit, 0, 1, 0.1, width=1e300).status == "missed"


@given(st.floats(-1e3, 1e3), st.floats(-1.0, 1.0), st.floats(1e-12, 1.0))
@settings(max_examples=300)
def test_sums_never_move_by_more_than_asked(reward, share, epsilon):
    moved = added_within(np.array([reward]), np.array([share * epsilon]), epsilon)[0]
    assert abs(Fraction(float(moved)) - Fraction(reward)) <= Fraction(epsilon)
    assert abs(moved - (reward + share * epsilon)) <= np.spacing(abs(reward) + 1.0)


def test_results_print_and_convert():
    bandit = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.0, action_names=["a", "b", "c"])
    result = cliff_perturbation(bandit, 0, 1, 0.5)
    assert "certified: at state 0 the optimal actions [0, 1, 2] become [1]" in repr(result)
    record = json.loads(json.dumps(result.to_dict()))
    assert record["uniform_jump"] == pytest.approx(2 / 3)
    assert record["rewards"] == [1.0, 1.5, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        result.change[0] = 1.0
