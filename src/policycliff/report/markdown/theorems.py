"""The statements, run, as a comment: a row each."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.markdown.blocks import Block, assembled, table
from policycliff.report.markdown.escape import escaped
from policycliff.report.theorems.terminal import example_text, summary, tally

_LONGEST_CELL = 200


def markdown_theorems(result: Mapping[str, Any]) -> str:
    """The comment.

    Args:
        result: What `TheoremReport.to_dict` gives, or the same read back from JSON.
    """
    head = ["statement", "says", "example: measured, claimed", "verdict", "over all instances"]
    rows = [[escaped(cell, _LONGEST_CELL) for cell in _row(row)] for row in result["statements"]]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return assembled(
        [
            Block("### The Policy Cliff, statement by statement"),
            Block(escaped(summary(result))),
            table(head, rows, words=[True] * len(head)),
            Block(f"<sub>{escaped(versions, _LONGEST_CELL)}</sub>"),
        ]
    )


def _row(row: Mapping[str, Any]) -> list[str]:
    verdict = row["verdict"] if row["example"] is None else row["example"]["verdict"]
    return [row["number"], row["title"], example_text(row["example"]), verdict, tally(row["counts"])]
