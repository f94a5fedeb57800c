"""How a table was understood, beside its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policycliff.rollouts.reading.columns import Columns
from policycliff.rollouts.settings import AuditSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutTable:
    """What is known of a table of rollouts but its rows.

    Attributes:
        columns: For every role its column and whether it was given, guessed or absent, as JSON types.
        rewards: Reward columns with their weights.
        settings: What the audit is asked, completed by what the files' format fixes.
        source: What was read, for people.
        format: Name of the files' format, or `plain`.
        recognised_by: Why the files were taken for this format, empty where that was said.
        rows_read: Rows before anything was left out.
        column_notes: Decisions worth knowing, in plain words.
    """

    columns: dict[str, Any]
    rewards: tuple[tuple[str, float], ...]
    settings: AuditSettings
    source: str
    format: str
    recognised_by: str
    rows_read: int
    column_notes: tuple[str, ...]


def column_notes(columns: Columns) -> tuple[str, ...]:
    """What cannot be known without a column."""
    if columns.completion.column is not None or columns.behaviour.column is not None:
        return ()
    return ("no completion and no behaviour column: every row is its own behaviour, so repeats are not seen.",)


def size_notes(sizes: Mapping[int, int], columns: Mapping[str, Any]) -> tuple[str, ...]:
    """What the sizes of the groups suggest.

    >>> size_notes({4: 10, 8: 1}, {"group": {"column": None, "size": None}})[0][:51]
    '1 of 11 prompts have a multiple of 4 completions. I'

    Args:
        sizes: How many prompts have so many completions.
        columns: The columns' parts, as in `AboutTable`.
    """
    if columns["group"]["column"] is not None or columns["group"]["size"] is not None or not sizes:
        return ()
    usual = min(sizes, key=lambda size: (-sizes[size], size))
    repeated = sum(prompts for size, prompts in sizes.items() if size > usual)
    if usual <= 1 or not repeated or any(size % usual for size in sizes):
        return ()
    return (
        f"{repeated} of {sum(sizes.values())} prompts have a multiple of {usual} completions. If a prompt was drawn "
        f"several times in groups of {usual}, give group_size={usual} to keep these groups apart.",
    )
