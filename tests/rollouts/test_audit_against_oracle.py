"""The audit of small random tables against plain Python with fractions and enumeration."""

import sys
from math import atanh, inf, tanh
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.rollouts.analyses.terms import weighted_parts
from policycliff.rollouts.analyses.weights import walls
from policycliff.rollouts.audit import audit, settings_from_options
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.scores import effective_reward_of, scorer_of

sys.path.insert(0, str(Path(__file__).parent))
from audit_oracle import Prompt, mean

# Tenths: the numbers whose binary sums miss ties (0.1 + 0.2 against 0.3).
SCORES = st.integers(0, 6).map(lambda n: n / 10)
WEIGHTS = {"one": 0.7, "two": 0.3}
EXAMPLES = 30


@st.composite
def tables(draw, *, missing=False):
    """Rows of a few prompts, with repeated texts, two rewards and a truth."""
    rows = []
    for prompt in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(2, 6))):
            score = st.none() | SCORES if missing else SCORES
            rows.append(
                {
                    "prompt": f"p{prompt}",
                    "completion": draw(st.sampled_from("abcd")),
                    "one": draw(score),
                    "two": draw(score),
                    "truth": draw(SCORES),
                }
            )
    return rows


def prompts_of(rows, weights=WEIGHTS, *, also=()):
    groups = {}
    for row in rows:
        scores = {name: row[name] for name in ("one", "two", "truth")}
        if all(scores[name] is not None for name in also):
            groups.setdefault(row["prompt"], []).append((row["completion"], scores))
    prompts = [Prompt(group, weights) for group in groups.values()]
    return [prompt for prompt in prompts if len(prompt.rows) >= 2]


