"""The findings of the answer in plain words, and what it cannot know."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.analyses.findings.words import GRAVE, NOTABLE, number, percent
from policycliff.rollouts.questions.answer import Severity, finding
from policycliff.rollouts.questions.reward_model_error.figures import ADVISED
from policycliff.rollouts.reading.load import LoadedRollouts

Figures = Mapping[str, Any]

FAR_APART = 2.0
"""Ratio of the members' scales from which the mean is said to belong to the largest."""


def severity_of(share: Figures) -> Severity:
    """As in the audit: by the value; a small one whose interval reaches a notable one is a note, not a good sign."""
    if share["value"] is None:
        return "note"
    if share["value"] > NOTABLE:
        return "critical" if share["value"] > GRAVE else "warning"
    return "note" if share["high"] > NOTABLE else "good"


def findings_of(figures: Figures, loaded: LoadedRollouts, standardise: str | None) -> list[dict[str, Any]]:
    """In order of reading; the answer sorts them by severity and keeps the order within one."""
    found = [_disagreement(figures), *_scales(figures, standardise), _agreement(figures), _model(figures)]
    found += [_margin(figures), _coefficient(figures), *_truth(figures), *_notes(figures, loaded)]
    return [item for item in found if item is not None]


def _disagreement(figures: Figures) -> dict[str, Any]:
    new, left, count = figures["new_member"]["flip_probability_mean"], figures["left_out"], len(figures["members"])
    text = (
        f"Left out one at a time, these {count} reward models pick another best completion than the mean of the rest "
        f"in {percent(left['observed'])} of the prompts"
    )
    if left["greatest_member"] > left["least_member"]:
        text += f" ({100 * left['least_member']:.3g} to {100 * left['greatest_member']:.3g} % by member)"
    text += (
        f", and share no best completion with it in {percent(left['observed_disjoint'])}. One more like them is put at "
        f"{percent(new)} against the mean of all, by the model below."
    )
    # Never "good", which would come after the notes: this is the answer.
    severity = severity_of(left["observed"])
    return finding("note" if severity == "good" else severity, text, statement="Result 1")


def _scales(figures: Figures, standardise: str | None) -> list[dict[str, Any]]:
    ratio = figures["scale_ratio"]
    if standardise is not None or ratio <= FAR_APART:
        return []
    ordered = sorted(figures["members"], key=lambda row: row["scale"])
    text = (
        f"Scores of {ordered[-1]['member']} spread {ratio:.3g} times as far within prompts as those of "
        f"{ordered[0]['member']}, so the mean is mostly the opinion of the former, and every figure of size below is "
        "in mixed units. Give --standardise table (or prompt)."
    )
    return [finding("critical" if ratio > 10.0 * FAR_APART else "warning", text, statement="Lemma 4.2")]


def _agreement(figures: Figures) -> dict[str, Any]:
    share, taus = figures["unanimous_share"], [row["kendall"]["value"] for row in figures["pairs"]]
    known = [tau for tau in taus if tau is not None]
    text = f"All members share a best completion in {percent(share)} of the prompts."
    if known:
        text += f" Kendall's tau-b between two members is {min(known):.2g}"
        text += f" to {max(known):.2g} within prompts." if len(known) > 1 else " within prompts."
    return finding("note", text)


def _model(figures: Figures) -> dict[str, Any] | None:
    observed, predicted = figures["left_out"]["observed"], figures["left_out"]["predicted"]
    if predicted is None:
        text = (
            "With two members the spread of their differences has one degree of freedom: the model's chances come from "
            "a Cauchy law, and nothing here can check them. Three or more members would say far more."
        )
        return finding("note", text)
    overlap = predicted["low"] <= observed["high"] and observed["low"] <= predicted["high"]
    text = f"Tried on members left out, the model says {percent(predicted)} where {percent(observed)} were seen: " + (
        "it holds here." if overlap else "it is off here; trust the figure that was seen."
    )
    return finding("note" if overlap else "warning", text)


