"""Findings against the truth: what ties cost, what they do not explain, and where optimisation turns (Prop 3.1)."""

from collections.abc import Iterator
from typing import Any

from policycliff.rollouts.analyses.findings.words import Finding, finding, number, severity_of


def price(result: dict[str, Any]) -> Iterator[Finding]:
    """What ties leave to chance in the truth, and what no tie-breaker reaches."""
    truth = result["truth"]
    if truth is None or not truth["prompts"]:
        return
    spread = truth["with_spread"]
    if spread["prompts"] == 0:
        return
    name = truth["column"]
    span = (truth["observed_range"][1] - truth["observed_range"][0]) or 1.0
    yield _exposure(name, spread, span)
    yield finding(
        "Prop 3.1",
        severity_of(_scaled(spread["unfixable"], span)),
        ("truth.with_spread.unfixable", spread["unfixable"]),
        f"No tie-breaker reaches another {number(spread['unfixable'])} of {name}: a better completion was sampled, "
        "and the reward ranks it lower (or the truth is wrong: read the prompts listed).",
    )


def _exposure(name: str, spread: dict[str, Any], span: float) -> Finding:
    exposure = spread["exposure"]
    low, high = spread["worst_truth"]["value"], spread["best_truth"]["value"]
    text = (
        f"Where the reward has spread, policies that are all optimal for it have a mean {name} from {low:.3g} to "
        f"{high:.3g}: {number(exposure)} is left to chance. The right tie-breaker gains "
        f"{number(spread['tie_breaker_gain'])} over picking at random."
    )
    if exposure["value"] == 0.0:
        text = f"Where the reward has spread, its ties cost nothing in {name} ({number(exposure)} left to chance)."
    severity = severity_of(_scaled(exposure, span))
    return finding("Prop 3.1", severity, ("truth.with_spread.exposure", exposure), text)


def _scaled(figure: dict[str, Any], span: float) -> dict[str, Any]:
    """A figure in units of the truth as a part of its observed range."""
    return {bound: None if figure[bound] is None else figure[bound] / span for bound in ("value", "low", "high")}


def _severity_of_picking(random: float, picked: dict[str, Any]) -> str:
    """Good or a warning only where the interval of the best of k lies on one side of a random completion."""
    if picked["low"] <= random <= picked["high"]:
        return "note"
    return "good" if picked["value"] > random else "warning"


def over_optimisation(result: dict[str, Any]) -> Iterator[Finding]:
    """Whether the best of k by the reward gets better or worse."""
    truth = result["truth"]
    if truth is None or not truth["prompts"] or len(truth["best_of_k"]["points"]) < 2:
        return
    points = truth["best_of_k"]["points"]
    peak = max(points, key=lambda point: point["truth"]["value"])
    first, last = points[0]["truth"], points[-1]["truth"]
    name, k = truth["column"], points[-1]["k"]
    lost = peak["truth"]["value"] - last["value"] > 0.1 * max(peak["truth"]["value"] - first["value"], 0.0) + 1e-12
    if lost and last["high"] < peak["truth"]["value"]:
        yield finding(
            "Sec 5.4",
            "warning",
            ("truth.best_of_k", last),
            f"More optimisation turns against the truth: the best of {peak['k']} by the reward has {name} "
            f"{peak['truth']['value']:.3g}, the best of {k} only {last['value']:.3g}.",
        )
        return
    yield finding(
        "Sec 5.4",
        _severity_of_picking(first["value"], last),
        ("truth.best_of_k", last),
        f"Picking the best of {k} by the reward moves {name} from {first['value']:.3g} (a random completion) to "
        f"{number(last)}; the best possible pick has {points[-1]['best_possible']['value']:.3g}.",
    )
