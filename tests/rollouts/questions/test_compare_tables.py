"""Two tables, beside enumeration of all groups of the common size in plain Python."""

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import polars as pl
import pytest

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.compare.compare import compare

DATA = Path(__file__).parents[2] / "data"


def random_table(seed: int, *, prompts: int = 12, size: int = 6, better: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {
            "prompt": f"question {prompt}",
            "completion": f"text {rng.integers(0, 8)}",
            "reward": float(min(1.0, rng.integers(0, 4) / 4 + better)),
            "truth": float(rng.integers(0, 2)),
        }
        for prompt in range(prompts)
        for _ in range(size)
    ]
    return pl.DataFrame(rows)


def groups_of(table: pl.DataFrame) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for row in table.to_dicts():
        found[row["prompt"]].append(row)
    return found


def shown_by(rows: tuple[dict, ...]) -> dict[str, float | None]:
    """The figures of one group."""
    drawn = defaultdict(list)
    for row in rows:
        drawn[row["completion"]].append(Fraction(row["reward"]))
    values = sorted((sum(v) / len(v) for v in drawn.values()), reverse=True)
    scores = [row["reward"] for row in rows]
    top = [row["truth"] for row in rows if row["reward"] == max(scores)]
    return {
        "tied": float(values.count(values[0]) > 1),
        "zero_spread": float(len(set(scores)) == 1),
        "mean": mean(scores),
        "best": max(scores),
        "lead": max(scores) - mean(scores),
        "behaviours": len(drawn),
        "radius": float(values[0] - values[1]) / 2 if len(values) > 1 else None,
        "spread": stdev(scores),
        "truth": mean(row["truth"] for row in rows),
        "truth_of_best": mean(top),
    }


def expected_at(table: pl.DataFrame, k: int) -> dict[str, dict[str, float]]:
    """Figure to prompt to its mean over all groups of k of the prompt's completions."""
    found = defaultdict(dict)
    for prompt, rows in groups_of(table).items():
        every = [shown_by(chosen) for chosen in combinations(rows, k)]
        for name in every[0]:
            known = [group[name] for group in every if group[name] is not None]
            if known:
                found[name][prompt] = mean(known)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_figures_at_the_common_size_against_all_groups(seed):
    a, b = random_table(seed, size=6), random_table(seed + 50, size=4, better=0.25)
    figures = compare(a, b, rewards=["reward"], truth="truth", permutations=99).to_dict()["figures"]
    assert figures["common_size"] == 4
    assert figures["relation"] == "samples"
    assert figures["matching"]["matched"] == 12
    rows = {row["name"]: row for row in figures["figures"]}
    for side, table in (("a", a), ("b", b)):
        for name, by_prompt in expected_at(table, 4).items():
            error = 1e-9 if rows[name]["monte_carlo_error"] == 0 else 5 * rows[name]["monte_carlo_error"]
            assert rows[name][side]["value"] == pytest.approx(mean(by_prompt.values()), abs=error), name
    assert {name for name, row in rows.items() if row["monte_carlo_error"]} == {"tied", "radius", "spread"}
    for row in rows.values():
        assert row["change"]["value"] == pytest.approx(row["b"]["value"] - row["a"]["value"], abs=1e-12)


def test_ties_are_in_closed_form_where_a_text_has_one_score():
    score = pl.col("completion").str.tail(1).cast(pl.Int64) % 3 / 2
    a, b = (random_table(seed, size=size).with_columns(reward=score) for seed, size in ((1, 6), (2, 3)))
    rows = {
        row["name"]: row for row in compare(a, b, rewards=["reward"], permutations=9).to_dict()["figures"]["figures"]
    }
    assert rows["tied"]["monte_carlo_error"] == 0
    assert rows["tied"]["a"]["value"] == pytest.approx(mean(expected_at(a, 3)["tied"].values()), abs=1e-12)


