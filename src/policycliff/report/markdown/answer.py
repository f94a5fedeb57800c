"""The answer to a question as a comment: findings, tables, what it cannot know."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.answers.cells import cell_text
from policycliff.report.format import quantity
from policycliff.report.markdown.blocks import Block, assembled, findings, table, unfolded
from policycliff.report.markdown.escape import escaped

_MOST_ROWS, _LONGEST_CELL, _LONGEST_LINE = 15, 80, 400

Result = Mapping[str, Any]


def markdown_answer(result: Result) -> str:
    """The comment.

    Args:
        result: What `Answer.to_dict` gives, or the same read back from JSON.
    """
    versions = ", ".join(f"{name} {version}" for name, version in result["settings"]["versions"].items())
    limits = [escaped(item, _LONGEST_LINE) for item in result["limits"]]
    return assembled(
        [
            Block(f"### {escaped(result['title'], 200)}"),
            findings(result["findings"]),
            *map(_table, result["tables"]),
            unfolded("What this cannot know, and versions", [*limits, escaped(versions, _LONGEST_LINE)]),
        ]
    )


def _table(shown: Result) -> Block:
    columns = shown["columns"]
    rows = [
        [escaped(cell_text(row[item["key"]], item["kind"]), _LONGEST_CELL) for item in columns]
        for row in shown["rows"][:_MOST_ROWS]
    ]
    left = len(shown["rows"]) - len(rows)
    if left > 0:
        rows.append([f"and {quantity('more row', left)}", *[""] * (len(columns) - 1)])
    heading = f"**{escaped(shown['title'], 200)}** {escaped(shown['meaning'], _LONGEST_LINE)}"
    head = [escaped(item["title"], _LONGEST_CELL) for item in columns]
    return table(head, rows, words=[item["kind"] in {"name", "text"} for item in columns], heading=heading)
