"""The sample that a page embeds, against plain Python over the raw rows; how it is drawn, and how large it gets."""

import math
from collections import Counter
from statistics import fmean, stdev
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff.errors import InvalidInputError
from policycliff.rollouts.audit import audit

TENTHS = st.integers(0, 3).map(lambda n: n / 10)
MAYBE = TENTHS | st.sampled_from([None, math.nan, math.inf])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "prompt": st.integers(1, 4).map(lambda n: f"question {n}"),
            "completion": st.sampled_from(["a b", "b c", "", None]),
            "answer": st.sampled_from(["x", "y", None]),
            "model": st.sampled_from(["m", "n", None]),
            "one": MAYBE,
            "two": MAYBE,
            "truth": MAYBE,
        }
    ),
    min_size=6,
    max_size=30,
)
TYPES = dict.fromkeys(("prompt", "completion", "answer", "model"), pl.String)
TYPES |= dict.fromkeys(("one", "two", "truth"), pl.Float64)
ASKED = st.fixed_dictionaries(
    {
        "rewards": st.sampled_from([{"one": 1.0, "two": -0.25}, {"two": 0.5, "one": 0.25}, {"one": 1.0, "two": 0.0}]),
        "missing": st.sampled_from(["omit", "zero"]),
        "aggregation": st.sampled_from(["sum_then_normalize", "normalize_then_sum"]),
    },
    optional={"truth": st.just("truth"), "behaviour": st.just("answer")},
)


def number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def close(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, abs_tol=1e-9)


class Group:
    """One prompt by the definitions: `rows` are (number, row) in the order of the table."""

    def __init__(self, rows: list[tuple[int, dict[str, Any]]], asked: dict[str, Any]) -> None:
        self.weights: dict[str, float] = asked["rewards"]
        self.zero = asked["missing"] == "zero"
        column = asked.get("behaviour", "completion")
        # Missing texts are texts of their own, missing answers are one answer.
        own = [at if column == "completion" and row[column] is None else row[column] for at, row in rows]
        self.names = list(dict.fromkeys(own))
        self.behaviours = [self.names.index(name) for name in own]
        self.numbers = [at for at, _ in rows]
        self.rows = [row for _, row in rows]
        self.usable = [self._is_usable(row) for row in self.rows]
        self.terms = [[number(row[name]) for name in self.weights] for row in self.rows]
        if asked["aggregation"] == "normalize_then_sum":
            self.terms = self._normalised(self.terms)
        self.terms = [self._filled(at) for at in range(len(rows))]
        self.effective = [self._effective(at) for at in range(len(rows))]

    def _is_usable(self, row: dict[str, Any]) -> bool:
        there = [number(row[name]) is not None for name, weight in self.weights.items() if weight]
        return any(there) if self.zero else all(there)

    def _filled(self, at: int) -> list[float | None]:
        fill = 0.0 if self.zero and self.usable[at] else None
        return [fill if term is None else term for term in self.terms[at]]

    def _normalised(self, terms: list[list[float | None]]) -> list[list[float | None]]:
        found: list[list[float | None]] = [[None] * len(self.weights) for _ in terms]
        for column in range(len(self.weights)):
            values = {at: row[column] for at, row in enumerate(terms) if self.usable[at] and row[column] is not None}
            spread = stdev(values.values()) if len(values) > 1 else 0.0
            for at, value in values.items():
                found[at][column] = (value - fmean(values.values())) / (spread + 1e-4)
        return found

    def _effective(self, at: int) -> float | None:
        if not self.usable[at]:
            return None
        terms = zip(self.weights.values(), self.terms[at], strict=True)
        return math.fsum(weight * (term or 0.0) for weight, term in terms if weight)

    def best(self) -> list[int]:
        drawn: dict[int, list[float]] = {}
        for behaviour, value in zip(self.behaviours, self.effective, strict=True):
            if value is not None:
                drawn.setdefault(behaviour, []).append(value)
        means = {behaviour: fmean(values) for behaviour, values in drawn.items()}
        return sorted(behaviour for behaviour, mean in means.items() if close(mean, max(means.values())))


