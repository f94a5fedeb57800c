"""Normalisation, advice, boundary prompts, and the verdict's words, on tables small enough to work out by hand."""

import json

import numpy as np
import polars as pl
import pytest

from policycliff.errors import InvalidInputError, TableError
from policycliff.rollouts.audit import audit
from policycliff.rollouts.settings import AuditSettings


def frame(prompts, **columns):
    """`prompts` gives the size of each; columns are lists over all rows."""
    names = np.repeat([f"p{i}" for i in range(len(prompts))], prompts)
    return pl.DataFrame({"prompt": names, "completion": [f"text {i}" for i in range(sum(prompts))], **columns})


def test_phantom_advantages():
    """The first prompt fails throughout and only its lengths differ; the second is mixed; the third is solved."""
    table = frame(
        [3, 3, 3], correct=[0, 0, 0, 1, 0, 0, 1, 1, 1], length=[-0.1, -0.2, -0.3, -0.1, -0.1, -0.1, -0.2, -0.1, 0]
    )
    result = audit(table, rewards={"correct": 1.0, "length": 0.01}).to_dict()
    assert result["normalisation"]["main_reward"] == "correct"
    assert result["normalisation"]["phantom_share"]["count"] == 1
    assert {"prompt": "p0", "reason": "phantom advantages", "row": 0, "step": None} in result["advice"]["drop_list"]
    assert any("Phantom" in finding["text"] for finding in result["verdict"])
    partly = audit(table, rewards={"correct": 1.0, "length": 0.01}, max_reward={"correct": 2.0}).to_dict()
    assert partly["normalisation"]["phantom_share"]["count"] == 2


def test_gain_is_that_of_the_trainer():
    rewards = np.array([0.0, 0.5, 0.5, 1.0])
    figures = audit(frame([4], r=rewards.tolist()), rewards=["r"], epsilon=1e-4).to_dict()["rewards"]["r"]
    assert figures["gain"]["p50"] == pytest.approx(1.0 / (rewards.std(ddof=1) + 1e-4))


def test_a_spreadless_group_has_no_gain_and_is_dropped():
    result = audit(frame([2, 2], r=[0.0, 0.0, 0.0, 1.0]), rewards=["r"], max_reward={"r": 1.0}).to_dict()
    assert result["rewards"]["r"]["gain"]["p95"] < 2.0
    assert result["advice"]["drop_list"] == [{"prompt": "p0", "reason": "zero spread", "row": 0, "step": None}]
    assert result["rewards"]["r"]["zero_spread_unsolved_share"]["count"] == 1
    assert result["rewards"]["r"]["zero_spread_solved_share"]["count"] == 0


def test_the_drop_list_tells_prompts_of_one_name_apart():
    """Prompts that agree in what is shown of them, and the same prompt at two steps: the first row says which."""
    long = "x" * 200
    table = pl.DataFrame(
        {
            "prompt": [long + "a", long + "b", long + "a", long + "b", long + "a", long + "a"],
            "completion": list("abcdef"),
            "step": [1, 1, 1, 1, 2, 2],
            "r": [0.0, 1.0, 0.0, 1.0, 0.5, 0.5],
        }
    )
    listed = audit(table, rewards=["r"]).to_dict()["advice"]["drop_list"]
    assert [(item["row"], item["step"]) for item in listed] == [(0, "1"), (1, "1"), (4, "2")]


def test_tie_breakers_are_ranked_and_directed_by_the_truth():
    """Short is right in both tied prompts; `constant` breaks nothing."""
    table = frame(
        [2, 2], r=[1.0, 1.0, 1.0, 1.0], truth=[1.0, 0.0, 0.0, 1.0], length=[10, 20, 30, 5], constant=[7, 7, 7, 7]
    )
    breakers = audit(table, rewards=["r"], truth="truth").to_dict()["advice"]["tie_breakers"]
    assert [item["column"] for item in breakers] == ["length"]
    assert breakers[0]["prefer"] == "smaller"
    assert breakers[0]["breaks_share"]["value"] == 1.0
    assert breakers[0]["truth_gain"]["value"] == pytest.approx(0.5)


def test_tie_breakers_can_be_named():
    table = frame([2], r=[1.0, 1.0], a=[1.0, 2.0], b=[1.0, 2.0], s=[1.0, 2.0])
    found = audit(table, rewards={"r": 1.0, "s": 0.0}, tie_breakers=["b"]).to_dict()["advice"]["tie_breakers"]
    assert [item["column"] for item in found] == ["b", "s"]
    with pytest.raises(TableError, match="tie-breaker"):
        audit(table, rewards=["r"], tie_breakers=["c"])


