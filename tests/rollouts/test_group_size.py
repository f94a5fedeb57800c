"""Counting over subsets: the shares of subsets against binomial coefficients, and unequal groups."""

from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.rollouts.analyses.group_size import common_group_size, k_grid, subset_share
from policycliff.rollouts.audit import audit


@settings(deadline=None)
@given(st.integers(1, 900), st.data())
def test_subset_share_against_binomial_coefficients(total, data):
    inside = np.array(data.draw(st.lists(st.integers(0, total), min_size=1, max_size=5)))
    k = data.draw(st.integers(1, total))
    expected = [comb(int(a), k) / comb(total, k) for a in inside]
    assert subset_share(inside, np.full(len(inside), total), k) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_the_grid_ends_at_the_group_size():
    for largest in (1, 2, 16, 17, 100, 5000):
        grid = k_grid(largest)
        assert grid[0] == 1
        assert grid[-1] == largest
        assert len(grid) <= 26


def test_groups_of_unequal_size_are_compared_at_a_common_size():
    """Three prompts of 8 and one of 2 (a quarter, more than the tenth that may be left out): all are compared at 2."""
    sizes = [8, 8, 8, 2]
    frame = pl.DataFrame(
        {
            "prompt": np.repeat([f"p{i}" for i in range(4)], sizes),
            "completion": [f"t{i}" for i in range(sum(sizes))],
            "r": np.arange(sum(sizes)) % 2 * 1.0,
        }
    )
    curve = audit(frame, rewards=["r"]).to_dict()["rewards"]["r"]["group_size"]
    assert curve["common_group_size"] == 2
    # Of 8 alternating completions 2 agree with probability 6/14 (and are then tied at the top); of the pair 0, 1 never.
    assert curve["points"][0]["zero_spread_share"]["value"] == pytest.approx(3 / 4 * 3 / 7)
    assert common_group_size(np.array([8] * 19 + [2])) == 8


def test_thousands_of_completions_of_one_prompt():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"prompt": ["p"] * 5000, "completion": [f"t{i}" for i in range(5000)], "r": (rng.random(5000) < 0.5) * 1.0}
    )
    points = audit(frame, rewards=["r"]).to_dict()["rewards"]["r"]["group_size"]["points"]
    by_k = {point["k"]: point for point in points}
    share = frame["r"].mean()
    for k in (2, 8, 16):
        expected = share**k + (1 - share) ** k
        assert by_k[k]["zero_spread_share"]["value"] == pytest.approx(expected, rel=0.05)
    assert points[-1]["k"] == 5000
    assert points[-1]["tied_share"]["value"] == pytest.approx(1.0)
