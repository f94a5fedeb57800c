"""Two rewards on the same rows, beside brute force with fractions in plain Python."""

from collections import defaultdict
from fractions import Fraction
from itertools import product
from math import exp, sqrt
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm, spearmanr

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.compare.compare import compare
from policycliff.rollouts.questions.compare.mixture import mixture_of
from policycliff.rollouts.questions.compare.noise import at_least

DATA = Path(__file__).parents[2] / "data"
A, B = "0.8*x + 0.2*y", "y - 0.1*x"


def random_table(seed: int, *, prompts: int = 25, missing: float = 0.0) -> pl.DataFrame:
    """Coarse scores, so that sums tie exactly in decimals and not in floats; texts repeat; three sources."""
    rng = np.random.default_rng(seed)
    rows = []
    for prompt in range(prompts):
        for _ in range(rng.integers(2, 7)):
            scores = {name: float(rng.integers(0, 4)) / 10 for name in ("x", "y", "t")}
            if rng.random() < missing:
                scores[str(rng.choice(["x", "y"]))] = None
            text = f"text {rng.integers(0, 6)}"
            rows.append({"prompt": f"p{prompt}", "completion": text, "model": f"m{rng.integers(0, 3)}"} | scores)
    return pl.DataFrame(rows)


class Oracle:
    """One prompt under one reward: values of behaviours and rows as fractions."""

    def __init__(self, rows: list[dict], mixture: str):
        terms = mixture_of(mixture)
        self.rows = rows
        self.row_values = [sum(Fraction(repr(w)) * Fraction(repr(row[n])) for n, w in terms) for row in rows]
        drawn = defaultdict(list)
        for row, value in zip(rows, self.row_values, strict=True):
            drawn[row["completion"]].append(value)
        self.values = {text: sum(values) / len(values) for text, values in drawn.items()}
        self.draws = {text: len(values) for text, values in drawn.items()}
        top = max(self.values.values())
        self.best = {text for text, value in self.values.items() if value == top}
        lower = [value for value in self.values.values() if value < top]
        self.runners_up = {text for text, value in self.values.items() if lower and value == max(lower)}
        self.range = top - min(self.values.values())
        self.top = top

    def tied(self) -> bool:
        return len(self.best) > 1

    def unique(self) -> bool:
        return len(self.best) == 1 and len(self.values) > 1

    def regret_of(self, chosen: set[str]) -> Fraction:
        draws = sum(self.draws[text] for text in chosen)
        return sum(self.draws[text] * (self.top - self.values[text]) for text in chosen) / draws

    def spread(self) -> float:
        return 0.0 if len(set(self.row_values)) == 1 else stdev(map(float, self.row_values))

    def margin(self) -> float | None:
        if self.tied():
            return 0.0
        if len(self.values) == 1:
            return None
        return float(self.top - self.values[next(iter(self.runners_up))]) / self.spread()

    def lead(self) -> float:
        spread = self.spread()
        return (float(self.top) - mean(map(float, self.row_values))) / spread if spread else 0.0

    def tilt(self, beta: float) -> dict[str, float]:
        weights = [exp(float(value - max(self.row_values)) / beta) for value in self.row_values]
        moved = defaultdict(float)
        for row, weight in zip(self.rows, weights, strict=True):
            moved[row["completion"]] += weight / sum(weights)
        return moved

    def wins(self, source: str) -> float:
        best = [row for row in self.rows if row["completion"] in self.best]
        return sum(row["model"] == source for row in best) / len(best)

    def truth(self) -> float:
        return mean(row["t"] for row in self.rows if row["completion"] in self.best)


def oracles(table: pl.DataFrame) -> list[tuple[Oracle, Oracle]]:
    kept = table.drop_nulls(["x", "y"])
    groups = [group.to_dicts() for group in kept.partition_by("prompt", maintain_order=True)]
    return [(Oracle(rows, A), Oracle(rows, B)) for rows in groups if len(rows) > 1]


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


