"""The statements in a terminal: a row each, claimed beside measured, and what contradicts them."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policycliff.report.format import count, number
from policycliff.report.text import one_line

STYLES = {
    "holds": "green",
    "fails": "bold red",
    "unresolved": "yellow",
    "hypothesis not met": "dim",
    "not measured": "dim",
}
_SIGNS = {"<=": "≤", ">=": "≥", "=": "="}
Result = Mapping[str, Any]


def print_theorems(result: Result, console: Console, *, details: bool = False) -> None:
    """Print the report of `theorems`.

    Args:
        result: what `TheoremReport.to_dict` gives, or the same read back from JSON.
        console: where to print.
        details: every claim and hypothesis of each example, too.
    """
    console.print(_table(result))
    console.print(Text(summary(result)))
    for row in result["statements"]:
        if details:
            _print_details(row, console)
        for failure in row["failures"]:
            console.print(Text(f"{row['number']} fails on {one_line(failure['instance'])}:", style="bold red"))
            _print_claims(failure, console)


def summary(result: Result) -> str:
    """How many statements ran, on what, and how many outcomes contradict them."""
    statements, failed = result["statements"], result["n_failed"]
    own = result["mdp"] is not None
    where = "your MDP" if own else "the built-in instances"
    more = f" and {count(result['settings']['instances'])} random ones" if result["settings"]["instances"] else ""
    wrong = "none is contradicted" if failed == 0 else f"{count(failed)} outcomes contradict them"
    return f"{len(statements)} statements on {where}{more} (seed {result['settings']['seed']}): {wrong}."


def comparison(claim: Mapping[str, Any]) -> str:
    """Measured, its relation to the claimed value, claimed.

    >>> comparison({"measured": 0.5, "relation": "<=", "claimed": 1.0})
    '0.5 ≤ 1'
    """
    return f"{number(claim['measured'])} {_SIGNS[claim['relation']]} {number(claim['claimed'])}"


def tally(counts: Mapping[str, int]) -> str:
    """Verdicts with their numbers, those that occur.

    >>> tally({"holds": 7, "fails": 0, "hypothesis not met": 2})
    '7 holds, 2 hypothesis not met'
    """
    return ", ".join(f"{count(value)} {name}" for name, value in counts.items() if value)


def _table(result: Result) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("statement", no_wrap=True)
    table.add_column("says", ratio=2, overflow="fold")
    table.add_column("example: measured, claimed", ratio=1, overflow="fold")
    table.add_column("verdict", no_wrap=True)
    several = result["settings"]["instances"] > 0 or result["mdp"] is None
    if several:
        table.add_column("over all instances", ratio=1, overflow="fold")
    for row in result["statements"]:
        example = row["example"]
        verdict = row["verdict"] if example is None else example["verdict"]
        cells = [
            Text(row["number"]),
            Text(row["title"]),
            Text(example_text(example)),
            Text(verdict, style=STYLES[verdict]),
        ]
        table.add_row(*cells, *([Text(tally(row["counts"]))] if several else []))
    return table


def example_text(example: Mapping[str, Any] | None) -> str:
    """What was measured on the example, beside what is claimed, or why nothing was."""
    if example is None:
        return ""
    if example["verdict"] in {"hypothesis not met", "not measured"} or not example["claims"]:
        return one_line(example["why"] or "")
    return comparison(example["claims"][0])


def _print_details(row: Mapping[str, Any], console: Console) -> None:
    console.print()
    console.print(Text.assemble((f"{row['number']}  {row['title']}", "bold")))
    console.print(Padding(Text(row["says"]), (0, 0, 0, 2)))
    if row["example"] is not None:
        console.print(Padding(Text(f"on {one_line(row['example']['instance'])}:"), (0, 0, 0, 2)))
        _print_claims(row["example"], console)


def _print_claims(example: Mapping[str, Any], console: Console) -> None:
    words = {True: "met", False: "not met", None: "cannot be decided"}
    for item in example["hypotheses"]:
        console.print(Padding(Text(f"hypothesis {words[item['holds']]}: {one_line(item['text'])}"), (0, 0, 0, 4)))
    for claim in example["claims"]:
        line = f"{claim['verdict']}: {claim['text']}: measured, claimed: {comparison(claim)}"
        console.print(Padding(Text(one_line(line), style=STYLES[claim["verdict"]]), (0, 0, 0, 4)))
