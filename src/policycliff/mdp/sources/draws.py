"""Every outcome of code that draws random numbers, with exact probabilities: a generator that branches.

A uniform number is never drawn. What it is compared with splits the interval in which it lies, and each comparison is
one branch with an exact probability: `random() < 0.1` is true with probability 1/10 (the decimal as it is written, not
its float). Integers and choices from a list are one branch an outcome. Whatever else is done with a number, such as
arithmetic, cannot be enumerated and is refused.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, TypeVar, no_type_check

import numpy as np

from policycliff.errors import InvalidInputError

Result = TypeVar("Result")
_MAX_BRANCHES = 10_000


class NotEnumerableError(InvalidInputError):
    """Code draws random numbers in a way whose outcomes cannot be enumerated soundly."""


@no_type_check  # a checker may draw random numbers itself, within a step of the environment
class Draws:
    """Stands in for a `numpy.random.Generator` (and the functions of `random`); follows a script of branches."""

    def __init__(self, script: Sequence[int]) -> None:
        self._script = script
        self.taken: list[tuple[int, tuple[Fraction, ...]]] = []

    def branch(self, probabilities: Sequence[Fraction]) -> int:
        """The outcome that the script says, or the first possible one beyond its end."""
        possible = tuple(probabilities)
        position = len(self.taken)
        first = next(i for i, p in enumerate(possible) if p > 0)
        outcome = self._script[position] if position < len(self._script) else first
        self.taken.append((outcome, possible))
        return outcome

    def random(self, size: Any = None, *_arguments: Any, **_options: Any) -> "Uniform":
        """A number that is uniform on [0, 1)."""
        _only(size is None, "an array of uniform numbers")
        return Uniform(self)

    def integers(self, low: int, high: int | None = None, size: Any = None, **options: Any) -> int:
        """A whole number from low to high - 1, all equally likely."""
        _only(size is None and not options.get("endpoint", False), "whole numbers with `size` or `endpoint`")
        first, last = (0, int(low)) if high is None else (int(low), int(high))
        return first + self.branch([Fraction(1, last - first)] * (last - first))

    def choice(self, items: Any, size: Any = None, replace: Any = True, p: Any = None, **_options: Any) -> Any:  # noqa: ARG002, FBT002 - the signature of NumPy
        """One of several items."""
        _only(size is None, "several choices at once")
        listed = list(range(int(items))) if isinstance(items, int | np.integer) else list(items)
        shares = [Fraction(1, len(listed))] * len(listed) if p is None else [decimal(share) for share in p]
        total = sum(shares)
        return listed[self.branch([share / total for share in shares])]

    def __getattr__(self, name: str) -> Any:
        raise NotEnumerableError(
            f"Got a random draw by {name!r}; expected random(), integers() or choice(), whose outcomes can be "
            "enumerated. Write the model to a file instead."
        )


@no_type_check
class Uniform:
    """A uniform number in an interval, known only by what it was compared with."""

    __array_ufunc__ = None

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._low, self._high = Fraction(0), Fraction(1)

    def __lt__(self, other: Any) -> bool:
        return self._below(other)

    def __le__(self, other: Any) -> bool:
        return self._below(other)

    def __gt__(self, other: Any) -> bool:
        return not self._below(other)

    def __ge__(self, other: Any) -> bool:
        return not self._below(other)

    def _below(self, other: Any) -> bool:
        """Whether it is below a number; the boundary itself has probability 0."""
        threshold = min(max(decimal(other), self._low), self._high)
        share = (threshold - self._low) / (self._high - self._low)
        below = share == 1 or (share > 0 and self._draws.branch([share, 1 - share]) == 0)
        if below:
            self._high = threshold
        else:
            self._low = threshold
        return below

    def _refuse(self, *_arguments: Any) -> Any:
        raise NotEnumerableError(
            "Got arithmetic with a uniform random number; expected comparisons only, whose outcomes can be enumerated. "
            "Write the model to a file instead."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = _refuse
    __float__ = __int__ = __index__ = __bool__ = __round__ = __neg__ = __abs__ = __array__ = __format__ = _refuse
    __eq__ = __ne__ = __hash__ = __str__ = _refuse


@no_type_check
def decimal(number: Any) -> Fraction:
    """The number as it would be written: 0.1 is 1/10; a float32 by its own shortest decimal.

    >>> decimal(0.1), decimal(np.float32(8.2))
    (Fraction(1, 10), Fraction(41, 5))
    """
    if isinstance(number, np.floating):
        return Fraction(np.format_float_positional(number, unique=True, trim="0"))
    return Fraction(str(float(number)))


def outcomes(run: Callable[[Draws], Result]) -> Iterator[tuple[Fraction, Result]]:
    """Every outcome of a function of a generator, with its probability.

    Example:
        >>> [(str(p), hit) for p, hit in outcomes(lambda rng: rng.random() < 0.1)]
        [('1/10', True), ('9/10', False)]
    """
    waiting: list[tuple[int, ...]] = [()]
    seen = 0
    while waiting:
        script = waiting.pop()
        draws = Draws(script)
        result = run(draws)
        seen += 1
        if seen > _MAX_BRANCHES:
            raise NotEnumerableError(
                f"Got more than {_MAX_BRANCHES} outcomes of one step; expected few. Write the model to a file instead."
            )
        probability = Fraction(1)
        path: tuple[int, ...] = ()
        for position, (outcome, possible) in enumerate(draws.taken):
            probability *= possible[outcome]
            if position >= len(script):
                others = (i for i, share in enumerate(possible) if share > 0 and i != outcome)
                waiting.extend((*path, other) for other in others)
            path = (*path, outcome)
        yield probability, result


@contextmanager
def scripted_random_module(current: Callable[[], Draws]) -> Iterator[None]:
    """Let the functions of the module `random` branch as well; what is not replaced is noticed by `untouched`."""
    replaced = {
        "random": lambda: current().random(),
        "choice": lambda items: current().choice(items),
        "randint": lambda low, high: current().integers(low, high + 1),
        "randrange": lambda low, high=None: current().integers(low, high),
    }
    before = {name: getattr(random, name) for name in replaced}
    try:
        for name, function in replaced.items():
            setattr(random, name, function)
        yield
    finally:
        for name, function in before.items():
            setattr(random, name, function)


@contextmanager
def untouched() -> Iterator[None]:
    """Raise if code in the block drew from a global generator, whose outcomes nobody saw.

    Raises:
        NotEnumerableError: the state of `random` or of `numpy.random` has changed.
    """
    before = _global_states()
    yield
    if _global_states() != before:
        raise NotEnumerableError(
            "Got a step that draws from a global random generator; expected the environment's own `np_random`. "
            "Write the model to a file instead."
        )


def _global_states() -> tuple[Any, ...]:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - watched, not used
    return random.getstate(), kind, np.asarray(keys).tobytes(), *rest


def _only(allowed: bool, what: str) -> None:  # noqa: FBT001 - a check
    if not allowed:
        raise NotEnumerableError(
            f"Got a random draw of {what}; expected single draws, whose outcomes can be enumerated. "
            "Write the model to a file instead."
        )
