"""Reward-model error: agreement, flips and coefficients against SciPy, fractions and plain loops."""

import json
from fractions import Fraction
from itertools import combinations
from math import exp
from pathlib import Path
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

from policycliff.cli.main import app
from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.questions.reward_model_error.ensemble import ensemble_of
from policycliff.rollouts.questions.reward_model_error.error_size import quantile_with_interval
from policycliff.rollouts.questions.reward_model_error.new_member import new_member_flips
from policycliff.rollouts.questions.reward_model_error.question import reward_model_error
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.settings import AuditSettings

ROOT = Path(__file__).parents[3]
CODE = ROOT / "src/policycliff/data/humaneval_codegen.parquet"
CHAT = ROOT / "tests/data/topical_chat_ratings.parquet"
MEMBERS = ("m1", "m2", "m3")
runner = CliRunner()


def figures(frame, members=MEMBERS, **options):
    return reward_model_error(frame, members=list(members), **options).to_dict()["figures"]


def random_table(seed: int, *, decimals: int = 1) -> pl.DataFrame:
    """Prompts of 2 to 6 different completions; one decimal makes ties that floats miss."""
    rng = np.random.default_rng(seed)
    rows = []
    for prompt in range(8):
        size = int(rng.integers(2, 7))
        quality = rng.normal(size=size)
        for i in range(size):
            scores = {name: round(quality[i] + 0.7 * rng.normal(), decimals) for name in MEMBERS}
            truth = float(quality[i] > 0)
            rows.append({"prompt": f"p{prompt}", "completion": f"t{i}", **scores, "truth": truth})
    return pl.DataFrame(rows)


def exact_groups(frame: pl.DataFrame, members=MEMBERS) -> list[list[list[Fraction]]]:
    """Scores as fractions: prompt, member, completion."""
    return [
        [[Fraction(repr(score)) for score in group[name]] for name in members]
        for _, group in frame.group_by("prompt", maintain_order=True)
    ]


def best(scores) -> set[int]:
    return {i for i, score in enumerate(scores) if score == max(scores)}


def mean_scores(group, members) -> list[Fraction]:
    return [sum((group[j][i] for j in members), Fraction(0)) for i in range(len(group[0]))]


@pytest.mark.parametrize("seed", range(8))
def test_best_sets_against_fractions(seed):
    frame = random_table(seed)
    found, groups = figures(frame), exact_groups(frame)
    everyone = range(3)
    unanimous = sum(bool(set.intersection(*(best(scores) for scores in group))) for group in groups)
    assert found["unanimous_share"]["count"] == unanimous
    assert found["tied_share"]["count"] == sum(len(best(mean_scores(group, everyone))) > 1 for group in groups)
    missed, apart = [], []
    for j in everyone:
        row = found["members"][j]
        others = [best(mean_scores(group, [i for i in everyone if i != j])) for group in groups]
        own = [best(group[j]) for group in groups]
        missed += [len(a - b) / len(a) for a, b in zip(own, others, strict=True)]
        apart += [not a & b for a, b in zip(own, others, strict=True)]
        assert row["picks_other_share"]["value"] == pytest.approx(fmean(missed[-len(groups) :]))
        assert row["disjoint_from_others_share"]["count"] == sum(apart[-len(groups) :])
    assert found["left_out"]["observed"]["value"] == pytest.approx(fmean(missed))
    assert found["left_out"]["observed_disjoint"]["value"] == pytest.approx(fmean(apart))


@pytest.mark.parametrize("seed", range(8))
def test_rank_agreement_against_scipy(seed):
    frame = random_table(seed)
    found = {(row["first"], row["second"]): row for row in figures(frame)["pairs"]}
    groups = [group for _, group in frame.group_by("prompt", maintain_order=True)]
    for one, two in combinations(MEMBERS, 2):
        varying = [group for group in groups if group[one].n_unique() > 1 and group[two].n_unique() > 1]
        tau = fmean(stats.kendalltau(group[one], group[two], variant="b").statistic for group in varying)
        rho = fmean(stats.spearmanr(group[one], group[two]).statistic for group in varying)
        row = found[one, two]
        assert row["correlated_prompts"] == len(varying)
        assert row["kendall"]["value"] == pytest.approx(tau)
        assert row["spearman"]["value"] == pytest.approx(rho)
        exact = exact_groups(frame, (one, two))
        assert row["best_differs_share"]["count"] == sum(best(a) != best(b) for a, b in exact)


def ensemble(frame, members=MEMBERS, standardise=None):
    settings = AuditSettings(rewards=tuple((name, 1.0) for name in members))
    return ensemble_of(load_rollouts(frame, settings), standardise)


