"""The verdict on an MDP as a comment."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.markdown.blocks import MARKS, Block, assembled, bullets, unfolded
from policycliff.report.markdown.escape import code, escaped
from policycliff.report.mdp.terminal import summary

_LONGEST_LINE = 1_000


def markdown_mdp(result: Mapping[str, Any]) -> str:
    """The comment.

    Args:
        result: What `MDPAnalysis.to_dict` gives, or the same read back from JSON.
    """
    notes = [*result["source"]["notes"], f"policycliff {result['policycliff']}"]
    advice = [escaped(line, _LONGEST_LINE) for line in result["advice"]]
    return assembled(
        [
            Block(f"### MDP analysis of {code(result['source']['name'], 80)}"),
            Block(escaped(summary(result), _LONGEST_LINE)),
            Block("", tuple(map(_finding, result["verdict"]))),
            *([bullets(advice, heading="What to do")] if advice else []),
            unfolded("The model, and the version", [escaped(note, _LONGEST_LINE) for note in notes]),
        ]
    )


def _finding(finding: Mapping[str, Any]) -> str:
    level, statement = finding["level"], finding["statement"]
    behind = f" <sub>{escaped(statement, 120)}</sub>" if statement else ""
    told = f"{finding['title']}: {finding['value']}. {finding['text']}"
    return f"- {MARKS[level]} **{level}** {escaped(told, _LONGEST_LINE)}{behind}"
