"""Tie-breakers against plain Python: fractions, every crossing of two lines, every behaviour."""

import json
import re
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import policycliff
from policycliff.cli.main import app
from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.tie_breakers.candidates import candidates_of, parse_candidate, settings_with
from policycliff.rollouts.questions.tie_breakers.tie_breakers import tie_breakers
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

DATA = Path(policycliff.__file__).parent / "data" / "humaneval_codegen.parquet"
REAL = Path(__file__).parents[2] / "data"
TENTHS = st.integers(0, 6).map(lambda n: n / 10)
WEIGHTS = {"one": 0.7, "two": 0.3}
OWN_WEIGHT = 0.3


@st.composite
def tables(draw, *, missing=False):
    rows = []
    for prompt in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(2, 6))):
            row = {name: draw(TENTHS) for name in ("one", "two", "truth")}
            row["cue"] = draw(st.none() | TENTHS if missing else TENTHS)
            rows.append({"prompt": f"p{prompt}", "completion": draw(st.sampled_from("abcd")), **row})
    return rows


def exact(value):
    return Fraction(repr(float(value)))


def lines_of(rows, sign=1):
    """For each prompt, each behaviour's (reward, cue, truth, draws); prompts with one completion are no choice."""
    groups = {}
    for row in rows:
        groups.setdefault(row["prompt"], {}).setdefault(row["completion"], []).append(row)
    prompts = []
    for group in groups.values():
        if sum(map(len, group.values())) < 2:
            continue
        behaviours = {}
        for name, draws in group.items():
            reward = [sum(exact(w) * exact(draw[column]) for column, w in WEIGHTS.items()) for draw in draws]
            if any(draw["cue"] is None for draw in draws):
                behaviours = None
                break
            cue, truth = ([exact(draw[column]) for draw in draws] for column in ("cue", "truth"))
            n = len(draws)
            behaviours[name] = (sum(reward) / n, sign * sum(cue) / n, sum(truth) / n, n)
        prompts.append(behaviours)
    return prompts


def best(behaviours, weight=0):
    top = max(v + weight * c for v, c, _, _ in behaviours.values())
    return {name for name, (v, c, _, _) in behaviours.items() if v + weight * c == top}


def tied_pick(behaviours):
    here = best(behaviours)
    top = max(behaviours[name][1] for name in here)
    return {name for name in here if behaviours[name][1] == top}


def truth_of(behaviours, names):
    draws = sum(behaviours[name][3] for name in names)
    return sum(behaviours[name][2] * behaviours[name][3] for name in names) / draws


def first_fault(behaviours, fine):
    """Least crossing of two lines at or right after which something is wrong; None if nothing ever is."""
    crossings = {Fraction(0)}
    for (v, c, _, _), (w, d, _, _) in combinations(behaviours.values(), 2):
        if c != d and (v - w) / (d - c) > 0:
            crossings.add((v - w) / (d - c))
    ordered = sorted(crossings)
    inside = [*((a + b) / 2 for a, b in pairwise(ordered)), ordered[-1] + 1]
    for crossing, following in zip(ordered, inside, strict=True):
        if not fine(following) or (crossing > 0 and not fine(crossing)):
            return crossing
    return None


def keeps_best(behaviours):
    here = best(behaviours)
    return lambda weight: best(behaviours, weight) <= here


def keeps_order(behaviours):
    strict = [(a, b) for a in behaviours.values() for b in behaviours.values() if a[0] > b[0]]
    return lambda weight: all(a[0] + weight * a[1] > b[0] + weight * b[1] for a, b in strict)


def least(prompts, keeps):
    found = [first_fault(behaviours, keeps(behaviours)) for behaviours in prompts]
    known = [value for value in found if value is not None]
    return float(min(known)) if known else None


def figures_of(rows, **options):
    frame = pl.DataFrame(rows, schema_overrides={"cue": pl.Float64})
    options = {"rewards": WEIGHTS, "truth": "truth", "candidates": ["column:cue"], "weight": OWN_WEIGHT} | options
    return tie_breakers(frame, prompt="prompt", completion="completion", noise=None, **options).to_dict()["figures"]


def is_consequential(rows_of_prompt, here):
    """As the audit has it: the tied behaviours differ in the truth or in one of the rewards."""
    means = {}
    for row in rows_of_prompt:
        if row["completion"] in here:
            means.setdefault(row["completion"], []).append([exact(row[name]) for name in ("truth", "one", "two")])
    if len(means) < 2:
        return False
    distinct = {tuple(sum(column) / len(column) for column in zip(*draws, strict=True)) for draws in means.values()}
    return len(distinct) > 1


