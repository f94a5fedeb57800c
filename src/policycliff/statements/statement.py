"""What a statement is when it runs: hypotheses checked, a construction carried out, claimed beside measured.

A check gets an instance and returns an `Outcome`. What it claims comes from the statement (through the public functions
of the package), what it measures from other code (`policycliff.statements.measure`, enumeration, sampling): a
check that compares a thing with itself is worth nothing. Both are floats with a bound on their common error.

A claim holds if it is met within that error, fails if it is contradicted beyond it, and is unresolved if the error is
too large to tell. An outcome is "hypothesis not met" where one is known to be false: the statement says nothing there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.statements.instances import Instance

HOLDS, FAILS, UNRESOLVED, NOT_MET, NOT_MEASURED = "holds", "fails", "unresolved", "hypothesis not met", "not measured"
VERDICTS = (HOLDS, FAILS, UNRESOLVED, NOT_MET, NOT_MEASURED)

# An error above this share of the numbers compared (of 0.001, if they are smaller) says nothing.
TELLING = 1e-6


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One assumption of a statement on an instance; `holds` is None where it cannot be decided."""

    text: str
    holds: bool | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"text": self.text, "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed quantity beside the measured one.

    Attributes:
        text: what is compared, in words or symbols.
        claimed: the number that the statement gives.
        measured: the number that was found, by other code.
        relation: "<=" (measured is at most claimed), ">=" or "=".
        error: bound on the numerical error of the comparison.
        size: of the numbers behind the two, where these are differences: what `error` is small beside.
    """

    text: str
    claimed: float
    measured: float
    relation: str = "<="
    error: float = 0.0
    size: float = 0.0

    @property
    def slack(self) -> float:
        """How much room is left: negative where the claim is contradicted; for "=" minus the distance."""
        difference = self.claimed - self.measured
        return {"<=": difference, ">=": -difference, "=": -abs(difference)}[self.relation]

    @property
    def verdict(self) -> str:
        """Whether it holds, fails or is unresolved."""
        if np.isnan(self.measured) or np.isnan(self.claimed) or not np.isfinite(self.error):
            return UNRESOLVED
        if self.claimed == self.measured:
            return HOLDS
        if self.slack < -self.error:
            return FAILS
        scale = max(abs(self.claimed), abs(self.measured), self.size)
        return HOLDS if self.slack >= self.error or self.error <= TELLING * max(scale, 1e-3) else UNRESOLVED

    def to_dict(self) -> dict[str, Any]:
        """As JSON types (a number that is not finite is None)."""
        numbers = {"claimed": self.claimed, "measured": self.measured, "slack": self.slack, "error": self.error}
        finite = {name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}
        return {"text": self.text, "relation": self.relation, "verdict": self.verdict, **finite}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found on one instance.

    Attributes:
        hypotheses: the assumptions, each with whether it is met.
        claims: claimed beside measured; the first one is the main one.
        too_large: why nothing was measured, where the instance is too large for it.
    """

    hypotheses: tuple[Hypothesis, ...] = ()
    claims: tuple[Claim, ...] = ()
    too_large: str | None = None

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if any(item.holds is False for item in self.hypotheses):
            return NOT_MET
        if self.too_large is not None:
            return NOT_MEASURED
        if any(item.holds is None for item in self.hypotheses):
            return UNRESOLVED
        found = {claim.verdict for claim in self.claims}
        return next((verdict for verdict in (FAILS, UNRESOLVED) if verdict in found), HOLDS)

    @property
    def why(self) -> str | None:
        """The hypothesis that is not met or not decided, or why nothing was measured."""
        unmet = [item.text for item in self.hypotheses if item.holds is False]
        open_ = [item.text for item in self.hypotheses if item.holds is None]
        return next(iter([*unmet, *([self.too_large] if self.too_large else []), *open_]), None)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "verdict": self.verdict,
            "why": self.why,
            "hypotheses": [item.to_dict() for item in self.hypotheses],
            "claims": [claim.to_dict() for claim in self.claims],
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its check.

    Attributes:
        number: as the paper has it ("Prop 2.4"), or "Result N" for what goes beyond it.
        title: its name, in a few words.
        says: what it says, in one sentence.
        example: the built-in instance that shows it best.
        check: runs it on an instance.
        most_states: instances with more states are not measured: it would take minutes.
    """

    number: str
    title: str
    says: str
    example: str
    check: Callable[[Instance], Outcome]
    most_states: int | None = None


def unmet(*hypotheses: Hypothesis) -> Outcome:
    """The outcome of an instance that the statement says nothing about."""
    return Outcome(hypotheses=hypotheses)
