"""What `theorems` returns: a row for each statement, with its example, the counts of verdicts and what failed."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from policycliff.mdp.model import MDP
from policycliff.statements.statement import FAILS, HOLDS, NOT_MEASURED, NOT_MET, UNRESOLVED, Outcome, Statement

_VERSIONS = ("policycliff", "numpy", "scipy", "numba", "python-flint")


@dataclass(frozen=True, slots=True)
class Example:
    """The outcome on one instance, by its name."""

    instance: str
    outcome: Outcome

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"instance": self.instance, **self.outcome.to_dict()}


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One statement over all instances.

    Attributes:
        statement: the statement.
        example: its outcome on the instance that shows it best, or on the user's own MDP.
        counts: verdict to number of instances.
        reasons: hypothesis that was not met to number of instances.
        failures: the first outcomes that contradict it.
        points: (claimed, measured) of the main claim where that is a bound.
    """

    statement: Statement
    example: Example | None
    counts: dict[str, int]
    reasons: dict[str, int]
    failures: tuple[Example, ...]
    points: tuple[tuple[float, float], ...]

    @property
    def verdict(self) -> str:
        """The worst of what was found: fails, then holds (somewhere), then unresolved, not measured, not met."""
        return next(name for name in (FAILS, HOLDS, UNRESOLVED, NOT_MEASURED, NOT_MET) if self.counts[name])

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "number": self.statement.number,
            "title": self.statement.title,
            "says": self.statement.says,
            "verdict": self.verdict,
            "counts": self.counts,
            "hypotheses_not_met": self.reasons,
            "example": None if self.example is None else self.example.to_dict(),
            "failures": [failure.to_dict() for failure in self.failures],
            "points": [list(point) for point in self.points],
        }


@dataclass(frozen=True, slots=True, repr=False)
class TheoremReport:
    """All statements that ran.

    Attributes:
        rows: one for each statement, in the paper's order.
        seed: of every random choice.
        instances: number of random instances.
        own: the user's MDP, or None where the built-in instances were used.
        figures: what the page draws, as plain data; empty unless asked for.
    """

    rows: tuple[StatementRow, ...]
    seed: int
    instances: int
    own: MDP | None
    figures: dict[str, Any]

    @property
    def n_failed(self) -> int:
        """Number of outcomes that contradict a statement."""
        return sum(row.counts[FAILS] for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, with versions and settings."""
        return {
            "schema_version": 1,
            "settings": {"seed": self.seed, "instances": self.instances},
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS}},
            "mdp": None if self.own is None else self.own.to_dict(),
            "n_failed": self.n_failed,
            "figures": self.figures,
            "statements": [row.to_dict() for row in self.rows],
        }

    def __repr__(self) -> str:
        lines = [
            f"{row.statement.number:<11} {row.verdict:<19} "
            + ", ".join(f"{count} {name}" for name, count in row.counts.items() if count)
            for row in self.rows
        ]
        return "\n".join([f"TheoremReport({len(self.rows)} statements, {self.n_failed} failures)", *lines])
