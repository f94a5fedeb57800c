"""The answer in plain words, and what it cannot know."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.analyses.findings.words import GRAVE, NOTABLE, number, percent, severity_of
from policycliff.rollouts.questions.answer import Severity, finding

Figures = Mapping[str, Any]


def findings_of(figures: Figures) -> list[dict[str, Any]]:
    """In order of reading; the answer sorts them by severity and keeps the order within one."""
    found = [_headline(figures), _stability(figures), _steadiness(figures), _chains(figures), _mixed(figures)]
    return [*found, *_agreement(figures), *_vectors(figures["vectors"])]


def _headline(figures: Figures) -> dict[str, Any]:
    chosen, text = figures["chosen"], figures["by_text"]
    told = (
        f"Counted as one from a similarity of {chosen['threshold']:g} ({figures['threshold_origin']}), the "
        f"{text['behaviours']['value']:.3g} distinct completions of a prompt are {number(chosen['behaviours'])} "
        f"behaviours, and {percent(chosen['tied_share'])} of the prompts have a tie for the best; as texts, "
        f"{percent(text['tied_share'])}."
    )
    matters = chosen["consequential_share"]
    if matters is not None:
        told += f" In {percent(matters)} the tied behaviours differ in {' or '.join(figures['aspects'])}."
    return finding(_severity(severity_of(chosen["tied_share"])), told, statement="Prop 2.10")


def _severity(name: str) -> Severity:
    return {"critical": "critical", "warning": "warning", "good": "good"}.get(name, "note")  # type: ignore[return-value]


def _stability(figures: Figures) -> dict[str, Any]:
    stable, flips = figures["stable"], figures["flips"]
    passes = [
        f"from {flip['verdict_below']} to {flip['verdict_above']} between {flip['below']:g} and {flip['above']:g}"
        for flip in flips
    ]
    told = f" With a rising threshold the verdict on ties passes {', '.join(passes)}." if passes else ""
    if stable is None:
        head = (
            "At no two neighbouring thresholds of the grid is the tied share the same within its interval: the "
            "threshold decides the verdict, so say why it is the one you take."
        )
        return finding("warning", head + told)
    head = (
        f"The tied share stays within its interval for thresholds from {stable['from']:g} to {stable['to']:g} "
        f"({100 * stable['least']:.3g} to {100 * stable['greatest']:.3g} %); of {stable['prompts']} prompts "
        f"{stable['depends']} change sides there."
    )
    if not flips:
        told = f" At every threshold tried ({figures['grid'][0]:g} to {figures['grid'][1]:g}) the verdict is the same."
    return finding("warning" if flips else "good", head + told)


def _steadiness(figures: Figures) -> dict[str, Any]:
    steady = figures["steadiness"]
    told = (
        f"{percent(steady['always_share'])} of the prompts are tied at every threshold from {steady['from']:g} to "
        f"{steady['to']:g}, {percent(steady['never_share'])} at none; for {percent(steady['depends_share'])} it "
        "depends on the threshold. How many completions a prompt has all of one score (zero spread: "
        f"{percent(figures['zero_spread_share'], short=True)} of the prompts) does not."
    )
    return finding("warning" if steady["depends_share"]["value"] > GRAVE else "note", told)


def _chains(figures: Figures) -> dict[str, Any]:
    share, weakest = figures["chained_share"], figures["chained_weakest_median"]
    if share["count"] == 0:
        told = "At this threshold likeness is transitive in every prompt: every linkage gives the same behaviours."
        return finding("good", told)
    told = (
        f"In {percent(share)} of the prompts some completions are one behaviour only through others between them: the "
        f"least alike pair of a behaviour has a similarity of {weakest:.3g} there (median). In the others every "
        "linkage gives the same behaviours."
    )
    return finding("warning" if share["value"] > GRAVE else "note", told)


def _mixed(figures: Figures) -> dict[str, Any]:
    mixed = figures["chosen"]["mixed_share"]
    told = (
        f"In {percent(mixed)} of the prompts some behaviour holds completions of different reward, whose mean counts. "
    )
    if mixed["value"] > GRAVE:
        told += "The reward tells apart what the threshold joins: a higher one, or another likeness, may fit it better."
        return finding("warning", told)
    return finding("note" if mixed["value"] > NOTABLE else "good", told.strip())


def _agreement(figures: Figures) -> list[dict[str, Any]]:
    best = figures["best_agreement"]
    if best is None:
        return []
    chosen, text = figures["chosen"]["agreement"], figures["by_text"]["agreement"]
    trivial = max(text["value"], figures["agreement_as_one"]["value"])
    told = (
        f"With {figures['known']} these behaviours agree at {number(chosen)} (F1 over the pairs of a prompt; texts "
        f"alone {number(text)}, a prompt one behaviour {number(figures['agreement_as_one'])}). "
        f"The best of the grid is {number(best['agreement'])}, at {best['threshold']:g}."
    )
    return [finding("warning" if chosen["value"] < trivial else "note", told)]


def _vectors(vectors: Figures | None) -> list[dict[str, Any]]:
    if vectors is None:
        return []
    found, total = [], vectors["texts"]
    if vectors["cut"]:
        told = (
            f"The model read only the first {vectors['most_tokens']} tokens of {vectors['cut']} of {total} texts: "
            "where such texts differ later, it cannot see it."
        )
        found.append(finding("warning" if vectors["cut"] > NOTABLE * total else "note", told))
    if vectors["missing"]:
        told = f"{vectors['missing']} of {total} texts have no usable vector: each is a behaviour of its own."
        found.append(finding("warning" if vectors["missing"] > NOTABLE * total else "note", told))
    if vectors["differing"]:
        told = f"{vectors['differing']} of {total} texts have rows with different vectors; the first is taken."
        found.append(finding("warning", told))
    return found


def limits_of(figures: Figures) -> list[str]:
    """What the answer cannot know."""
    likeness = (
        "Cosines are those of one model, which was trained to find texts on one subject alike: a right and a wrong "
        "answer, or a sentence and its negation, can be closer than two wordings of one answer. Read the pairs at the "
        "threshold, and give --behaviour with extracted answers where there are any."
    )
    if figures["vectors"] is None:
        likeness = (
            "Shared words are not meaning: '4' and 'four' have none in common, and one 'not' hardly counts. For "
            "meaning give a model folder (--model) or vectors (--embedding)."
        )
    return [
        likeness,
        "Single linkage: a completion joins a behaviour if it is like any one of it. These are the finest groups that "
        "separate no two completions at the threshold, the same whatever the order of the rows; the price is chains, "
        "which are counted above.",
        "Intervals are over prompts, at each threshold alone. A threshold that was picked on this table looks steadier "
        "than it is on others.",
        "A behaviour's reward is the mean over its completions, so that joining can break a tie as well as make one.",
    ]
