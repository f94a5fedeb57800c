"""Numbers as a person reads them, the same in the terminal and on the page; what is not known is said in words.

A *figure* is what the audit gives for every share and mean: `{"value", "low", "high"}`, a 95 % interval.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

Figure = Mapping[str, Any]

Number: TypeAlias = float | int
"""JSON knows one kind of number; a result read back may hold 1 for 1.0."""

UNKNOWN = "unknown"


def number(value: Number | None, *, digits: int = 3) -> str:
    """A few significant digits, thousands apart.

    >>> number(0.0692951), number(10800.0), number(8.58e-6), number(None)
    ('0.0693', '10,800', '8.58e-6', 'unknown')
    """
    if value is None:
        return UNKNOWN
    if 1000 <= abs(value) < 1e9:
        whole = len(f"{abs(value):.0f}")
        return f"{value:,.{max(0, digits - whole)}f}"
    return _exponent(f"{value:.{digits}g}")


def count(value: int) -> str:
    """A whole number, thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def percent(value: Number | None) -> str:
    """A share in percent.

    >>> percent(0.1388888), percent(0.0), percent(None), percent(1e-12)
    ('13.9 %', '0 %', 'unknown', 'under 0.0001 %')
    """
    if value is not None and 0.0 < value < 1e-6:
        return "under 0.0001 %"
    return UNKNOWN if value is None else f"{_exponent(f'{100 * value:.3g}')} %"


def percent_interval(figure: Figure) -> str:
    """The interval of a share, without the share.

    >>> percent_interval({"value": 0.1, "low": 0.086, "high": 0.2165})
    '8.6 to 21.6'
    """
    return f"{100 * figure['low']:.3g} to {100 * figure['high']:.3g}"


def interval(figure: Figure) -> str:
    """The interval of a figure, without the figure; open where a bound is not known.

    >>> interval({"value": 0.0, "low": 0.0, "high": None})
    'no upper bound'
    """
    low, high = figure["low"], figure["high"]
    if high is None:
        return "no upper bound"
    least = 1e-6 * max(abs(low), abs(high))  # what rounding left of a bound
    return f"{number(low if abs(low) > least else 0.0)} to {number(high if abs(high) > least else 0.0)}"


def share_text(figure: Figure | None, *, unknown: str = UNKNOWN) -> str:
    """A share with its interval, in percent.

    >>> share_text({"value": 0.1388888, "low": 0.0860, "high": 0.2166})
    '13.9 % (8.6 to 21.7)'
    """
    if figure is None or figure["value"] is None:
        return unknown
    return f"{percent(figure['value'])} ({percent_interval(figure)})"


def mean_text(figure: Figure | None, *, unknown: str = UNKNOWN) -> str:
    """A mean with its interval, in its own units.

    >>> mean_text({"value": 16.9, "low": 12.785, "high": 21.73})
    '16.9 (12.8 to 21.7)'
    """
    if figure is None or figure["value"] is None:
        return unknown
    return f"{number(figure['value'])} ({interval(figure)})"


def quantity(noun: str, how_many: int) -> str:
    """A count with its noun.

    >>> quantity("prompt", 1), quantity("prompt", 1200)
    ('1 prompt', '1,200 prompts')
    """
    return f"{count(how_many)} {noun}" if how_many == 1 else f"{count(how_many)} {noun}s"


def _exponent(text: str) -> str:
    """`1e-05` as `1e-5`."""
    mantissa, sign, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if sign else text