def result_of(rows, **options):
    frame = pl.DataFrame(rows, schema_overrides={"one": pl.Float64, "two": pl.Float64, "truth": pl.Float64})
    options = {"rewards": WEIGHTS, "truth": "truth", "prompt": "prompt", "completion": "completion"} | options
    return audit(frame, **options).to_dict()


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables())
def test_ties_radius_and_spread(rows):
    figures, prompts = result_of(rows)["rewards"]["effective"], prompts_of(rows)
    n = len(prompts)
    tied = [len(prompt.best()) > 1 for prompt in prompts]
    assert figures["tied_share"]["count"] == sum(tied)
    assert figures["zero_spread_share"]["count"] == sum(prompt.zero_spread() for prompt in prompts)
    assert figures["radius"]["undefined_share"]["count"] == sum(prompt.radius() is None for prompt in prompts)
    assert figures["prompts"] == n
    defined = [float(prompt.radius()) for prompt in prompts if prompt.radius() is not None]
    if defined:
        assert figures["radius"]["quantiles"]["p50"] == pytest.approx(np.median(defined), abs=1e-15)
    lower = [float(prompt.set_radius()) for prompt in prompts if prompt.set_radius() is not None]
    if lower:
        assert figures["set_radius"]["quantiles"]["p50"] == pytest.approx(np.median(lower), abs=1e-15)
    gains = [1 / (prompt.spread() + 1e-4) for prompt in prompts if not prompt.zero_spread()]
    if gains:
        assert figures["gain"]["p50"] == pytest.approx(np.median(gains), rel=1e-9)


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables())
def test_consequential_ties_name_the_column(rows):
    figures, prompts = result_of(rows)["rewards"]["effective"], prompts_of(rows)
    differs = dict.fromkeys(("truth", "one", "two"), 0)
    consequential = 0
    for prompt in prompts:
        best = prompt.best()
        found = {name for name in differs if len(set(prompt.truth_over(best, name))) > 1}
        consequential += bool(found)
        for name in found:
            differs[name] += 1
    reported = {item["column"]: item["share"]["count"] for item in figures["consequential_columns"]}
    # A column that was scored twice apart has noise, below which a difference does not count.
    assert all(reported[name] <= differs[name] for name in differs)
    assert reported["truth"] == differs["truth"]
    assert figures["consequential_share"]["count"] <= consequential


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables(missing=True))
def test_missing_scores_are_left_out_of_what_needs_them(rows):
    prompts = prompts_of(rows)
    if not prompts:
        return
    result = result_of(rows)
    assert result["rewards"]["effective"]["prompts"] == len(prompts)
    assert result["rewards"]["effective"]["tied_share"]["count"] == sum(len(p.best()) > 1 for p in prompts)
    single = prompts_of(rows, {"one": 1.0})
    assert result["rewards"]["one"]["tied_share"]["count"] == sum(len(p.best()) > 1 for p in single)
    missing = sum(row["one"] is None for row in rows)
    assert result["counts"]["unusable_scores"]["one"]["missing"] == missing


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables(missing=True))
def test_zero_counts_a_missing_component_as_nothing(rows):
    scored = [row for row in rows if row["one"] is not None or row["two"] is not None]
    filled = [row | {name: row[name] or 0.0 for name in ("one", "two")} for row in scored]
    prompts = prompts_of(filled)
    if not prompts:
        return
    figures = result_of(rows, missing="zero")["rewards"]["effective"]
    assert figures["prompts"] == len(prompts)
    assert figures["tied_share"]["count"] == sum(len(prompt.best()) > 1 for prompt in prompts)


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables())
def test_price_of_degeneracy(rows):
    figures, prompts = result_of(rows)["truth"]["all"], prompts_of(rows)
    worst = [min(prompt.truth_over(prompt.best(), "truth")) for prompt in prompts]
    best = [max(prompt.truth_over(prompt.best(), "truth")) for prompt in prompts]
    largest = [max(prompt.values(prompt.column("truth")).values()) for prompt in prompts]
    middle = [prompt.weighted_truth(prompt.best(), "truth") for prompt in prompts]
    assert figures["worst_truth"]["value"] == pytest.approx(mean(worst))
    assert figures["best_truth"]["value"] == pytest.approx(mean(best))
    assert figures["mean_truth"]["value"] == pytest.approx(mean(middle))
    assert figures["exposure"]["value"] == pytest.approx(mean(best) - mean(worst), abs=1e-12)
    assert figures["tie_breaker_gain"]["value"] == pytest.approx(mean(best) - mean(middle), abs=1e-12)
    assert figures["unfixable"]["value"] == pytest.approx(mean(largest) - mean(best), abs=1e-12)


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables())
def test_smaller_groups_by_enumeration(rows):
    result, prompts = result_of(rows), prompts_of(rows)
    curve = result["rewards"]["effective"]["group_size"]
    common = curve["common_group_size"]
    reaching = [prompt for prompt in prompts if len(prompt.rows) >= common]
    assert curve["prompts"] == len(reaching)
    for point in curve["points"]:
        k = point["k"]
        assert point["tied_share"]["value"] == pytest.approx(mean([p.tie_probability(k) for p in reaching]))
        flat = mean([p.zero_spread_probability(k) for p in reaching])
        assert point["zero_spread_share"]["value"] == pytest.approx(flat, abs=1e-12)
    for point in result["truth"]["best_of_k"]["points"]:
        k = point["k"]
        assert point["truth"]["value"] == pytest.approx(mean([p.best_of(k, "truth") for p in reaching]))
        ideal = mean([p.best_of(k, "truth", p.column("truth")) for p in reaching])
        assert point["best_possible"]["value"] == pytest.approx(ideal)


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables())
def test_pairs_and_their_bounds(rows):
    beta = 0.25
    result, prompts = result_of(rows, beta=beta), prompts_of(rows)
    pair = next(item for item in result["pairs"] if (item["first"], item["second"]) == ("one", "two"))
    one = [prompt.best(prompt.column("one")) for prompt in prompts]
    two = [prompt.best(prompt.column("two")) for prompt in prompts]
    assert pair["best_changes_share"]["count"] == sum(a != b for a, b in zip(one, two, strict=True))
    assert pair["best_disjoint_share"]["count"] == sum(not a & b for a, b in zip(one, two, strict=True))
    variations, sharp, linear = [], [], []
    for prompt in prompts:
        changes = [float(prompt.column("two")(row) - prompt.column("one")(row)) for row in prompt.rows]
        variations.append(prompt.total_variation(prompt.column("one"), prompt.column("two"), beta))
        sharp.append(tanh((max(changes) - min(changes)) / (4 * beta)))
        linear.append(max(map(abs, changes)) / (2 * beta))
        assert variations[-1] <= sharp[-1] + 1e-12
        assert sharp[-1] <= linear[-1] + 1e-12
    assert pair["sharp_bound"]["value"] == pytest.approx(mean(sharp))
    assert pair["linear_bound"]["value"] == pytest.approx(mean(linear))
    if pair["total_variation"] is not None:
        assert pair["total_variation"]["value"] == pytest.approx(mean(variations))


