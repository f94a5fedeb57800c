"""How findings are worded: figures with their intervals, and severities.

`critical`: training will pick, or has picked, something at random or wrong. `warning`, `note` (a fact, or what the data
cannot say) and `good`. The thresholds on shares are conventions, stated here once: above `GRAVE` a finding is critical,
above `NOTABLE` a warning.
"""

from typing import Any

GRAVE = 0.2
NOTABLE = 0.05

Finding = dict[str, Any]


def finding(statement: str, severity: str, figure: tuple[str, dict[str, Any] | None], text: str) -> Finding:
    """A finding: the statement behind it, its severity, the key and value of its figure, and the sentence."""
    key, value = figure
    shown = {"key": key}
    if value is not None:
        shown |= {bound: value[bound] for bound in ("value", "low", "high")}
    return {"statement": statement, "severity": severity, "figure": shown, "text": text}


def severity_of(figure: dict[str, Any]) -> str:
    """By the value; a small value whose interval reaches a notable one is a note, not a good sign."""
    value, high = figure["value"], figure["high"]
    if value is None:
        return "note"
    if value > GRAVE:
        return "critical"
    if value > NOTABLE:
        return "warning"
    return "note" if high is not None and high > NOTABLE else "good"


def percent(share: dict[str, Any], *, short: bool = False) -> str:
    """A share in per cent, with its interval unless `short`."""
    if share["value"] is None:
        return "an unknown share"
    value = "under 0.0001 %" if 0.0 < share["value"] < 1e-6 else f"{100 * share['value']:.3g} %"
    return value if short else f"{value} ({100 * share['low']:.3g} to {100 * share['high']:.3g})"


def number(mean: dict[str, Any]) -> str:
    """A mean with its interval."""
    if mean["value"] is None:
        return "an unknown amount"
    return f"{mean['value']:.3g} ({mean['low']:.3g} to {mean['high']:.3g})"


def is_one_column(result: dict[str, Any]) -> bool:
    """Whether the effective reward is a single column, so that its figures are that column's."""
    return len(result["weights"]) == 1


def only_column(result: dict[str, Any]) -> dict[str, Any]:
    """Figures of that column."""
    return result["rewards"][result["weights"][0]["name"]]