@settings(max_examples=25)
@given(tables())
def test_the_largest_weights_are_those_of_every_crossing(rows):
    if not any(lines_of(rows)):
        return
    for row in figures_of(rows)["candidates"]:
        prompts = lines_of(rows, 1 if row["prefer"] == "larger" else -1)
        assert row["largest_weight"] == least(prompts, keeps_best)
        assert row["largest_weight_whole_order"] == least(prompts, keeps_order)


@settings(max_examples=25)
@given(tables())
def test_ties_resolved_and_truth_against_enumeration(rows):
    by_prompt = {}
    for row in rows:
        by_prompt.setdefault(row["prompt"], []).append(row)
    groups = list(by_prompt.values())
    for row in figures_of(rows)["candidates"]:
        prompts = lines_of(rows, 1 if row["prefer"] == "larger" else -1)
        counted = [
            p for p, group in zip(prompts, groups, strict=True) if len(best(p)) > 1 and is_consequential(group, best(p))
        ]
        left = [(len(tied_pick(p)), len(best(p))) for p in counted]
        assert row["resolved_share"]["total"] == len(counted)
        assert row["resolved_share"]["count"] == sum(n == 1 for n, _ in left)
        assert row["partly_resolved_share"]["count"] == sum(1 < n < m for n, m in left)
        if counted:
            gains = [truth_of(p, tied_pick(p)) - truth_of(p, best(p)) for p in counted]
            assert row["truth"]["gain"]["value"] == pytest.approx(float(sum(gains) / len(gains)), abs=1e-12)
        every = [truth_of(p, tied_pick(p)) - truth_of(p, best(p)) for p in prompts]
        assert row["truth"]["gain_all_prompts"]["value"] == pytest.approx(float(sum(every) / len(every)), abs=1e-12)


@settings(max_examples=25)
@given(tables())
def test_what_happens_at_a_weight_is_that_of_the_summed_reward(rows):
    for row in figures_of(rows)["candidates"]:
        prompts = lines_of(rows, 1 if row["prefer"] == "larger" else -1)
        chosen = [best(p, exact(OWN_WEIGHT)) for p in prompts]
        out = [bool(names - best(p)) for p, names in zip(prompts, chosen, strict=True)]
        lost = [
            max(v for v, *_ in p.values()) - sum(p[n][0] * p[n][3] for n in names) / sum(p[n][3] for n in names)
            for p, names in zip(prompts, chosen, strict=True)
        ]
        gain = [truth_of(p, names) - truth_of(p, best(p)) for p, names in zip(prompts, chosen, strict=True)]
        at, n = row["at_weight"], len(prompts)
        assert at["overturned_share"]["count"] == sum(out)
        assert at["reward_lost"]["value"] == pytest.approx(float(sum(lost) / n), abs=1e-12)
        assert at["truth_gain"]["value"] == pytest.approx(float(sum(gain) / n), abs=1e-12)
        assert row["only_breaks_ties"] == (row["largest_weight"] is None or row["largest_weight"] > OWN_WEIGHT)
        assert row["only_breaks_ties"] <= (sum(out) == 0)


@settings(max_examples=15)
@given(tables(missing=True))
def test_prompts_without_all_values_are_left_out_and_counted(rows):
    prompts = lines_of(rows)
    complete = [p for p in prompts if p is not None]
    for row in figures_of(rows)["candidates"]:
        assert row["prompts_without_values"] == len(prompts) - len(complete)
        if complete and row["prefer"] == "larger":
            assert row["largest_weight"] == least(complete, keeps_best)


@settings(max_examples=8)
@given(tables(), st.sampled_from(["sum_then_normalize", "normalize_then_sum"]))
def test_just_below_the_largest_weight_nothing_is_overturned_and_just_above_something_is(rows, aggregation):
    for position, row in enumerate(figures_of(rows, aggregation=aggregation)["candidates"]):
        bound = row["largest_weight"]
        if bound is None:
            continue
        for factor, overturned in ((0.999, False), (1.001, True)):
            again = figures_of(rows, aggregation=aggregation, weight=bound * factor)["candidates"][position]
            assert (again["at_weight"]["overturned_share"]["count"] > 0) == overturned


@settings(max_examples=10)
@given(tables())
def test_scale_sign_and_shift_of_a_candidate(rows):
    first = figures_of(rows)["candidates"]
    turned = [row | {"cue": round(5 - 2 * row["cue"], 1)} for row in rows]
    second = figures_of(turned)["candidates"]
    for one, other in zip(first, reversed(second), strict=True):
        assert one["resolved_share"] == other["resolved_share"]
        assert (one["largest_weight"] or inf) == pytest.approx(2 * (other["largest_weight"] or inf))


