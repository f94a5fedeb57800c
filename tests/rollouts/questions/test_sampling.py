"""Samples are not the policy: closed forms against all subsets, and weights against policies that are known."""

import json
from fractions import Fraction
from itertools import combinations
from math import exp, log
from pathlib import Path
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from policycliff.cli.main import app
from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.sampling.pareto import pareto_shape, reliable_below
from policycliff.rollouts.questions.sampling.question import sampling
from policycliff.rollouts.questions.sampling.subsets import doubling_sizes

ROOT = Path(__file__).parents[3]
CODE = ROOT / "src/policycliff/data/humaneval_codegen.parquet"
MATH = ROOT / "tests/data/math_rm.parquet"
runner = CliRunner()


def figures(frame, **options):
    return sampling(frame, **options).to_dict()["figures"]


def small_table(seed: int) -> pl.DataFrame:
    """Prompts of 5 to 7 completions, with repeats of texts and many ties of decimals that no float holds."""
    rng = np.random.default_rng(seed)
    rows = []
    for prompt in range(int(rng.integers(2, 5))):
        for _ in range(int(rng.integers(5, 8))):
            text = int(rng.integers(0, 5))
            rows.append({"prompt": f"p{prompt}", "completion": f"t{text}", "reward": (text * text % 4) / 10})
    return pl.DataFrame(rows)


def groups_of(frame: pl.DataFrame):
    """(text, exact reward) of every row, prompt by prompt."""
    return [
        [(text, Fraction(str(reward))) for text, reward in zip(group["completion"], group["reward"], strict=True)]
        for _, group in frame.group_by("prompt", maintain_order=True)
    ]


def top(draws):
    """Greatest reward, the texts that have it, and the gap to the next text (None with one text)."""
    values = dict(draws)
    best = max(values.values())
    tied = {text for text, value in values.items() if value == best}
    others = sorted(values.values(), reverse=True)
    return best, tied, (others[0] - others[1] if len(others) > 1 else None)


def mean(values):
    values = list(values)
    return sum(values, Fraction(0)) / len(values)


