"""The answer in words."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.analyses.findings.words import number, percent, severity_of
from policycliff.rollouts.questions.answer import Severity, finding

Figures = Mapping[str, Any]
_HALF = 0.5


def findings_of(figures: Figures) -> list[dict[str, Any]]:
    """Ties and where they part, where reward is lost, the radius, how thin the tree is, and what merging shows."""
    found = [_ties(figures), *_losses(figures), *_radius(figures), *_thin(figures)]
    return [*found, *_steps(figures), *_merged(figures)]


def _ties(figures: Figures) -> dict[str, Any]:
    tree, unit = figures["tree"], figures["unit"]
    several = tree["several_share"]
    if several["count"] == 0:
        return finding("good", f"No prompt has several best texts ({percent(several)}): nothing parts that is tied.")
    text = (
        f"{percent(several)} of prompts have several best texts. They part after {number(tree['first_parting_depth'])} "
        f"{unit}s, {percent(tree['first_parting_relative'])} of their length; in "
        f"{percent(tree['parted_at_start_share'])} of these prompts at the first {unit}. Which of them training makes "
        "likely is decided there, and not by this reward."
    )
    differs = tree["truth_differs_share"]
    if differs is None:
        return finding("note", text, statement="Prop 2.9")
    severity: Severity = severity_of(differs)  # type: ignore[assignment]
    text += f" In {percent(differs)} of these prompts the best texts differ in the truth."
    return finding(severity, text, statement="Prop 2.9, Prop 3.1")


def _losses(figures: Figures) -> list[dict[str, Any]]:
    tree = figures["tree"]
    points = [point for point in tree["curve"] if point["lost"]["value"] is not None]
    if not points:
        return [finding("note", "No completion has less than the best reward of its prompt: nothing is lost anywhere.")]
    half = next(point for point in points if point["lost"]["value"] >= _HALF or point is points[-1])
    place = (
        f"in the first {100 * half['depth']:.0f} % of the text" if half["depth"] else "at the first " + figures["unit"]
    )
    text = (
        f"Of the reward that completions are short of the best, {percent(half['lost'])} is lost {place}: they part "
        f"from every best text there. A prompt has {number(tree['decisions'])} places where a worse text leaves a best "
        "one."
    )
    return [finding("note", text)]


def _radius(figures: Figures) -> list[dict[str, Any]]:
    radius = figures["tree"]["radius"]
    if radius["unique_quantiles"] is None:
        return []
    text = (
        f"Where one text is best, a reward error of {radius['unique_quantiles']['p50']:.3g} at the ends (median; least "
        f"{radius['unique_min']:.3g}) makes another as good: half the gap at the root."
    )
    return [finding("note", text, statement="Result 1")]


def _thin(figures: Figures) -> list[dict[str, Any]]:
    tree = figures["tree"]
    seen = tree["first_parting_seen_again_share"]
    if seen["value"] is None or seen["value"] >= _HALF:
        return []
    text = (
        f"Only in {percent(seen)} of the prompts with several best texts was some way on from their parting sampled "
        "twice. The others part where every completion goes its own way: the place says where texts differ, not that "
        "a choice there matters."
    )
    return [finding("note", text)]


def _steps(figures: Figures) -> list[dict[str, Any]]:
    steps = figures["steps"]
    if steps is None:
        return []
    found = []
    if steps["radius_unique_quantiles"] is not None:
        text = (
            f"Where one text is best, an error of {steps['radius_unique_quantiles']['p50']:.3g} in the reward of every "
            f"step (median; least {steps['radius_min']:.3g}) makes another as good: errors add up along a text."
        )
        found.append(finding("note", text, statement="Result 1"))
    if steps["disputed_steps"]:
        text = (
            f"{steps['disputed_steps']:,} steps (a prefix with its last piece) have different rewards in different "
            "completions. Each counts with its mean: the scorer sees more than the prefix, or is noisy."
        )
        found.append(finding("warning", text))
    return found


def _merged(figures: Figures) -> list[dict[str, Any]]:
    quotient = figures["quotient"]
    if quotient is None:
        return []
    several, within = quotient["several_share"], quotient["only_within_one_state_share"]
    severity: Severity = severity_of(several)  # type: ignore[assignment]
    text = f"With equal keys as one state, {percent(several)} of prompts have several best ends."
    if within["total"]:
        text += f" Of the ties between texts {percent(within)} are ties between texts with one final state."
    found = [finding(severity, text, statement="Prop 2.9")]
    if quotient["disputed_ends"]:
        text = (
            f"In {quotient['disputed_ends']:,} of {quotient['shared_ends']:,} final states that several texts share, "
            "their rewards disagree. Each such state counts with its mean: the key forgets something that the reward "
            "sees."
        )
        found.append(finding("warning", text))
    if quotient["ambiguous_steps"]:
        text = (
            f"In {quotient['ambiguous_steps']:,} of {quotient['steps']:,} cases one {figures['unit']} in one state "
            "leads to several states: the key forgets something that the next key depends on."
        )
        found.append(finding("warning", text))
    if quotient["cyclic_prompts"]:
        text = (
            f"In {quotient['cyclic_prompts']:,} prompts keys return to an earlier state. Their ways are endless; they "
            "are in the radius and the ends, but not in ways and places."
        )
        found.append(finding("note", text))
    return found


def limits_of(figures: Figures) -> list[str]:
    """What the answer cannot know."""
    unit = figures["unit"]
    limits = [
        "The tree holds the completions sampled. The value of a prefix is the best of those below it, a lower bound on "
        "what can be reached from there; where one completion passes, its own reward is all that is known.",
        f"Texts are the same only if all {unit}s are. Sampled prose parts early whatever it says: an early parting is "
        "where texts begin to differ, not a proof that the words there matter. Merge prefixes by a key that says what "
        "counts to see past the wording.",
        "Completions with one text and several scores count with the mean score.",
    ]
    if figures["quotient"] is not None:
        limits.append(
            "Merged ways assume that what follows a state does not depend on how it was reached. Nothing in the table "
            "proves that; the disagreements counted above can refute it."
        )
    return limits
