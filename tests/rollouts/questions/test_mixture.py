"""Mixtures against plain Python: fractions, every crossing of two lines, every prompt."""

import json
import re
from fractions import Fraction
from itertools import combinations
from math import sqrt
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
from policycliff.rollouts.questions.mixture.mixture import mixture
from policycliff.rollouts.questions.mixture.resample import averages, figure_of, resampled_totals
from policycliff.rollouts.questions.mixture.sweep import GRID

DATA = Path(policycliff.__file__).parent / "data" / "humaneval_codegen.parquet"
REAL = Path(__file__).parents[2] / "data"
TENTHS = st.integers(0, 4).map(lambda n: n / 10)
NAMES = "abc"


@st.composite
def tables(draw, *, classes=2):
    """Prompts that occur in one class or in several, with the same few completions."""
    rows = []
    for prompt in range(draw(st.integers(2, 5))):
        inside = draw(st.sets(st.sampled_from(NAMES[:classes]), min_size=1))
        rows += [
            {"prompt": f"p{prompt}", "kind": kind, "completion": draw(st.sampled_from("xyz")),
             "one": draw(TENTHS), "two": draw(TENTHS)}
            for kind in sorted(inside) for _ in range(draw(st.integers(2, 4)))
        ]  # fmt: skip
    return rows


def exact(value):
    return Fraction(repr(float(value)))


class World:
    """The mixture as its definition reads."""

    def __init__(self, rows, rewards, given, own=()):
        self.rewards, self.own = rewards, own
        self.groups = {}
        for row in rows:
            self.groups.setdefault(row["prompt"], []).append(row)
        self.names = list(dict.fromkeys(row["kind"] for row in rows))
        self.kinds = {p: {row["kind"] for row in group} for p, group in self.groups.items()}
        self.parts = {p: self.scored(p) for p in self.groups}
        self.parts = {p: parts for p, parts in self.parts.items() if self.completions(p, parts) >= 2}
        self.counts = {k: sum(k in self.kinds[p] for p in self.parts) for k in self.names}
        self.p = given or {k: Fraction(n, sum(self.counts.values())) for k, n in self.counts.items()}

    def scored(self, prompt):
        """Of each behaviour that every class of the prompt scores, its reward under each."""
        parts = {}
        for name in {row["completion"] for row in self.groups[prompt]}:
            draws = [row for row in self.groups[prompt] if row["completion"] == name]
            found = {}
            for kind in self.kinds[prompt]:
                mine = draws if kind in self.own else [row for row in draws if row["kind"] == kind]
                if mine:
                    found[kind] = sum(exact(self.rewards[kind](row)) for row in mine) / len(mine)
            if len(found) == len(self.kinds[prompt]):
                parts[name] = found
        return parts

    def completions(self, prompt, parts):
        return sum(row["completion"] in parts for row in self.groups[prompt])

    def share(self, p=None, without=None):
        p = p or self.p
        return {k: Fraction(0) if k == without else p[k] / self.counts[k] for k in self.names}

    def moved(self, kind, t):
        rest = 1 - self.p[kind]
        return {k: t if k == kind else v * (1 - t) / rest for k, v in self.p.items()}

    def values(self, prompt, share):
        return {b: sum(share[k] * v for k, v in found.items()) for b, found in self.parts[prompt].items()}

    def best(self, prompt, share):
        values = self.values(prompt, share)
        return {b for b, v in values.items() if v == max(values.values())}

    def mass(self, prompt, share):
        return sum(share[k] for k in self.kinds[prompt])

    def tied(self, share):
        weights = {p: self.mass(p, share) for p in self.parts}
        tied = sum(w for p, w in weights.items() if w and len(self.best(p, share)) > 1)
        return float(tied / sum(weights.values()))

    def shared(self, kind):
        return [p for p in self.parts if len(self.kinds[p]) > 1 and kind in self.kinds[p]]

    def changed(self, kind, t):
        now, then = self.share(), self.share(self.moved(kind, t))
        return sum(self.best(p, now) != self.best(p, then) for p in self.shared(kind))

    def walls(self, prompt, kind):
        """(below, above, on_wall) from all crossings in the proportion."""
        low, high = Fraction(1, 3), Fraction(2, 3)
        crossings = {Fraction(0), Fraction(1), self.p[kind]}
        at = [self.values(prompt, self.share(self.moved(kind, t))) for t in (low, high)]
        for b, c in combinations(self.parts[prompt], 2):
            first, second = at[0][b] - at[0][c], at[1][b] - at[1][c]
            if first != second:
                crossing = low - first * (high - low) / (second - first)
                crossings |= {crossing} if 0 < crossing < 1 else set()
        here, ordered = self.best(prompt, self.share()), sorted(crossings)
        present = ordered.index(self.p[kind])

        def same(t):
            return self.best(prompt, self.share(self.moved(kind, t))) == here

        def first_change(indices, step):
            for i in indices:
                if 0 < ordered[i] < 1 and i != present and not same(ordered[i]):
                    return ordered[i], False
                if not same((ordered[i] + ordered[i + step]) / 2):
                    return ordered[i], i == present
            return None, False

        above, on_up = first_change(range(present, len(ordered) - 1), 1)
        below, on_down = first_change(range(present, 0, -1), -1)
        return (None, None, True) if on_up or on_down else (below, above, False)


