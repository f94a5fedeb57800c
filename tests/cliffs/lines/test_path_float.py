"""Float brackets against fractions: nothing certified is wrong, nothing is missed, doubt is said."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import garnet, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st
from path_oracle import degenerate, under

from policycliff import MDP, optimal_actions, perturbation_path, solve
from policycliff.cliffs.lines import advantages as path_lines
from policycliff.mdp.compilation import frozen


def check_against_exact(mdp, direction, t_min, t_max):
    """Every claim of a float path, against the exact one."""
    rough = perturbation_path(mdp, direction, t_min, t_max, exact=False)
    exact = perturbation_path(mdp, direction, t_min, t_max, exact=True)
    where = [item.fraction for item in exact.breakpoints]
    brackets = [tuple(map(Fraction, item.bracket)) for item in rough.breakpoints]
    # Among pairs that cannot be told from a tie on a whole interval a breakpoint may hide: the interval says so.
    vague = [(Fraction(item.start), Fraction(item.end)) for item in rough.intervals if item.status == "unresolved"]
    assert all(any(low <= t <= high for low, high in [*brackets, *vague]) for t in where)
    for item, (low, high) in zip(rough.breakpoints, brackets, strict=True):
        inside = [t for t in where if low <= t <= high]
        assert item.status in {"certified", "unresolved"}
        assert low <= Fraction(item.t) <= high
        for t in {low, high, *inside}:
            assert (item.members >= exact.members(t)).all()
        if item.status == "certified":
            assert len(inside) == 1
            assert item.members.tolist() == exact.members(inside[0]).tolist()
    for item in rough.intervals:
        start, end = Fraction(item.start), Fraction(item.end)
        assert start < end
        truth = exact.members((start + end) / 2)
        assert (item.members >= truth).all()
        if item.status == "certified":
            assert not [t for t in where if start < t < end]
            assert item.members.tolist() == truth.tolist()
    if rough.status == "complete":
        assert len(rough.breakpoints) == len(where)
    return rough, exact


@given(recipes(gammas=(0.0, 0.5, 0.9, 0.99)), st.integers(0, 10**6))
@settings(max_examples=60)
def test_generic_lines_are_complete(recipe, seed):
    mdp = random_mdp(**{**recipe, "integer": False})
    direction = under(mdp, np.random.default_rng(seed).normal(size=mdp.n_pairs)).rewards
    rough, exact = check_against_exact(mdp, direction, -1.0, 2.0)
    assert rough.status == "complete"
    for a, b in zip(rough.breakpoints, exact.breakpoints, strict=True):
        assert a.t == pytest.approx(b.t, abs=1e-9)
        assert a.bracket[1] - a.bracket[0] < 1e-7
        assert a.states.tolist() == b.states.tolist()
        assert a.value == pytest.approx(b.value, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]), st.booleans())
@settings(max_examples=60)
def test_degenerate_lines_are_never_wrong(seed, gamma, deterministic):
    mdp, direction = degenerate(seed, gamma=gamma, deterministic=deterministic)
    rough, _ = check_against_exact(mdp, direction, [-2.0, 0.0, 0.5][seed % 3], 2.0)
    assert rough.status in {"complete", "unresolved"}


def test_most_copies_are_recognised():
    """Copied actions persist as proven ties, so doubled actions leave the line complete."""
    single = random_mdp(5, states=4, actions=2, gamma=0.9)
    doubled = np.arange(single.n_pairs).repeat(2)
    mdp = MDP.from_pairs(single.pair_states[doubled], single.transitions[doubled], single.rewards[doubled], 0.9)
    direction = np.random.default_rng(0).normal(size=single.n_pairs)[doubled]
    rough, exact = check_against_exact(mdp, direction, -1.0, 2.0)
    assert rough.status == "complete"
    assert len(exact.breakpoints) >= 2


def test_a_tie_that_floats_cannot_prove_is_unresolved():
    # Two branches whose values are equal infinite sums at every t, and a third that is better from t = 1.
    kernel = np.zeros((4, 3, 4))
    kernel[0, [0, 1, 2], [1, 2, 3]] = 1.0
    kernel[np.arange(1, 4), :, np.arange(1, 4)] = 1.0
    rewards = np.zeros((4, 3))
    rewards[1:3] = 0.1
    available = np.arange(3) < np.array([3, 1, 1, 1])[:, None]
    mdp = MDP.from_arrays(kernel, rewards, 0.9, available=available)
    direction = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.1])
    rough, exact = check_against_exact(mdp, direction, 0.0, 2.0)
    assert [item.fraction for item in exact.breakpoints] == [1]
    assert (rough.status, rough.intervals[0].status) == ("unresolved", "unresolved")
    assert rough.intervals[0].members.tolist() == [True, True, False, True, True, True]
    assert rough.breakpoints[0].status == "unresolved"
    assert rough.breakpoints[0].bracket[0] <= 1.0 <= rough.breakpoints[0].bracket[1]
    assert rough.intervals[-1].status == "certified"


def test_a_breakpoint_nearer_to_the_start_than_floats_can_say():
    mdp, direction = degenerate(3006594, gamma=0.9, deterministic=False, states=2, actions=2)
    _, exact = check_against_exact(mdp, direction, -2.0, 2.0)
    assert (exact.breakpoints[0].t, exact.breakpoints[0].fraction > -2) == (-2.0, True)
    assert exact.members(-2.0).tolist() == exact.intervals[0].members.tolist()
    assert exact.members(-1.9).tolist() == exact.intervals[1].members.tolist()


def test_several_at_once_are_unresolved_in_floats():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[2.0, 1.0, 0.0]], 0.0)
    rough, _ = check_against_exact(mdp, [0.0, 1.0, 2.0], 0.0, 4.0)
    assert [item.status for item in rough.breakpoints] == ["unresolved"]
    assert rough.breakpoints[0].bracket[1] - rough.breakpoints[0].bracket[0] < 1e-12
    assert [item.status for item in rough.intervals] == ["certified", "certified"]


def test_ties_at_the_ends_are_brackets():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
    rough, _ = check_against_exact(mdp, [0.0, 1.0, 1.5], 0.0, 2.0)
    assert [item.status for item in rough.breakpoints] == ["unresolved", "unresolved"]
    assert len(rough.intervals) == 1
    assert rough.members(0.0).tolist() == [True, True, False]
    assert rough.members(2.0).tolist() == [False, True, True]


def test_nothing_provable_is_said_at_every_t():
    # All values are 1e16 and differ by less than their rounding.
    mdp = random_mdp(3, states=3, actions=2, gamma=0.9)
    flat = mdp.with_rewards(1e16 + np.arange(mdp.n_pairs) * 2.0)
    path = perturbation_path(flat, np.arange(float(mdp.n_pairs)), 0.0, 1.0, exact=False)
    assert path.status == "unresolved"
    assert path.members(0.5).any()


def test_a_larger_mdp():
    kernel, rewards = garnet(1, states=1500, actions=3, branching=4)
    mdp = MDP.from_arrays(kernel, rewards, 0.9, initial=np.full(1500, 1 / 1500))
    direction = np.random.default_rng(0).normal(size=mdp.n_pairs)
    path = perturbation_path(mdp, direction, 0.0, 0.002)
    assert (path.arithmetic, path.status) == ("float", "complete")
    assert len(path.breakpoints) >= 3
    for item in path.intervals:
        t = (item.start + item.end) / 2
        sets = optimal_actions(solve(mdp.with_rewards(path.rewards(t)), tolerance=1e-12))
        assert sets.members.tolist() == item.members.tolist()
        assert (sets.codes == 0).all()


def test_rows_of_one_kind():
    kernel = np.zeros((4, 2, 4))
    kernel[0] = [0.0, 0.5, 0.5, 0.0]
    kernel[1, 0, 3] = kernel[1, 1, 2] = kernel[2, :, 3] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((4, 2)), 0.5, terminal=np.arange(4) == 3)
    kinds = path_lines.make_world(mdp, frozen(np.zeros(mdp.n_pairs)), 0.0, 1.0).kinds
    assert kinds[0] == kinds[1]
    assert kinds[2] == kinds[4] == kinds[5] == kinds[6]
    assert len({kinds[0], kinds[2], kinds[3]}) == 3


def test_a_breakpoint_below_the_rounding_hides_in_an_unresolved_interval():
    # Rows that sum to 1 up to rounding make a slope of 1e-17, which fractions see and floats cannot.
    mdp, direction = degenerate(1007826, gamma=0.9, deterministic=False, states=2, actions=2)
    rough, exact = check_against_exact(mdp, direction, -2.0, 2.0)
    assert [item.fraction for item in exact.breakpoints] == [-1]
    assert (rough.breakpoints, rough.status, rough.intervals[0].status) == ((), "unresolved", "unresolved")
