"""All inner states of an environment that were found, and the transitions between them."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from policycliff.mdp.sources.snapshots import Frozen, Snapshots


class Step(NamedTuple):
    """One outcome of an action: its probability, where it leads, what it pays."""

    probability: Fraction
    target: int
    rewards: tuple[float, ...]


@dataclass(slots=True)
class Exploration:
    """All inner states found so far, and the transitions between them."""

    snapshots: Snapshots
    numbers: dict[Frozen, int] = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=list)
    observations: list[tuple[Any, ...]] = field(default_factory=list)
    terminal: list[bool] = field(default_factory=list)
    steps: list[list[list[Step]]] = field(default_factory=list)
    initial: dict[int, Fraction] = field(default_factory=dict)