def groups_of(rows: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Group]:
    """The prompts with two completions that have an effective reward; rows without any score are no completions."""
    found: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for at, row in enumerate(rows):
        if any(number(row[name]) is not None for name in asked["rewards"]):
            found.setdefault(row["prompt"], []).append((at, row))
    groups = {name: Group(members, asked) for name, members in found.items()}
    return {name: group for name, group in groups.items() if sum(group.usable) >= 2}


def assert_group(found: dict[str, Any], group: Group, columns: list[str]) -> None:
    rows = {behaviour: group.behaviours.index(behaviour) for behaviour in range(len(group.names))}
    assert [item["row"] for item in found["behaviours"]] == [group.numbers[at] for at in rows.values()]
    assert [item["text"] for item in found["behaviours"]] == [group.rows[at]["completion"] for at in rows.values()]
    for behaviour, item in enumerate(found["behaviours"]):
        members = [row for row, own in zip(group.rows, group.behaviours, strict=True) if own == behaviour]
        assert item["source"] == (", ".join(sorted({row["model"] for row in members} - {None})) or None)
    assert found["best"] == group.best()
    scores = [tuple(number(row[name]) for name in columns) for row in group.rows]
    keys = list(zip(group.behaviours, scores, strict=True))
    counted = {(entry["behaviour"], tuple(entry["scores"])): entry["draws"] for entry in found["completions"]}
    assert len(counted) == len(found["completions"])
    assert counted == Counter(keys)
    for entry in found["completions"]:
        at = keys.index((entry["behaviour"], tuple(entry["scores"])))
        assert close(entry["effective"], group.effective[at])
        assert len(entry["terms"]) == len(group.weights)
        assert all(close(*pair) for pair in zip(entry["terms"], group.terms[at], strict=True))


@settings(deadline=None, max_examples=60)
@given(ROWS, ASKED)
def test_every_number_is_that_of_the_table(rows, asked):
    groups = groups_of(rows, asked)
    if not groups:
        return
    table = pl.DataFrame(rows, schema=TYPES)
    roles = {"prompt": "prompt", "completion": "completion", "source": "model", "noise": None, "look_at": 0}
    sample = audit(table, **roles, **asked).result["sample"]
    truth = [asked["truth"]] if "truth" in asked else []
    assert sample["columns"] == [*asked["rewards"], *truth]
    assert sample["signs"] == [-1 if weight < 0 else 1 for weight in asked["rewards"].values()] + [1] * len(truth)
    assert (sample["prompts_of"], sample["left_out"]) == (len(groups), 0)
    assert [item["prompt"] for item in sample["prompts"]] == list(groups)
    for item, group in zip(sample["prompts"], groups.values(), strict=True):
        assert item["prompt_text"] == item["prompt"]
        assert_group(item, group, sample["columns"])


def plain(prompts: int, completions: int = 3) -> pl.DataFrame:
    """Prompts whose completions all differ; the last two have a single score."""
    rows = [
        (f"p{prompt}", draw, prompt < prompts or draw == 0)
        for prompt in range(prompts + 2)
        for draw in range(completions)
    ]
    return pl.DataFrame(
        {
            "prompt": [name for name, _, _ in rows],
            "completion": [f"{name} {draw}" for name, draw, _ in rows],
            "score": [draw / 10 if known else None for _, draw, known in rows],
            "other": [1.0] * len(rows),
        }
    )


def sampled(table: pl.DataFrame, **options: Any) -> dict[str, Any]:
    asked = {"rewards": {"score": 1.0, "other": 0.0}, "prompt": "prompt", "noise": None, "look_at": 0} | options
    return audit(table, **asked).result["sample"]


def names(sample: dict[str, Any]) -> list[str]:
    return [item["prompt"] for item in sample["prompts"]]


def test_every_prompt_is_drawn_as_often():
    table, seeds = plain(6), 90
    drawn = Counter(name for seed in range(seeds) for name in names(sampled(table, embed=2, seed=seed)))
    assert sum(drawn.values()) == 2 * seeds
    spread = math.sqrt(seeds * 1 / 3 * 2 / 3)
    assert len(drawn) == 6
    assert all(abs(count - seeds / 3) < 4 * spread for count in drawn.values())


def test_a_larger_sample_holds_the_smaller_one_in_the_order_of_the_table():
    table = plain(9)
    every = names(sampled(table))
    assert every == [f"p{at}" for at in range(9)]
    for size in range(1, 9):
        smaller, larger = (names(sampled(table, embed=size + more, seed=3)) for more in (0, 1))
        assert len(smaller) == size
        assert smaller == [name for name in every if name in smaller]
        assert set(smaller) < set(larger)