def test_boundary_prompts_have_one_of_four_reasons():
    """p0 tied and p4 flat (truths differ), p1 a hair's breadth, p2 tied alike, p3 ranked against the truth."""
    table = frame(
        [3, 2, 3, 2, 2],
        r=[1.0, 1.0, 0.0, 1.0, 0.99, 1.0, 1.0, 0.0, 1.0, 0.0, 0.5, 0.5],
        truth=[0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0],
    )
    listed = audit(table, rewards=["r"], truth="truth").to_dict()["prompts_to_look_at"]
    assert [(item["prompt"], item["reason"]) for item in listed] == [
        ("p0", "consequential tie"),
        ("p3", "reward prefers a worse answer"),
        ("p1", "small winning margin"),
        ("p4", "no signal"),
    ]
    assert listed[0]["differs_in"] == ["truth"]
    assert [item["scores"]["truth"] for item in listed[0]["competing"]] == [1.0, 0.0]
    assert [item["scores"]["truth"] for item in listed[1]["competing"]] == [0.0, 1.0]
    assert listed[2]["radius"] == pytest.approx(0.005)
    assert listed[0]["competing"][0]["row"] == 1


def test_reasons_take_turns_in_a_short_list():
    wrong = [[1.0, 0.0], [0.0, 1.0]]
    tied = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    table = frame([3] * 5 + [2] * 5, r=tied[0] * 5 + wrong[0] * 5, truth=tied[1] * 5 + wrong[1] * 5)
    listed = audit(table, rewards=["r"], truth="truth", look_at=4).to_dict()["prompts_to_look_at"]
    assert [item["reason"] for item in listed] == ["consequential tie"] * 2 + ["reward prefers a worse answer"] * 2


def test_texts_that_differ_in_white_space_are_shown_once():
    table = frame([4], r=[1.0, 1.0, 1.0, 0.0], truth=[1.0, 1.0, 0.0, 0.0]).with_columns(
        pl.Series("completion", ["a b", "a  b\n", "c", "d"])
    )
    [listed] = audit(table, rewards=["r"], truth="truth").to_dict()["prompts_to_look_at"]
    assert sorted(" ".join(item["text"].split()) for item in listed["competing"]) == ["a b", "c"]


def test_behaviours_are_the_values_of_the_column():
    """Two texts with one answer are one behaviour; its reward is their mean, its draws count."""
    table = frame([3], r=[1.0, 0.0, 0.5], answer=["a", "a", "b"])
    figures = audit(table, rewards=["r"], behaviour="answer").to_dict()["rewards"]["r"]
    assert figures["tied_share"]["value"] == 1.0
    assert figures["consequential_columns"][0]["column"] == "answer"
    assert audit(table, rewards=["r"]).to_dict()["rewards"]["r"]["tied_share"]["value"] == 0.0


def test_normalise_then_sum_is_gdpo():
    """Each component is divided by its own deviation first, so the rare large one no longer drowns the other."""
    table = frame([4], a=[0.0, 1.0, 2.0, 100.0], b=[3.0, 2.0, 1.0, 0.0])
    columns = {name: np.array(table[name].to_list(), dtype=float) for name in "ab"}
    summed = sum((x - x.mean()) / (x.std(ddof=1) + 1e-4) for x in columns.values())
    result = audit(table, rewards={"a": 1.0, "b": 1.0}, aggregation="normalize_then_sum").to_dict()
    top = np.sort(summed)[::-1]
    assert result["rewards"]["effective"]["winning_margin_median"] == pytest.approx(top[0] - top[1])
    assert result["rewards"]["effective"]["noise"]["sigma"] is None


def test_normalise_then_sum_ties_are_found_and_counted_as_unresolved():
    table = frame([4], a=[1.0, 0.0, 0.0, 0.0], b=[0.0, 1.0, 0.0, 0.0])
    figures = audit(table, rewards={"a": 1.0, "b": 1.0}, aggregation="normalize_then_sum").to_dict()["rewards"]
    assert figures["effective"]["tied_share"]["value"] == 1.0
    assert figures["effective"]["unresolved_rows"] >= 2


def test_a_weight_of_zero_is_shown_and_never_poisons_the_sum():
    table = frame([2], r=[1.0, 0.0], metric=[None, float("nan")], other=[0.5, 0.5])
    result = audit(table, rewards={"r": 1.0, "metric": 0.0, "other": 0.0}).to_dict()
    assert result["rewards"]["effective"]["prompts"] == 1
    assert result["rewards"]["metric"]["prompts"] == 0
    assert result["counts"]["unusable_scores"]["metric"] == {"missing": 1, "nan": 1, "infinite": 0}


