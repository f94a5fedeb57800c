"""The form of every answer: findings in plain words first, then tables, then all figures; JSON types throughout.

`docs/reference/answers-json.md` documents the keys. The terminal and the page are functions of it.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from policycliff.errors import InvalidInputError
from policycliff.rollouts.reading.load import LoadedRollouts

SCHEMA_VERSION = 1
Severity = Literal["critical", "warning", "note", "good"]
Kind = Literal["name", "text", "count", "number", "share", "mean"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question.

    Attributes:
        result: The whole answer as JSON types.
    """

    result: dict[str, Any]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """In plain words, the most severe first: `severity`, `statement`, `text`."""
        return self.result["findings"]

    def to_dict(self) -> dict[str, Any]:
        """The whole answer as JSON types."""
        return self.result

    def __repr__(self) -> str:
        lines = [self.result["title"], *(f"  [{item['severity']}] {item['text']}" for item in self.findings)]
        return "\n".join(lines)


def finding(severity: Severity, text: str, *, statement: str = "") -> dict[str, Any]:
    """A finding: one or two sentences with their figures.

    Args:
        severity: `critical`, `warning`, `note` or `good`.
        text: What was found, with numbers formatted by `policycliff.rollouts.analyses.findings.words`.
        statement: The statement behind it, such as "Prop 2.9"; empty for none.
    """
    return {"severity": severity, "statement": statement, "text": text}


def column(key: str, title: str, kind: Kind) -> dict[str, str]:
    """A column of an answer's table.

    Args:
        key: The key of its value in each row.
        title: Its heading.
        kind: `name` or `text`, `count` (an integer), `number`, `share` (0 to 1) or `mean`; a share or a mean may be a
            number or a figure {"value", "low", "high"}; every value may be None: not known.
    """
    return {"key": key, "title": title, "kind": kind}


def answer_table(
    key: str,
    title: str,
    columns: Sequence[Mapping[str, str]],
    rows: Sequence[Mapping[str, Any]],
    *,
    meaning: str,
    statement: str = "",
    plot: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A table of an answer.

    Args:
        key: Its name, unique in the answer, of lower-case letters and hyphens.
        title: Its heading.
        columns: Made by `column`; the first one names the rows.
        rows: Values by column key.
        meaning: One plain sentence on what it shows.
        statement: The statement behind it.
        plot: Made by `line_plot`, if the table is to be drawn as well.
    """
    keys = [item["key"] for item in columns]
    return {
        "key": key,
        "title": title,
        "meaning": meaning,
        "statement": statement,
        "columns": [dict(item) for item in columns],
        "rows": [{name: _plain(row[name]) for name in keys} for row in rows],
        "plot": None if plot is None else dict(plot),
    }


def line_plot(x: str, y: Sequence[str], *, x_title: str, y_title: str, log_x: bool = False) -> dict[str, Any]:
    """A plot of a table: column `x` against the columns `y`, a line each (figures get a band)."""
    return {"kind": "lines", "x": x, "y": list(y), "x_title": x_title, "y_title": y_title, "log_x": log_x}


def answer(
    question: str,
    title: str,
    *,
    tables: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Any],
    settings: Mapping[str, Any],
    limits: Sequence[str] = (),
) -> Answer:
    """Put an answer together; findings are sorted, the most severe first.

    Args:
        question: Name of the question, as the command has it.
        title: What was asked of what, on one line.
        tables: Made by `answer_table`.
        findings: Made by `finding`.
        figures: All figures of the question, under keys of its own.
        settings: What was asked, and of which table: begin with `settings_of`.
        limits: What the answer cannot know, a sentence each.
    """
    order = ("critical", "warning", "note", "good")
    packages = ("policycliff", "numpy", "polars", "scipy")
    return Answer(
        {
            "schema_version": SCHEMA_VERSION,
            "question": question,
            "title": title,
            "findings": sorted(map(dict, findings), key=lambda item: order.index(item["severity"])),
            "tables": [dict(item) for item in tables],
            "figures": _plain(dict(figures)),
            "limits": list(limits),
            "settings": _plain(dict(settings))
            | {"versions": {"python": platform.python_version()} | {name: version(name) for name in packages}},
        }
    )


def settings_of(loaded: LoadedRollouts) -> dict[str, Any]:
    """Settings of the table that an answer is about, with what was read and left out."""
    table = loaded.table
    return {
        **loaded.settings.to_dict(),
        "rewards": dict(loaded.rewards),
        "table": loaded.source,
        "format": loaded.format,
        "columns": loaded.columns,
        "notes": list(loaded.notes),
        "rows_read": loaded.rows_read,
        "prompts": table.n_groups,
        "completions": table.n_rows,
        "skipped": [{"reason": item.reason, "count": item.count, "unit": item.unit} for item in table.skipped],
    }


def require_rewards(loaded: LoadedRollouts, least: int, *, why: str) -> None:
    """Refuse a table with fewer reward columns than a question needs.

    Raises:
        InvalidInputError: Says which rewards there are and why more are needed.
    """
    names = [name for name, _ in loaded.rewards]
    if len(names) < least:
        raise InvalidInputError(
            f"{why} needs at least {least} reward columns; got {', '.join(names)}. Name them with --reward."
        )


def _plain(value: Any) -> Any:
    """A value as JSON types: NumPy's numbers and arrays as Python's, what is not finite as None."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