@pytest.mark.parametrize("seed", range(8))
def test_choices_against_fractions(seed):
    table = random_table(seed, missing=0.15 * (seed % 2))
    result = compare(A, B, table=table, permutations=99, beta=0.2).to_dict()
    figures, pairs = result["figures"], oracles(table)
    assert figures["prompts"] == len(pairs)
    moves = figures["moves"]
    assert moves["changes"]["value"] == share([a.best != b.best for a, b in pairs])
    assert moves["disjoint"]["value"] == share([not a.best & b.best for a, b in pairs])
    assert moves["b_adds"]["value"] == share([not b.best <= a.best for a, b in pairs])
    assert moves["a_adds"]["value"] == share([not a.best <= b.best for a, b in pairs])
    assert moves["tied_to_unique"]["value"] == share([a.tied() and b.unique() for a, b in pairs])
    assert moves["unique_to_tied"]["value"] == share([a.unique() and b.tied() for a, b in pairs])
    decided = [(a, b) for a, b in pairs if a.unique()]
    rivals = [(max(b.values[text] for text in a.runners_up), b.values[next(iter(a.best))]) for a, b in decided]
    assert figures["top_pair"]["a"]["flipped"]["value"] == share([rival > winner for rival, winner in rivals])
    assert figures["top_pair"]["a"]["tied"]["value"] == share([rival == winner for rival, winner in rivals])
    for judge, position in (("a", 0), ("b", 1)):
        lost = [pair[position].regret_of(pair[1 - position].best) for pair in pairs]
        found = figures["regret"][judge]
        assert found["chosen"]["value"] == pytest.approx(float(sum(lost) / len(lost)), abs=1e-12)
        parts = [
            float(value / pair[position].range) for value, pair in zip(lost, pairs, strict=True) if pair[position].range
        ]
        assert found["chosen_share"]["value"] == pytest.approx(mean(parts), abs=1e-12)
        everything = [float(pair[position].regret_of(set(pair[position].values))) for pair in pairs]
        assert found["random"]["value"] == pytest.approx(mean(everything), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_tests_sources_and_policies_against_plain_python(seed):
    table = random_table(seed)
    figures = compare(A, B, table=table, truth="t", permutations=99, beta=0.2).to_dict()["figures"]
    pairs = oracles(table)
    rows = {row["name"]: row for row in figures["tests"]}
    assert rows["is_tied"]["a"]["value"] == share([a.tied() for a, _ in pairs])
    assert rows["zero_spread"]["b"]["value"] == share([not b.spread() for _, b in pairs])
    margins = [(a.margin(), b.margin()) for a, b in pairs if a.margin() is not None and b.margin() is not None]
    assert rows["margin"]["change"]["value"] == pytest.approx(mean(b - a for a, b in margins), abs=1e-9)
    assert rows["lead"]["a"]["value"] == pytest.approx(mean(a.lead() for a, _ in pairs), abs=1e-9)
    assert rows["truth"]["change"]["value"] == pytest.approx(mean(b.truth() - a.truth() for a, b in pairs), abs=1e-12)
    wins = {row["source"]: row for row in figures["sources"]["rows"]}
    assert set(wins) == {"m0", "m1", "m2"}
    for source, row in wins.items():
        assert row["wins_a"]["value"] == pytest.approx(mean(a.wins(source) for a, _ in pairs), abs=1e-12)
        assert row["wins_b"]["value"] == pytest.approx(mean(b.wins(source) for _, b in pairs), abs=1e-12)
    moved = []
    for a, b in pairs:
        one, two = a.tilt(0.2), b.tilt(0.2)
        moved.append(sum(abs(one[text] - two[text]) for text in one) / 2)
    assert figures["sampled_total_variation"]["value"] == pytest.approx(mean(moved), abs=1e-12)
    ranks = [
        spearmanr(*[list(map(float, side.row_values)) for side in pair]).statistic
        for pair in pairs
        if all(side.spread() for side in pair)
    ]
    assert figures["pair"]["rank_correlation"]["value"] == pytest.approx(mean(ranks), abs=1e-9)


def test_a_sum_that_ties_in_decimals_is_a_tie():
    rows = {"prompt": ["p", "p"], "completion": ["u", "v"], "x": [1.0, 0.0], "y": [0.0, 3.0], "z": [0.3, 0.3]}
    figures = compare("0.3*x + 0.1*y", "z + x", table=pl.DataFrame(rows)).to_dict()["figures"]
    assert figures["moves"]["tied_to_unique"]["count"] == 1


def test_swapping_the_rewards_turns_everything_round():
    table = random_table(11)
    one = compare(A, B, table=table, permutations=499, truth="t", beta=0.3).to_dict()["figures"]
    two = compare(B, A, table=table, permutations=499, truth="t", beta=0.3).to_dict()["figures"]
    assert one["moves"]["disjoint"] == two["moves"]["disjoint"]
    assert one["regret"]["a"]["chosen"] == pytest.approx(two["regret"]["b"]["chosen"])
    for first, second in zip(one["tests"], two["tests"], strict=True):
        assert first["change"]["value"] == pytest.approx(-second["change"]["value"], abs=1e-12)
        assert first["p"] == second["p"]


def test_units_do_not_enter_choices_and_tests():
    table = random_table(12)
    one = compare("x", "y", table=table, permutations=99).to_dict()["figures"]
    two = compare("8*x", "0.25*y", table=table, permutations=99).to_dict()["figures"]
    assert one["moves"] == two["moves"]
    assert [row["p"] for row in one["tests"]] == [row["p"] for row in two["tests"]]
    assert two["regret"]["a"]["chosen"]["value"] == pytest.approx(8 * one["regret"]["a"]["chosen"]["value"])


def test_scoring_again_has_its_closed_form_for_two_completions():
    rng = np.random.default_rng(0)
    n, sigma = 60, 0.5
    x = rng.normal(size=2 * n)
    table = pl.DataFrame(
        {"prompt": np.repeat(np.arange(n), 2), "completion": ["u", "v"] * n, "x": x, "y": rng.normal(size=2 * n)}
    )
    figures = compare("x", "y", table=table, noise=sigma, permutations=99).to_dict()["figures"]
    # Two scorings differ by two errors, and so do two completions: the difference has four.
    expected = norm.cdf(-np.abs(x[::2] - x[1::2]) / (2 * sigma))
    found = figures["noise"]["a"]
    assert found["expected_share"]["value"] == pytest.approx(expected.mean(), abs=0.01)
    assert found["p"] == found["p_at_most"]
    assert figures["noise"]["b"]["sigma"]["value"] == sigma


def test_a_reward_scored_again_is_noise_and_another_reward_is_not():
    rng = np.random.default_rng(4)
    n, k, sigma = 150, 4, 0.3
    quality = rng.normal(size=n * k)
    table = pl.DataFrame(
        {
            "prompt": np.repeat(np.arange(n), k),
            "completion": [f"c{i}" for i in range(n * k)],
            "x": quality + rng.normal(size=n * k) * sigma,
            "again": quality + rng.normal(size=n * k) * sigma,
            "other": rng.normal(size=n * k),
        }
    )
    noise = {"noise": {"x": sigma}, "permutations": 99}
    same, other = (compare("x", name, table=table, **noise) for name in ("again", "other"))
    assert same.to_dict()["figures"]["noise"]["a"]["p"] > 0.05
    assert "may be noise alone" in same.findings[0]["text"]
    assert same.findings[0]["severity"] == "note"
    assert other.to_dict()["figures"]["noise"]["a"]["p"] < 1e-6
    assert "more than noise" in other.findings[0]["text"]


@pytest.mark.parametrize("observed", range(6))
def test_the_count_of_changed_prompts_against_all_outcomes(observed):
    chances = np.array([0.1, 0.0, 0.7, 0.35, 1.0])
    exact = 0.0
    for outcome in product([0, 1], repeat=5):
        probability = np.prod([c if hit else 1 - c for c, hit in zip(chances, outcome, strict=True)])
        exact += probability * (sum(outcome) >= observed)
    assert at_least(chances, observed, 1000) == pytest.approx(exact, abs=1e-12)


def test_many_prompts_in_the_limit():
    rng = np.random.default_rng(1)
    chances = rng.random(3000) * 0.2
    drawn = (rng.random((2000, 3000)) < chances).sum(axis=1)
    observed = int(chances.sum() + 10)
    assert at_least(chances, observed, 10**9) == pytest.approx(
        float((drawn >= observed).mean()), abs=5 * sqrt(0.25 / 2000)
    )


def test_drivers_are_the_greatest_losses():
    rows = {
        "prompt": ["small"] * 2 + ["great"] * 2 + ["same"] * 2,
        "completion": ["u", "v"] * 3,
        "x": [1.0, 0.9, 1.0, 0.0, 1.0, 0.0],
        "y": [0.9, 1.0, 0.0, 1.0, 1.0, 0.0],
    }
    result = compare("x", "y", table=pl.DataFrame(rows)).to_dict()
    drivers = result["figures"]["drivers"]
    assert [row["prompt"] for row in drivers["prompts"]] == ["great", "small"]
    assert drivers["contributing"] == 2
    assert drivers["carry_half"] == 1
    first = drivers["prompts"][0]
    assert (first["choice_a"], first["choice_b"]) == ("u", "v")
    assert (first["a_of_a"], first["a_of_b"], first["b_of_a"], first["b_of_b"]) == (1.0, 0.0, 0.0, 1.0)


def test_prompts_of_one_source_are_told_apart_by_source():
    table = random_table(5).with_columns(
        model=pl.when(pl.col("prompt") < "p2").then(pl.lit("one")).otherwise(pl.lit("two"))
    )
    found = compare("x", "y", table=table, permutations=9).to_dict()["figures"]["sources"]
    assert not found["compete"]
    assert sum(row["changes"]["total"] for row in found["rows"]) == 25


def test_the_judges_of_the_real_data():
    result = compare("rm_score", "correct", table=DATA / "math_rm.parquet", behaviour="extracted_answer").to_dict()
    rows = pl.read_parquet(DATA / "math_rm.parquet").to_dicts()
    groups = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row["prompt_id"]][row["extracted_answer"]].append(
            (Fraction(repr(row["rm_score"])), Fraction(row["correct"]))
        )
    apart = 0
    for answers in groups.values():
        means = {
            text: [sum(column) / len(column) for column in zip(*pairs, strict=True)] for text, pairs in answers.items()
        }
        best = [{text for text, m in means.items() if m[i] == max(v[i] for v in means.values())} for i in (0, 1)]
        apart += not best[0] & best[1]
    assert result["figures"]["moves"]["disjoint"]["count"] == apart
    assert result["figures"]["moves"]["disjoint"]["total"] == 70


