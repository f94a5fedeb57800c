"""The verdict of an MDP as cards, and what to do."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.elements import join, tag
from policycliff.report.sections.section import Section
from policycliff.report.sections.verdict import finding_cards, named_by
from policycliff.report.text import one_line

# Sections by how the titles of findings begin; all others are about states.
_EVIDENCE = {"Distance of the weights": "rewards", "What ties decide": "rewards", "Cells of the weights": "phases"}


def verdict_section(result: Mapping[str, Any], titles: Mapping[str, str]) -> Section:
    """The findings, then the advice; `titles` are those of the page's other sections, by key."""
    findings = [{**item, "severity": item["level"]} for item in result["verdict"]]
    cards = finding_cards(findings, titles, lambda finding: _evidence(finding["title"], titles))
    steps = tag("ol", [tag("li", one_line(line)) for line in result["advice"]])
    body = join(cards, [tag("h3", "What to do"), steps] if result["advice"] else None)
    meaning = "Where the optimum is tied, how near the cliff is, what overtakes."
    return Section("verdict", "Verdict", meaning, "", body, named=named_by(findings))


def _evidence(title: str, titles: Mapping[str, str]) -> str:
    """The section that shows what the finding of this title rests on; without states in the result, the model."""
    found = next((key for start, key in _EVIDENCE.items() if title.startswith(start)), "states")
    return found if found in titles else "methods"