def figures_of(rows, **options):
    columns = {"one": pl.Float64, "two": pl.Float64}
    options = {"rewards": {"one": 1.0}} | options
    found = mixture(pl.DataFrame(rows, schema_overrides=columns), class_column="kind", group="prompt",
                    completion="completion", noise=None, **options)  # fmt: skip
    return found.to_dict()["figures"]


def usable(world):
    return world.names and len(world.names) > 1 and all(world.counts.values()) and min(world.p.values()) > 0


CASES = st.sampled_from([None, {"a": 0.3, "b": 0.7}])


def check(figures, world):
    assert figures["mixture"]["tied"]["value"] == pytest.approx(world.tied(world.share()), abs=1e-12)
    for row in figures["left_out"]:
        without = world.share(without=row["class"])
        change = world.tied(without) - world.tied(world.share())
        assert row["tied"]["value"] == pytest.approx(change, abs=1e-12)
        stay = [p for p in world.shared(row["class"]) if world.mass(p, without) > 0]
        pairs = [(world.best(p, world.share()), world.best(p, without)) for p in stay]
        assert row["best_changes"] == sum(before != after for before, after in pairs)
        assert row["ties_opened"] == sum(before < after for before, after in pairs)
    for item in figures["walls"]:
        found = [world.walls(p, item["class"]) for p in world.shared(item["class"])]
        below = [b for b, _, _ in found if b is not None]
        above = [a for _, a, _ in found if a is not None]
        assert item["on_wall"]["count"] == sum(on for _, _, on in found)
        assert (item["below"] is None) == (not below)
        assert (item["above"] is None) == (not above)
        if below:
            assert item["below"] == pytest.approx(float(max(below)), rel=1e-9)
        if above:
            assert item["above"] == pytest.approx(float(min(above)), rel=1e-9)
        for t, point in zip(GRID.tolist(), item["curve"], strict=True):
            expected = world.changed(item["class"], exact(t))
            assert point["value"] * figures["prompts"] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=20)
@given(tables(), CASES)
def test_two_classes_with_scores_of_their_own_rows(rows, given_proportions):
    world = World(rows, dict.fromkeys(NAMES, lambda row: row["one"]), None)
    if len(world.names) < 2 or not all(world.counts.values()):
        return
    if given_proportions:
        world.p = {k: exact(v) for k, v in given_proportions.items()}
    figures = figures_of(rows, proportions=given_proportions)
    assert figures["prompts"] == len(world.parts)
    check(figures, world)


@settings(max_examples=12)
@given(tables(classes=3))
def test_three_classes_one_with_a_formula_that_scores_every_completion(rows):
    rewards = {"a": lambda row: row["one"], "b": lambda row: 1 - row["two"], "c": lambda row: row["one"]}
    rewards["b"] = lambda row: float(1 - exact(row["two"]))
    world = World(rows, rewards, None, own={"b"})
    if "b" not in world.names or len(world.names) < 2 or not all(world.counts.values()):
        return
    check(figures_of(rows, class_rewards={"b": "ROUND(1 - two, 1)"}), world)


def test_ties_of_a_mixture_are_decided_exactly():
    # A third of 0.3 and two thirds of 0: the same as a third of 0.1 and two thirds of 0.1.
    rows = [
        {"prompt": "p", "kind": kind, "completion": completion, "one": score, "two": 0.0}
        for kind, scores in (("a", (0.3, 0.1)), ("b", (0.0, 0.1)))
        for completion, score in zip("xy", scores, strict=True)
    ]
    figures = figures_of(rows, proportions={"a": 1.0, "b": 2.0})
    assert figures["mixture"]["tied"]["value"] == 1.0
    assert [item["on_wall"]["count"] for item in figures["walls"]] == [1, 1]
    figures = figures_of(rows, proportions={"a": 0.5})
    assert figures["mixture"]["tied"]["value"] == 0.0
    assert figures["walls"][0]["below"] == pytest.approx(1 / 3, rel=1e-12)
    assert (figures["walls"][0]["above"], figures["walls"][1]["above"]) == (None, pytest.approx(2 / 3, rel=1e-12))