def test_a_negative_weight_is_a_penalty_whose_least_value_is_best():
    table = frame([2], r=[1.0, 1.0], length=[10.0, 30.0], again=[10.0, 30.0])
    result = audit(table, rewards={"r": 1.0, "length": -0.01}, rerun={"length": "again"}).to_dict()
    assert result["rewards"]["length"]["better"] == "smaller"
    pair = next(item for item in result["pairs"] if {item["first"], item["second"]} == {"length", "effective"})
    assert pair["best_changes_share"]["count"] == 0


def test_infinite_scores_are_counted_and_left_out():
    table = frame([3], r=[1.0, float("inf"), 0.0])
    result = audit(table, rewards=["r"]).to_dict()
    assert result["counts"]["unusable_scores"]["r"]["infinite"] == 1
    assert result["rewards"]["r"]["winning_margin_median"] == pytest.approx(1.0)


def test_weights_near_a_wall():
    """One behaviour leads by a hair through `b`: a 10 % smaller weight of `b` swaps the winner."""
    table = frame([2], a=[1.0, 0.0], b=[0.0, 1.05])
    weights = {item["name"]: item for item in audit(table, rewards={"a": 1.0, "b": 1.0}).to_dict()["weights"]}
    assert weights["b"]["wall_below_quantiles"]["p50"] == pytest.approx(1.0 / 1.05)
    assert weights["a"]["wall_above_quantiles"]["p50"] == pytest.approx(1.05)
    assert {item["factor"]: item["share"]["count"] for item in weights["b"]["within"]} == {
        0.01: 0,
        0.05: 1,
        0.1: 1,
        0.5: 1,
    }
    curve = dict(zip(weights["b"]["curve"]["factor"], weights["b"]["curve"]["changed_share"], strict=True))
    assert (curve[0.9], curve[1.0], curve[1.5]) == (1.0, 0.0, 0.0)


def test_reweighting_few_samples_is_not_estimable():
    table = frame([4], a=[0.0, 0.0, 0.0, 9.0], b=[1.0, 0.0, 0.0, 0.0])
    pair = audit(table, rewards={"a": 1.0, "b": 1.0}, beta=0.1).to_dict()["pairs"][0]
    assert pair["total_variation"] is None
    assert pair["total_variation_status"] == "not estimable"
    assert pair["sharp_bound"]["value"] == pytest.approx(1.0)


def test_mixed_sources_are_said():
    result = audit(frame([2], r=[1.0, 0.0], source=["model a", "model b"]), rewards=["r"]).to_dict()
    assert result["mixed_sources_share"]["value"] == 1.0
    assert any("several source models" in finding["text"] for finding in result["verdict"])


def test_the_verdict_leads_with_consequential_ties_and_names_the_column():
    table = frame([2, 2], r=[1.0, 1.0, 1.0, 0.0], truth=[1.0, 0.0, 1.0, 0.0])
    first = audit(table, rewards=["r"], truth="truth").verdict[0]
    assert first["severity"] == "critical"
    assert "truth" in first["text"]
    assert first["figure"]["key"] == "rewards.effective.consequential_share"
    assert first["statement"] == "Prop 2.9, Prop 2.10"


def test_the_result_is_json_without_nan():
    table = frame([2, 3], r=[1.0, 1.0, 0.5, 0.2, None], s=[0.0, 0.0, 0.0, 0.0, 0.0], truth=[1.0, 0.0, 1.0, 0.0, 0.5])
    for options in ({}, {"truth": "truth"}, {"noise": 0.1}, {"missing": "zero"}, {"noise": None}):
        json.dumps(audit(table, rewards={"r": 1.0, "s": 1.0}, **options).to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rewards": {"r": 0.0}}, "every reward has weight 0"),
        ({"rewards": ["r"], "main_reward": "s"}, "main_reward names 's'"),
        ({"rewards": ["r"], "colour": 1}, "no option 'colour'"),
        ({"rewards": ["r"], "max_shift": 1.5}, "max_shift"),
        ({"rewards": ["r"], "missing": "drop"}, "missing must be one of"),
        ({"rewards": ["r"], "noise": -1.0}, "cannot be negative"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        audit(frame([2], r=[1.0, 0.0]), **options)


def test_single_completions_cannot_be_audited():
    with pytest.raises(TableError, match="two completions"):
        audit(frame([1, 1], r=[1.0, 0.0]), rewards=["r"], group="prompt")


def test_settings_are_immutable_and_plain():
    settings = AuditSettings(rewards=(("r", 1.0),))
    assert settings.to_dict()["rewards"] == {"r": 1.0}
    with pytest.raises(AttributeError):
        settings.seed = 3
