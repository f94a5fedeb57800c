"""Findings of the comparison of two tables, in plain words."""

from typing import Any

from policycliff.rollouts.analyses.findings.words import number
from policycliff.rollouts.questions.answer import Severity, finding
from policycliff.rollouts.questions.compare.removal_words import removal_findings, told_drivers
from policycliff.rollouts.questions.compare.reward_words import LEVEL, by_chance
from policycliff.rollouts.questions.compare.table_tables import TITLES

Figures = dict[str, Any]
_MOST_TOLD = 4
_MANY_SHARED = 0.5
_ORDER: tuple[Severity, ...] = ("critical", "warning", "note", "good")


def table_findings(figures: Figures) -> list[dict[str, Any]]:
    """The answer first, as severe as the gravest finding after it."""
    if figures["relation"] == "removal":
        return removal_findings(figures)
    rest = [item for item in (_truth(figures), _ties(figures), _narrower(figures)) if item is not None]
    facts = [item for item in (_shared(figures), _matching(figures), told_drivers(figures)) if item is not None]
    gravest = min(_ORDER.index(item["severity"]) for item in [*rest, *facts])
    return [finding(_ORDER[gravest], _main(figures)), *rest, *facts]


def table_limits(figures: Figures) -> list[str]:
    """What the comparison cannot know."""
    k = figures["common_size"]
    limits = [
        f"Every figure is one of groups of {k}; what larger groups would show, the smaller table does not say.",
        "Prompts count as independent draws. Prompts of one source or one topic are not, and intervals are then wider.",
    ]
    if figures["relation"] == "removal":
        limits.append(
            "A figure moved by removal says nothing about training on what is left: another policy, other completions."
        )
    elif figures["matching"]["by"] == "nothing":
        limits.append("No prompt matches, so a difference may be one of the prompts and not of the policies.")
    else:
        limits.append(
            "The paired test asks whether the two tables' completions of a prompt could be exchanged. One run of each "
            "training: another seed may differ by more."
        )
    if figures["overlap"]["texts"] is None:
        limits.append("Without completions nobody can tell whether rows of one table are in the other.")
    if figures["matching"]["repeated"]:
        limits.append(
            f"{figures['matching']['repeated']} groups share their key with another group of their table; they are "
            "matched in order and count as prompts of their own."
        )
    return [*limits, *figures["matching"]["notes"]]


def _main(figures: Figures) -> str:
    rows, found = figures["figures"], figures["matching"]
    moved = sorted((row for row in rows if row["p_holm"] < LEVEL), key=lambda row: -row["effect"])
    where = f"in groups of {figures['common_size']}"
    where += f", over {found['matched']} matched prompts" if found["by"] != "nothing" else ", with no prompt in common"
    if not moved:
        mean = _row(figures, "mean")
        return (
            f"No figure differs between A and B beyond chance ({where}; {len(rows)} figures, Holm): the mean reward is "
            f"{number(mean['a'])} in A and {number(mean['b'])} in B."
        )
    told = "; ".join(_change(row) for row in moved[:_MOST_TOLD])
    return f"From A to B {len(moved)} of {len(rows)} figures move beyond chance ({where}; Holm): {told}."


def _change(row: dict[str, Any]) -> str:
    change = row["change"]
    up = "up" if change["value"] > 0 else "down"
    return f"{TITLES[row['name']]} {up} by {number(_positive(change))} to {row['b']['value']:.3g}"


def _positive(change: dict[str, Any]) -> dict[str, Any]:
    """The size of a change with its interval."""
    if change["value"] >= 0:
        return change
    return {"value": -change["value"], "low": -change["high"], "high": -change["low"]}


def _truth(figures: Figures) -> dict[str, Any] | None:
    row = _row(figures, "truth_of_best")
    if row is None:
        return None
    best, text = _row(figures, "best"), f"The truth ({figures['truth']}) of the reward's choice "
    told = f"{number(row['a'])} in A and {number(row['b'])} in B ({by_chance(row['p_holm'])})"
    if row["p_holm"] >= LEVEL:
        return finding("note", f"{text}cannot be told apart: {told}.")
    if row["change"]["value"] > 0:
        return finding("good", f"{text}rises: {told}.")
    hacked = best["p_holm"] < LEVEL and best["change"]["value"] > 0
    return finding(
        "critical", f"{text}falls{' while the reward rises' if hacked else ''}: {told}.", statement="Prop 3.1"
    )


def _ties(figures: Figures) -> dict[str, Any]:
    row, flat = _row(figures, "tied"), _row(figures, "zero_spread")
    text = (
        f"A group of {figures['common_size']} has a tied best with probability {number(row['a'])} in A and "
        f"{number(row['b'])} in B ({by_chance(row['p_holm'])}), and no spread at all with {flat['a']['value']:.3g} and "
        f"{flat['b']['value']:.3g} ({by_chance(flat['p_holm'])})."
    )
    worse = any(item["p_holm"] < LEVEL and item["change"]["value"] > 0 for item in (row, flat))
    return finding("warning" if worse else "note", text, statement="Prop 2.9")


def _narrower(figures: Figures) -> dict[str, Any] | None:
    row = _row(figures, "behaviours")
    if row["p_holm"] >= LEVEL or row["change"]["value"] >= 0:
        return None
    text = f"B writes fewer different behaviours: {number(row['b'])} in a group, against {number(row['a'])} in A."
    return finding("warning", f"{text} What is not sampled cannot be chosen.")


def _shared(figures: Figures) -> dict[str, Any] | None:
    found = figures["overlap"]
    if found["texts"] == 1.0 and found["b_in_a"] < 1.0:
        return finding(
            "warning",
            "All completions of B are in A, but with other rewards: this compares two scorings of the same rows. "
            "Join them into one table and compare the two columns with --in.",
        )
    if found["b_in_a"] is None or found["b_in_a"] <= _MANY_SHARED:
        return None
    if found["b_in_a"] == 1.0 or found["a_in_b"] == 1.0:
        inner, outer = ("B", "A") if found["b_in_a"] == 1.0 else ("A", "B")
        return finding(
            "note",
            f"All rows of {inner} are in {outer} too, but completions repeat so often that this may be chance: the "
            "tables are taken for two samples.",
        )
    return finding(
        "note",
        f"{100 * found['b_in_a']:.3g} % of B's rows are in A too, with the same rewards: unless the policy repeats "
        "itself as often, the tables are not independent samples, and the tests take them to be.",
    )


def _matching(figures: Figures) -> dict[str, Any] | None:
    found = figures["matching"]
    if found["by"] == "nothing":
        return finding(
            "warning",
            "No prompt of A is in B, so nothing could be paired: intervals are unpaired bootstraps, and prompts were "
            "relabelled in the tests.",
        )
    alone = found["unmatched_a"] + found["unmatched_b"]
    if not alone:
        return None
    return finding(
        "note",
        f"{found['matched']} prompts are matched by {found['by']}; {found['unmatched_a']} of A and "
        f"{found['unmatched_b']} of B have no match and are in no difference.",
    )


def _row(figures: Figures, name: str) -> Any:
    return next((row for row in figures["figures"] if row["name"] == name), None)