def test_prompts_to_look_at_take_places():
    table = plain(6)
    found = audit(table, rewards=["score"], prompt="prompt", look_at=4, embed=6).result
    assert len(found["prompts_to_look_at"]) == 4
    assert len(found["sample"]["prompts"]) == 2
    assert audit(table, rewards=["score"], prompt="prompt", look_at=4, embed=4).result["sample"] is None
    assert audit(table, rewards=["score"], prompt="prompt", look_at=4, embed=1).result["sample"] is None
    assert sampled(table, embed=0) is None


def wide(completions: int) -> pl.DataFrame:
    """One prompt of so many different completions, and one of two."""
    texts = [f"text {at}" for at in range(completions)]
    return pl.DataFrame(
        {
            "prompt": ["wide"] * completions + ["narrow"] * 2,
            "completion": [*texts, "a", "b"],
            "score": [at / 7 for at in range(completions)] + [0.0, 1.0],
            "other": 1.0,
        }
    )


def test_a_prompt_of_too_many_completions_is_left_out_and_counted():
    fits = sampled(wide(2000))
    assert (names(fits), fits["left_out"]) == (["wide", "narrow"], 0)
    assert len(fits["prompts"][0]["completions"]) == 2000
    sample = sampled(wide(2001))
    assert (names(sample), sample["left_out"], sample["prompts_of"]) == (["narrow"], 1, 2)
    repeated = pl.concat([wide(2000), wide(2000)])
    assert names(sampled(repeated)) == ["wide", "narrow"]
    assert {entry["draws"] for entry in sampled(repeated)["prompts"][0]["completions"]} == {2}
    alone = wide(2001).filter(pl.col("prompt") == "wide")
    assert sampled(alone) is None


def test_no_more_completions_than_a_page_can_hold(monkeypatch):
    """Two rewards: a completion has five numbers."""
    monkeypatch.setattr("policycliff.rollouts.analyses.sample.MOST_NUMBERS", 54)
    table = plain(9)
    sample = sampled(table, embed=5, seed=1)
    assert (len(sample["prompts"]), sample["left_out"]) == (3, 2)
    assert set(names(sample)) == set(names(sampled(table, embed=3, seed=1)))


@pytest.mark.parametrize(("behaviours", "limit"), [(3, 400), (20, 250), (200, 40)])
def test_texts_are_cut(behaviours, limit):
    table = pl.DataFrame(
        {
            "prompt": ["é" * 1000] * behaviours,
            "group": ["g" * 1000] * behaviours,
            "completion": [f"{at:03}" + "x" * 997 for at in range(behaviours)],
            "answer": [f"{at:03}" + "y" * 997 for at in range(behaviours)],
            "model": ["z" * 1000] * behaviours,
            "score": [at / 10 for at in range(behaviours)],
            "other": 1.0,
        }
    )
    [item] = sampled(table, completion="completion", source="model", behaviour="answer", group="group")["prompts"]
    head = " [... 600 more characters]"
    assert (item["prompt_text"], item["prompt"]) == ("é" * 400 + head, "g" * 400 + head)
    mark = f" [... {1000 - limit} more characters]"
    for at, shown in enumerate(item["behaviours"]):
        assert shown["text"] == f"{at:03}".ljust(limit, "x") + mark
        assert shown["behaviour"] == f"{at:03}".ljust(limit, "y") + mark
        assert shown["source"] == "z" * limit + mark


def test_a_table_without_texts():
    table = plain(3).select("prompt", "score").with_columns(step=pl.lit(7)).rename({"prompt": "group"})
    found = audit(table, rewards=["score"], group="group", step="step", look_at=0).result["sample"]
    assert names(found) == ["p0", "p1", "p2"]
    for item in found["prompts"]:
        assert (item["prompt_text"], item["step"]) == (None, "7")
        assert {(shown["text"], shown["behaviour"], shown["source"]) for shown in item["behaviours"]} == {(None,) * 3}


@pytest.mark.parametrize("wrong", [-1, 201, 1.5, 2.0, True, None, "5"])
def test_a_number_of_prompts_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="embed must be a whole number from 0 to 200, got"):
        sampled(plain(2), embed=wrong)
