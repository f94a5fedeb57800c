"""The verdict on an MDP in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from policycliff.report.format import count, number
from policycliff.report.text import one_line

STYLES = {"critical": "bold red", "warning": "yellow", "note": "cyan", "good": "green"}
Result = Mapping[str, Any]


def print_mdp(result: Result, console: Console) -> None:
    """Print the verdict, the advice and what the model leaves out.

    Args:
        result: what `MDPAnalysis.to_dict` gives, or the same read back from JSON.
        console: where to print.
    """
    console.print(Text(one_line(result["source"]["name"]), style="bold"))
    console.print(Text(summary(result), style="dim"))
    for finding in result["verdict"]:
        head = Text.assemble((f"{finding['level']:<9}", STYLES[finding["level"]]), (f"{finding['title']}: ", "bold"))
        console.print(head.append(finding["value"]))
        console.print(Padding(Text(one_line(finding["text"])), (0, 0, 0, 9)))
    if result["advice"]:
        console.print(Text("What to do", style="bold"))
    for position, line in enumerate(result["advice"], 1):
        console.print(Padding(Text(f"{position}. {one_line(line)}"), (0, 0, 0, 2)))
    for note in result["source"]["notes"]:
        console.print(Text(f"Note: {one_line(note)}", style="dim"))


def summary(result: Result) -> str:
    """Sizes, discount and rewards in one line."""
    source, counts = result["source"], result["counts"]
    several = len(source["reward_names"]) > 1
    rewards = ", ".join(
        f"{one_line(name)} {number(weight)}" if several else one_line(name)
        for name, weight in zip(source["reward_names"], source["weights"], strict=True)
    )
    return (
        f"{count(source['n_states'])} states ({count(counts['terminal'])} terminal), {count(source['n_pairs'])} pairs, "
        f"gamma {source['gamma']:g}; {'weights' if several else 'reward'}: {rewards}; optimal action unique in "
        f"{count(counts['unique'])} states, tied in {count(counts['tied'])}, undecided in {count(counts['unresolved'])}"
    )
