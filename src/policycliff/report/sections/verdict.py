"""The verdict as cards: severity, figure with its interval, the finding in words, its evidence and its statement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from policycliff.report.elements import Html, join, tag
from policycliff.report.format import interval, number, percent, percent_interval
from policycliff.report.sections.section import Section, statement_mark
from policycliff.report.summary import SEVERITIES, Result
from policycliff.report.text import one_line

Finding = Mapping[str, Any]

_MARKS = {"critical": "✖", "warning": "▲", "note": "●", "good": "✔"}
_MINOR = ("note", "good")
_SHARE_ENDINGS = ("share", "shares", "probability_mean")
_SHARE_KEYS = ("pairs", "weights")

# Sections by the first part of a figure's key, and for figures of one reward by the last part.
_EVIDENCE = {
    "truth": "price",
    "weights": "weights",
    "pairs": "pairs",
    "mixed_sources_share": "pairs",
    "advice": "advice",
    "normalisation": "normalisation",
    "steps": "steps",
    "tied_share": "ties",
    "consequential_share": "ties",
    "zero_spread_share": "ties",
    "flip_probability_mean": "cliff",
    "flip_shares": "cliff",
    "sigma": "cliff",
}


def verdict_section(result: Result, titles: Mapping[str, str]) -> Section:
    """The findings in the order of the result; `titles` are those of the page's other sections, by key."""
    meaning = "What the audit found: ties first, then by severity. Intervals are 95 % intervals over prompts."
    findings = result["verdict"]
    body = finding_cards(findings, titles, lambda finding: _evidence(finding["figure"]["key"], titles))
    return Section("verdict", "Verdict", meaning, "", body, named=named_by(findings))


def named_by(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The statements that cards of these findings name."""
    return tuple(finding["statement"] for finding in findings)


def finding_cards(
    findings: Sequence[Finding], titles: Mapping[str, str], evidence: Callable[[Finding], str | None]
) -> Html:
    """Findings as cards, with a count of each severity above them.

    Args:
        findings: With severity, statement and text; a figure, or a title and a value in words, where there are some.
        titles: Titles of the page's sections by key.
        evidence: The key of the section that shows what a finding rests on; None where it has none of its own.
    """
    cards = [_card(finding, _evidence_link(evidence(finding), titles)) for finding in findings]
    return join(_tally(findings), tag("div", cards, class_="cards"))


def is_share(key: str) -> bool:
    """Whether the figure under this key is a share or a probability, to be shown in percent.

    >>> is_share("rewards.effective.tied_share"), is_share("truth.all.exposure")
    (True, False)
    """
    return key in _SHARE_KEYS or key.endswith(_SHARE_ENDINGS)


def _evidence(key: str, titles: Mapping[str, str]) -> str:
    """The section that shows the figure; the limits say the rest."""
    parts = key.split(".")
    found = _EVIDENCE.get(parts[-1] if parts[0] == "rewards" else parts[0], "limits")
    return found if found in titles else "limits"


def _evidence_link(section: str | None, titles: Mapping[str, str]) -> Html | None:
    if section is None:
        return None
    return tag("p", "Evidence: ", tag("a", titles[section], href=f"#{section}"), class_="evidence")


def _tally(findings: Sequence[Finding]) -> Html:
    found = [finding["severity"] for finding in findings]
    counted = [(severity, found.count(severity)) for severity in SEVERITIES if severity in found]
    return tag("p", [_chip(severity, _times(severity, times)) for severity, times in counted], class_="tally")


def _times(severity: str, times: int) -> str:
    plural = "s" if times > 1 and severity in ("warning", "note") else ""
    return f"{times} {severity}{plural}"


def _chip(severity: str, text: str) -> Html:
    return tag("span", tag("span", _MARKS[severity], aria_hidden="true"), f" {text}", class_=f"chip {severity}")


def _card(finding: Finding, link: Html | None) -> Html:
    severity = finding["severity"]
    return tag(
        "article",
        tag("div", _chip(severity, severity), statement_mark(finding["statement"]), class_="card-head"),
        _value(finding),
        tag("p", tag("b", one_line(finding["title"]))) if finding.get("title") else None,
        tag("p", one_line(finding["text"])),
        link,
        class_=f"card {severity} minor" if severity in _MINOR else f"card {severity}",
    )


def _value(finding: Finding) -> Html | None:
    if "value" in finding:
        return tag("div", one_line(finding["value"]), class_="value")
    figure = finding.get("figure")
    if not figure or figure.get("value") is None:
        return None
    share = is_share(figure["key"])
    shown = percent(figure["value"]) if share else number(figure["value"])
    sure = f"{percent_interval(figure)} %" if share else interval(figure)
    return tag("div", shown, tag("span", sure, class_="sure"), class_="value")
