"""The findings in plain words. The thresholds are conventions, stated here once."""

from collections.abc import Mapping
from typing import Any, cast

from policycliff.report.format import count, number, percent, quantity, share_text
from policycliff.rollouts.analyses.findings.words import GRAVE, severity_of
from policycliff.rollouts.questions.answer import Severity, finding
from policycliff.rollouts.questions.estimators.logged_words import logged_findings

Figures = Mapping[str, Any]
Finding = dict[str, Any]

NOISY, HALF_NOISE = 0.2, 0.5
"""Change under one more error of the scorer, in typical advantages: above the first a warning, the second critical."""
MINOR = 0.2
"""A main reward with less of the signal than this is critical, with less than half a warning."""
EXPLODES = 20.0
"""An advantage of this many typical ones, or a gain of this many median ones, is an explosion."""
_LISTED = 4
_COMPARED = ("dr_grpo", "batch", "gdpo", "reinforce_pp")


def findings_of(figures: Figures) -> list[Finding]:
    """All findings; `answer` sorts them by severity."""
    found = [_headline(figures), _near(figures), _shaping(figures), _components(figures), _noise(figures)]
    found += [*_explosions(figures), _tied(figures), _collapse(figures), _signs(figures), *logged_findings(figures)]
    return [item for item in found if item is not None]


def _severity(share: Mapping[str, Any]) -> Severity:
    return cast("Severity", severity_of(dict(share)))


def _others(figures: Figures, value: str) -> str:
    """The figure of the estimators that GRPO is compared with."""
    items = figures["estimators"]
    return ", ".join(f"{items[key]['title']} {percent(items[key]['signal'][value]['value'])}" for key in _COMPARED)


def _headline(figures: Figures) -> Finding | None:
    """Where the signal comes from: the half of the groups with the least spread, under each estimator."""
    items = figures["estimators"]
    if items["grpo"]["rms"] == 0.0:
        return None
    half = next(row for row in figures["curve"] if row["groups"] == 0.5)
    others = ", ".join(f"{percent(half[key])} of {items[key]['title']}'s" for key in _COMPARED)
    text = (
        f"In this table, the half of the groups with the least spread hold {percent(half['grpo'])} of GRPO's signal "
        f"(squared advantage), {others}."
    )
    return finding("note", text)


def _near(figures: Figures) -> Finding | None:
    groups, grpo = figures["groups"], figures["estimators"]["grpo"]
    threshold = groups["near_threshold"]
    reach = f"a standard deviation of at most {number(threshold['value'])}, {threshold['origin']}"
    if groups["tied"]["count"] == groups["total"]:
        return finding(
            "critical", "All groups are tied: every estimator that compares within groups has no signal at all."
        )
    if not groups["near"]["count"]:
        return finding("good", f"No group is nearly tied ({reach}).", statement="Result 8")
    share = grpo["signal"]["near"]
    text = (
        f"GRPO takes {share_text(share)} of its signal (squared advantage) from the {count(groups['near']['count'])} "
        f"of {quantity('group', groups['total'])} that are nearly tied ({reach}). {_others(figures, 'near')}."
    )
    return finding(_severity(share), text, statement="Result 8")


def _shaping(figures: Figures) -> Finding | None:
    groups, grpo = figures["groups"], figures["estimators"]["grpo"]
    if groups["shaping"] is None or grpo["rms"] == 0.0:
        return None
    main, shaping, share = groups["main_reward"], groups["shaping"]["count"], grpo["signal"]["shaping"]
    if not shaping:
        return finding("good", f"No group with one and the same {main} throughout is ranked by the other rewards.")
    text = (
        f"{count(shaping)} of {quantity('group', groups['total'])} have one and the same {main} throughout and are "
        f"ranked by the other rewards alone; {count(groups['phantom']['count'])} of them fail it (phantom advantages). "
        f"They hold {share_text(share)} of GRPO's signal. {_others(figures, 'shaping')}."
    )
    return finding(_severity(share), text, statement="Result 8")


