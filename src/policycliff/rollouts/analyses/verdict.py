"""The audit in plain words: each finding with its figure, its severity and the statement behind it."""

from typing import Any

from policycliff.rollouts.analyses.findings.limits import limits
from policycliff.rollouts.analyses.findings.stability import beta, margins, noise, pairs, weights
from policycliff.rollouts.analyses.findings.steps import steps
from policycliff.rollouts.analyses.findings.ties import no_signal, phantom, ties
from policycliff.rollouts.analyses.findings.truth import over_optimisation, price
from policycliff.rollouts.analyses.findings.words import Finding

_RANK = {"critical": 0, "warning": 1, "note": 2, "good": 3}
_SUBJECTS = (price, over_optimisation, no_signal, phantom, margins, noise, weights, pairs, beta, steps, limits)


def verdict(result: dict[str, Any]) -> list[Finding]:
    """Findings: ties first, then the other subjects by severity."""
    rest = [finding for subject in _SUBJECTS for finding in subject(result)]
    return [*ties(result), *sorted(rest, key=lambda finding: _RANK[finding["severity"]])]