def two_separate_classes(n=30):
    rng = np.random.default_rng(0)
    return [
        {"prompt": f"{kind}{number}", "kind": kind, "completion": str(draw), "one": float(rng.integers(0, levels)),
         "two": 0.0}
        for kind, levels in (("a", 2), ("b", 5)) for number in range(n) for draw in range(4)
    ]  # fmt: skip


def test_without_shared_prompts_the_proportions_move_averages_only():
    rows = two_separate_classes()
    found = figures_of(rows, proportions={"a": 0.25})
    one, other = (item["tied"]["value"] for item in found["classes"])
    assert (found["walls"], found["shared_prompts"]) == ([], 0)
    assert found["mixture"]["tied"]["value"] == pytest.approx(0.25 * one + 0.75 * other)
    for t, point in zip(GRID.tolist(), found["averages"]["curves"][0], strict=True):
        assert point["value"] == pytest.approx(t * one + (1 - t) * other)
        assert point["low"] <= point["value"] <= point["high"]
    parts = [item["contribution"]["tied"]["value"] for item in found["classes"]]
    assert parts[0] == pytest.approx(0.25 * one / (0.25 * one + 0.75 * other))
    assert sum(parts) == pytest.approx(1.0)
    text = mixture(pl.DataFrame(rows), class_column="kind", rewards=["one"], group="prompt").findings
    assert any("move no prompt's best behaviour" in item["text"] for item in text)


def test_a_class_alone_is_the_audit_of_its_rows():
    rows = pl.DataFrame(two_separate_classes())
    found = mixture(rows, class_column="kind", rewards=["one"], group="prompt", completion="completion").to_dict()
    for item in found["figures"]["classes"]:
        alone = policycliff.audit(
            rows.filter(pl.col("kind") == item["class"]), rewards=["one"], group="prompt", completion="completion"
        ).to_dict()["rewards"]["effective"]
        assert item["tied"] == alone["tied_share"]
        assert item["no_signal"] == alone["zero_spread_share"]


def test_the_interval_is_that_of_a_stratified_mean():
    rng = np.random.default_rng(1)
    stratum = np.repeat([0, 1], [300, 200])
    values = (rng.random(500) < np.where(stratum == 0, 0.2, 0.7)).astype(float)
    totals = resampled_totals(values[None, :], stratum, seed=0)
    mass = np.array([0.9 / 300, 0.1 / 200])
    draws = averages(totals, mass)[:, 0]
    p, q = values[stratum == 0].mean(), values[stratum == 1].mean()
    assert draws[0] == pytest.approx(0.9 * p + 0.1 * q)
    error = sqrt(0.81 * p * (1 - p) / 300 + 0.01 * q * (1 - q) / 200)
    assert draws[1:].std() == pytest.approx(error, rel=0.1)
    found = figure_of(draws, lowest=0.0, highest=1.0, prompts=500.0)
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_a_figure_that_no_prompt_varies_has_an_interval():
    found = figure_of(np.zeros(11), lowest=0.0, highest=1.0, prompts=70.0)
    assert found == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.052, abs=5e-4)}


def test_rows_without_a_class_are_counted():
    rows = two_separate_classes(5)
    rows += [{"prompt": "n", "kind": None, "completion": text, "one": 1.0, "two": 0.0} for text in "xy"]
    found = figures_of(rows)
    assert (found["rows_without_class"], found["prompts"]) == (2, 10)


def test_a_behaviour_that_one_class_has_not_scored_is_left_out():
    rows = [
        {"prompt": "p", "kind": kind, "completion": text, "one": 1.0, "two": 0.0}
        for kind, texts in (("a", "xy"), ("b", "yz")) for text in texts
    ]  # fmt: skip
    others = two_separate_classes(3)
    found = figures_of(rows + others)
    assert found["prompts"] == 7  # y alone is left, once in each class: one behaviour, two completions
    assert found["shared_prompts_left_out"] == 0
    found = figures_of([*rows[:3], rows[3] | {"completion": "w"}, *others][1:])
    assert found["prompts"] == 7
    found = figures_of([row for row in rows if row["completion"] != "y"] + others)
    assert (found["prompts"], found["shared_prompts_left_out"]) == (6, 1)


