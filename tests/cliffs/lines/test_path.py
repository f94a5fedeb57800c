"""All breakpoints against enumeration of every policy, in fractions."""

import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from core_oracles import random_mdp, recipes, trees
from hypothesis import given, settings
from hypothesis import strategies as st
from path_oracle import Line, degenerate, under

from policycliff import MDP, optimal_actions, perturbation_path, solve, token_tree
from policycliff.cliffs.lines.bonus import infinitesimal_bonus
from policycliff.errors import InvalidInputError


def check_exact_path(mdp, direction, t_min, t_max):
    """Everything that an exact path says, against the oracle."""
    path = perturbation_path(mdp, direction, t_min, t_max, exact=True)
    line = Line(mdp, direction, t_min, t_max)
    points, here, cells = line.solve()
    assert [item.fraction for item in path.breakpoints] == points
    assert [item.members.tolist() for item in path.breakpoints] == [members.tolist() for members in here]
    assert [item.members.tolist() for item in path.intervals] == [members.tolist() for members in cells]
    assert path.status == "complete"
    ends = sorted({Fraction(t_min), *points, Fraction(t_max)})
    middles = [path.members((a + b) / 2).tolist() for a, b in pairwise(ends)]
    assert middles == [members.tolist() for members in cells]
    for item in path.breakpoints:
        assert item.t == float(item.fraction)
        assert path.members(item.fraction).tolist() == item.members.tolist()
        if mdp.initial is not None:
            value = sum(Fraction(p) * v for p, v in zip(mdp.initial, line.values(item.fraction), strict=True))
            assert item.value == float(value)
        if item.total_variation is not None:
            # Some state has disjoint sets on the two sides: every selection jumps by 1.
            assert item.total_variation == pytest.approx(1.0)
            assert item.switched.size >= 1
            assert set(item.switched) <= set(item.states)
            check_that_the_return_bends_where_the_path_changes(path, item)
    return path


def check_that_the_return_bends_where_the_path_changes(path, item):
    """The mean jump is 0 exactly where the slope of the return stays."""
    if item.value is not None:
        left = next(cell for cell in path.intervals if cell.end == item.t)
        right = next(cell for cell in path.intervals if cell.start == item.t)
        assert (item.mean_total_variation > 1e-12) == (right.slope - left.slope > 1e-12)


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=40)
def test_random_mdps(recipe, integer, seed):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(seed)
    direction = rng.integers(-2, 3, mdp.n_pairs).astype(float) if integer else rng.normal(size=mdp.n_pairs)
    direction = under(mdp, direction).rewards
    check_exact_path(mdp, direction, *[(-1.0, 2.0), (0.0, 1.0), (0.25, 3.5)][seed % 3])


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.75]), st.booleans(), st.integers(2, 3))
@settings(max_examples=60)
def test_degenerate_mdps(seed, gamma, deterministic, actions):
    mdp, direction = degenerate(seed, gamma=gamma, deterministic=deterministic, actions=actions)
    check_exact_path(mdp, direction, -2.0, 2.0)


@given(trees(), st.sampled_from([1.0, 0.5]), st.integers(0, 10**6))
@settings(max_examples=40)
def test_trees_without_a_discount(tree, gamma, seed):
    mdp = token_tree(*tree, gamma=gamma)
    steps = np.random.default_rng(seed).integers(-1, 2, mdp.n_pairs).astype(float)
    direction = under(mdp, steps).rewards
    if np.prod(np.diff(mdp.offsets)) <= 60:
        check_exact_path(mdp, direction, 0.0, 4.0)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=40)
def test_the_return_is_convex_and_the_slopes_are_those_of_the_intervals(seed, deterministic):
    mdp, direction = degenerate(seed, gamma=0.5, deterministic=deterministic)
    path = perturbation_path(mdp, direction, -3.0, 3.0)
    slopes = [item.slope for item in path.intervals]
    assert all(a <= b + 1e-12 for a, b in pairwise(slopes))
    for item in path.intervals:
        t = (item.start + item.end) / 2
        values = solve(mdp.with_rewards(path.rewards(t)), tolerance=1e-12).values
        assert item.intercept + item.slope * t == pytest.approx(values @ mdp.initial, abs=1e-9)