def test_two_completions_flip_with_the_probability_of_students_t():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2 * 40, 4)) + np.tile([[0.8], [0.0]], (40, 1))
    frame = pl.DataFrame({"prompt": np.repeat(np.arange(40), 2), "completion": ["a", "b"] * 40}).with_columns(
        *(pl.Series(f"m{j}", scores[:, j]) for j in range(4))
    )
    built = ensemble(frame, [f"m{j}" for j in range(4)])
    found = new_member_flips(built.values, built.mean, seed=0)
    leads = scores[0::2] - scores[1::2]
    statistic = np.abs(leads.mean(axis=1)) / (leads.std(axis=1, ddof=1) * np.sqrt(1 + 1 / 4))
    expected = stats.t(3).sf(statistic)
    assert found.low == pytest.approx(expected)
    assert found.high == pytest.approx(expected)
    error = np.sqrt(expected * (1 - expected) / found.draws)
    assert (np.abs(found.probability - expected) < 4.5 * error + 1e-3).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_simulated_chance_lies_in_its_bracket(seed):
    built = ensemble(random_table(seed, decimals=6))
    found = new_member_flips(built.values, built.mean, seed=seed)
    slack = 4.5 * np.sqrt(0.25 / found.draws)
    assert (found.probability >= found.low - slack).all()
    assert (found.probability <= found.high + slack).all()
    values = built.values
    for p in range(built.layout.n_prompts):
        first, last = built.layout.behaviour_offsets[p : p + 2]
        block = values[:, first:last]
        top = int(block.mean(axis=0).argmax())
        chances = []
        for i in set(range(last - first)) - {top}:
            lead = block[:, top] - block[:, i]
            chances.append(stats.t(2).sf(lead.mean() / (lead.std(ddof=1) * np.sqrt(4 / 3))))
        assert found.low[p] == pytest.approx(max(chances))
        assert found.high[p] == pytest.approx(min(1.0, sum(chances)))


def test_the_model_is_right_where_it_holds():
    """Members that err as the model says: it foretells how often a member not in the table picks another best."""
    rng = np.random.default_rng(1)
    prompts, size, members = 1500, 4, 5
    quality = np.repeat(rng.normal(size=(prompts * size, 1)), members + 1, axis=1)
    scores = quality + 0.6 * rng.normal(size=quality.shape)
    frame = pl.DataFrame(
        {"prompt": np.repeat(np.arange(prompts), size), "completion": [f"t{i}" for i in range(prompts * size)]}
    ).with_columns(*(pl.Series(f"m{j}", scores[:, j]) for j in range(members)))
    found = figures(frame, [f"m{j}" for j in range(members)])
    mean = scores[:, :members].mean(axis=1).reshape(prompts, size).argmax(axis=1)
    further = scores[:, members].reshape(prompts, size).argmax(axis=1)
    seen = float((mean != further).mean())
    # It takes the lead of the best at face value, and is a little too sure.
    assert seen - 0.06 < found["new_member"]["flip_probability_mean"]["value"] < seen + 0.02
    assert found["left_out"]["observed"]["value"] == pytest.approx(seen, abs=0.04)


def test_members_that_agree_never_flip():
    frame = random_table(0, decimals=6).with_columns(m2=pl.col("m1") + 3.0, m3=pl.col("m1") - 1.0)
    found = figures(frame)
    assert found["unanimous_share"]["value"] == 1.0
    assert found["left_out"]["observed"]["value"] == 0.0
    assert found["new_member"]["flip_probability_mean"]["value"] == pytest.approx(0.0, abs=1e-3)
    assert found["coefficients"][-1]["beta"]["value"] == pytest.approx(0.0, abs=1e-12)


def test_a_constant_a_prompt_changes_nothing():
    frame = random_table(2, decimals=6)
    moved = frame.with_columns(m1=pl.col("m1") + pl.col("prompt").str.slice(1).cast(pl.Float64))
    one, two = figures(frame), figures(moved)
    for key in ("unanimous_share", "row_spread_mean", "prompt_spread", "radius_in_spreads", "coefficients"):
        assert flat(one[key]) == pytest.approx(flat(two[key]), abs=1e-9)


@pytest.mark.parametrize("standardise", ["table", "prompt"])
def test_standardised_members_have_no_scale(standardise):
    frame = random_table(3, decimals=6)
    scaled = frame.with_columns(m1=1000.0 * pl.col("m1") + 7.0, m3=pl.col("m3") / 50.0)
    one, two = (figures(item, standardise=standardise) for item in (frame, scaled))
    for key in ("unanimous_share", "left_out", "new_member", "coefficients", "radius_in_spreads", "shift_curve"):
        assert flat(one[key]) == pytest.approx(flat(two[key]), rel=1e-6, abs=1e-9)
    assert two["scale_ratio"] > 1000


