"""Metric grids: the axioms hold for what is built, and what breaks them is refused by name."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import floyd_warshall
from scipy.spatial.distance import cdist

from policycliff import MetricGrid
from policycliff.errors import InvalidInputError


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6).map(lambda x: round(x, 3))] * 2), min_size=1, max_size=7, unique=True))
def test_points_carry_the_euclidean_distance(points):
    grid = MetricGrid.from_points(points)
    expected = cdist(np.array(points), np.array(points))
    np.testing.assert_allclose(grid.matrix(), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(grid.matrix()[0], grid.distances_from(0))
    assert (np.diag(grid.matrix()) == 0.0).all()


@pytest.mark.parametrize("grid", [MetricGrid.discrete(4), MetricGrid.line(-2.0, 1.0, 4), MetricGrid.from_points([7.0])])
def test_the_axioms_hold(grid):
    d = grid.matrix()
    indices = range(grid.size)
    assert all((d[i, j] == 0.0) == (i == j) and d[i, j] == d[j, i] for i, j in product(indices, indices))
    assert all(d[i, k] <= d[i, j] + d[j, k] + 1e-15 for i, j, k in product(indices, indices, indices))
    assert MetricGrid.from_distances(d).matrix().tolist() == d.tolist()


@given(st.integers(0, 10**6), st.integers(2, 7))
def test_random_tables_are_refused_exactly_when_a_detour_is_shorter(seed, size):
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 6, (size, size)).astype(float)
    table = np.triu(table, 1) + np.triu(table, 1).T
    shortest = floyd_warshall(table)
    MetricGrid.from_distances(shortest)
    if (shortest == table).all():
        assert MetricGrid.from_distances(table).kind == "distances"
    else:
        with pytest.raises(InvalidInputError, match="triangle inequality"):
            MetricGrid.from_distances(table)


def test_the_message_names_the_triple():
    table = [[0.0, 1.0, 5.0], [1.0, 0.0, 1.0], [5.0, 1.0, 0.0]]
    with pytest.raises(InvalidInputError, match=r"5.0 from point 0 to 2, but 2.0 by way of point 1"):
        MetricGrid.from_distances(table)


def test_rounding_in_a_table_is_forgiven():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 3)) * 1e5
    squares = (points**2).sum(axis=1)
    table = np.sqrt(np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0.0))
    np.fill_diagonal(table, 0.0)
    assert MetricGrid.from_distances(table).size == 30


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ([[0.0, 1.0]], "square"),
        ([[1.0]], "0 on the diagonal"),
        ([[0.0, 0.0], [0.0, 0.0]], "positive distances"),
        ([[0.0, -1.0], [-1.0, 0.0]], "positive distances"),
        ([[0.0, 1.0], [2.0, 0.0]], "symmetric"),
        ([[0.0, np.nan], [1.0, 0.0]], "finite"),
        ([], "square"),
    ],
)
def test_what_is_no_metric_is_refused(table, match):
    with pytest.raises(InvalidInputError, match=match):
        MetricGrid.from_distances(table)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        ([], "n at least 1"),
        (3.0, "n at least 1"),
        ([1.0, np.inf], "finite"),
        ([2.0, 1.0, 2.0], "index 0 and 2"),
        ([0.0, -0.0], "index 0 and 1"),
        ([[1.0, 2.0], [1.0, 2.0]], "distinct"),
        (np.zeros((1, 1, 1)), "shape"),
    ],
)
def test_points_must_be_distinct_and_finite(points, match):
    with pytest.raises(InvalidInputError, match=match):
        MetricGrid.from_points(points)


def test_other_bad_input():
    for arguments in [(1.0, 1.0, 3), (0.0, np.inf, 3)]:
        with pytest.raises(InvalidInputError, match="low < high"):
            MetricGrid.line(*arguments)
    with pytest.raises(InvalidInputError, match="2 or more"):
        MetricGrid.line(0.0, 1.0, 1)
    with pytest.raises(InvalidInputError, match="1 or more"):
        MetricGrid.discrete(0)
    for index in (-1, 3):
        with pytest.raises(InvalidInputError, match="0 to 2"):
            MetricGrid.discrete(3).distances_from(index)


def test_a_million_points_need_no_table():
    grid = MetricGrid.line(0.0, 1.0, 1_000_001)
    assert grid.table is None
    assert grid.distances_from(250_000)[-1] == 0.75
    assert MetricGrid.discrete(1_000_000).distances_from(3).sum() == 999_999


def test_results_are_read_only_and_print():
    grid = MetricGrid.from_points([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="read-only"):
        grid.points[0, 0] = 5.0
    assert "2 points in 2 dimensions" in repr(grid)
    assert grid.to_dict() == {"size": 2, "kind": "points", "points": [[0.0, 1.0], [1.0, 0.0]]}
    assert MetricGrid.discrete(2).to_dict()["points"] is None


def test_large_coordinates_do_not_overflow():
    far = MetricGrid.from_points([[1e200, 0.0], [-1e200, 0.0]])
    assert far.distances_from(0)[1] == pytest.approx(2e200)