@pytest.mark.parametrize(
    ("a", "b", "options", "error", "message"),
    [
        ("x", "x", {}, InvalidInputError, "same reward"),
        ("x", "1*x", {}, InvalidInputError, "same reward"),
        ("x", "nothing", {}, TableError, "no column 'nothing'"),
        ("x +", "y", {}, InvalidInputError, "expected NAME"),
        ("x", {"y": "much"}, {}, InvalidInputError, "every weight must be a number"),
        ("x", "y", {"rewards": ["t"]}, InvalidInputError, "A and B are the rewards"),
        ("x", "y", {"permutations": 0}, InvalidInputError, "permutations must be 1"),
        ("x", "y", {"common_size": 2}, InvalidInputError, "for two tables"),
        (pl.DataFrame(), "y", {}, InvalidInputError, "leave out the table"),
        ("x", "z", {}, TableError, "no prompt has two completions with scores of both"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(a, b, options, error, message):
    table = random_table(0).with_columns(z=pl.when(pl.int_range(pl.len()).over("prompt") == 0).then(1.0))
    with pytest.raises(error, match=message):
        compare(a, b, table=table, **options)


def test_noise_of_few_second_scores_is_as_uncertain_as_it_is():
    """Eighty pairs say little of how often scoring again changes a choice; ten times as many say more."""
    rng = np.random.default_rng(6)
    n, k = 200, 4
    quality = rng.normal(size=n * k)
    noisy = {name: quality + rng.normal(size=n * k) * 0.3 for name in ("x", "again")}
    table = pl.DataFrame({"prompt": np.repeat(np.arange(n), k), "completion": list(map(str, range(n * k))), **noisy})
    table = table.with_columns(y=-pl.col("x"))
    found = {}
    for pairs in (80, 800):
        few = table.with_columns(again=pl.when(pl.int_range(pl.len()) < pairs).then(pl.col("again")))
        options = {"table": few, "rerun": {"x": "again"}, "permutations": 9}
        found[pairs] = compare("x", "y", **options).to_dict()["figures"]["noise"]["a"]
    excess = {pairs: item["expected_share_at_most"] / item["expected_share"]["value"] for pairs, item in found.items()}
    assert excess[80] > excess[800] > 1.0
    assert all(item["p_at_most"] >= item["p"] for item in found.values())


def test_prompts_that_lack_a_score_are_counted():
    table = random_table(3, missing=0.5)
    result = compare(A, B, table=table, permutations=9)
    figures = result.to_dict()["figures"]
    assert figures["prompts_left_out"] == 25 - figures["prompts"] > 0
    assert any("are in no figure" in item["text"] for item in result.findings)
