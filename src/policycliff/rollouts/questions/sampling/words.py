"""The findings of the answer in plain words, and what it cannot know."""

from collections.abc import Mapping
from typing import Any

from policycliff.rollouts.analyses.findings.words import GRAVE, NOTABLE, number, percent
from policycliff.rollouts.analyses.pairs import MIN_EFFECTIVE_SAMPLES
from policycliff.rollouts.questions.answer import Severity, finding

Figures = Mapping[str, Any]

_NOTABLE_DIFFERENCE = 0.1
"""Difference of two log-probabilities of one text from which it is told."""

_NOTABLE_RATIO = 0.05
"""How far the mean ratio must be from 1 to be told."""


def findings_of(figures: Figures, logprob: str | None, *, known_max: float | None) -> list[dict[str, Any]]:
    """In order of reading; the answer sorts them by severity and keeps the order within one."""
    found = [_best_set(figures), _best(figures["subsets"], known_max), _ties(figures["subsets"]), _mass(figures)]
    found = [*_sums(figures), *found, *_weighted(figures["weights"]), *_sources(figures)]
    return found if logprob is not None else [*found, _without()]


def _best_set(figures: Figures) -> dict[str, Any]:
    unseen, size = figures["unseen"], figures["subsets"]["common_group_size"]
    chance = unseen["changes_best_set"]
    severity: Severity = "note"
    if chance["value"] > NOTABLE:
        severity = "critical" if chance["value"] > GRAVE else "warning"
    text = (
        f"The last of a prompt's {size} completions changes which of them are best in {percent(chance)} of the prompts "
        f"(each in turn taken as the last): in {percent(unseen['beats_best'])} it beats the best reward of the others, "
        f"in {percent(unseen['ties_best'])} it ties it. The next draw would do so about as often."
    )
    return finding(severity, text)


def _best(subsets: Figures, known_max: float | None) -> dict[str, Any]:
    first, last, twice = subsets["points"][0], subsets["points"][-1], subsets["twice"]
    most = twice["best_at_most"]
    capped = known_max is not None and most["value"] > known_max
    upper = f"{known_max:.3g}, the greatest there is" if capped else number(most)
    text = (
        f"The best of k is no property of the policy alone: its expected reward is {number(first['best'])} for "
        f"k = {first['k']} and {number(last['best'])} for k = {last['k']}. For k = {twice['k']} it lies between "
        f"{number(twice['best_at_least'])} and {upper}; nothing narrower follows from {last['k']} draws."
    )
    return finding("note", text)


def _ties(subsets: Figures) -> dict[str, Any]:
    first, last = subsets["points"][0], subsets["points"][-1]
    moved = last["tied_share"]["value"] - first["tied_share"]["value"]
    text = (
        f"Ties depend on the group size: {percent(first['tied_share'])} of groups of {first['k']} are tied at the top, "
        f"{percent(last['tied_share'])} of groups of {last['k']}. Compare tables and training runs at one size."
    )
    if len(subsets["points"]) == 1:
        text = f"{percent(last['tied_share'])} of groups of {last['k']} are tied at the top."
    return finding("warning" if abs(moved) > GRAVE else "note", text)


def _mass(figures: Figures) -> dict[str, Any]:
    unseen, seen = figures["unseen"], figures["seen"]
    text = (
        f"{percent(unseen['new_behaviour'])} of the policy's probability is on completions not seen, by Good and "
        f"Turing. Of as many completions again at most {number(unseen['new_in_as_many_again_at_most'])} a prompt would "
        f"be new, beside the {number(unseen['behaviours_seen'])} seen."
    )
    if seen is not None and seen["over_one_prompts"] == 0:
        text += f" By their log-probabilities the texts seen hold {percent(seen['mass'])} of the policy."
    return finding("note", text)