def bandit(*rewards, **options):
    return MDP.from_arrays(np.ones((1, len(rewards), 1)), [list(rewards)], options.pop("gamma", 0.0), **options)


def test_a_bandit_by_hand():
    path = perturbation_path(bandit(3.0, 2.0, 0.0, initial=[1.0]), [0.0, 1.0, 2.0], 0.0, 4.0)
    assert [item.fraction for item in path.breakpoints] == [1, 2]
    assert [path.policy(t).tolist() for t in (0.5, 1.5, 2.5)] == np.eye(3).tolist()
    assert path.policy(1.0).tolist() == [0.5, 0.5, 0.0]
    assert [item.value for item in path.breakpoints] == [3.0, 4.0]
    assert [(item.left_jump, item.right_jump) for item in path.breakpoints] == [(0.5, 0.5)] * 2
    assert [(item.intercept, item.slope) for item in path.intervals] == [(3.0, 0.0), (2.0, 1.0), (0.0, 2.0)]
    assert [(item.start, item.end) for item in path.intervals] == [(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)]


def test_several_actions_at_once_skip_the_middle_one():
    path = perturbation_path(bandit(2.0, 1.0, 0.0), [0.0, 1.0, 2.0], 0.0, 4.0)
    (only,) = path.breakpoints
    assert (only.fraction, only.members.tolist()) == (1, [True, True, True])
    assert (only.left_jump, only.right_jump) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert path.intervals[1].members.tolist() == [False, False, True]


def test_a_tie_that_persists_is_no_breakpoint():
    path = perturbation_path(bandit(1.0, 1.0, 0.0), [1.0, 1.0, 3.0], 0.0, 2.0)
    assert [item.fraction for item in path.breakpoints] == [Fraction(1, 2)]
    assert path.intervals[0].members.tolist() == [True, True, False]
    assert path.intervals[0].log_optimal_policies == pytest.approx(np.log(2))
    assert path.breakpoints[0].left_jump == pytest.approx(1 / 3)


def test_ties_at_both_ends():
    path = perturbation_path(bandit(1.0, 1.0, 0.0), [0.0, 1.0, 1.5], 0.0, 2.0)
    start, end = path.breakpoints
    assert (start.fraction, start.left_jump, start.right_jump, start.total_variation) == (0, None, 0.5, None)
    assert (end.fraction, end.left_jump, end.right_jump) == (2, 0.5, None)
    assert len(path.intervals) == 1
    assert [path.members(t).tolist() for t in (0.0, 1.0, 2.0)] == [
        [True, True, False],
        [False, True, False],
        [False, True, True],
    ]


@pytest.mark.parametrize("exact", [True, False])
def test_nothing_changes_without_a_direction_or_under_shaping(exact):
    kernel = np.eye(3)[[[1, 2], [2, 0], [0, 1]]]
    mdp = MDP.from_arrays(kernel, [[1.0, 1.0], [0.0, 2.0], [0.0, 3.0]], 0.5)
    potential = np.array([4.0, -8.0, 2.0])
    shaping = potential[mdp.pair_states] - 0.5 * (mdp.transitions @ potential)
    for direction in (np.zeros(6), shaping):
        path = perturbation_path(mdp, direction, -5.0, 5.0, exact=exact)
        assert path.breakpoints == ()
        assert len(path.intervals) == 1


def test_a_state_may_touch_a_tie_without_switching():
    # State 0 goes to state 1, where |t| is earned next, or takes 0: at t = 0 it is tied and nowhere else.
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = kernel[1, :, 2] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), 1.0, terminal=np.arange(3) == 2, initial=[1.0, 0.0, 0.0])
    path = perturbation_path(mdp, [0.0, 0.0, 1.0, -1.0, 0.0], -1.0, 1.0)
    (only,) = path.breakpoints
    assert (only.fraction, only.states.tolist(), only.switched.tolist()) == (0, [0, 1], [1])
    assert path.members(0.5).tolist() == [True, False, True, False, True]
    assert only.members.all()
    # Half of the visits (state 0, then state 1) are to the state that switches.
    assert only.mean_total_variation == pytest.approx(0.5)


