"""What a claim's verdict is, and that a wrong claim is called wrong."""

import numpy as np
import pytest

from policycliff.statements.statement import Claim, Hypothesis, Outcome


@pytest.mark.parametrize(
    ("relation", "claimed", "measured", "error", "verdict"),
    [
        ("<=", 1.0, 0.5, 0.0, "holds"),
        ("<=", 1.0, 1.0 + 1e-9, 1e-8, "holds"),
        ("<=", 1.0, 1.1, 0.01, "fails"),
        ("<=", 1.0, 0.99, 0.1, "unresolved"),
        ("<=", 1.0, 0.5, 0.1, "holds"),
        (">=", 1.0, 0.5, 0.1, "fails"),
        (">=", 1.0, 2.0, 0.1, "holds"),
        ("=", 1.0, 1.0, 0.0, "holds"),
        ("=", 1.0, 1.1, 0.01, "fails"),
        ("=", 1.0, 1.1, 0.2, "unresolved"),
        ("=", np.inf, np.inf, 0.0, "holds"),
        ("=", 0.0, 0.5, np.inf, "unresolved"),
        ("<=", np.nan, 0.5, 0.0, "unresolved"),
        ("<=", np.inf, 0.5, 0.0, "holds"),
    ],
)
def test_verdict_of_a_claim(relation, claimed, measured, error, verdict):
    assert Claim("text", claimed, measured, relation, error).verdict == verdict


def test_an_outcome_is_as_bad_as_its_worst_claim():
    good, bad, open_ = Claim("a", 1.0, 0.5), Claim("b", 1.0, 2.0), Claim("c", 1.0, 0.99, "<=", 0.1)
    assert Outcome(claims=(good,)).verdict == "holds"
    assert Outcome(claims=(good, open_)).verdict == "unresolved"
    assert Outcome(claims=(good, open_, bad)).verdict == "fails"


def test_a_hypothesis_that_is_not_met_silences_the_claims():
    bad = Claim("b", 1.0, 2.0)
    assert Outcome(hypotheses=(Hypothesis("h", holds=False),), claims=(bad,)).verdict == "hypothesis not met"
    assert Outcome(hypotheses=(Hypothesis("h", holds=None),), claims=(bad,)).verdict == "unresolved"
    assert Outcome(hypotheses=(Hypothesis("h", holds=False),)).why == "h"


def test_what_is_too_large_is_not_measured():
    assert Outcome(too_large="more than 7 states").verdict == "not measured"
    assert Outcome(too_large="more than 7 states").why == "more than 7 states"