def _margin(figures: Figures) -> dict[str, Any] | None:
    share = figures["radius_within_one_spread_share"]
    if share["value"] is None:
        return None
    text = (
        f"The radius (half the lead of the best completion) is within one standard deviation of the members' scores in "
        f"{percent(share)} of the prompts."
    )
    return finding("warning" if share["value"] > GRAVE else "note", text, statement="Result 1")


def _coefficient(figures: Figures) -> dict[str, Any]:
    row = next(item for item in figures["coefficients"] if item["covered"] == ADVISED)
    beta, advice = row["beta"], figures["advice"]
    if beta["value"] <= 0.0:
        return finding("good", f"In {100 * ADVISED:g} % of the prompts the members do not differ at all.")
    high = "no upper bound" if beta["high"] is None else f"{beta['high']:.3g}"
    text = (
        f"A KL coefficient of at least {beta['value']:.3g} ({beta['low']:.3g} to {high}) covers the disagreement in "
        f"{100 * ADVISED:g} % of the prompts: any one member in place of the others' mean then moves the optimal "
        f"policy by at most {figures['max_shift']:g} in total variation. It gives up "
        f"{number(advice['kl_reward_cost'])} of the mean score against always taking the best sampled completion; the "
        f"sampling policy itself gives up {number(advice['sampling_reward_cost'])}."
    )
    return finding("note", text, statement="Result 4")


def _truth(figures: Figures) -> list[dict[str, Any]]:
    truth = figures["truth"]
    if truth is None or truth["prompts"] == 0:
        return []
    first = truth["by_agreement"][0]
    if first["prompts"] == 0:
        return []
    text = (
        f"Agreement is not truth: where all members share a best completion, the mean's picks are still worse than the "
        f"best completion (by {truth['column']}) in {percent(first['wrong_share'])} of {first['prompts']} prompts. No "
        "spread shows such an error, and no further member of this kind."
    )
    return [finding(severity_of(first["wrong_share"]), text)]


def _notes(figures: Figures, loaded: LoadedRollouts) -> list[dict[str, Any]]:
    found = []
    out, total = figures["left_out_rows"], loaded.table.n_rows
    if out:
        name, missing = max(figures["unscored_rows"].items(), key=lambda item: item[1])
        text = f"{out} of {total} completions lack a member's score, or are alone in their prompt, and are left out"
        text += f" ({name} lacks {missing})." if missing else "."
        found.append(finding("warning" if 2 * out > total else "note", text))
    sizes = {abs(weight) for _, weight in loaded.rewards}
    if sizes != {1.0}:
        text = "Weights are ignored: members count alike. A negative weight still marks a penalty."
        found.append(finding("note", text))
    return found


def limits_of(figures: Figures, standardise: str | None) -> list[str]:
    """What the answer cannot know."""
    limits = [
        "Errors that all members share (the same base model, the same preference data) are no spread. Only a truth "
        "shows them.",
        f"Intervals are over prompts, for these {len(figures['members'])} members. Figures of a further member suppose "
        "that it is drawn like these; how members themselves vary from draw to draw so few cannot show.",
        "The model takes errors as Gaussian, with a spread that it learns in each prompt from these members alone, and "
        "the lead of the best at face value, although the best was chosen for it: it tends to be a little too sure. "
        "What members left out show is free of that.",
        "Chances are simulated: that of one prompt has a Monte-Carlo standard error of up to "
        f"{0.5 / figures['new_member']['draws'] ** 0.5:.2g} ({figures['new_member']['draws']} draws), their mean one "
        f"smaller by the square root of {figures['prompts']} prompts.",
        "Best is best among the sampled completions. The bound on the shift holds for completions with errors of this "
        "size, the measured shift for the sampled ones.",
    ]
    if standardise is not None:
        limits.append("Standardised scores are in standard deviations: so are errors, radii and beta.")
    return limits
