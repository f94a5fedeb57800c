"""A line through two rewards is the line of their mixtures: the cells of the weight (momdp tables)."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from policycliff import optimal_actions, perturbation_path, solve

sys.path.insert(0, str(Path(__file__).parents[1] / "mdp"))
from test_momdp import load


@pytest.mark.parametrize(
    ("name", "gamma"),
    [
        ("deep_sea_treasure_convex", 0.95),
        ("resource_gathering", 0.9),
        ("breakable_bottles", 0.95),
        ("fruit_tree_5", 1.0),
        ("fruit_tree_6", 0.95),
    ],
)
def test_cells_of_two_rewards(name, gamma):
    mdp, components = load(name, gamma)
    path = perturbation_path(mdp.with_rewards(components[0]), components[1] - components[0], 0.0, 1.0)
    assert path.status in {"complete", "unresolved"}
    corners, values = [], []
    for item in path.intervals:
        middle = (item.start + item.end) / 2
        for w in (item.start, middle, item.end):
            solution = solve(mdp.with_rewards((1 - w) * components[0] + w * components[1]), tolerance=1e-11)
            corners.append(w)
            values.append(solution.values)
            assert solution.values @ mdp.initial == pytest.approx(item.intercept + item.slope * w, abs=1e-7)
            if w == middle:
                # No cell has an optimal action that the path does not list.
                surely = solution.q_values >= solution.values[mdp.pair_states] - 1e-13
                assert (item.members | ~surely).all() or item.status == "certified"
                if optimal_actions(solution).is_resolved and item.status != "unresolved":
                    assert optimal_actions(solution).members.tolist() == item.members.tolist()
        # V*(w) is affine within a cell, in every state.
        np.testing.assert_allclose(values[-2], (values[-3] + values[-1]) / 2, atol=1e-7)
    # And convex across cells.
    points = list(zip(corners, values, strict=True))
    slopes = [(b - a) / (s - t) for (t, a), (s, b) in pairwise(points) if s - t > 1e-6]
    assert all((b - a >= -1e-5).all() for a, b in pairwise(slopes))