def _noise(figures: Figures) -> Finding | None:
    grpo, dr_grpo = figures["estimators"]["grpo"], figures["estimators"]["dr_grpo"]
    if grpo["noise"] is None or grpo["noise"]["overall"]["value"] is None:
        return None
    severity: Severity
    change, plain = grpo["noise"]["overall"], dr_grpo["noise"]["overall"]
    severity = "critical" if change["value"] > HALF_NOISE else "warning" if change["value"] > NOISY else "note"
    text = (
        f"One more error of the scorer's size changes GRPO's advantages by {share_text(change)} of their typical size, "
        f"those of Dr. GRPO by {share_text(plain)}."
    )
    if grpo["noise"]["tied"]["value"] is not None:
        text += (
            f" A tied group would get {share_text(grpo['noise']['tied'])} of a typical advantage from noise alone, "
            f"under Dr. GRPO {share_text(dr_grpo['noise']['tied'])}."
        )
    return finding(severity, text)


def _explosions(figures: Figures) -> list[Finding]:
    found = []
    for item in figures["estimators"].values():
        times, gain = item["largest_in_rms"], item["gain"]["ratio"]
        if times is not None and times >= EXPLODES:
            text = (
                f"{item['title']}: the largest advantage is {number(item['largest'])}, {number(times)} typical ones, "
                f"in group {item['largest_group']}."
            )
            found.append(finding("warning", text))
        elif gain is not None and gain >= EXPLODES:
            text = (
                f"{item['title']}: a reward error counts {number(gain)} times as much in group {item['gain']['group']} "
                f"(gain {number(item['gain']['largest'])}) as in the median group."
            )
            found.append(finding("warning" if item["title"] == "GRPO" else "note", text))
    return found


def _tied(figures: Figures) -> Finding | None:
    groups, items = figures["groups"], figures["estimators"]
    tied = groups["tied"]
    if not tied["count"]:
        return finding("good", "No group is tied, so every estimator has a signal in every group.")
    plain = items["reinforce_pp"]
    text = (
        f"{count(tied['count'])} of {quantity('group', groups['total'])} are tied ({share_text(tied)}). REINFORCE++ "
        f"without a group baseline pushes {count(plain['tied_pushed']['count'])} of them as a whole, up or down "
        f"({percent(plain['signal']['tied']['value'])} of its signal)"
    )
    split = items["gdpo"]["tied_pushed"]["count"]
    text += f"; GDPO ranks {count(split)} of them, whose rewards differ and cancel" if split else ""
    return finding("note", text + "; the others leave them alone.")


def _components(figures: Figures) -> Finding | None:
    main = figures["groups"]["main_reward"]
    if figures["estimators"]["grpo"]["components"] is None or main not in figures["weights"]:
        return None
    shares = {key: figures["estimators"][key]["components"][main] for key in ("grpo", "gdpo")}
    if shares["grpo"]["value"] is None:
        return None
    weights = list(figures["weights"].items())
    listed = ", ".join(f"{name} {number(weight)}" for name, weight in weights[:_LISTED])
    left = f" and {len(weights) - _LISTED} more" if len(weights) > _LISTED else ""
    text = (
        f"With the weights {listed}{left}, {main} makes up {share_text(shares['grpo'])} of GRPO's signal and "
        f"{share_text(shares['gdpo'])} of GDPO's."
    )
    if shares["grpo"]["value"] >= 0.5:
        return finding("note", text)
    return finding("critical" if shares["grpo"]["value"] < MINOR else "warning", text)


def _collapse(figures: Figures) -> Finding | None:
    found = figures["collapse"]
    if found is None:
        return None
    lost, kept = found["of"]["sum"]["lost_share"], found["of"]["decoupled"]["lost_share"]
    if not lost["value"]:
        return finding("good", "Every distinct combination of rewards in a group keeps an advantage of its own.")
    text = (
        f"{share_text(lost)} of the distinct combinations of rewards in a group share their advantage with another one "
        f"under the weighted sum; under GDPO, {share_text(kept)}."
    )
    return finding("warning" if lost["value"] > GRAVE else "note", text)


def _signs(figures: Figures) -> Finding | None:
    items, several = figures["estimators"], figures["collapse"] is not None
    if items["grpo"]["rms"] == 0.0:
        return None
    plain = share_text(items["reinforce_pp"]["against_grpo"]["opposite"])
    text = f"REINFORCE++ without a group baseline pushes {plain} of the completions the other way than GRPO"
    if several:
        text += f", GDPO {share_text(items['gdpo']['against_grpo']['opposite'])}"
    return finding("note", text + ". The others agree with GRPO on every direction.")