def test_whole_groups_have_no_monte_carlo_error():
    a, b = random_table(1), random_table(2)
    rows = compare(a, b, rewards=["reward"], permutations=9).to_dict()["figures"]["figures"]
    assert all(row["monte_carlo_error"] == 0 for row in rows)
    found = {row["name"]: row["a"]["value"] for row in rows}
    for name, by_prompt in expected_at(a, 6).items():
        if name in found:
            assert found[name] == pytest.approx(mean(by_prompt.values()), abs=1e-12)


def test_a_better_policy_is_found_and_an_equal_one_is_not():
    a, same, better = random_table(1, prompts=40), random_table(2, prompts=40), random_table(3, prompts=40, better=0.25)
    none = compare(a, same, rewards=["reward"], permutations=999)
    assert "No figure differs" in none.findings[0]["text"]
    some = compare(a, better, rewards=["reward"], permutations=999)
    rows = {row["name"]: row for row in some.to_dict()["figures"]["figures"]}
    assert rows["mean"]["p_holm"] < 0.05
    assert "figures move beyond chance" in some.findings[0]["text"]
    assert rows["mean"]["change"]["low"] > 0


def test_reward_up_and_truth_down_is_critical():
    a = random_table(1, prompts=40).with_columns(truth=pl.lit(1.0))
    b = random_table(3, prompts=40, better=0.5).with_columns(truth=pl.lit(0.0))
    result = compare(a, b, rewards=["reward"], truth="truth", permutations=999)
    assert result.findings[0]["severity"] == "critical"
    assert any("falls while the reward rises" in item["text"] for item in result.findings)


def test_prompts_are_matched_by_name_and_else_by_text():
    a, b = random_table(1, prompts=8), random_table(2, prompts=10).filter(pl.col("prompt") != "question 3")
    shuffled = b.sample(fraction=1.0, shuffle=True, seed=0)
    figures = compare(a, shuffled, rewards=["reward"], permutations=9).to_dict()["figures"]
    assert figures["matching"]["by"] == "prompt text"
    assert (figures["matching"]["matched"], figures["matching"]["unmatched_a"]) == (7, 1)
    assert figures["matching"]["unmatched_b"] == 2
    number = pl.col("prompt").str.extract(r"(\d+)").cast(pl.Int64)
    named = [table.with_columns(group_id=number) for table in (a, shuffled)]
    found = compare(*named, rewards=["reward"], permutations=9).to_dict()["figures"]["matching"]
    assert (found["by"], found["matched"]) == ("group name", 7)
    shifted = [named[0], named[1].with_columns(group_id=(number + 1) % 10)]
    result = compare(*shifted, rewards=["reward"], permutations=9).to_dict()
    assert result["figures"]["matching"]["by"] == "prompt text"
    assert any("the same name in A and B but another prompt" in item for item in result["limits"])


def test_a_matched_pair_is_the_same_prompt():
    """A difference that is one prompt's: its row in the drivers has that prompt's figures of both tables."""
    a = random_table(4, prompts=6).with_columns(reward=pl.lit(0.5))
    worse = pl.col("prompt") == "question 4"
    b = a.reverse().with_columns(
        reward=pl.when(worse).then(0.0).otherwise(0.5), completion=pl.col("completion") + " again"
    )
    drivers = compare(a, b, rewards=["reward"], permutations=9).to_dict()["figures"]["drivers"]
    assert drivers["contributing"] == 1
    row = drivers["prompts"][0]
    assert row["prompt"] == "question 4"
    assert (row["mean_whole"], row["mean_part"]) == (0.5, 0.0)


