"""`normalize_then_sum` where scores are missing: against the definition, number by number."""

import math
from statistics import fmean, stdev

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policycliff.rollouts.analyses.terms import weighted_parts
from policycliff.rollouts.audit import audit, settings_from_options
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.scores import effective_reward_of, scorer_of

WEIGHTS = {"one": 1.0, "two": -0.25}
ASKED = {"rewards": WEIGHTS, "aggregation": "normalize_then_sum", "group": "prompt", "epsilon": 1e-3}
SCORES = st.one_of(st.none(), st.integers(-2, 2).map(float), st.floats(-10, 10))
ROWS = st.lists(st.tuples(st.sampled_from("pqr"), SCORES, SCORES), min_size=2, max_size=12)


def expected(rows, *, zero):
    """The terms of every row, None for a row without effective reward: as TRL computes them, with `zero`."""
    found = [None] * len(rows)
    for prompt in {row[0] for row in rows}:
        there = any if zero else all
        members = [at for at, row in enumerate(rows) if row[0] == prompt and there(x is not None for x in row[1:])]
        for at in members:
            found[at] = []
        for component, weight in enumerate(WEIGHTS.values(), start=1):
            values = [rows[at][component] for at in members if rows[at][component] is not None]
            scale = (stdev(values) if len(values) > 1 else 0.0) + 1e-3
            for at in members:
                value = rows[at][component]
                found[at].append(0.0 if value is None else weight * (value - fmean(values)) / scale)
    return found


@pytest.mark.parametrize("missing", ["zero", "omit"])
@given(rows=ROWS)
def test_what_is_missing_adds_nothing_and_moves_no_mean(missing, rows):
    frame = pl.DataFrame(rows, schema={"prompt": pl.String, "one": pl.Float64, "two": pl.Float64}, orient="row")
    frame = frame.with_columns(completion=pl.int_range(pl.len()).cast(pl.String))
    known = [row for row in rows if row[1] is not None or row[2] is not None]
    if not known:
        return
    settings = settings_from_options({**ASKED, "missing": missing})
    table = load_rollouts(frame, settings).table
    effective = effective_reward_of(table, WEIGHTS, settings)
    terms = expected(rows, zero=missing == "zero")
    for row, value in zip(table.row_index.tolist(), effective.scores.tolist(), strict=True):
        if terms[row] is None:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(sum(terms[row]), abs=1e-8)
    scored = scorer_of(table)(effective)
    parts = weighted_parts(table, scored, WEIGHTS, settings)
    for place, row in enumerate(table.row_index[scored.layout.rows].tolist()):
        assert [parts[name][place] for name in WEIGHTS] == pytest.approx(terms[row], abs=1e-8)


def test_a_missing_score_is_no_score_of_zero():
    """Counted as 0 before normalising, the missing penalty of the second completion would make it the best one."""
    table = pl.DataFrame({"prompt": ["p"] * 3, "completion": list("xyz"), "r": [-3.0, None, -1.0], "other": [1.0] * 3})
    options = {"rewards": ["r", "other"], "missing": "zero"}
    best = {
        how: audit(table, aggregation=how, **options).to_dict()["sample"]["prompts"][0]["best"]
        for how in ("sum_then_normalize", "normalize_then_sum")
    }
    assert best == {"sum_then_normalize": [1], "normalize_then_sum": [2]}
