"""Figures that add up: what an analysis says of some prompts, in a form that can be joined with what it says of others.

A table too large for memory is audited in parts. Every analysis returns a tree of JSON types whose leaves are sums,
extremes, counts or the values themselves; `merge` joins the trees of two parts, and `finished` makes numbers of the
leaves. A plain value in a tree (a name, a group size) is the same in every part. One part alone is the usual case, and
the figures do not depend on how the prompts were parted, but for the rounding of sums.

The leaves with an interval, `Share` and `Mean`, are in `policycliff.rollouts.intervals`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from policycliff.shapes import Int64


@runtime_checkable
class Leaf(Protocol):
    """What two parts say of the same thing adds up."""

    def plus(self, other: Any) -> Any:
        """With that of another part."""
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A leaf: a state, how two of them add up, and how the sum becomes a number (or any JSON value).

    The functions must be importable by name, so that a part's figures can come from another process.
    """

    state: Any
    add: Callable[[Any, Any], Any]
    finish: Callable[[Any], Any]

    def plus(self, other: "Figure") -> "Figure":
        """With that of another part."""
        return Figure(self.add(self.state, other.state), self.add, self.finish)

    def finished(self) -> Any:
        """The number that it stands for."""
        return self.finish(self.state)


@dataclass(frozen=True, slots=True)
class After:
    """What is computed from the finished figures of a tree: `function(tree)`."""

    function: Callable[[Any], Any]
    tree: Any


@dataclass(frozen=True, slots=True)
class Nothing:
    """What a part without prompts says; only where no part has any is it what stands in the result."""

    tree: Any


def total(value: int | float) -> Figure:
    """A count or a sum.

    >>> total(2).plus(total(3)).finished()
    5
    """
    return Figure(value, _add, _itself)


def least(values: np.ndarray) -> Figure:
    """The least number; None where there is none."""
    return Figure(float(values.min()) if len(values) else None, _lesser, _itself)


def greatest(values: np.ndarray) -> Figure:
    """The greatest number; None where there is none."""
    return Figure(float(values.max()) if len(values) else None, _greater, _itself)


def counts(values: np.ndarray, finish: Callable[[np.ndarray], Any] = np.ndarray.tolist) -> Figure:
    """Counts at fixed places, for example of a histogram."""
    return Figure(values, _add, finish)


def tally(values: Mapping[Any, int], finish: Callable[[dict[Any, int]], Any] = dict) -> Figure:
    """How often each thing occurs.

    >>> tally({2: 1}).plus(tally({2: 1, 3: 4})).finished()
    {2: 2, 3: 4}
    """
    return Figure(dict(values), _add_tallies, finish)


def tally_of(values: Int64[np.ndarray, " n"], finish: Callable[[dict[Any, int]], Any] = dict) -> Figure:
    """How often each whole number occurs.

    >>> tally_of(np.array([8, 8, 2])).finished()
    {2: 1, 8: 2}
    """
    found = np.unique(values, return_counts=True)
    return tally({int(value): int(count) for value, count in zip(*found, strict=True)}, finish)


def expanded(tallied: Mapping[int, int]) -> Int64[np.ndarray, " n"]:
    """The numbers that were tallied, equal ones side by side.

    >>> expanded({2: 1, 8: 2}).tolist()
    [2, 8, 8]
    """
    return np.repeat(np.array(list(tallied), dtype=np.int64), np.array(list(tallied.values()), dtype=np.int64))


def frames(rows: pl.DataFrame, finish: Callable[[pl.DataFrame], Any]) -> Figure:
    """Rows of all parts, one below another."""
    return Figure((rows,), _add, Stacked(finish))


@dataclass(frozen=True, slots=True)
class Stacked:
    """A function of the rows of all parts."""

    function: Callable[[pl.DataFrame], Any]

    def __call__(self, parts: tuple[pl.DataFrame, ...]) -> Any:
        """The figure."""
        return self.function(pl.concat(parts))


def every(values: np.ndarray, summary: Callable[[np.ndarray], Any]) -> Figure:
    """All values, one a prompt: what needs their order, such as a quantile.

    >>> every(np.array([1.0]), np.median).plus(every(np.array([2.0, 9.0]), np.median)).finished()
    np.float64(2.0)
    """
    return Figure((values,), _add, Summary(summary))


@dataclass(frozen=True, slots=True)
class Summary:
    """A function of the values of all parts."""

    function: Callable[[np.ndarray], Any]

    def __call__(self, chunks: tuple[np.ndarray, ...]) -> Any:
        """The figure."""
        return self.function(chunks[0] if len(chunks) == 1 else np.concatenate(chunks))


def median_or_none(values: np.ndarray) -> float | None:
    """The median, None of nothing."""
    return float(np.median(values)) if len(values) else None


def _itself(value: Any) -> Any:
    return value


def _add(first: Any, second: Any) -> Any:
    return first + second


def _lesser(first: float | None, second: float | None) -> float | None:
    return min((value for value in (first, second) if value is not None), default=None)


def _greater(first: float | None, second: float | None) -> float | None:
    return max((value for value in (first, second) if value is not None), default=None)


def _add_tallies(first: dict[Any, int], second: dict[Any, int]) -> dict[Any, int]:
    return first | {key: first.get(key, 0) + count for key, count in second.items()}
