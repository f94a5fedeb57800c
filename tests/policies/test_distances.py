import numpy as np
import pytest
from core_oracles import random_mdp
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, directed_hausdorff

from policycliff import MetricGrid, excess, greedy_policy, hausdorff_distance, solve, total_variation, uniform_policy
from policycliff.errors import InvalidInputError
from policycliff.policies.distances import state_shifts

FINITE = st.floats(-1e3, 1e3)


@given(st.integers(0, 10**6))
def test_total_variation_is_the_largest_difference_of_an_event(seed):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(6), size=2)
    events = [[bool(event >> i & 1) for i in range(6)] for event in range(64)]
    assert total_variation(p, q) == pytest.approx(max(abs(p[event].sum() - q[event].sum()) for event in events))


def test_shift_of_policies_is_the_largest_or_the_mean():
    mdp = random_mdp(1)
    first, second = uniform_policy(mdp), greedy_policy(solve(mdp))
    sizes = np.diff(mdp.offsets)
    np.testing.assert_allclose(state_shifts(mdp, first, second), (sizes - 1) / sizes)
    assert total_variation(first, second, mdp=mdp) == pytest.approx(((sizes - 1) / sizes).max())
    mean = total_variation(first, second, mdp=mdp, occupancy=mdp.initial)
    assert mean == pytest.approx(mdp.initial @ ((sizes - 1) / sizes))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0], [0.5, 0.5]), {}, "`second` of shape"),
        (([[1.0]], [[1.0]]), {}, "`first` of shape"),
        (([np.nan], [1.0]), {}, "finite"),
        (([1.0], [1.0]), {"occupancy": [1.0]}, "without `mdp`"),
        (([1.0], [1.0]), {"mdp": random_mdp(1)}, "`first` of shape"),
    ],
)
def test_bad_policies_are_refused(arguments, options, message):
    with pytest.raises(InvalidInputError, match=message):
        total_variation(*arguments, **options)


@given(
    st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=5),
    st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=5),
)
def test_hausdorff_against_scipy(first, second):
    a, b = np.array(first), np.array(second)
    expected = max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])
    assert hausdorff_distance(a, b) == pytest.approx(expected)
    points = np.concatenate([a, b])
    indices = np.arange(len(points))
    by_metric = hausdorff_distance(indices[: len(a)], indices[len(a) :], metric=cdist(points, points))
    assert by_metric == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "metric", "message"),
    [
        (([], [1.0]), None, "non-empty"),
        (([1.0], [[1.0, 2.0]]), None, "same d"),
        (([np.inf], [1.0]), None, "finite"),
        (([0], [1]), [[0.0, 1.0]], "square"),
        (([0], [1]), [[0.0, 1.0], [2.0, 0.0]], "symmetric"),
        (([0], [2]), [[0.0, 1.0], [1.0, 0.0]], "whole numbers"),
        (([0.5], [1]), [[0.0, 1.0], [1.0, 0.0]], "whole numbers"),
    ],
)
def test_bad_sets_are_refused(arguments, metric, message):
    with pytest.raises(InvalidInputError, match=message):
        hausdorff_distance(*arguments, metric=metric)


def test_excess_is_one_sided_and_makes_the_hausdorff_distance():
    rng = np.random.default_rng(0)
    for _ in range(50):
        first, second = rng.normal(size=(int(rng.integers(1, 5)), 2)), rng.normal(size=(int(rng.integers(1, 5)), 2))
        expected = max(min(np.linalg.norm(a - b) for b in second) for a in first)
        assert excess(first, second) == pytest.approx(expected)
        assert hausdorff_distance(first, second) == max(excess(first, second), excess(second, first))
        assert excess(first, np.vstack([first, second])) == 0.0


def test_a_metric_grid_may_stand_for_its_table():
    grid = MetricGrid.line(-5.0, 5.0, 11)
    assert excess([0, 5, 10], [10], metric=grid) == 10.0
    assert excess([10], [0, 5, 10], metric=grid) == 0.0
    assert hausdorff_distance([0, 5], [10], metric=grid) == hausdorff_distance([0, 5], [10], metric=grid.matrix())
    with pytest.raises(InvalidInputError, match="0 to 10"):
        excess([11], [0], metric=grid)
    with pytest.raises(InvalidInputError, match="non-empty"):
        excess([], [0.0])
