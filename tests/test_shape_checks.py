"""The checks that run in all other tests find what is wrong, in functions and data classes, and once each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float64
from shape_checks import checked

from policycliff import MDP, solve
from policycliff.policies.distances import state_shifts

Row = Float64[np.ndarray, " n"]


@checked
def cut(row: Row, length: int, *, weights: list[Row] | None = None) -> Row:
    return row[:length]


@checked
@dataclass(frozen=True)
class Both:
    first: Row
    second: Row

    @classmethod
    @checked
    def twice(cls, row: Row) -> "Both":
        return cls(row, row)

    @property
    @checked
    def total(self) -> int:
        return self.first.sum()


def test_what_is_right_passes():
    assert cut(np.ones(2), 2, weights=[np.zeros(2)]).shape == (2,)
    assert Both.twice(np.ones(3)).second.shape == (3,)
    # A name stands for a size within one call: another call, or one inside, has its own.
    assert cut(cut(np.ones(3), 3), 3).shape == (3,)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: cut(np.ones(2, dtype=np.float32), 2),
        lambda: cut(np.ones((2, 2)), 2),
        lambda: cut(np.ones(2), 2.0),
        lambda: cut(np.ones(2), 1),
        lambda: cut(np.ones(2), 2, weights=[np.ones(3)]),
        lambda: Both(np.ones(2), np.ones(3)),
        lambda: Both(first=np.ones(2), second=None),
        lambda: Both.twice([1.0]),
        lambda: Both.twice(np.ones(2)).total,
    ],
)
def test_a_wrong_type_or_size_is_refused(wrong):
    with pytest.raises(BeartypeCallHintViolation):
        wrong()


def test_generators_run_as_they_did():
    @checked
    def pieces(row: Row) -> Iterator[Row]:
        yield row[:1]

    assert [piece.shape for piece in pieces(np.ones(2))] == [(1,)]
    with pytest.raises(TypeError):
        pieces(np.ones((2, 2)))


def test_the_package_itself_is_checked():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.5)
    with pytest.raises(BeartypeCallHintViolation):
        state_shifts(mdp, np.ones(2), np.ones(3))
    with pytest.raises(BeartypeCallHintViolation):
        replace(solve(mdp), values=[2.0])
