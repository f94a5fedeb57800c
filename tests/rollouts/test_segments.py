"""Segment reductions against a loop over slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from policycliff.rollouts import segments

VALUES = st.lists(st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=6), min_size=1, max_size=8)
MANY_SIZES = [list(np.sin(np.arange(size) * 7.0)) for size in range(1, 80)]


def flat(groups):
    return np.array([value for group in groups for value in group]), np.append(0, np.cumsum([len(g) for g in groups]))


@given(VALUES)
def test_reductions(groups):
    values, offsets = flat(groups)
    assert segments.segment_sum(values, offsets) == pytest.approx([sum(group) for group in groups])
    assert segments.segment_max(values, offsets).tolist() == [max(group) for group in groups]
    assert segments.segment_min(values, offsets).tolist() == [min(group) for group in groups]
    assert segments.segment_mean(values, offsets) == pytest.approx([np.mean(group) for group in groups])
    expected = [np.std(group, ddof=1) if len(group) > 1 else 0.0 for group in groups]
    assert segments.segment_std(values, offsets) == pytest.approx(expected)


@pytest.mark.parametrize("groups", [MANY_SIZES, MANY_SIZES[:10]])
def test_sorting_many_and_few_sizes(groups):
    values, offsets = flat(groups)
    order = segments.sort_within(values, offsets)
    assert values[order].tolist() == [value for group in groups for value in sorted(group)]
    assert sorted(order.tolist()) == list(range(len(values)))


@given(VALUES, st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_quantiles_and_ranks(groups, probability):
    values, offsets = flat(groups)
    order = segments.sort_within(values, offsets)
    found = segments.segment_quantile(values[order], offsets, probability)
    assert found == pytest.approx([np.quantile(group, probability) for group in groups])
    ranks = segments.average_ranks(values, offsets, order)
    assert ranks.tolist() == [rank for group in groups for rank in rankdata(group)]


@given(VALUES, st.integers(0, 10**6))
def test_rank_correlation(groups, seed):
    values, offsets = flat(groups)
    other = np.random.default_rng(seed).integers(0, 4, len(values)).astype(float)
    ranks = [segments.average_ranks(x, offsets, segments.sort_within(x, offsets)) for x in (values, other)]
    found = segments.segment_correlation(*ranks, offsets)
    for position, group in enumerate(groups):
        second = other[offsets[position] : offsets[position + 1]]
        if len(set(group)) < 2 or len(set(second)) < 2:
            assert np.isnan(found[position])
        else:
            assert found[position] == pytest.approx(spearmanr(group, second).statistic)


def test_equal_values_have_exactly_their_value_as_mean_and_no_deviation():
    values, offsets = np.full(7, 0.1), np.array([0, 3, 7])
    assert segments.segment_mean(values, offsets).tolist() == [0.1, 0.1]
    assert segments.segment_std(values, offsets).tolist() == [0.0, 0.0]
