"""The verdict as cards: severity, figure with its interval, the finding in words, the statement behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.elements import Html, join, tag
from policycliff.report.format import interval, number, percent, percent_interval
from policycliff.report.sections.section import Section, statement_mark
from policycliff.report.summary import SEVERITIES, Result
from policycliff.report.text import one_line

_MARKS = {"critical": "✖", "warning": "▲", "note": "●", "good": "✔"}
_MINOR = ("note", "good")
_SHARE_ENDINGS = ("share", "shares", "probability_mean")
_SHARE_KEYS = ("pairs", "weights")


def verdict_section(result: Result) -> Section:
    """The findings in the order of the result."""
    meaning = "What the audit found: ties first, then by severity. Intervals are 95 % intervals over prompts."
    return Section("verdict", "Verdict", meaning, "", finding_cards(result["verdict"]))


def finding_cards(findings: Sequence[Mapping[str, Any]]) -> Html:
    """Findings as cards, with a count of each severity above them; a finding may have no figure."""
    return join(_tally(findings), tag("div", [_card(finding) for finding in findings], class_="cards"))


def is_share(key: str) -> bool:
    """Whether the figure under this key is a share or a probability, to be shown in percent.

    >>> is_share("rewards.effective.tied_share"), is_share("truth.all.exposure")
    (True, False)
    """
    return key in _SHARE_KEYS or key.endswith(_SHARE_ENDINGS)


def _tally(findings: Sequence[Mapping[str, Any]]) -> Html:
    found = [finding["severity"] for finding in findings]
    counted = [(severity, found.count(severity)) for severity in SEVERITIES if severity in found]
    return tag("p", [_chip(severity, _times(severity, times)) for severity, times in counted], class_="tally")


def _times(severity: str, times: int) -> str:
    plural = "s" if times > 1 and severity in ("warning", "note") else ""
    return f"{times} {severity}{plural}"


def _chip(severity: str, text: str) -> Html:
    return tag("span", tag("span", _MARKS[severity], aria_hidden="true"), f" {text}", class_=f"chip {severity}")


def _card(finding: Mapping[str, Any]) -> Html:
    severity = finding["severity"]
    head = tag("div", _chip(severity, severity), statement_mark(finding["statement"]), class_="card-head")
    return tag(
        "article",
        head,
        _value(finding["figure"]) if finding.get("figure") else None,
        tag("p", one_line(finding["text"])),
        class_=f"card {severity} minor" if severity in _MINOR else f"card {severity}",
    )


def _value(figure: Mapping[str, Any]) -> Html | None:
    value = figure.get("value")
    if value is None:
        return None
    share = is_share(figure["key"])
    shown = percent(value) if share else number(value)
    sure = f"{percent_interval(figure)} %" if share else interval(figure)
    return tag("div", shown, tag("span", sure, class_="sure"), class_="value")