def test_a_switch_off_the_path_does_not_move_the_visits():
    kernel = np.zeros((3, 2, 3))
    kernel[0, :, 2] = kernel[1, :, 2] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), 1.0, terminal=np.arange(3) == 2, initial=[1.0, 0.0, 0.0])
    (only,) = perturbation_path(mdp, [0.0, 0.0, 1.0, -1.0, 0.0], -1.0, 1.0).breakpoints
    assert (only.total_variation, only.mean_total_variation) == (1.0, 0.0)


def test_two_states_at_once():
    mdp = MDP.from_arrays(np.eye(2)[:, None, :].repeat(2, axis=1), [[1.0, 0.0], [2.0, 0.0]], 0.9)
    (only,) = perturbation_path(mdp, [0.0, 1.0, 0.0, 2.0], 0.0, 3.0).breakpoints
    assert (only.fraction, only.switched.tolist()) == (1, [0, 1])


def chained_switches(length):
    """A value that doubles its slope with each later choice: many breakpoints on one line."""
    targets = np.minimum(np.arange(length)[:, None] + [1, 1], length)
    kernel = np.zeros((length + 1, 2, length + 1))
    kernel[np.arange(length)[:, None], [[0, 1]], targets] = 1.0
    rewards = np.zeros((length + 1, 2))
    rewards[:length, 0] = np.arange(1, length + 1)
    direction = np.zeros((length + 1, 2))
    direction[:length, 1] = 1.0
    mdp = MDP.from_arrays(kernel, rewards, 1.0, terminal=np.arange(length + 1) == length)
    return mdp, direction


@pytest.mark.parametrize("exact", [True, False])
def test_the_cap_is_reported(exact):
    mdp, direction = chained_switches(8)
    whole = perturbation_path(mdp, direction, 0.0, 10.0, exact=exact)
    assert [item.t for item in whole.breakpoints] == pytest.approx(range(1, 9))
    capped = perturbation_path(mdp, direction, 0.0, 10.0, exact=exact, max_breakpoints=3)
    assert (capped.status, len(capped.breakpoints), len(capped.intervals)) == ("truncated", 3, 3)
    assert capped.t_end == pytest.approx(3.0)
    assert capped.members(2.5).tolist() == whole.members(2.5).tolist()
    with pytest.raises(InvalidInputError, match="max_breakpoints"):
        capped.members(3.5)
    exactly = perturbation_path(mdp, direction, 0.0, 8.5, exact=exact, max_breakpoints=9)
    assert exactly.status == "complete"


def test_a_dense_grid_of_solves_agrees():
    mdp = random_mdp(3, states=5, actions=4, gamma=0.75, integer=True, branching=1)
    direction = np.random.default_rng(0).integers(-2, 3, mdp.n_pairs).astype(float)
    path = perturbation_path(mdp, direction, -1.0, 1.0)
    for t in np.arange(-64, 65) / 64:
        sets = optimal_actions(solve(mdp.with_rewards(mdp.rewards + t * direction)), exact=True)
        assert path.members(t).tolist() == sets.members.tolist()


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]), st.booleans())
@settings(max_examples=60)
def test_an_infinitesimal_bonus(seed, gamma, deterministic):
    mdp, direction = degenerate(seed, gamma=gamma, deterministic=deterministic)
    line = Line(mdp, direction, 0, 1)
    _, _, cells = line.solve()
    found = infinitesimal_bonus(mdp, direction)
    assert found.status == "exact"
    assert found.before.tolist() == line.members(Fraction(0)).tolist()
    assert found.after.tolist() == cells[0].tolist()
    rough = infinitesimal_bonus(mdp, direction, exact=False)
    assert (rough.before >= found.before).all()
    assert (rough.after >= found.after).all()
    if rough.status == "certified":
        assert rough.after.tolist() == found.after.tolist()


