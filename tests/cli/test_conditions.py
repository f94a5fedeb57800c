"""Conditions of --fail-on."""

from typing import Any

import pytest

from policycliff.cli.conditions import parse_condition
from policycliff.errors import InvalidInputError

RESULT: dict[str, Any] = {
    "rewards": {
        "effective": {"tied_share": {"value": 0.4, "low": 0.3, "high": 0.5}, "radius": {"quantiles": {"p50": 0.1}}},
        "my.col": {"tied_share": {"value": 0.2}},
        "a>b": {"tied_share": {"value": 0.7}},
        "my": {"col": {"other": 1}},
    },
    "pairs": [{"best_changes_share": {"value": 0.9}}],
    "counts": {"prompts": 12},
    "truth": None,
    "noise": {"sigma": {"value": None}},
    "flag": True,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("tied_share>0.3", True),
        ("tied_share > 0.4", False),
        ("tied_share>=.4", True),
        ("tied_share<4e-1", False),
        ("tied_share<=0.4", True),
        (" rewards.effective.tied_share.low>0.29 ", True),
        ("rewards.effective.radius.quantiles.p50<0.2", True),
        ("rewards.my.col.tied_share<0.3", True),
        ('rewards."my.col".tied_share<0.3', True),
        ("rewards.my.col.other>=1", True),
        ('rewards."a>b".tied_share>0.6', True),
        ("pairs.0.best_changes_share>0.5", True),
        ("counts.prompts<-1", False),
        ("counts.prompts>+1", True),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    assert parse_condition(text).holds(RESULT)[0] is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tied_share",
        "tied_share=0.3",
        "tied_share==0.3",
        "tied_share>",
        ">0.3",
        "tied_share>x",
        "a>0.3 or b>1",
        "a>>1",
        "a>nan",
    ],
)
def test_a_condition_has_a_key_a_sign_and_a_number(text: str) -> None:
    with pytest.raises(InvalidInputError, match="expected KEY>NUMBER"):
        parse_condition(text)


@pytest.mark.parametrize(
    "text", ["tied_shar>0", "rewards.effective>0", "flag>0.1", "pairs.7.x>0", "__class__>0", "flag.real>0"]
)
def test_an_unknown_figure_is_refused_with_near_ones(text: str) -> None:
    with pytest.raises(InvalidInputError, match="the result has no such figure"):
        parse_condition(text).holds(RESULT)


def test_near_figures_are_named() -> None:
    with pytest.raises(InvalidInputError, match=r"Near it: rewards\.effective\.tied_share"):
        parse_condition("tied_shar>0").holds(RESULT)


@pytest.mark.parametrize("text", ["noise.sigma>0", "noise.sigma.value>0"])
def test_what_could_not_be_estimated_is_neither_true_nor_false(text: str) -> None:
    with pytest.raises(InvalidInputError, match="not estimable"):
        parse_condition(text).holds(RESULT)