def flat(tree) -> list[float]:
    """All numbers of a tree of JSON types, in order."""
    if isinstance(tree, dict):
        return [number for key in sorted(tree) for number in flat(tree[key])]
    if isinstance(tree, list):
        return [number for item in tree for number in flat(item)]
    return [float(tree)] if isinstance(tree, int | float) else []


def test_scores_normalised_within_prompts_by_hand():
    frame = random_table(4, decimals=6)
    built = ensemble(frame, standardise="prompt")
    groups = [group for _, group in frame.group_by("prompt", maintain_order=True)]
    for j, name in enumerate(MEMBERS):
        expected = np.concatenate([stats.zscore(group[name].to_numpy(), ddof=1) for group in groups])
        assert built.scores[j] == pytest.approx(expected)
    assert built.mean.scores == pytest.approx(built.scores.mean(axis=0))


def gibbs(scores, beta):
    weights = [exp((score - max(scores)) / beta) for score in scores]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("seed", range(4))
def test_the_coefficient_covers_every_member_and_no_smaller_one_is_proven(seed):
    frame = random_table(seed, decimals=6)
    found = figures(frame, max_shift=0.2)
    beta = found["coefficients"][-1]["beta"]["value"]
    shifts, sizes = [], []
    for group in exact_groups(frame):
        numbers = [[float(score) for score in scores] for scores in group]
        for j in range(3):
            others = [fmean(column) for column in zip(*(numbers[:j] + numbers[j + 1 :]), strict=True)]
            pairs = zip(gibbs(numbers[j], beta), gibbs(others, beta), strict=True)
            shifts.append(0.5 * sum(abs(a - b) for a, b in pairs))
            errors = [a - b for a, b in zip(numbers[j], others, strict=True)]
            sizes.append((max(errors) - min(errors)) / 2)
    assert max(shifts) <= 0.2
    # Equality in the sharp bound at the worst member: tanh(size / (2 beta)) is the shift that is allowed.
    assert np.tanh(max(sizes) / (2 * beta)) == pytest.approx(0.2)
    assert found["coefficients"][-1]["error"]["value"] == pytest.approx(max(sizes))
    curve = found["shift_curve"]
    assert all(row["measured"]["value"] <= row["bound"]["value"] + 1e-12 for row in curve)
    at = curve[4]["beta"]
    expected = fmean(np.tanh(size / (2 * at)) for size in sizes)
    assert curve[4]["bound"]["value"] == pytest.approx(expected)


def test_the_interval_of_a_quantile_covers_it():
    rng = np.random.default_rng(0)
    for share in (0.5, 0.9):
        true = float(stats.expon.ppf(share))
        held = [quantile_with_interval(rng.exponential(size=150), share) for _ in range(600)]
        covered = fmean(item["low"] <= true <= (item["high"] or np.inf) for item in held)
        assert 0.93 < covered < 0.99
    assert quantile_with_interval(np.array([1.0, 2.0]), 0.95) == {"value": 2.0, "low": 1.0, "high": None}


