"""Findings on how the figures move over training: the first quarter of the steps beside the last."""

from collections.abc import Iterator
from typing import Any

from policycliff.rollouts.analyses.findings.words import GRAVE, Finding, finding
from policycliff.rollouts.intervals import wilson

_WATCHED = (
    ("tied_share", "Prop 2.10", "Ties at the top"),
    ("zero_spread_share", "Prop 2.10", "Prompts without spread, which give no signal,"),
    ("noise_spread_share", "Result 8", "Prompts whose spread is no more than noise"),
)
_LEAST_PROMPTS = 20


def steps(result: dict[str, Any]) -> Iterator[Finding]:
    """Shares whose intervals in the first and the last quarter of the steps do not meet."""
    rows = result["steps"]
    if rows is None or len(rows) < 4:
        return
    quarter = max(1, len(rows) // 4)
    for key, statement, what in _WATCHED:
        if key not in rows[0]:
            continue
        early, late = _pooled(rows[:quarter], key), _pooled(rows[-quarter:], key)
        if min(early["total"], late["total"]) < _LEAST_PROMPTS:
            continue
        if early["low"] <= late["high"] and late["low"] <= early["high"]:
            continue
        rises = late["value"] > early["value"]
        severity = "warning" if rises and late["value"] > GRAVE else "note"
        text = (
            f"{what} {'grow' if rises else 'become fewer'} over training: {_percent(early)} of prompts in steps "
            f"{rows[0]['first']} to {rows[quarter - 1]['last']}, {_percent(late)} in {rows[-quarter]['first']} to "
            f"{rows[-1]['last']}."
        )
        yield finding(statement, severity, (f"steps.{len(rows) - 1}.{key}", rows[-1][key]), text)


def _pooled(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """A share over several rows, with Wilson's interval."""
    count, total = sum(row[key]["count"] for row in rows), sum(row[key]["total"] for row in rows)
    low, high = wilson(count, total)
    return {"value": count / total if total else 0.0, "low": low, "high": high, "total": total}


def _percent(share: dict[str, Any]) -> str:
    return f"{100 * share['value']:.3g} % ({100 * share['low']:.3g} to {100 * share['high']:.3g})"
