"""The answer in words."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.analyses.findings.words import number, percent, severity_of
from policycliff.rollouts.questions.answer import Severity, finding
from policycliff.rollouts.questions.mixture.headline import CHANCE, COUNTED, NO_SIGNAL, TIED, TITLES, TRUTH
from policycliff.rollouts.questions.mixture.walls import NEAR

Figures = Mapping[str, Any]
_MOST_NAMED = 4


def findings_of(figures: Figures) -> list[dict[str, Any]]:
    """What the mixture is tied by, what the proportions decide, what a class that is left out changes."""
    return [*_ties(figures), *_proportions(figures), *_opened(figures), *_without(figures), *_left(figures)]


def _ties(figures: Figures) -> list[dict[str, Any]]:
    name = COUNTED if COUNTED in figures["names"] else TIED
    whole = figures["mixture"][name]
    if not whole["value"]:
        text = f"No prompt of the mixture has {_kind(name)} ({percent(whole)})."
        return [finding("good", text, statement="Lemma 4.2")]
    text = f"The mixture has {_kind(name)} in {percent(whole)} of its prompts. {_by_class(figures, name)}"
    severity: Severity = severity_of(whole)  # type: ignore[assignment]
    return [finding(severity, text, statement="Lemma 4.2, Prop 2.10")]


def _by_class(figures: Figures, name: str) -> str:
    """Which class brings most; where all classes have the same prompts, what each has alone."""
    largest = max(figures["classes"], key=lambda item: item["contribution"][name]["value"] or 0.0)
    if figures["shared_prompts"] == figures["prompts"]:
        alone = ", ".join(f"{_named(item)} {percent(item[name])}" for item in figures["classes"][:_MOST_NAMED])
        return f"Under the reward of one class alone: {alone}."
    return (
        f"{_named(largest)}, {100 * largest['proportion']:.3g} % of it, brings "
        f"{percent(largest['contribution'][name])} of them; alone it has them in {percent(largest[name])} of prompts."
    )


def _proportions(figures: Figures) -> list[dict[str, Any]]:
    if figures["shared_prompts"] == 0:
        text = (
            "No prompt occurs in two classes, so the proportions move no prompt's best behaviour: whatever they are, "
            "each prompt has its own class's reward. They move only the averages below."
        )
        return [finding("note", text, statement="Lemma 4.2")]
    walls = figures["walls"]
    shared = f"{figures['shared_prompts']} of {figures['prompts']} prompts occur in several classes"
    nearest = max(walls, key=lambda item: (item["near"]["count"], -_distance(item)), default=None)
    if nearest is None or all(item["never"]["count"] == item["shared_prompts"] for item in walls):
        text = f"{shared}, but at none of them any proportion changes the best behaviour: the classes agree there."
        return [finding("good", text, statement="Lemma 4.2, Prop 4.6")]
    found = []
    on_wall = max(walls, key=lambda item: item["on_wall"]["count"])
    if on_wall["on_wall"]["count"]:
        text = (
            f"In {percent(on_wall['on_wall'])} of prompts the mixture is tied between behaviours that its classes "
            f"value differently: any change of the proportion of {_named(on_wall)} decides them."
        )
        found.append(finding(_severity(on_wall["on_wall"]), text, statement="Prop 4.6"))
    text = f"{shared}, and there the proportions decide. {_reach(nearest)}"
    return [*found, finding(_severity(nearest["near"]), text, statement="Lemma 4.2, Prop 4.6")]


def _reach(item: Figures) -> str:
    """Where the nearest walls of a class are."""
    ways = [f"{'down' if way == 'below' else 'up'} to {item[way]:.3g}" for way in ("below", "above") if item[way]]
    if not ways:
        return f"Beyond those prompts no proportion of {_named(item)} changes anything."
    told = f"The nearest further wall of {_named(item)}, now at {item['proportion']:.3g}, is {' or '.join(ways)}."
    if item["near"]["count"] == item["on_wall"]["count"]:
        return told
    return f"{told} A change of its proportion by {NEAR} or less moves the best behaviour of {percent(item['near'])}."


def _opened(figures: Figures) -> list[dict[str, Any]]:
    """Ties that a class breaks whatever its proportion: without it they are open."""
    row = max(figures["left_out"], key=lambda item: item["ties_opened"])
    if not row["ties_opened"]:
        return []
    text = (
        f"{_named(row)} is a tie-breaker: without it {row['ties_opened']} of {figures['shared_prompts']} shared "
        "prompts have a wider best set, which its reward narrows at any proportion above 0."
    )
    return [finding("note", text, statement="Prop 3.2")]


def _without(figures: Figures) -> list[dict[str, Any]]:
    """The class whose absence changes most for certain, figure by figure."""
    found = []
    for name in (COUNTED if COUNTED in figures["names"] else TIED, NO_SIGNAL, TRUTH, CHANCE):
        rows = [row for row in figures["left_out"] if name in row and row[name]["value"] is not None]
        certain = [row for row in rows if row[name]["low"] > 0.0 or row[name]["high"] < 0.0]
        if certain:
            row = max(certain, key=lambda item: abs(item[name]["value"]))
            was = figures["mixture"][name]["value"]
            told = f"'{TITLES[name]}' goes from {was:.3g} to {was + row[name]['value']:.3g}"
            found.append(f"without {_named(row)} {told}, by {number(row[name])}")
    if not found:
        text = "Leaving a class out changes no headline figure beyond its interval."
        return [finding("note", text, statement="Sec 5.5")]
    text = "; ".join(found)
    return [finding("note", f"{text[0].upper()}{text[1:]}.", statement="Sec 5.5")]


def _left(figures: Figures) -> list[dict[str, Any]]:
    said = {
        "rows_without_class": "rows have no class and are left out.",
        "shared_prompts_left_out": "prompts of several classes are left out: fewer than two of their behaviours are "
        "scored by every class.",
        "texts_in_several_groups": "prompt texts occur in groups of different classes, which count as prompts of their "
        "own. If they are the same prompt, name the prompt column with --group.",
    }
    return [finding("note", f"{figures[key]} {text}") for key, text in said.items() if figures[key]]


def _kind(name: str) -> str:
    return "ties that matter" if name == COUNTED else "ties"


def _named(item: Figures) -> str:
    return f"'{item['class']}'"


def _distance(item: Figures) -> float:
    present = item["proportion"]
    return min(abs(present - item[way]) if item[way] is not None else 1.0 for way in ("below", "above"))


def _severity(share: Figures) -> Severity:
    return severity_of(dict(share))  # type: ignore[return-value]