def test_the_float_bonus_resolves_what_it_can():
    resolved = infinitesimal_bonus(bandit(1.0, 1.0, 0.0), [0.0, 1.0, 9.0], exact=False)
    assert (resolved.status, resolved.after.tolist()) == ("certified", [False, True, False])
    assert repr(resolved).startswith("InfinitesimalBonus(certified")
    assert resolved.to_dict()["after"] == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0, 2.0], 0.0, 1.0), {}, r"`direction` of shape \(2,\)"),
        (([1.0, np.nan, 0.0], 0.0, 1.0), {}, "nan in `direction`"),
        (([1.0, 0.0, 0.0], 1.0, 1.0), {}, "t_min < t_max"),
        (([1.0, 0.0, 0.0], 0.0, np.inf), {}, "t_max = inf"),
        (([1.0, 0.0, 0.0], np.nan, 1.0), {}, "t_min = nan"),
        (([1e300, 0.0, 0.0], 0.0, 1e300), {}, "overflow"),
        (([1.0, 0.0, 0.0], 0.0, 1.0), {"max_breakpoints": 0}, "max_breakpoints = 0"),
        (([1.0, 0.0, 0.0], 0.0, 1.0), {"max_breakpoints": True}, "max_breakpoints = True"),
        (([1.0, 0.0, 0.0], 0.0, 1.0), {"exact": "yes"}, "exact = 'yes'"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, message):
    with pytest.raises(InvalidInputError, match=message):
        perturbation_path(bandit(1.0, 0.0, 0.0), *arguments, **options)


def test_terminal_rewards_do_not_move_and_large_mdps_are_not_exact():
    tree = token_tree(["a"], [1.0])
    with pytest.raises(InvalidInputError, match=r"terminal state 0 \('<end>'\)"):
        perturbation_path(tree, np.ones(tree.n_pairs), 0.0, 1.0)
    with pytest.raises(InvalidInputError, match="exact=True for 201 states"):
        perturbation_path(random_mdp(0, states=201, branching=1), np.zeros(201), 0.0, 1.0, exact=True)
    with pytest.raises(InvalidInputError, match="`bonus` of shape"):
        infinitesimal_bonus(tree, [1.0])
    with pytest.raises(InvalidInputError, match="covers"):
        perturbation_path(bandit(1.0, 0.0), [0.0, 1.0], 0.0, 1.0).members(1.5)


def test_directions_by_state_and_by_table():
    mdp = random_mdp(1, states=3, actions=2)
    by_state = perturbation_path(mdp, [1.0, 0.0, -1.0], 0.0, 1.0)
    assert by_state.direction.tolist() == np.array([1.0, 0.0, -1.0])[mdp.pair_states].tolist()
    table = np.arange(6.0).reshape(3, 2)
    assert perturbation_path(mdp, table, 0.0, 1.0).direction.tolist() == table[mdp.pair_states, mdp.actions].tolist()


def test_summaries():
    path = perturbation_path(bandit(1.0, 0.0, initial=[1.0]), [0.0, 3.0], 0.0, 1.0)
    assert repr(path).startswith("PerturbationPath(0 to 1, complete, exact: 1 breakpoints (0.333333)")
    assert repr(path.breakpoints[0]).startswith("Breakpoint(t=0.333333333, exact; 1 states change")
    assert repr(path.intervals[0]).startswith("Interval(0 to 0.333333333, exact")
    data = json.loads(json.dumps(path.to_dict(), allow_nan=False))
    assert data["breakpoints"][0]["fraction"] == "1/3"
    plot = json.loads(json.dumps(path.plot_data(), allow_nan=False))
    assert [curve["probabilities"] for curve in plot["curves"]] == [[1.0, 0.0], [0.0, 1.0]]
    assert plot["returns"] == [[0.0, 1.0], [1 / 3, 1.0], [1.0, 3.0]]
    unmoved = perturbation_path(bandit(1.0, 0.0), [0.0, 0.0], 0.0, 1.0).plot_data()
    assert (unmoved["curves"], unmoved["returns"], unmoved["starts"]) == ([], [], [0.0])