def test_ties_that_rounding_hides_are_ties():
    # 0.7 * 0.1 + 0.3 * 0.2 is 0.13 exactly; the doubles of the two sides differ.
    rows = [
        {"prompt": "p", "completion": "a", "one": 0.1, "two": 0.2, "truth": 1.0, "cue": 0.0},
        {"prompt": "p", "completion": "b", "one": 0.13, "two": 0.13, "truth": 0.0, "cue": 1.0},
        {"prompt": "p", "completion": "c", "one": 0.0, "two": 0.0, "truth": 0.0, "cue": 3.0},
    ]
    larger, smaller = figures_of(rows)["candidates"]
    assert larger["resolved_share"]["count"] == smaller["resolved_share"]["count"] == 1
    assert larger["truth"]["gain"]["value"] == -0.5
    assert larger["largest_weight"] == float(Fraction(13, 200))  # 0.13 / (3 - 1)
    assert smaller["largest_weight"] is None


def frame_of_texts():
    texts = ["<answer>4</answer>", "four words are here", "", "🙂 é", "four words are here", None]
    columns = {"prompt": ["p"] * 6, "completion": texts, "right": [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]}
    return pl.DataFrame(columns | {"wanted": [5.0] * 6, "n_tokens": [3.0, 4.0, 0.0, 2.0, 4.0, 1.0]})


def values_of(*texts):
    frame, options = frame_of_texts(), AuditSettings(rewards=(("right", 1.0),))
    recipes = [parse_candidate(text) for text in texts]
    loaded = load_rollouts(frame, settings_with(recipes, options))
    order = loaded.table.row_index
    rows = frame["completion"].gather(order).to_list()
    return rows, [item.scores.tolist() for item in candidates_of(loaded, recipes)], frame.select(pl.all().gather(order))


def test_candidates_of_the_text_are_those_of_python():
    pattern = "^<answer>.*</answer>$"
    rows, (length, words, matches), _ = values_of("length", "words", f"format:{pattern}")
    for text, *found in zip(rows, length, words, matches, strict=True):
        if text is None:
            assert np.isnan(found).all()
        else:
            assert found == [len(text), len(text.split()), float(bool(re.search(pattern, text)))]


def test_lcpo_is_minus_the_distance_to_the_target_judged_at_alpha():
    _, (column, number), frame = values_of("lcpo:0.0003:wanted:n_tokens", "lcpo:0.1:3:n_tokens")
    tokens = frame["n_tokens"].to_list()
    assert column == [-abs(5.0 - n) for n in tokens]
    assert number == [-abs(3.0 - n) for n in tokens]
    found = tie_breakers(frame_of_texts(), candidates=["lcpo:0.25:4:n_tokens"], rewards=["right"]).to_dict()
    (row,) = found["figures"]["candidates"]
    assert (row["weight"], row["prefer"]) == (0.25, "larger")
    assert row["largest_weight"] is None  # the best completions are nearest to the target, too