def _sums(figures: Figures) -> list[dict[str, Any]]:
    """What shows that log-probabilities are not what they claim."""
    found = []
    for role, seen in (("the sampling policy", figures["seen"]), ("the policy of interest", figures["target_seen"])):
        if seen is None:
            continue
        if seen["over_one_prompts"]:
            text = (
                f"The probabilities of the distinct completions of a prompt add up to more than 1 in "
                f"{seen['over_one_prompts']} of {seen['prompts']} prompts (to {seen['greatest_mass']:.3g} at worst): "
                f"these are no log-probabilities of whole completions under {role}. Means over tokens? Give their sums."
            )
            found.append(finding("critical", text))
        if seen["greatest_difference_of_one_text"] > _NOTABLE_DIFFERENCE:
            text = (
                f"One text has log-probabilities under {role} that differ by up to "
                f"{seen['greatest_difference_of_one_text']:.3g}: several engines or policies wrote this column."
            )
            found.append(finding("warning", text))
    return found


def _without() -> dict[str, Any]:
    text = (
        "Without log-probabilities every figure takes the completions as independent draws of the policy in use, at "
        "its own temperature and without truncation. Completions of an older policy, or of a cooler one, say nothing "
        "certain of it: give --logprob and --target-logprob."
    )
    return finding("note", text)


def _weighted(weights: Figures | None) -> list[dict[str, Any]]:
    if weights is None:
        return []
    if weights["prompts"] == 0:
        return [finding("warning", "No prompt has two completions with both log-probabilities: nothing is weighted.")]
    found = [_reliability(weights)]
    ratio = weights["mean_ratio"]
    off = abs(ratio["value"] - 1.0) > _NOTABLE_RATIO and not ratio["low"] <= 1.0 <= ratio["high"]
    if weights["reliable"] and off:
        text = (
            f"The mean ratio is {number(ratio)} and should be 1: the sampling policy was not quite the one of "
            "--logprob (another temperature, or a truncated tail such as top-p)."
        )
        found.append(finding("warning", text))
    return found


def _reliability(weights: Figures) -> dict[str, Any]:
    median, shape = weights["effective_sample_size_median"], weights["pareto_shape"]
    head = (
        f"Weighted to the policy of interest, a prompt keeps {median:.3g} effective completions (median) and the "
        f"estimate rests on {weights['effective_sample_size_overall']:,.0f} of {weights['sample_size_overall']:,.0f}. "
    )
    tail = "" if shape is None else f"The ratios' Pareto shape is {shape:.2f}, "
    tail += "" if shape is None else f"against a limit of {weights['pareto_shape_reliable_below']:.2f}. "
    if weights["reliable"] is None:
        return finding("note", head + "There are too few ratios to judge their tail.")
    if weights["reliable"]:
        first = weights["estimates"][0]
        told = f"Mean {first['reward']}: {number(first['weighted'])}, sampled {number(first['sampled'])}."
        return finding("good", head + tail + "The weighted means are dependable. " + told)
    why = "A few completions not yet drawn may decide the mean"
    if median < MIN_EFFECTIVE_SAMPLES:
        why = f"With fewer than {MIN_EFFECTIVE_SAMPLES:g} effective completions a prompt they lean to the sampled mean"
    return finding(
        "critical", head + tail + f"Do not rely on the weighted means. {why}: sample from the policy itself."
    )


def _sources(figures: Figures) -> list[dict[str, Any]]:
    mixed = figures["mixed_sources_share"]
    if mixed is None or mixed["count"] == 0:
        return []
    text = (
        f"{percent(mixed)} of the prompts mix completions of several sources. They are no draws of one policy: chances "
        "of a further draw are those of one more source like these."
    )
    return [finding("warning", text)]


def limits_of(figures: Figures) -> list[str]:
    """What the answer cannot know."""
    size = figures["subsets"]["common_group_size"]
    limits = [
        f"Beyond {size} completions a prompt only the bracket of the expected best is known, and no tied share or gap. "
        "A completion of probability far below one in that number leaves no trace in the table.",
        "Chances of a further draw are those of the last draw given the others, means over prompts; for a single "
        "prompt they say little.",
        "A completion that was drawn several times with different scores counts with its mean over all its draws.",
    ]
    if figures["weights"] is not None:
        limits.append(
            "Weights correct for another policy only on completions that the sampling policy can draw. Where "
            "truncation (top-p, top-k) made a completion impossible, no weight brings it back. Rows whose "
            "log-probability is missing or infinite are left out: "
            "right for minus infinity under the policy of interest, whose weight is 0."
        )
    return limits
