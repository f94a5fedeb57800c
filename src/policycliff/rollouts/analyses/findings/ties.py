"""Findings on ties: where the reward leaves the choice open, and where it gives no signal (Props 2.9, 2.10)."""

from collections.abc import Iterator
from typing import Any

from policycliff.rollouts.analyses.findings.words import (
    Finding,
    finding,
    is_one_column,
    only_column,
    percent,
    severity_of,
)
from policycliff.rollouts.settings import EFFECTIVE


def ties(result: dict[str, Any]) -> Iterator[Finding]:
    """Ties, the consequential ones by what becomes of them."""
    main = result["rewards"][EFFECTIVE]
    tied, consequential = main["tied_share"], main["consequential_share"]
    if consequential is None:
        yield finding(
            "Prop 2.10",
            severity_of(tied),
            ("rewards.effective.tied_share", tied),
            f"In {percent(tied)} of prompts several behaviours share the best reward. Name --truth, --behaviour or "
            "another reward to learn which of these ties matter.",
        )
        return
    if tied["count"] == 0:
        text = f"No prompt has two behaviours that share the best reward ({percent(tied)})."
        yield finding("Thm 2.7", "good", ("rewards.effective.tied_share", tied), text)
        return
    if consequential["count"] == 0:
        text = f"{percent(tied)} of prompts are tied at the top, but the tied behaviours differ in no column named."
        yield finding("Prop 2.10", "note", ("rewards.effective.consequential_share", consequential), text)
        return
    unknown = _unknown_noise(result)
    severity = severity_of(consequential)
    if severity == "critical" and unknown and all(column["column"] in unknown for column in _differing(main)):
        severity = "warning"
    text = (
        f"In {percent(consequential)} of prompts the best reward is shared by behaviours that differ in "
        f"{_named_columns(main)}{_what_becomes_of_them(main)}"
    )
    if unknown:
        text += f" The noise of {', '.join(unknown)} is not known and counts as none."
    yield finding("Prop 2.9, Prop 2.10", severity, ("rewards.effective.consequential_share", consequential), text)


def _differing(main: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns in which tied behaviours differ, by share."""
    columns = [column for column in main["consequential_columns"] if column["share"]["count"] > 0]
    return sorted(columns, key=lambda column: -column["share"]["count"])


def _named_columns(main: dict[str, Any]) -> str:
    columns = _differing(main)[:3]
    return ", ".join(f"{column['column']} ({percent(column['share'], short=True)})" for column in columns)


def _what_becomes_of_them(main: dict[str, Any]) -> str:
    chosen, flat = main["consequential_with_spread_share"], main["consequential_zero_spread_share"]
    harmless = main["harmless_share"]
    if flat["count"] == 0:
        text = ": training picks among them by chance."
    elif chosen["count"] == 0:
        text = ", but their whole group is tied: nothing is learned from them."
    else:
        text = (
            f". In {percent(chosen, short=True)} training picks among them by chance; in {percent(flat, short=True)} "
            "the whole group is tied and nothing is learned."
        )
    if harmless["count"]:
        text += f" {percent(harmless, short=True)} more are tied between behaviours that measure alike, good or bad."
    return text


def _unknown_noise(result: dict[str, Any]) -> list[str]:
    """Rewards that tell ties apart although nobody knows how much of their difference is noise."""
    rewards = result["rewards"]
    named = {column["column"] for column in _differing(rewards[EFFECTIVE])}
    return [name for name in rewards if name in named and rewards[name]["noise"]["sigma"] is None]


def no_signal(result: dict[str, Any]) -> Iterator[Finding]:
    """Groups without spread."""
    main = result["rewards"][EFFECTIVE]
    flat = main["zero_spread_share"]
    if flat["count"] == 0:
        return
    solved = ""
    if is_one_column(result) and "zero_spread_solved_share" in (only := only_column(result)):
        solved = (
            f" ({percent(only['zero_spread_solved_share'], short=True)} solved, "
            f"{percent(only['zero_spread_unsolved_share'], short=True)} not)"
        )
    yield finding(
        "Result 8",
        severity_of(flat),
        ("rewards.effective.zero_spread_share", flat),
        f"{percent(flat)} of prompts give every completion the same reward{solved}: no advantage, nothing learned.",
    )


def phantom(result: dict[str, Any]) -> Iterator[Finding]:
    """Groups that only a shaping term ranks."""
    figures = result["normalisation"]
    phantom = figures["phantom_share"]
    if phantom is None or phantom["count"] == 0:
        return
    yield finding(
        "Result 8",
        severity_of(phantom),
        ("normalisation.phantom_share", phantom),
        f"Phantom advantages in {percent(phantom)} of prompts: every completion fails {figures['main_reward']} alike, "
        "and group normalisation blows the other terms up to full size.",
    )