def test_a_pattern_may_hold_equals_signs_and_colons():
    assert parse_candidate("format:a=b:c").argument == "a=b:c"
    assert parse_candidate("x=LENGTH(completion) = 3").expression == "LENGTH(completion) = 3"


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ("n_chars", "write column:n_chars"),
        ("format:(", "no regular expression"),
        ("format:" + "a" * 501, "501 characters"),
        ("format:", "0 characters"),
        ("format:((a{999}){999}){999}", "no regular expression"),
        ("lcpo:0:5", "positive"),
        ("lcpo:nan:5", "positive"),
        ("lcpo:0.1", "lcpo:ALPHA:TARGET"),
        ("column:", "expected length"),
        ("", "expected length"),
        ("x=", "expected NAME=SQL"),
        ("column:hidden_tests_passed", "is the truth"),
    ],
)
def test_candidates_that_are_none(candidate, message):
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        tie_breakers(DATA, candidates=[candidate], rewards=["compiles"], truth="hidden_tests_passed")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"candidates": ["column:nowhere"]}, TableError, "no column 'nowhere'"),
        ({"candidates": ["column:source"]}, TableError, "not numeric"),
        ({"candidates": ["x=nowhere + 1"]}, TableError, "derive 'x'"),
        ({"candidates": ["compiles=1"]}, TableError, "already has a column"),
        ({"candidates": ["length", "length"]}, InvalidInputError, "given twice"),
        ({"weight": {"words": -1.0}}, InvalidInputError, "positive"),
        ({"weight": float("nan")}, InvalidInputError, "positive"),
        ({"weight": {"lenght": 1.0}}, InvalidInputError, "no candidate"),
        ({"rewards": {"compiles": 0.0}}, InvalidInputError, "weight 0"),
        ({"no_option": 1}, InvalidInputError, "no option"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tie_breakers(DATA, **({"rewards": ["compiles"]} | options))


def test_text_candidates_need_completions():
    frame = pl.DataFrame({"prompt": ["p", "p"], "reward": [1.0, 0.0]})
    with pytest.raises(InvalidInputError, match="no completion column"):
        tie_breakers(frame)


def test_without_a_tie_there_is_nothing_to_break():
    frame = pl.DataFrame({"prompt": ["p", "p"], "completion": ["a", "bb"], "reward": [1.0, 0.0]})
    (first, *_) = tie_breakers(frame).findings
    assert (first["severity"], "nothing to break" in first["text"]) == ("good", True)


def test_a_breaker_of_the_truth_is_recommended_with_its_weight():
    rows = []
    for prompt in range(40):
        for number, (right, reward) in enumerate([(1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]):
            rows.append({"prompt": f"p{prompt}", "completion": "x" * (number + 1 + prompt % 3), "right": right,
                         "reward": reward})  # fmt: skip
    found = tie_breakers(pl.DataFrame(rows), rewards=["reward"], truth="right", candidates=["length"])
    figures = found.to_dict()["figures"]
    assert figures["recommended"] == {"candidate": "length", "prefer": "smaller"}
    smaller = figures["candidates"][1]
    assert smaller["truth"]["gain"]["value"] == 0.5
    assert smaller["largest_weight"] is None
    assert found.findings[0]["severity"] == "critical"  # every prompt is tied
    assert "Take -length" in found.findings[0]["text"]
    assert "+length by -0.5" in found.findings[1]["text"]


def test_on_real_data_the_shares_are_those_of_the_audit():
    options = {"rewards": ["generated_tests_pass_rate"], "truth": "hidden_tests_passed"}
    audited = policycliff.audit(DATA, tie_breakers=["n_chars"], **options).to_dict()
    figures = tie_breakers(DATA, candidates=["column:n_chars", "length"], **options).to_dict()["figures"]
    main = audited["rewards"]["effective"]
    assert figures["ties"] == main["consequential_share"]["count"]
    columns, lengths = figures["candidates"][:2], figures["candidates"][2:]
    assert [row["largest_weight"] for row in columns] == [row["largest_weight"] for row in lengths]
    for advised in audited["advice"]["tie_breakers"]:
        row = next(row for row in columns if row["prefer"] == advised["prefer"])
        assert row["resolved_share"]["count"] == advised["breaks_share"]["count"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("math_rm.parquet", {"rewards": ["correct"], "truth": "rm_score", "candidates": ["length", "column:n_chars"]}),
        ("topical_chat_ratings.parquet", {"rewards": ["human_overall"], "candidates": ["words", "lcpo:0.001:100"]}),
        ("gsm8k_solutions_60.parquet", {"rewards": {"correct": 1.0, "answer_format": 0.5}}),
    ],
)
def test_real_tables(name, options):
    result = tie_breakers(REAL / name, **options).to_dict()
    json.dumps(result, allow_nan=False)
    for row in result["figures"]["candidates"]:
        if row["largest_weight"] is not None and row["largest_weight_whole_order"] is not None:
            assert row["largest_weight_whole_order"] <= row["largest_weight"]


def test_the_command(tmp_path):
    page, given = tmp_path / "page.html", ["--reward", "generated_tests_pass_rate", "--truth", "hidden_tests_passed"]
    asked = ["-c", "words", "-c", "lcpo:0.0003:200", "--weight", "words=0.001"]
    run = CliRunner().invoke(app, ["tie-breakers", str(DATA), *given, *asked, "--json", "-", "--html", str(page)])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["question"] == "tie-breakers"
    assert [row["weight"] for row in result["figures"]["candidates"]] == [0.001, 0.001, 0.0003]
    assert "How large the weight may be" in page.read_text(encoding="utf-8")
    shown = CliRunner().invoke(app, ["tie-breakers", str(DATA), *given, *asked])
    assert shown.exit_code == 0
    assert "TIES BROKEN" in shown.output
    failed = CliRunner().invoke(app, ["tie-breakers", str(DATA), "-c", "nonsense"])
    assert failed.exit_code == 2
    assert "column:nonsense" in failed.output
