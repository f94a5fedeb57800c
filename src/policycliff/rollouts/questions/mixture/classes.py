"""Data classes of a table: which class each row is of, which classes a prompt occurs in, and their proportions.

The class column is read in the part of the source column, which the mixture does not ask for otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.exact import decimal_fraction
from policycliff.rollouts.reading.columns import resolve_columns
from policycliff.rollouts.reading.derive import with_derived
from policycliff.rollouts.reading.hints import did_you_mean
from policycliff.rollouts.reading.load import LoadedRollouts, load_rollouts
from policycliff.rollouts.reading.read import open_table
from policycliff.rollouts.segments import segment_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.shapes import Bool, Int64

MOST_CLASSES = 50


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a table.

    Attributes:
        names: Their names, in order of appearance.
        of_row: (rows,) number of the row's class, -1 where it has none.
        member: (groups, classes) whether the group has a row of the class.
    """

    names: tuple[str, ...]
    of_row: Int64[np.ndarray, " rows"]
    member: Bool[np.ndarray, "groups classes"]

    @property
    def shared(self) -> Bool[np.ndarray, " groups"]:
        """Groups that occur in several classes."""
        return self.member.sum(axis=1) > 1


def reward_name(class_name: str) -> str:
    """Name of the derived column that holds a class's own reward."""
    return f"reward of {class_name}"


def load_with_classes(
    table: Any, settings: AuditSettings, class_column: str | None, formulas: Mapping[str, str]
) -> tuple[LoadedRollouts, Classes]:
    """The table, with the classes' own rewards as columns of weight 0.

    Args:
        table: As for the audit.
        settings: What the audit is asked.
        class_column: The class column; None for the source column.
        formulas: SQL expression of a class's reward, by class.

    Raises:
        TableError: No class column, no row with a class, or what reading raises.
        InvalidInputError: Fewer than two classes, too many, or a formula of a class that is not there.
    """
    if class_column is not None:
        settings = replace(settings, source=class_column)
    own = tuple((reward_name(name), formula) for name, formula in formulas.items())
    if own:
        rewards = settings.rewards or _guessed_rewards(table, settings)
        watched = tuple((name, 0.0) for name, _ in own)
        settings = replace(settings, rewards=(*rewards, *watched), derive=(*settings.derive, *own))
    loaded = load_rollouts(table, settings)
    classes = _classes_of(loaded.table)
    require_known(formulas, classes.names, "class_reward")
    return loaded, classes


def require_known(given: Mapping[str, Any], names: tuple[str, ...], option: str) -> None:
    """Refuse a class that the table does not have."""
    for name in given:
        if name not in names:
            raise InvalidInputError(
                f"{option} names the class {name!r}, which no row has. The classes are: {', '.join(names)}."
                f"{did_you_mean(name, names)}"
            )


def proportions_of(given: Mapping[str, float], names: tuple[str, ...], prompts: tuple[int, ...]) -> list[Fraction]:
    """Proportion of each class: as given, the rest shared in the ratio of the prompts; they add up to 1.

    >>> [str(item) for item in proportions_of({"b": 0.5}, ("a", "b", "c"), (3, 9, 1))]
    ['3/8', '1/2', '1/8']

    Raises:
        InvalidInputError: A proportion that is not positive, or too much given away.
    """
    require_known(given, names, "proportion")
    for name, value in given.items():
        if not 0.0 < value < float("inf"):
            raise InvalidInputError(
                f"proportion of {name!r} must be a positive number, got {value!r}. To leave a class out, leave its "
                "rows out of the table; the answer says what changes without it."
            )
    exact = {name: decimal_fraction(value) for name, value in given.items()}
    total, others = sum(exact.values(), Fraction(0)), [name for name in names if name not in given]
    if not others:
        return [exact[name] / total for name in names]
    if total >= 1:
        raise InvalidInputError(
            f"the proportions given add up to {float(total):g}, which leaves nothing for {', '.join(others)}. Give "
            "proportions below 1 in sum, or one for each class."
        )
    counts = dict(zip(names, prompts, strict=True))
    rest = sum(counts[name] for name in others)
    return [exact.get(name, (1 - total) * Fraction(counts[name], rest)) for name in names]


def _guessed_rewards(table: Any, settings: AuditSettings) -> tuple[tuple[str, float], ...]:
    """The rewards that are found by name, none where none is: the classes may all have their own."""
    source = with_derived(open_table(table, settings), settings.derive)
    try:
        return resolve_columns(source.schema(), settings).rewards
    except TableError:
        return ()


def _classes_of(table: RolloutTable) -> Classes:
    if table.source is None:
        raise TableError("nothing says which class a row is of: name the column with --class, or with --source.")
    numbers, first, of_row = np.unique(table.source, return_index=True, return_inverse=True)
    if numbers[0] < 0:
        first, of_row = first[1:], of_row - 1
    names = tuple(str(name) for name in table.frame["__source"].gather(first).to_list())
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise InvalidInputError(f"a mixture has two classes or more; the table has {found}. Name another --class.")
    if len(names) > MOST_CLASSES:
        raise InvalidInputError(
            f"the class column has {len(names)} values; at most {MOST_CLASSES} are compared. Name a coarser one."
        )
    member = np.zeros((table.n_groups, len(names)), dtype=bool)
    known = of_row >= 0
    member[segment_of(table.offsets)[known], of_row[known]] = True
    return Classes(names, of_row.astype(np.int64), member)