def test_picks_in_truth_by_hand():
    frame = pl.DataFrame(
        {
            "prompt": ["p"] * 3 + ["q"] * 2 + ["r"] * 2,
            "completion": list("abcdefg"),
            "m1": [3.0, 2.0, 1.0, 1.0, 0.0, 1.0, 0.0],
            "m2": [3.0, 2.0, 1.0, 0.0, 3.0, 1.0, 0.0],
            "truth": [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        }
    )
    truth = figures(frame, ("m1", "m2"), truth="truth")["truth"]
    picks = {row["picked_by"]: row["truth"]["value"] for row in truth["picks"]}
    # Sampling: 1/3, 1/2 and 1. The mean picks a, e and f.
    assert picks["no reward: any completion"] == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert (picks["m1"], picks["m2"], picks["mean of the members"]) == pytest.approx((2 / 3, 1 / 3, 1 / 3))
    assert picks["the best completion there is"] == 1.0
    assert truth["decidable_prompts"] == 2
    agreed, _, split = truth["by_agreement"]
    assert (agreed["prompts"], agreed["wrong_share"]["count"], agreed["truth_lost"]["value"]) == (1, 1, 1.0)
    assert (split["prompts"], split["wrong_share"]["count"]) == (1, 1)


def test_a_penalty_is_turned_round_and_sizes_of_weights_do_not_count():
    frame = random_table(5)
    turned = frame.with_columns(m1=-pl.col("m1"))
    one = figures(frame)
    answer = reward_model_error(turned, rewards={"m1": -0.3, "m2": 1.0, "m3": 2.0}).to_dict()
    assert answer["figures"]["unanimous_share"] == one["unanimous_share"]
    assert answer["figures"]["left_out"] == one["left_out"]
    assert any("Weights are ignored" in item["text"] for item in answer["findings"])


def test_missing_scores_leave_completions_out_and_that_is_told():
    frame = random_table(6)
    holed = pl.concat([frame, frame.head(2).with_columns(m2=pl.lit(None, dtype=pl.Float64))])
    result = reward_model_error(holed, members=list(MEMBERS))
    assert result.to_dict()["figures"]["unanimous_share"] == figures(frame)["unanimous_share"]
    assert any("2 of " in item["text"] and "m2 lacks 2" in item["text"] for item in result.findings)


def test_scales_that_differ_by_far_are_told_unless_standardised():
    frame = random_table(0).with_columns(m3=100.0 * pl.col("m3"))
    told = [item for item in reward_model_error(frame, members=MEMBERS).findings if "--standardise" in item["text"]]
    assert [item["severity"] for item in told] == ["critical"]
    quiet = reward_model_error(frame, members=MEMBERS, standardise="table").findings
    assert not any("--standardise" in item["text"] for item in quiet)


def test_bad_input():
    frame = random_table(0).with_columns(flat=pl.lit(1.0))
    with pytest.raises(InvalidInputError, match="at least 2 reward columns"):
        reward_model_error(frame, members=["m1"])
    with pytest.raises(InvalidInputError, match="not guessed"):
        reward_model_error(frame.rename({"m1": "a_score", "m2": "b_score"}))
    with pytest.raises(InvalidInputError, match="members or as rewards, not both"):
        reward_model_error(frame, members=["m1", "m2"], rewards=["m3"])
    with pytest.raises(InvalidInputError, match="'flat' is constant within every prompt"):
        reward_model_error(frame, members=["m1", "flat"])
    with pytest.raises(InvalidInputError, match="standardise must be prompt or table"):
        reward_model_error(frame, members=["m1", "m2"], standardise="rows")
    with pytest.raises(InvalidInputError, match="is not 0"):
        reward_model_error(frame, members=["m1", "m2"], missing="zero")
    with pytest.raises(TableError, match="no column 'ghost'"):
        reward_model_error(frame, members=["m1", "ghost"])
    halves = frame.with_row_index("row").with_columns(
        m1=pl.when(pl.col("row") % 2 == 0).then("m1"), m2=pl.when(pl.col("row") % 2 == 1).then("m2")
    )
    with pytest.raises(TableError, match="no prompt has two completions with the scores of all members"):
        reward_model_error(halves, members=["m1", "m2"])


def test_real_tables():
    chat = figures(CHAT, ("human_overall", "unieval_overall"), standardise="table")
    assert (chat["prompts"], chat["completions"]) == (42, 252)
    frame = pl.read_parquet(CHAT)
    taus = [
        stats.kendalltau(group["human_overall"], group["unieval_overall"]).statistic
        for _, group in frame.group_by("prompt_id", maintain_order=True)
    ]
    assert chat["pairs"][0]["kendall"]["value"] == pytest.approx(float(np.nanmean(taus)))
    code = figures(CODE, ("generated_tests_pass_rate", "example_tests_pass_rate"), truth="hidden_tests_passed")
    assert code["truth"]["prompts"] == code["prompts"]
    assert code["left_out"]["predicted"] is None


def test_the_command_end_to_end(tmp_path):
    options = ["reward-model-error", str(CODE), "--member", "generated_tests_pass_rate"]
    options += ["--member", "example_tests_pass_rate", "--truth", "hidden_tests_passed", "--standardise", "table"]
    options += ["--max-shift", "0.2"]
    page = tmp_path / "page.html"
    result = runner.invoke(app, [*options, "--html", str(page)])
    assert result.exit_code == 0, result.output
    for words in ("Left out one at a time", "THE KL COEFFICIENT THAT COVERS", "DOES DISAGREEMENT WARN OF ERROR"):
        assert words in result.stdout
    assert "Each member beside the others" in page.read_text(encoding="utf-8")
    told = json.loads(runner.invoke(app, [*options, "--json", "-", "--quiet"]).stdout)
    members = ("generated_tests_pass_rate", "example_tests_pass_rate")
    assert told["settings"]["members"] == list(members)
    same = figures(CODE, members, truth="hidden_tests_passed", standardise="table", max_shift=0.2)
    assert told["figures"] == same
    bad = runner.invoke(app, [*options, "--member", "n_hidden_tests"])
    assert bad.exit_code == 2
    assert "'n_hidden_tests' is constant within every prompt" in bad.stderr
