"""Intervals: Wilson against its equation, the bootstrap's coverage, and no interval that is a point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policycliff.rollouts.intervals import MOST_UNITS, mean_over, share, wilson, with_intervals


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_solves_its_equation(counts):
    """The bounds are the shares p at which the observed share lies 1.96 standard errors of p away."""
    count, total = counts
    low, high = wilson(count, total)
    assert 0.0 <= low <= count / total <= high <= 1.0
    for bound in (low, high):
        if 0.0 < bound < 1.0:
            error = np.sqrt(bound * (1 - bound) / total)
            assert abs(count / total - bound) == pytest.approx(1.959963984540054 * error, rel=1e-6)


def test_a_share_of_nothing_says_so():
    assert with_intervals({"a": share(np.zeros(0, dtype=bool))}, n_prompts=0, seed=0)["a"]["value"] is None


@pytest.mark.parametrize("n_prompts", [200, 3 * MOST_UNITS])
def test_the_interval_covers_the_mean_about_95_times_in_100(n_prompts):
    rng = np.random.default_rng(0)
    tree = [mean_over(np.arange(n_prompts), rng.exponential(size=n_prompts)) for _ in range(400)]
    covered = [figure["low"] <= 1.0 <= figure["high"] for figure in with_intervals(tree, n_prompts=n_prompts, seed=1)]
    assert 0.91 <= np.mean(covered) <= 0.985


def test_blocks_give_the_width_of_single_prompts():
    n_prompts = 5 * MOST_UNITS
    values = np.random.default_rng(2).normal(size=n_prompts)
    figure = with_intervals([mean_over(np.arange(n_prompts), values)], n_prompts=n_prompts, seed=0)[0]
    assert figure["high"] - figure["low"] == pytest.approx(2 * 1.96 / np.sqrt(n_prompts), rel=0.1)


def test_nothing_seen_in_70_prompts_is_not_zero_for_sure():
    values = np.zeros(70)
    figure = with_intervals([mean_over(np.arange(70), values, lowest=0.0, highest=1.0)], n_prompts=70, seed=0)[0]
    assert (figure["value"], figure["low"]) == (0.0, 0.0)
    assert figure["high"] == pytest.approx(wilson(0, 70)[1])


def test_prompts_without_a_value_are_left_out_of_a_mean():
    values = np.array([1.0, np.nan, 3.0, np.inf])
    assert with_intervals([mean_over(np.arange(4), values)], n_prompts=4, seed=0)[0]["value"] == 2.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 5))
def test_an_interval_holds_its_value_and_stays_in_range(values, seed):
    array = np.array(values)
    tree = {"x": [mean_over(np.arange(len(array)), array, lowest=0.0, highest=1.0)]}
    figure = with_intervals(tree, n_prompts=len(array), seed=seed)["x"][0]
    assert 0.0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1.0
    assert figure["low"] < figure["high"]
