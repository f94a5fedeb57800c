"""An answer as one self-contained page."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.answers.cells import MOST_ROWS, cell_text
from policycliff.report.answers.evidence import evidence_table
from policycliff.report.answers.plots import lines_plot
from policycliff.report.cells import name_cell
from policycliff.report.elements import Html, details, join, table, tag
from policycliff.report.page import assemble_page
from policycliff.report.sections.section import Section, plot_box
from policycliff.report.sections.verdict import finding_cards, named_by
from policycliff.report.text import one_line

Result = Mapping[str, Any]


def render_answer(result: Result) -> str:
    """The page, a pure function of what `Answer.to_dict` gives."""
    name = one_line(result["title"])
    header = tag("header", tag("p", one_line(result["question"]), class_="overline"), tag("h1", name_cell(name)))
    evidence = [*map(_section, result["tables"]), _limits(result)]
    return assemble_page(title=name, header=header, sections=[_findings(result, evidence), *evidence])


def _findings(result: Result, evidence: Sequence[Section]) -> Section:
    titles = {section.key: section.title for section in evidence}
    body = finding_cards(result["findings"], titles, lambda finding: evidence_table(finding, result["tables"]))
    meaning = "What was found, the most severe first."
    return Section("findings", "Findings", meaning, "", body, named=named_by(result["findings"]))


def _section(table: Result) -> Section:
    drawn = None if table["plot"] is None or len(table["rows"]) < 2 else lines_plot(table)
    box = plot_box(table["key"], table["title"], drawn, label=table["meaning"])
    body = join(box, _table(table))
    plots = {} if drawn is None else {table["key"]: drawn}
    return Section(table["key"], one_line(table["title"]), one_line(table["meaning"]), table["statement"], body, plots)


def _table(shown: Result) -> Html:
    rows = [[cell_text(row[item["key"]], item["kind"]) for item in shown["columns"]] for row in shown["rows"]]
    left = len(rows) - MOST_ROWS
    caption = f"And {left} more rows, in the JSON result." if left > 0 else None
    head = [one_line(item["title"]) for item in shown["columns"]]
    return table(head, rows[:MOST_ROWS], caption=caption, label=one_line(shown["title"]))


def _limits(result: Result) -> Section:
    settings = {key: value for key, value in result["settings"].items() if key not in {"versions", "columns"}}
    rows = [[one_line(name), one_line(json.dumps(value, ensure_ascii=False))] for name, value in settings.items()]
    rows += [[one_line(name), one_line(str(value))] for name, value in result["settings"]["versions"].items()]
    body = join(
        tag("ul", [tag("li", one_line(item)) for item in result["limits"]]),
        details("Settings and versions", table(["setting", "value"], rows, label="Settings and versions")),
    )
    meaning = "Every figure above is about the completions in the table; this is where that stops."
    return Section("limits", "What this cannot know", meaning, "", body)