def test_the_same_text_in_groups_of_different_classes_is_said():
    rows = [row | {"text": "2+2?"} for row in two_separate_classes(2)]
    found = mixture(pl.DataFrame(rows), class_column="kind", rewards=["one"], group="prompt", prompt="text",
                    completion="completion")  # fmt: skip
    assert found.to_dict()["figures"]["texts_in_several_groups"] == 1
    assert any("--group" in item["text"] for item in found.findings)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, InvalidInputError, "--class COL or --class-of source"),
        ({"class_column": "kind", "class_of": "source"}, InvalidInputError, "either"),
        ({"class_of": "step"}, InvalidInputError, "class_of"),
        ({"class_of": "source"}, TableError, "--class"),
        ({"class_column": "nowhere"}, TableError, "no column 'nowhere'"),
        ({"class_column": "completion"}, InvalidInputError, "only 'x'"),
        ({"class_column": "kind", "class_rewards": {"z": "one"}}, InvalidInputError, "names the class 'z'"),
        ({"class_column": "kind", "class_rewards": {"a": "nowhere"}}, TableError, "reward of a"),
        ({"class_column": "kind", "proportions": {"z": 0.1}}, InvalidInputError, "names the class 'z'"),
        ({"class_column": "kind", "proportions": {"a": 0.0}}, InvalidInputError, "positive"),
        ({"class_column": "kind", "proportions": {"a": 1.0}}, InvalidInputError, "leaves nothing for b"),
        ({"class_column": "kind", "rewards": {"one": 0.0}}, InvalidInputError, "has no reward"),
        ({"class_column": "number"}, InvalidInputError, "60 values"),
    ],
)
def test_bad_input(options, error, message):
    rows = [row | {"completion": "x", "number": n // 4} for n, row in enumerate(two_separate_classes())]
    with pytest.raises(error, match=re.escape(message)):
        mixture(pl.DataFrame(rows), group="prompt", completion="completion", **({"rewards": ["one"]} | options))


def test_classes_that_score_no_behaviour_together_cannot_be_mixed():
    with pytest.raises(TableError, match="behaviours that each of them has scored"):
        mixture(REAL / "gsm8k_solutions_60.parquet", class_of="source", rewards=["correct"])


def test_classes_may_all_have_their_own_reward():
    formulas = {"a": "one", "b": "-one"}
    rows = pl.DataFrame(two_separate_classes())
    found = mixture(rows, class_column="kind", class_rewards=formulas, group="prompt", completion="completion")
    turned = mixture(
        rows.with_columns(pl.when(pl.col("kind") == "b").then(-pl.col("one")).otherwise("one").alias("one")),
        class_column="kind", rewards=["one"], group="prompt", completion="completion",
    )  # fmt: skip
    for name in ("tied", "no_signal", "margin"):
        assert found.to_dict()["figures"]["mixture"][name] == turned.to_dict()["figures"]["mixture"][name]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("math_rm.parquet", {"class_column": "level", "rewards": ["correct"], "truth": "rm_score"}),
        (
            "gsm8k_solutions_60.parquet",
            {
                "derive": {"kind": "CASE WHEN LENGTH(prompt) > 250 THEN 'long' ELSE 'short' END"},
                "class_column": "kind",
                "rewards": ["correct"],
                "truth": "answer_format",
            },
        ),
    ],
)
def test_real_tables(name, options):
    result = mixture(REAL / name, **options).to_dict()
    json.dumps(result, allow_nan=False)
    assert sum(item["proportion"] for item in result["figures"]["classes"]) == pytest.approx(1.0)


def test_the_command(tmp_path):
    page = tmp_path / "page.html"
    derived = "hard=CASE WHEN n_hidden_tests > 6 THEN 'many tests' ELSE 'few tests' END"
    asked = ["--derive", derived, "--class", "hard", "--reward", "generated_tests_pass_rate",
             "--truth", "hidden_tests_passed", "--proportion", "many tests=0.5"]  # fmt: skip
    run = CliRunner().invoke(app, ["mixture", str(DATA), *asked, "--json", "-", "--html", str(page)])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert {item["class"]: item["proportion"] for item in result["figures"]["classes"]} == {
        "few tests": 0.5, "many tests": 0.5
    }  # fmt: skip
    assert "What each class contributes" in page.read_text(encoding="utf-8")
    shown = CliRunner().invoke(app, ["mixture", str(DATA), *asked])
    assert shown.exit_code == 0
    assert "EACH CLASS LEFT OUT" in shown.output
    failed = CliRunner().invoke(app, ["mixture", str(DATA), "--reward", "compiles"])
    assert failed.exit_code == 2
    assert "--class COL" in failed.output
    twice = ["--class", "compiles", "--proportion", "1.0=0.2", "--proportion", "1.0=0.3"]
    failed = CliRunner().invoke(app, ["mixture", str(DATA), "--reward", "n_chars", *twice])
    assert failed.exit_code == 2
    assert "given twice" in failed.output
