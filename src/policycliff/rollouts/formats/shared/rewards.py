"""Which columns become rewards, with which weights, and what to say of it."""

import re
from collections.abc import Container, Sequence

import polars as pl

from policycliff.rollouts.formats.format import ROW_COLUMNS
from policycliff.rollouts.reading.delimited import TEXT_PREFIX
from policycliff.rollouts.settings import EFFECTIVE, LARGEST_NUMBER

Weights = tuple[tuple[str, float], ...]
MAX_WATCHED = 8
"""At most this many columns become rewards of weight 0: each is compared with every other. The rest stay columns."""
SCORE_NAME = re.compile(r"(^|[_\-./: ])(scores?|ratings?|rewards?|winner)($|[_\-./: ])", re.IGNORECASE)
"""Names of numbers that rate a completion, alone or as a part of a name."""
_TOTAL = re.compile(r"^(total_|final_|overall_)?(scores?|ratings?|rewards?)$", re.IGNORECASE)


def score_column(name: str, prefix: str, taken: Container[str]) -> str:
    """The column of a score: its name in the file, with a prefix where that is another part's.

    >>> score_column("correct", "reward", ()), score_column("prompt", "reward", ())
    ('correct', 'reward.prompt')
    """
    other = name in {*ROW_COLUMNS, EFFECTIVE, ""} or name in taken or name.startswith(TEXT_PREFIX)
    return f"{prefix}.{name}" if other else name


def watched(frame: pl.DataFrame, beside: str, names: Sequence[str]) -> Weights:
    """Of the named columns those worth comparing with the reward, each of weight 0: numbers that vary.

    A column that equals the reward in every row says nothing new, and one with a number that no figure can be computed
    with cannot be a reward. At most `MAX_WATCHED` are taken.

    >>> scores = pl.DataFrame({"reward": [0.0, 1.0], "fit": [1.0, 0.5], "same": [0.0, 1.0], "flat": [1.0, 1.0]})
    >>> watched(scores, "reward", ["fit", "same", "flat"])
    (('fit', 0.0),)
    """
    found = [name for name in names if name != EFFECTIVE and _is_varied(frame[name], frame[beside])]
    return tuple((name, 0.0) for name in found[:MAX_WATCHED])


def watched_note(beside: str, others: Weights) -> tuple[str, ...]:
    """The rewards of weight 0 in words, nothing where there are none."""
    if not others:
        return ()
    most = f" (at most {MAX_WATCHED} are)" if len(others) == MAX_WATCHED else ""
    names = ", ".join(name for name, _ in others)
    return (f"weight 0, compared with {beside} but not added to it{most}: {names}.",)


def weighted(names: Sequence[str]) -> Weights:
    """Scores with weights, as for a plain table: a total counts alone and its parts are compared, else all count.

    >>> weighted(("format_reward", "reward")), weighted(("a_reward", "b_reward"))
    ((('reward', 1.0), ('format_reward', 0.0)), (('a_reward', 1.0), ('b_reward', 1.0)))
    """
    total = next((name for name in names if _TOTAL.match(name)), None)
    if total is None:
        return tuple((name, 1.0) for name in names)
    parts = [name for name in names if name != total]
    return ((total, 1.0), *((name, 0.0) for name in parts[:MAX_WATCHED]))


def weights_note(rewards: Weights) -> str:
    """The weights in words."""
    given = ", ".join(f"{name} {weight:g}" for name, weight in rewards)
    return f"weights of the scores, which the file does not say: {given}. Give --reward NAME=WEIGHT if they are others."


def _is_varied(column: pl.Series, reward: pl.Series) -> bool:
    if column.dtype != pl.Float64 or column.n_unique() < 2 or column.eq_missing(reward).all():
        return False
    finite = column.filter(column.is_finite().fill_null(value=False))
    return finite.n_unique() > 1 and not bool((finite.abs() > LARGEST_NUMBER).any())
