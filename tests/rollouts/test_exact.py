"""Ties of rounded scores: decided as the fractions decide them, in both directions."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.rollouts.exact import decimal_fraction, round_exactly, weighted_fractions, weighted_sum_error

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
        weights @ components,
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
    computed, bound = weights @ components, weighted_sum_error(components, weights)
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
