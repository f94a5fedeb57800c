"""Which table of an answer shows what a finding says."""

import re
from collections.abc import Mapping
from typing import Any

from policycliff.report.answers.cells import MOST_ROWS, cell_text
from policycliff.report.statements import named

_NUMBER = re.compile(r"\d[\d.,]*\d|\d")


def evidence_table(finding: Mapping[str, Any], tables: list[Mapping[str, Any]]) -> str | None:
    """The key of the table that shows most of the finding's numbers, or else is about the same statement.

    >>> columns = [{"key": "share", "kind": "share"}]
    >>> tables = [{"key": key, "statement": "", "columns": columns, "rows": [{"share": share}]}
    ...           for key, share in (("tied", 0.25), ("lost", 0.375))]
    >>> evidence_table({"text": "37.5 % are lost.", "statement": ""}, tables)
    'lost'
    """
    numbers, statements = set(_NUMBER.findall(finding["text"])), set(named(finding["statement"]))
    scores = [(len(numbers & _shown(table)), bool(statements & set(named(table["statement"])))) for table in tables]
    best = max(scores, default=(0, False))
    return tables[scores.index(best)]["key"] if any(best) else None


def _shown(table: Mapping[str, Any]) -> set[str]:
    """The numbers in the cells that the page shows of a table."""
    rows, columns = table["rows"][:MOST_ROWS], table["columns"]
    cells = (cell_text(row[item["key"]], item["kind"]) for row in rows for item in columns)
    return {number for cell in cells for number in _NUMBER.findall(cell)}
