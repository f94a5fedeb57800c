"""What the terminal and the page both say of a result: its title, what was counted, recognised and left out."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from policycliff.report.format import count, number, quantity
from policycliff.rollouts.settings import EFFECTIVE

Result = Mapping[str, Any]

SEVERITIES = ("critical", "warning", "note", "good")

MISSING_RULES = {"omit": "left out of figures that need them", "zero": "counted as 0", "error": "refused"}

_ROLES = ("prompt", "group", "step", "completion", "source", "behaviour", "truth")


def title(result: Result) -> str:
    """Name of the table: the last part of its path, or what it is."""
    table = str(result["settings"]["table"])
    return PurePath(table).name or table


def counts_line(result: Result) -> str:
    """Prompts, completions and behaviours in one line."""
    counts = result["counts"]
    sizes = counts["group_sizes"]
    low, high = count(sizes["min"]), count(sizes["max"])
    size = f"{low} a prompt" if low == high else f"{low} to {high} a prompt, median {number(sizes['median'])}"
    prompts, completions = quantity("prompt", counts["prompts"]), quantity("completion", counts["completions"])
    return f"{prompts} · {completions} ({size}) · {count(counts['behaviours'])} distinct behaviours"


def shown_rewards(result: Result) -> dict[str, Mapping[str, Any]]:
    """Rewards to show: all, but the effective reward where it is nothing but one column of weight 1."""
    rewards = dict(result["rewards"])
    parts = [figures for name, figures in rewards.items() if name != EFFECTIVE and figures["weight"] != 0]
    same = len(parts) == 1 and parts[0]["weight"] == 1 and parts[0]["completions"] == rewards[EFFECTIVE]["completions"]
    if same:
        del rewards[EFFECTIVE]
    return rewards


def main_figures(result: Result) -> Mapping[str, Any]:
    """Figures of the reward that is trained on."""
    figures: Mapping[str, Any] = result["rewards"][EFFECTIVE]
    return figures


def reward_formula(result: Result) -> str:
    """The effective reward as the sum that it is, without the columns of weight 0.

    >>> reward_formula({"settings": {"rewards": {"passes": 1.0, "style": -0.5, "speed": 0.0}}})
    'passes − 0.5 × style'
    """
    formula = ""
    for name, weight in result["settings"]["rewards"].items():
        if weight == 0:
            continue
        sign = ("−" if weight < 0 else "") if not formula else (" − " if weight < 0 else " + ")
        factor = "" if abs(weight) == 1 else f"{number(abs(weight))} × "
        formula += f"{sign}{factor}{name}"
    return formula


def watched(result: Result) -> list[str]:
    """Rewards of weight 0: compared, but not trained on."""
    return [name for name, weight in result["settings"]["rewards"].items() if weight == 0]


def recognised_columns(result: Result) -> Iterator[tuple[str, str, str]]:
    """Role, column and origin ("given", "format", "guessed") of every column that plays a part."""
    columns = result["settings"]["columns"]
    for role in _ROLES:
        if columns[role]["column"] is not None:
            yield role, columns[role]["column"], columns[role]["origin"]
    if columns["group"].get("size"):
        yield "group", f"blocks of {count(columns['group']['size'])}", columns["group"]["size_origin"]
    for reward in columns["rewards"]:
        yield "reward", reward["column"], reward["origin"]
    for rerun in columns["reruns"]:
        yield f"second score of {rerun['reward']}", rerun["column"], rerun["origin"]


def left_out(result: Result) -> Iterator[str]:
    """What was skipped or cannot be used, with its number and reason."""
    counts = result["counts"]
    for item in counts["skipped"]:
        unit = item["unit"] if item["count"] != 1 else item["unit"].rstrip("s")
        yield f"{count(item['count'])} {unit}: {item['reason']}"
    for name, bad in counts["unusable_scores"].items():
        parts = [f"{count(bad[kind])} {kind}" for kind in ("missing", "nan", "infinite") if bad[kind]]
        if parts:
            rule = MISSING_RULES[result["settings"]["missing"]]
            yield f"{name}: {', '.join(parts)} scores ({rule})"
    if counts["duplicate_rows"]:
        rows = counts["duplicate_rows"]
        yield f"{quantity('row', rows)} {'repeats' if rows == 1 else 'repeat'} another row whole"
    if counts["single_completion_prompts"]:
        yield f"{quantity('prompt', counts['single_completion_prompts'])} with a single completion: no ties to see"
    if counts["single_behaviour_prompts"]:
        yield f"{quantity('prompt', counts['single_behaviour_prompts'])} with a single distinct behaviour"
    yield from result["settings"].get("notes", ())
