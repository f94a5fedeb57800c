"""Ties of rounded scores: decided as the fractions decide them, in both directions."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.rollouts.audit import audit
from policycliff.rollouts.exact import (
    decimal_fraction,
    round_exactly,
    weighted_fractions,
    weighted_sum_error,
    weighted_sums,
)

DECIMALS = st.integers(-30, 30).map(lambda n: n / 10)


@st.composite
def weighted_rows(draw):
    columns, rows = draw(st.integers(1, 4)), draw(st.integers(2, 8))
    score = DECIMALS | st.floats(-1e6, 1e6, allow_nan=False)
    components = np.array([[draw(score) for _ in range(rows)] for _ in range(columns)])
    return components, np.array([draw(DECIMALS) for _ in range(columns)])


@settings(deadline=None, max_examples=200)
@given(weighted_rows())
def test_equal_after_rounding_exactly_where_the_decimals_are_equal(case):
    components, weights = case
    rows = components.shape[1]
    values, unresolved = round_exactly(
        weighted_sums(components, weights),
        error=weighted_sum_error(components, weights),
        key=components.T,
        offsets=np.array([0, rows]),
        exact=lambda positions: weighted_fractions(components[:, positions], weights),
    )
    exact = [
        sum(
            (Fraction(repr(float(w))) * Fraction(repr(float(x))) for w, x in zip(weights, column, strict=True)),
            Fraction(0),
        )
        for column in components.T
    ]
    assert unresolved == 0
    for i in range(rows):
        for j in range(rows):
            if exact[i] == exact[j]:
                assert values[i] == values[j]
            elif float(exact[i]) != float(exact[j]):
                assert (values[i] < values[j]) == (exact[i] < exact[j])


@settings(deadline=None, max_examples=200)
@given(weighted_rows())
def test_the_error_bound_of_a_weighted_sum(case):
    components, weights = case
    computed, bound = weighted_sums(components, weights), weighted_sum_error(components, weights)
    for value, limit, exact in zip(computed, bound, weighted_fractions(components, weights), strict=True):
        assert abs(Fraction(value) - exact) <= Fraction(limit)


def test_a_decimal_is_what_was_written():
    assert decimal_fraction(0.1) + decimal_fraction(0.2) == decimal_fraction(0.3)


def test_irrational_values_that_cannot_be_told_apart_are_set_equal_and_counted():
    values = np.array([1.0, 1.0 + 1e-15, 2.0])
    rounded, unresolved = round_exactly(
        values, error=np.full(3, 1e-14), key=np.arange(3)[:, None], offsets=np.array([0, 3]), exact=None
    )
    assert rounded[0] == rounded[1] < rounded[2]
    assert unresolved == 2


@pytest.mark.parametrize("columns", range(1, 18))
def test_equal_rows_have_equal_sums_wherever_they_stand(columns):
    """Rows that repeat three others, in both orders in memory, which a matrix product fails."""
    rng = np.random.default_rng(columns)
    for rows in range(1, 40):
        number = rng.integers(0, 3, rows)
        distinct, weights = rng.normal(size=(columns, 3)), rng.normal(size=columns)
        for components in (np.ascontiguousarray(distinct[:, number]), np.asfortranarray(distinct[:, number])):
            sums = weighted_sums(components, weights)
            assert all(len(set(sums[number == kind].tolist())) <= 1 for kind in range(3))
            assert np.allclose(sums, weights @ components)


def test_equal_completions_are_tied_whatever_the_number_of_rewards():
    rng = np.random.default_rng(0)
    for rows in range(2, 12):
        scores, weights = rng.random(8), rng.random(8)
        columns = {f"reward {at}": [float(score)] * rows for at, score in enumerate(scores)}
        table = pl.DataFrame({"prompt": ["p"] * rows, "completion": [f"c{at}" for at in range(rows)], **columns})
        found = audit(table, rewards=dict(zip(columns, weights.tolist(), strict=True)), prompt="prompt", noise=None)
        assert found.result["rewards"]["effective"]["tied_size_mean"]["value"] == rows
