"""`compare`: two rewards on the same rows, or two tables."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.progress import Progress
from policycliff.rollouts.questions.answer import Answer
from policycliff.rollouts.questions.compare.mixture import Mixture, mixture_of
from policycliff.rollouts.questions.compare.rewards import compare_rewards
from policycliff.rollouts.questions.compare.tables import compare_tables
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

PERMUTATIONS = 9999


def compare(
    a: Any,
    b: Any,
    *,
    table: Any = None,
    common_size: int | None = None,
    permutations: int = PERMUTATIONS,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Compare two rewards on the rows of one table, or two tables of rollouts.

    Args:
        a: With `table`, a reward: a column, a mixture such as "0.8*rm + 0.2*format", or a dictionary of weights.
            Without, a table as for `policycliff.audit`.
        b: The same for what is compared with it.
        table: The table whose rows both rewards score.
        common_size: Completions a prompt at which two tables are compared; None for the smaller usual group size.
        permutations: Draws of the permutation tests.
        progress: Called as work goes on.
        **options: Fields of `AuditSettings`.

    Raises:
        InvalidInputError: A reward that cannot be read, or an option that cannot be right.
        TableError: A table is broken or lacks a column, or nothing can be compared.

    >>> import polars as pl
    >>> rows = {"prompt": ["p", "p"], "completion": ["x", "y"], "rm": [1.0, 0.0], "length": [2.0, 9.0]}
    >>> compare("rm", "rm + 0.5*length", table=pl.DataFrame(rows)).to_dict()["figures"]["moves"]["disjoint"]["count"]
    1
    """
    settings = settings_from_options(options)
    return run_compare(
        a, b, settings, table=table, common_size=common_size, permutations=permutations, progress=progress
    )


def run_compare(
    a: Any,
    b: Any,
    settings: AuditSettings,
    *,
    table: Any = None,
    common_size: int | None = None,
    permutations: int = PERMUTATIONS,
    progress: Progress | None = None,
) -> Answer:
    """`compare` with its options as settings."""
    report = progress or _no_progress
    if permutations < 1:
        raise InvalidInputError(f"permutations must be 1 or more, got {permutations}.")
    if table is None:
        report("reading", 0.0)
        first, second = load_rollouts(a, settings), load_rollouts(b, settings)
        return compare_tables(first, second, common_size=common_size, permutations=permutations, progress=report)
    if common_size is not None:
        raise InvalidInputError("common_size is for two tables; two rewards score the same rows already.")
    if settings.rewards:
        raise InvalidInputError("with a table to score, A and B are the rewards: leave out the others (--reward).")
    first_reward, second_reward = _mixture(a), _mixture(b)
    loaded = load_rollouts(table, replace(settings, rewards=_union(first_reward, second_reward)))
    return compare_rewards(loaded, first_reward, second_reward, permutations=permutations, progress=report)


def _mixture(reward: Any) -> Mixture:
    if not isinstance(reward, str | Mapping):
        raise InvalidInputError(
            f"with a table to score, A and B are rewards: a column, a mixture or a dictionary, not a "
            f"{type(reward).__name__}. To compare two tables, leave out the table (--in)."
        )
    return mixture_of(reward)


def _union(first: Mixture, second: Mixture) -> Mixture:
    """Every column of both, with its weight in the first, else in the second."""
    return tuple({**dict(first), **dict(second), **dict(first)}.items())


def _no_progress(_stage: str, _share: float) -> None:
    pass