@pytest.mark.parametrize("seed", range(12))
def test_the_curve_against_all_subsets(seed):
    frame = small_table(seed)
    found = figures(frame, rewards=["reward"])["subsets"]
    common = found["common_group_size"]
    chosen = [group for group in groups_of(frame) if len(group) >= common]
    assert found["prompts"] == len(chosen)
    assert [point["k"] for point in found["points"]] == doubling_sizes(common)
    for point in found["points"]:
        best, tied, flat, gaps = [], [], [], []
        for group in chosen:
            tops = [top(subset) for subset in combinations(group, point["k"])]
            best.append(mean(item[0] for item in tops))
            tied.append(mean(Fraction(len(item[1]) > 1) for item in tops))
            flat.append(mean(Fraction(len({r for _, r in s}) == 1) for s in combinations(group, point["k"])))
            several = [item[2] for item in tops if item[2] is not None]
            gaps += [mean(several)] if several else []
        assert point["best"]["value"] == pytest.approx(float(mean(best)), abs=1e-12)
        assert point["tied_share"]["value"] == pytest.approx(float(mean(tied)), abs=1e-12)
        assert point["zero_spread_share"]["value"] == pytest.approx(float(mean(flat)), abs=1e-12)
        assert point["gap"]["value"] == pytest.approx(float(mean(gaps)), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_a_further_draw_against_leaving_each_draw_out(seed):
    frame = small_table(seed)
    found = figures(frame, rewards=["reward"])["unseen"]
    names = ("new_behaviour", "beats_best", "ties_best", "changes_best_set")
    sums = dict.fromkeys(names, Fraction(0))
    groups = groups_of(frame)
    for group in groups:
        for i, (text, reward) in enumerate(group):
            rest = group[:i] + group[i + 1 :]
            best, tied, _ = top(rest)
            events = {
                "new_behaviour": all(other != text for other, _ in rest),
                "beats_best": reward > best,
                "ties_best": reward == best,
                "changes_best_set": top(group)[1] != tied,
            }
            for name in names:
                sums[name] += Fraction(events[name], len(group) * len(groups))
    for name in names:
        assert found[name]["value"] == pytest.approx(float(sums[name]), abs=1e-12)
    assert found["beats_best_bound"] == pytest.approx(fmean(1 / len(group) for group in groups))
    assert found["beats_best"]["value"] <= found["beats_best_bound"] + 1e-12
    assert found["beyond_beats_best_bound"] == pytest.approx(fmean(1 / (len(group) + 1) for group in groups))
    counts = [[sum(text == other for other, _ in group) for text in {t for t, _ in group}] for group in groups]
    once = fmean(sum(count == 1 for count in group) for group in counts)
    assert found["new_in_as_many_again_at_most"]["value"] == pytest.approx(once)


def test_the_bracket_at_twice_the_size_holds_the_expected_best_of_a_known_policy():
    """Three rewards of known probability; the best of 16 has a closed form, and 8 draws must bracket it."""
    rng = np.random.default_rng(3)
    rewards, probability = np.array([0.0, 1.0, 5.0]), np.array([0.6, 0.35, 0.05])
    drawn = rng.choice(3, size=(4000, 8), p=probability)
    frame = pl.DataFrame(
        {
            "prompt": np.repeat(np.arange(4000), 8),
            "completion": [f"t{value}" for value in drawn.ravel()],
            "reward": rewards[drawn.ravel()],
        }
    )
    found = figures(frame, rewards=["reward"])["subsets"]
    below = np.append(0.0, np.cumsum(probability))

    def expected(k):
        return float(rewards @ (below[1:] ** k - below[:-1] ** k))

    for point in found["points"]:
        assert point["best"]["low"] - 0.02 <= expected(point["k"]) <= point["best"]["high"] + 0.02
    assert found["twice"]["k"] == 16
    assert found["twice"]["best_at_least"]["low"] <= expected(16) <= found["twice"]["best_at_most"]["high"]
    # The bracket is no foregone conclusion: both ends are near, and the truth is well inside.
    assert found["twice"]["best_at_least"]["high"] < expected(16) < found["twice"]["best_at_most"]["low"]
    missing = float(probability @ (1 - probability) ** 7)
    unseen = figures(frame, rewards=["reward"])["unseen"]
    assert unseen["new_behaviour"]["low"] <= missing <= unseen["new_behaviour"]["high"]
    beats = float(probability @ np.append(0.0, np.cumsum(probability)[:-1]) ** 7)
    assert unseen["beats_best"]["low"] <= beats <= unseen["beats_best"]["high"]
    assert unseen["beats_best"]["value"] <= unseen["beats_best_bound"]


def known_policies(prompts: int, size: int, *, tilt: float, seed: int = 0):
    """Completions of a known policy, with the log-probabilities under it and under its tilt by the reward."""
    rng = np.random.default_rng(seed)
    rewards = np.arange(6) / 5
    drawn_from = np.array([0.3, 0.25, 0.2, 0.13, 0.08, 0.04])
    target = drawn_from * np.exp(tilt * rewards)
    target /= target.sum()
    drawn = rng.choice(6, size=prompts * size, p=drawn_from)
    frame = pl.DataFrame(
        {
            "prompt": np.repeat(np.arange(prompts), size),
            "completion": [f"t{value}" for value in drawn],
            "reward": rewards[drawn],
            "lp": np.log(drawn_from)[drawn],
            "new": np.log(target)[drawn],
        }
    )
    return frame, float(drawn_from @ rewards), float(target @ rewards)


def test_weighted_rewards_against_a_known_policy():
    frame, under_old, under_new = known_policies(400, 64, tilt=1.5)
    found = figures(frame, rewards=["reward"], logprob="lp", target_logprob="new")["weights"]
    estimate = found["estimates"][0]
    assert estimate["sampled"]["low"] <= under_old <= estimate["sampled"]["high"]
    assert estimate["weighted"]["low"] - 0.01 <= under_new <= estimate["weighted"]["high"] + 0.01
    # The bias of the ratio is of the order of 1 / 64, and its estimate takes most of it away.
    corrected = estimate["weighted"]["value"] - estimate["bias"]["value"]
    assert abs(corrected - under_new) < 0.005
    assert under_new - under_old > 0.1
    assert found["mean_ratio"]["low"] <= 1.0 <= found["mean_ratio"]["high"]
    assert found["reliable"] is True


@pytest.mark.parametrize("seed", range(5))
def test_weights_against_plain_loops(seed):
    rng = np.random.default_rng(seed)
    rows = [
        {"prompt": f"p{i}", "completion": f"t{j}", "reward": float(rng.integers(0, 3)), "lp": -float(rng.gamma(5)),
         "new": None if rng.random() < 0.1 else -float(rng.gamma(5))}
        for i in range(6) for j in range(int(rng.integers(3, 7)))
    ]  # fmt: skip
    found = figures(pl.DataFrame(rows), rewards=["reward"], logprob="lp", target_logprob="new")["weights"]
    weighted, sampled, effective, heaviest = [], [], [], []
    for i in range(6):
        group = [row for row in rows if row["prompt"] == f"p{i}" and row["new"] is not None]
        if len(group) < 2:
            continue
        ratios = [exp(row["new"] - row["lp"]) for row in group]
        weighted.append(sum(w * row["reward"] for w, row in zip(ratios, group, strict=True)) / sum(ratios))
        sampled.append(fmean(row["reward"] for row in group))
        effective.append(sum(ratios) ** 2 / sum(w * w for w in ratios))
        heaviest.append(max(ratios) / sum(ratios))
    assert found["prompts"] == len(weighted)
    assert found["unknown_rows"] == sum(row["new"] is None for row in rows)
    assert found["estimates"][0]["weighted"]["value"] == pytest.approx(fmean(weighted))
    assert found["estimates"][0]["sampled"]["value"] == pytest.approx(fmean(sampled))
    assert found["effective_sample_size_mean"]["value"] == pytest.approx(fmean(effective))
    assert found["largest_weight_mean"]["value"] == pytest.approx(fmean(heaviest))
    overall = len(effective) ** 2 / sum(1 / size for size in effective)
    assert found["effective_sample_size_overall"] == pytest.approx(overall)


def test_weights_do_not_move_when_a_prompt_gets_a_constant():
    frame, _, _ = known_policies(30, 8, tilt=1.0)
    moved = frame.with_columns(pl.col("new") - 3.0 * (pl.col("prompt") % 4))
    one, two = (
        figures(item, rewards=["reward"], logprob="lp", target_logprob="new")["weights"]["estimates"]
        for item in (frame, moved)
    )
    assert one[0]["weighted"]["value"] == pytest.approx(two[0]["weighted"]["value"])


def test_the_policy_that_drew_them_needs_no_weights():
    frame, _, _ = known_policies(20, 8, tilt=0.0)
    found = figures(frame, rewards=["reward"], logprob="lp", target_logprob="lp")["weights"]
    assert found["equal_ratios"]
    assert found["reliable"] is True
    assert found["effective_sample_size_median"] == pytest.approx(8.0)
    assert found["estimates"][0]["difference"]["value"] == pytest.approx(0.0, abs=1e-15)


def test_a_far_policy_is_called_unreliable():
    rng = np.random.default_rng(0)
    rows = 50 * 16
    frame = pl.DataFrame(
        {
            "prompt": np.repeat(np.arange(50), 16),
            "completion": [f"t{i}" for i in range(rows)],
            "reward": rng.random(rows),
            "lp": -50.0 + 0.0 * np.arange(rows),
            "new": -60.0 + 4.0 * rng.standard_normal(rows),
        }
    )
    result = sampling(frame, rewards=["reward"], logprob="lp", target_logprob="new")
    assert result.to_dict()["figures"]["weights"]["reliable"] is False
    assert "Do not rely" in result.findings[0]["text"]


# Shapes that ArviZ 0.23.4 gives for the same ratios (`arviz.psislw(log_ratios)[1]`).
ARVIZ = {
    "normal": 0.1756142816518647,
    "wide normal": 0.8684722068953638,
    "Pareto 0.5": 0.39549484345317704,
    "Pareto 1.2": 0.8977132347042288,
    "uniform": -0.33206328615258235,
    "few": 0.7013054070722222,
    "far from 0": 0.22106816654688038,
}


def ratios_for_arviz():
    rng = np.random.default_rng(7)
    return {
        "normal": rng.normal(size=500),
        "wide normal": 3 * rng.normal(size=2000),
        "Pareto 0.5": -0.5 * np.log(rng.random(4000)),
        "Pareto 1.2": -1.2 * np.log(rng.random(1000)),
        "uniform": np.log(rng.random(100)),
        "few": rng.normal(size=30),
        "far from 0": rng.normal(size=300) - 800.0,
    }


def test_the_pareto_shape_is_that_of_arviz():
    for name, ratios in ratios_for_arviz().items():
        assert pareto_shape(ratios) == pytest.approx(ARVIZ[name], rel=1e-9), name


def test_the_pareto_shape_finds_the_shape_of_pareto_laws():
    rng = np.random.default_rng(1)
    for shape in (0.2, 0.5, 0.9):
        assert pareto_shape(-shape * np.log(rng.random(200_000))) == pytest.approx(shape, abs=0.08)


def test_tails_that_cannot_be_fitted():
    assert pareto_shape(np.zeros(1000)) == -np.inf
    assert pareto_shape(np.append(np.zeros(1000), [1.0, 2.0])) is None
    assert pareto_shape(np.arange(10.0)) is None
    assert pareto_shape(-100.0 * np.arange(100.0)) == np.inf
    assert reliable_below(10) == 0.0


def test_the_probability_of_the_texts_seen():
    frame = pl.DataFrame(
        {
            "prompt": ["p"] * 4 + ["q"] * 2,
            "completion": ["a", "a", "b", "c", "a", "b"],
            "reward": [1.0, 1.0, 0.0, 0.0, 1.0, 0.0],
            "lp": [log(0.5), log(0.5), log(0.2), None, log(0.1), log(0.1)],
        }
    )
    result = sampling(frame, rewards=["reward"], logprob="lp")
    seen = result.to_dict()["figures"]["seen"]
    assert seen["mass"]["value"] == pytest.approx((0.7 + 0.2) / 2)
    assert (seen["repeated_texts"], seen["over_one_prompts"]) == (1, 0)
    assert any("hold 45 %" in item["text"] for item in result.findings)
    # Means over tokens are near 0, so that the probabilities of different texts add up to more than 1.
    mean_of_tokens = frame.with_columns(lp=pl.lit(-0.2))
    assert "add up to more than 1" in sampling(mean_of_tokens, rewards=["reward"], logprob="lp").findings[0]["text"]
    two_engines = frame.with_columns(lp=pl.Series([-1.0, -2.0, -3.0, -3.0, -3.0, -3.0]))
    told = [item["text"] for item in sampling(two_engines, rewards=["reward"], logprob="lp").findings]
    assert any("differ by up to 1:" in text for text in told)


def test_bad_log_probabilities():
    frame = pl.DataFrame(
        {"prompt": ["p"] * 3, "completion": list("abc"), "reward": [0.0, 1.0, 2.0], "lp": [-1.0, 0.5, -2.0],
         "none": [None] * 3, "words": list("xyz")}
    ).with_columns(pl.col("none").cast(pl.Float64))  # fmt: skip
    with pytest.raises(TableError, match=r"'lp' is 0\.5 in row 2 .*sum over its tokens"):
        sampling(frame, logprob="lp")
    with pytest.raises(InvalidInputError, match="needs the log-probability under the policy that drew"):
        sampling(frame, target_logprob="lp")
    with pytest.raises(InvalidInputError, match="'none' has no finite value"):
        sampling(frame, logprob="none")
    with pytest.raises(TableError, match=r"no column 'ghost' \(log-probability\)"):
        sampling(frame, logprob="ghost")
    with pytest.raises(TableError, match="log-probability column 'words' is not numeric"):
        sampling(frame, logprob="words")
    with pytest.raises(InvalidInputError, match="every reward has weight 0"):
        sampling(frame, rewards={"reward": 0.0})
    with pytest.raises(TableError, match="no prompt has two completions"):
        sampling(frame.head(1), rewards=["reward"])


def test_missing_scores_leave_their_rows_out():
    frame = small_table(0)
    holed = pl.concat([frame, frame.head(3).with_columns(reward=pl.lit(None, dtype=pl.Float64))])
    one, two = (figures(item, rewards=["reward"]) for item in (frame, holed))
    assert one["unseen"] == two["unseen"]
    assert one["subsets"] == two["subsets"]


def test_a_known_maximum_caps_the_bracket():
    frame = pl.DataFrame({"prompt": ["p"] * 4, "completion": list("abcd"), "reward": [0.0, 0.0, 0.0, 0.9]})
    open_end, capped = (sampling(frame, **options) for options in ({}, {"max_reward": {"reward": 1.0}}))
    # The last step is (0.9 - 0) / 4, and four of them are 0.9.
    twice = open_end.to_dict()["figures"]["subsets"]["twice"]
    assert (twice["best_at_least"]["value"], twice["best_at_most"]["value"]) == pytest.approx((0.9, 1.8))
    assert not any("the greatest there is" in item["text"] for item in open_end.findings)
    assert any("and 1, the greatest there is" in item["text"] for item in capped.findings)


def test_real_tables():
    code = figures(CODE, rewards=["generated_tests_pass_rate"])
    assert (code["prompts"], code["subsets"]["common_group_size"]) == (108, 100)
    best = [point["best"]["value"] for point in code["subsets"]["points"]]
    assert best == sorted(best)
    solved = figures(MATH, rewards=["correct"], behaviour="extracted_answer")
    assert solved["subsets"]["common_group_size"] == 8
    audit_like = solved["subsets"]["points"][-1]
    frame = pl.read_parquet(MATH)
    right = frame.group_by("prompt_id").agg(pl.col("correct").max())["correct"].mean()
    assert audit_like["best"]["value"] == pytest.approx(right)


def test_the_command_end_to_end(tmp_path):
    frame, _, _ = known_policies(30, 16, tilt=1.0)
    path = tmp_path / "rollouts.parquet"
    frame.write_parquet(path)
    options = ["sampling", str(path), "--reward", "reward", "--logprob", "lp", "--target-logprob", "new"]
    page = tmp_path / "page.html"
    result = runner.invoke(app, [*options, "--html", str(page)])
    assert result.exit_code == 0, result.output
    for words in (
        "The last of a prompt's 16 completions",
        "THE BEST REWARD OF K COMPLETIONS",
        "EXPECTED REWARDS UNDER THE POLICY",
    ):
        assert words in result.stdout
    assert "How far the samples carry" in page.read_text(encoding="utf-8")
    told = runner.invoke(app, [*options, "--json", "-", "--quiet"])
    answer = json.loads(told.stdout)
    assert answer["question"] == "sampling"
    assert answer["settings"]["target_logprob"] == "new"
    assert answer["figures"] == figures(path, rewards=["reward"], logprob="lp", target_logprob="new")


def test_bad_input_ends_the_command_with_one_line():
    result = runner.invoke(app, ["sampling", str(MATH), "--reward", "correct", "--logprob", "rm_score"])
    assert result.exit_code == 2
    assert result.stderr.startswith("policycliff: error: ")
    assert "a log-probability is at most 0" in result.stderr