@settings(deadline=None, max_examples=EXAMPLES)
@given(tables())
def test_weight_walls_by_intersecting_lines(rows):
    frame = pl.DataFrame(rows)
    options = settings_from_options({"rewards": WEIGHTS, "prompt": "prompt", "completion": "completion"})
    loaded = load_rollouts(frame, options)
    scored = scorer_of(loaded.table)(effective_reward_of(loaded.table, WEIGHTS, options))
    found = {name: walls(scored, part) for name, part in weighted_parts(loaded.table, scored, WEIGHTS, options).items()}
    by_name = dict(zip(loaded.table.frame["__prompt_id"].gather(loaded.table.offsets[:-1]), range(99), strict=False))
    names = sorted({row["prompt"] for row in rows}, key=lambda name: by_name[name])
    for position, name in enumerate(names):
        [prompt] = prompts_of([row for row in rows if row["prompt"] == name])
        for reward in WEIGHTS:
            below, above, on_wall = prompt.walls(reward)
            assert bool(found[reward].on_wall[position]) == on_wall
            if not on_wall:
                assert found[reward].below[position] == pytest.approx(below)
                assert found[reward].above[position] == pytest.approx(above)
                assert below < 1 < above or below == -inf or above == inf


def test_decimal_ties_that_doubles_miss():
    """0.8 + 0.2 * 1 and 1.0 are one number to the user and two to a double."""
    frame = pl.DataFrame(
        {"prompt": ["p"] * 3, "completion": ["a", "b", "c"], "x": [0.8, 1.0, 0.1], "y": [1.0, 0.0, 2.0]}
    )
    figures = audit(frame, rewards={"x": 1.0, "y": 0.2}).to_dict()["rewards"]["effective"]
    assert figures["tied_share"]["value"] == 1.0
    assert 0.1 * 3 != 0.3
    thirds = pl.DataFrame({"prompt": ["p"] * 2, "completion": ["a", "b"], "x": [3.0, 0.0], "y": [0.0, 0.3]})
    assert audit(thirds, rewards={"x": 0.1, "y": 1.0}).to_dict()["rewards"]["effective"]["tied_share"]["value"] == 1.0


def _softmax(values):
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def test_least_beta_keeps_the_shift_and_is_attained():
    """No error of size e moves the policy by more than allowed; one does by exactly that."""
    error, allowed = 0.3, 0.2
    frame = pl.DataFrame({"prompt": ["p"] * 2, "completion": ["a", "b"], "x": [0.35, 0.65]})
    advice = audit(frame, rewards=["x"], reward_error=error, max_shift=allowed).to_dict()["advice"]
    beta = advice["beta"]
    assert beta == pytest.approx(error / (2 * atanh(allowed)))
    # The worst case crosses the tie: from a gap of one error on one side to the same gap on the other.
    before = np.array([0.35, 0.65])
    after = before + np.array([error, -error])
    assert 0.5 * np.abs(_softmax(before / beta) - _softmax(after / beta)).sum() == pytest.approx(allowed)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        rewards, change = rng.normal(size=4), rng.uniform(-error, error, size=4)
        shift = 0.5 * np.abs(_softmax(rewards / beta) - _softmax((rewards + change) / beta)).sum()
        assert shift <= allowed