def test_repeated_prompts_are_matched_in_order_and_steps_belong_to_the_key():
    a = random_table(1, prompts=4, size=8)
    b = random_table(2, prompts=4, size=8)
    result = compare(a, b, rewards=["reward"], group_size=4, permutations=9).to_dict()
    assert result["figures"]["matching"]["matched"] == 8
    assert any("share their key" in item for item in result["limits"])
    steps = [table.with_columns(step=pl.int_range(pl.len()) % 8 // 4) for table in (a, b)]
    assert compare(*steps, rewards=["reward"], permutations=9).to_dict()["figures"]["matching"]["matched"] == 8
    later = [steps[0], steps[1].with_columns(step=pl.col("step") + 10)]
    found = compare(*later, rewards=["reward"], permutations=9).to_dict()["figures"]["matching"]
    assert found["matched"] == 8
    assert found["repeated"] == 16


def test_no_prompt_in_common_is_said():
    a, b = random_table(1), random_table(2, better=0.5).with_columns(prompt="other " + pl.col("prompt"))
    result = compare(a, b, rewards=["reward"], permutations=999)
    assert result.to_dict()["figures"]["matching"]["by"] == "nothing"
    assert any("No prompt of A is in B" in item["text"] for item in result.findings)
    rows = {row["name"]: row for row in result.to_dict()["figures"]["figures"]}
    shift = b["reward"].mean() - a["reward"].mean()
    assert rows["mean"]["change"]["value"] == pytest.approx(shift)
    assert rows["mean"]["change"]["low"] < shift < rows["mean"]["change"]["high"]
    by_prompt = [table.group_by("prompt").agg(pl.col("reward").mean())["reward"].to_numpy() for table in (a, b)]
    half = 1.96 * np.sqrt(sum(values.var(ddof=1) / len(values) for values in by_prompt))
    assert rows["mean"]["change"]["high"] - shift == pytest.approx(half, rel=0.25)


def test_removed_prompts_are_detected_and_only_composition_changes():
    a = random_table(7, prompts=30)
    flat = {prompt for prompt, rows in groups_of(a).items() if shown_by(tuple(rows))["tied"]}
    b = a.filter(~pl.col("prompt").is_in(list(flat))).sample(fraction=1.0, shuffle=True, seed=1)
    result = compare(a, b, rewards=["reward"], permutations=999)
    figures = result.to_dict()["figures"]
    assert (figures["relation"], figures["whole"], figures["part"]) == ("removal", "A", "B")
    assert figures["matching"]["unmatched_a"] == len(flat)
    rows = {row["name"]: row for row in figures["figures"]}
    assert rows["tied"]["all"]["value"] == pytest.approx(len(flat) / 30)
    assert rows["tied"]["after"]["value"] == rows["tied"]["kept"]["value"] == 0.0
    assert rows["tied"]["removed"]["value"] == 1.0
    assert rows["tied"]["by_prompts"] == pytest.approx(-len(flat) / 30)
    assert all(row["by_rows"]["value"] == 0.0 for row in rows.values())
    assert rows["tied"]["p_prompts"] < 0.05
    assert "B is A without" in result.findings[0]["text"]
    assert result.findings[0]["severity"] == "warning"
    turned = compare(b, a, rewards=["reward"], permutations=99).to_dict()["figures"]
    assert (turned["whole"], turned["part"]) == ("B", "A")
    assert turned["matching"]["unmatched_b"] == len(flat)


def test_random_removal_is_taken_for_random_and_rows_are_counted():
    a = random_table(9, prompts=40, size=8).with_columns(i=pl.int_range(pl.len()).over("prompt"))
    b = a.filter(pl.col("i") < 4)
    result = compare(a, b, rewards=["reward"], permutations=999)
    figures = result.to_dict()["figures"]
    assert figures["relation"] == "removal"
    assert figures["matching"]["rows_removed_from_kept"] == 160
    assert figures["common_size"] == 4
    assert "removed at random" in result.findings[0]["text"]
    assert result.findings[0]["severity"] == "note"
    best = (
        a.sort("reward", descending=True).with_columns(i=pl.int_range(pl.len()).over("prompt")).filter(pl.col("i") < 4)
    )
    chosen = compare(a, best, rewards=["reward"], permutations=999)
    rows = {row["name"]: row for row in chosen.to_dict()["figures"]["figures"]}
    assert rows["mean"]["p_rows"] < 0.05
    assert rows["mean"]["by_rows"]["value"] > 0
    assert rows["mean"]["by_prompts"] == 0.0


def test_the_same_rows_and_the_same_texts_scored_anew_are_told():
    a = random_table(3)
    assert "hold the same rows" in compare(a, a.reverse(), rewards=["reward"]).findings[0]["text"]
    anew = a.with_columns(reward=pl.col("reward") + 0.125)
    told = [item["text"] for item in compare(a, anew, rewards=["reward"], permutations=9).findings]
    assert any("two scorings of the same rows" in text for text in told)


def test_overlap_counts_rows_as_often_as_they_come():
    a, b = random_table(5, prompts=5, size=5), random_table(6, prompts=5, size=7)
    keys = [Counter(map(tuple, table.select("prompt", "completion", "reward").rows())) for table in (a, b)]
    common = sum((keys[0] & keys[1]).values())
    found = compare(a, b, rewards=["reward"], permutations=9).to_dict()["figures"]["overlap"]
    assert found["b_in_a"] == pytest.approx(common / len(b))
    assert found["a_in_b"] == pytest.approx(common / len(a))


def test_half_the_real_table_against_the_other_half():
    path = DATA.parents[1] / "src" / "policycliff" / "data" / "humaneval_codegen.parquet"
    table = pl.read_parquet(path).with_columns(i=pl.int_range(pl.len()).over("prompt_id"))
    halves = [table.filter(pl.col("i") % 2 == part).drop("i") for part in (0, 1)]
    result = compare(*halves, rewards=["generated_tests_pass_rate"], truth="hidden_tests_passed", permutations=999)
    figures = result.to_dict()["figures"]
    assert figures["common_size"] == 50
    assert figures["relation"] == "samples"
    assert all(row["p_holm"] > 0.01 for row in figures["figures"])
    solved = halves[0].filter(pl.col("generated_tests_pass_rate").is_not_null())
    expected = solved.group_by("prompt_id").agg(pl.col("hidden_tests_passed").mean())["hidden_tests_passed"].mean()
    rows = {row["name"]: row for row in figures["figures"]}
    assert rows["truth"]["a"]["value"] == pytest.approx(expected)


def test_results_are_the_same_under_one_seed():
    a, b = random_table(1, size=6), random_table(2, size=4)
    one, two = (compare(a, b, rewards=["reward"], permutations=99, seed=5).to_dict() for _ in range(2))
    assert one["figures"] == two["figures"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"common_size": 1}, InvalidInputError, "must be 2 or more"),
        ({"common_size": 7}, InvalidInputError, "no prompt of A .* has 7"),
        ({"sample": 3}, InvalidInputError, "sample would draw other prompts"),
        ({"rewards": {"reward": 0.0}}, InvalidInputError, "every reward has weight 0"),
        ({"rewards": ["absent"]}, TableError, "no column 'absent'"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(options, error, message):
    with pytest.raises(error, match=message):
        compare(random_table(1), random_table(2), **{"rewards": ["reward"], **options})


def test_tables_of_other_rewards_or_without_groups_are_refused():
    a, b = random_table(1), random_table(2)
    with pytest.raises(InvalidInputError, match="have other rewards"):
        compare(a, b.rename({"reward": "total_reward"}))
    with pytest.raises(TableError, match=r"B .* has no prompt with two completions"):
        compare(a, b.unique("prompt"), rewards=["reward"])


def test_letters_that_are_all_there_are_no_proof_of_removal():
    """A hundred answers hold every four of another policy; texts of their own tell removal from chance."""
    rng = np.random.default_rng(0)

    def answers(size: int) -> pl.DataFrame:
        letters = rng.choice(["A", "B"], size=10 * size)
        prompts = np.repeat([f"question {i}" for i in range(10)], size)
        return pl.DataFrame({"prompt": prompts, "completion": letters, "reward": (letters == "A").astype(float)})

    result = compare(answers(100), answers(4), rewards=["reward"], permutations=9)
    assert result.to_dict()["figures"]["overlap"]["b_in_a"] == 1.0
    assert result.to_dict()["figures"]["relation"] == "samples"
    assert any("may be chance" in item["text"] for item in result.findings)
    whole = answers(100)
    part = whole.filter(pl.col("prompt") != "question 3")
    assert compare(whole, part, rewards=["reward"], permutations=9).to_dict()["figures"]["relation"] == "removal"
