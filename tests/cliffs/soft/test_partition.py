"""The largest subset: against all subsets, and the bracket for many rows contains it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.cliffs.soft import partition
from policycliff.cliffs.soft.partition import largest_subset


def zero_sum(seed, rows, columns):
    matrix = np.random.default_rng(seed).normal(size=(rows, columns))
    return matrix - matrix.mean(axis=0)


def brute_force(matrix):
    sets = (np.arange(2 ** len(matrix))[:, None] >> np.arange(len(matrix))) & 1
    return np.abs(sets @ matrix).sum(axis=1).max()


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 5))
@settings(max_examples=60)
def test_few_rows_are_exact(seed, rows, columns):
    matrix = zero_sum(seed, rows, columns)
    found = largest_subset(matrix)
    assert found.low == found.high
    assert found.low == pytest.approx(brute_force(matrix), abs=1e-12)
    assert np.abs(matrix[found.members].sum(axis=0)).sum() == pytest.approx(found.low, abs=1e-12)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=20)
def test_many_rows_are_bracketed(seed, peaked):
    matrix = zero_sum(seed, 15, 4) if not peaked else zero_sum(seed, 15, 4) * np.geomspace(1, 1e-4, 15)[:, None]
    matrix[0] -= matrix.sum(axis=0)
    found = largest_subset(matrix)
    truth = brute_force(matrix)
    assert found.low <= truth * (1 + 1e-12)
    assert truth <= found.high * (1 + 1e-12)
    assert np.abs(matrix[found.members].sum(axis=0)).sum() == pytest.approx(found.low)
    if peaked:
        assert found.high <= 1.01 * found.low


def test_chunks_do_not_change_the_answer(monkeypatch):
    matrix = zero_sum(1, 11, 30)
    expected = largest_subset(matrix)
    monkeypatch.setattr(partition, "CHUNK", 1000)
    assert largest_subset(matrix).low == pytest.approx(expected.low)


def test_nothing_to_choose():
    assert largest_subset(np.zeros((3, 2))).high == 0.0
    assert largest_subset(np.zeros((1, 4))).low == 0.0
