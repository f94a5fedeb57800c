"""A line through two rewards is the line of their mixtures: the cells of the weight (momdp tables)."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from policycliff import optimal_actions, perturbation_path, solve
from policycliff.actions.kernels import UNRESOLVED

sys.path.insert(0, str(Path(__file__).parents[2] / "mdp"))
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
                # What the solver proves about the middle of a cell is what the path says of all of it.
                sets = optimal_actions(solution)
                proven = (sets.codes != UNRESOLVED)[mdp.pair_states]
                assert (sets.members >= item.members)[proven].all()
                if item.status != "unresolved":
                    assert sets.members[proven].tolist() == item.members[proven].tolist()
                    assert (sets.members >= item.members).all()
        # V*(w) is affine within a cell, in every state.
        np.testing.assert_allclose(values[-2], (values[-3] + values[-1]) / 2, atol=1e-7)
    # And convex across cells.
    points = list(zip(corners, values, strict=True))
    slopes = [(b - a) / (s - t) for (t, a), (s, b) in pairwise(points) if s - t > 1e-6]
    assert all((b - a >= -1e-5).all() for a, b in pairwise(slopes))


@pytest.mark.parametrize(
    ("name", "gamma"), [("deep_sea_treasure_convex", 0.95), ("resource_gathering", 0.9), ("fruit_tree_5", 1.0)]
)
def test_floats_against_fractions(name, gamma):
    mdp, components = load(name, gamma)
    line = mdp.with_rewards(components[0]), components[1] - components[0], 0.0, 1.0
    exact, rough = (perturbation_path(*line, exact=choice) for choice in (True, False))
    assert exact.status == "complete"
    assert len(exact.breakpoints) >= 5
    assert [item.t for item in rough.breakpoints] == pytest.approx([item.t for item in exact.breakpoints], abs=1e-9)
    for item, truth in zip(rough.breakpoints, exact.breakpoints, strict=True):
        low, high = item.bracket
        assert low <= truth.fraction <= high
        assert high - low < 1e-9
        assert (item.members >= truth.members).all()
    for item, truth in zip(rough.intervals, exact.intervals, strict=True):
        assert (item.members >= truth.members).all()
        assert item.status == "unresolved" or item.members.tolist() == truth.members.tolist()
