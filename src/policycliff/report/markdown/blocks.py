"""Blocks of a Markdown comment: lists, tables, parts to unfold; cut line by line where a comment would be too long."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from policycliff.report.format import quantity
from policycliff.report.markdown.escape import escaped

LIMIT = 65_000
"""Characters; GitHub takes 65,536."""

MARKS = {"critical": "🔴", "warning": "🟠", "note": "🔵", "good": "🟢"}
_ROOM = 120  # for the line that says what was cut
_LONGEST_SENTENCE = 1_000


class Block(NamedTuple):
    """A block of lines; of its items as many are shown as there is room for, and none of it where there is none."""

    head: str
    items: tuple[str, ...] = ()
    tail: str = ""


def findings(found: Sequence[Mapping[str, Any]]) -> Block:
    """The verdict as a list: severity as a mark and as a word, the sentence, the statement behind it."""
    return Block("", tuple(map(_finding, found)))


def _finding(finding: Mapping[str, Any]) -> str:
    severity, statement = finding["severity"], finding["statement"]
    behind = f" <sub>{escaped(statement, 120)}</sub>" if statement else ""
    return f"- {MARKS[severity]} **{severity}** {escaped(finding['text'], _LONGEST_SENTENCE)}{behind}"


def bullets(lines: Iterable[str], *, heading: str = "") -> Block:
    """A list of lines that are Markdown already."""
    return Block(f"**{heading}**\n" if heading else "", tuple(f"- {line}" for line in lines))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Sequence[bool], heading: str = "") -> Block:
    """A table of cells that are Markdown already.

    Args:
        head: Headings.
        rows: Cells.
        words: For each column whether it holds words, set to the left; numbers are set to the right.
        heading: What stands above it.
    """
    rule = ["---" if left else "---:" for left in words]
    top = f"{heading}\n\n{_row(head)}\n{_row(rule)}" if heading else f"{_row(head)}\n{_row(rule)}"
    return Block(top, tuple(map(_row, rows)))


def unfolded(summary: str, lines: Iterable[str]) -> Block:
    """A list that is shown when its summary is clicked."""
    items = tuple(f"- {line}" for line in lines)
    return Block(f"<details><summary>{escaped(summary)}</summary>\n", items, "\n</details>")


def assembled(blocks: Iterable[Block], limit: int = LIMIT) -> str:
    """The comment; what does not fit is left out from the end of its block, and counted."""
    text, cut = "", 0
    for block in blocks:
        items = _that_fit(block, limit - _ROOM - len(text) - 2)
        if items is None:
            cut += 1 + len(block.items)
            continue
        cut += len(block.items) - len(items)
        text += _joined(block._replace(items=items)) + "\n\n"
    if cut:
        text += f"<sub>{quantity('line', cut)} left out: a comment has no more room. The HTML report has all.</sub>\n"
    return text.rstrip("\n") + "\n"


def _that_fit(block: Block, room: int) -> tuple[str, ...] | None:
    """The first items for which there is room; None where there is none for the rest of the block."""
    used = len(block.head) + len(block.tail) + 2
    for position, item in enumerate(block.items):
        used += len(item) + 1
        if used > room:
            return block.items[:position] or None
    return block.items if used <= room else None


def _joined(block: Block) -> str:
    return "\n".join(part for part in (block.head, *block.items, block.tail) if part)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
