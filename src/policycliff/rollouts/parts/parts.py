"""The parts of a table, and the two rounds over them: what must be known of the whole, then the figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from policycliff.rollouts.analyses.whole import Known, WholeTable, survey
from policycliff.rollouts.intervals import unit_of_prompts
from policycliff.rollouts.part import Place, audit_part
from policycliff.rollouts.progress import Progress, silent
from policycliff.rollouts.reading.groups import draw_groups
from policycliff.rollouts.rewards import Rewards, rewards_of
from policycliff.rollouts.settings import AuditSettings
from policycliff.rollouts.table import RolloutTable
from policycliff.rollouts.trees import finished_figures, merge
from policycliff.shapes import Bool, Int64

THREADS = 2
"""How many rewards of the only part, or how many parts, are looked at at a time."""

Task = Callable[[RolloutTable, Rewards, Any], Any]
"""Work on one part: `task(table, rewards, argument)`; importable by name, so that another process can do it."""


@runtime_checkable
class Parts(Protocol):
    """A table in parts of whole groups."""

    @property
    def count(self) -> int:
        """Number of parts."""
        ...

    @property
    def executor(self) -> str:
        """Where they are."""
        ...

    def each(self, task: Task, arguments: Sequence[Any]) -> Iterator[Any]:
        """The task's result for every part, in their order."""
        ...

    def keep(self, tree: Any, name: str) -> Any:
        """A part's figures, kept where there is room for them."""
        ...


@dataclass(frozen=True, slots=True)
class PartInMemory:
    """A table that is one part."""

    table: RolloutTable
    rewards: Rewards
    count: int = 1
    executor: str = "memory"

    def each(self, task: Task, arguments: Sequence[Any]) -> Iterator[Any]:
        """The task's result."""
        yield task(self.table, self.rewards, arguments[0])

    def keep(self, tree: Any, name: str) -> Any:  # noqa: ARG002 - the others need it
        """The figures as they are."""
        return tree


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the first round found.

    Attributes:
        figures: Finished figures of the whole table.
        numbers: For each part, (groups,) numbers of its groups in the whole table, in order of appearance.
    """

    figures: dict[str, Any]
    numbers: list[Int64[np.ndarray, " groups"]]


def parts_in_memory(table: RolloutTable, weights: dict[str, float], settings: AuditSettings) -> PartInMemory:
    """A table that has been read already, as its only part."""
    return PartInMemory(table, rewards_of(table, weights, settings))


def survey_parts(parts: Parts, settings: AuditSettings, report: Progress) -> Surveyed:
    """The first round."""
    figures, first_rows = None, []
    for position, (found, rows) in enumerate(parts.each(partial(_survey, settings=settings), [None] * parts.count)):
        kept = parts.keep(found, f"survey-{position}")
        figures = kept if figures is None else merge(figures, kept)
        first_rows.append(rows)
        report("survey", (position + 1) / parts.count)
    return Surveyed(finished_figures(figures), number_groups(first_rows))


def audit_parts(
    parts: Parts, surveyed: Surveyed, whole: WholeTable, settings: AuditSettings, report: Progress
) -> dict[str, Any]:
    """The second round: the figures of all parts, added up."""
    places = _places(surveyed.numbers, whole.prompts, settings.seed)
    inside = report if parts.count == 1 and parts.executor != "ray" else None
    task = partial(_audit, known=Known(settings, whole, THREADS if parts.count == 1 else 1), report=inside)
    tree = None
    for position, found in enumerate(parts.each(task, places)):
        kept = parts.keep(found, f"figures-{position}")
        tree = kept if tree is None else merge(tree, kept)
        report("figures", (position + 1) / parts.count)
    return dict(tree or {})


def number_groups(first_rows: Sequence[Int64[np.ndarray, " groups"]]) -> list[Int64[np.ndarray, " groups"]]:
    """Number the groups of all parts in order of appearance, by the first row of each.

    >>> [numbers.tolist() for numbers in number_groups([np.array([0, 7]), np.array([3])])]
    [[0, 2], [1]]
    """
    rows = np.concatenate(first_rows)
    numbers = np.empty(len(rows), dtype=np.int64)
    numbers[np.argsort(rows, kind="stable")] = np.arange(len(rows))
    return np.split(numbers, np.cumsum([len(part) for part in first_rows])[:-1])


def drawn_groups(
    first_rows: Sequence[Int64[np.ndarray, " groups"]], size: int, seed: int
) -> tuple[Bool[np.ndarray, " groups"], ...]:
    """Which groups of each part belong to a sample, drawn as from a table in memory, by the first row of each group."""
    numbers = number_groups(first_rows)
    drawn = draw_groups(sum(map(len, numbers)), size, seed)
    return tuple(drawn[part] for part in numbers)


def _places(numbers: list[Int64[np.ndarray, " groups"]], prompts: int, seed: int) -> list[Place]:
    units = unit_of_prompts(prompts, seed)
    chance = np.random.default_rng(seed).permutation(prompts)
    return [Place(index, part, units[part], chance[part]) for index, part in enumerate(numbers)]


def _survey(
    table: RolloutTable, rewards: Rewards, _argument: None, *, settings: AuditSettings
) -> tuple[dict[str, Any], Int64[np.ndarray, " groups"]]:
    return survey(table, rewards, settings), first_rows_of(table)


def first_rows_of(table: RolloutTable) -> Int64[np.ndarray, " groups"]:
    """The first row of each group in the table as read."""
    return np.minimum.reduceat(table.row_index, table.offsets[:-1]) if table.n_groups else np.zeros(0, dtype=np.int64)


def _audit(
    table: RolloutTable,
    rewards: Rewards,
    place: Place,
    *,
    known: Known,
    report: Progress | None,
) -> dict[str, Any]:
    return audit_part(table, rewards, place, known, report or silent)
