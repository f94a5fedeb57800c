"""Findings of the comparison of two rewards, in plain words."""

from typing import Any

from policycliff.rollouts.analyses.findings.words import NOTABLE, number, percent
from policycliff.rollouts.questions.answer import Severity, finding

Figures = dict[str, Any]
LEVEL = 0.05
_ORDER: tuple[Severity, ...] = ("critical", "warning", "note", "good")


def reward_findings(figures: Figures) -> list[dict[str, Any]]:
    """The answer first; nothing after it is put above it."""
    main = _severity(figures)
    rest = [_noise(figures), _truth(figures), _ties(figures), _regret(figures), _sources(figures), _soft(figures)]
    return [
        finding(main, _main(figures), statement="Prop 4.6"),
        *(_lowered(item, main) for item in [*rest, _drivers(figures), _left_out(figures)] if item is not None),
    ]


def known_noise(figures: Figures) -> tuple[str, dict[str, Any] | None]:
    """The reward whose noise is known, A before B, and what scoring again by it would do; None for neither."""
    for side in ("a", "b"):
        if figures["noise"][side]["sigma"] is not None:
            return side.upper(), figures["noise"][side]
    return "A", None


def by_chance(p: float) -> str:
    """A p-value as words."""
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def _severity(figures: Figures) -> Severity:
    truth, (_, found) = _test(figures, "truth"), known_noise(figures)
    if truth is not None and truth["p_holm"] < LEVEL:
        return "critical" if truth["change"]["value"] < 0 else "note"
    if found is not None and found["p_at_most"] >= LEVEL:
        return "note"
    moves = figures["moves"]
    return "warning" if max(moves["disjoint"]["value"], moves["b_adds"]["value"]) > NOTABLE else "note"


def _main(figures: Figures) -> str:
    moves, (side, found) = figures["moves"], known_noise(figures)
    text = (
        f"B ({figures['b']}) has other best completions than A ({figures['a']}) in {percent(moves['changes'])} of the "
        f"prompts; in {percent(moves['disjoint'])} none is best for both"
    )
    truth = _test(figures, "truth")
    if truth is not None:
        text += f", and B's choice {_in_truth(truth)}"
    if found is None:
        return f"{text}. Whether that is more than noise cannot be said: the noise of the rewards is not known."
    expected = f"{100 * found['expected_share']['value']:.3g} %"
    text += f". Scoring again by {side} would leave none in common in {expected}"
    if found["p_at_most"] < LEVEL:
        return f"{text}: this is more than noise ({by_chance(found['p_at_most'])})."
    if found["p"] < LEVEL:
        return f"{text}, but its noise is known too roughly to tell ({by_chance(found['p_at_most'])} at its greatest)."
    return f"{text}: this may be noise alone ({by_chance(found['p'])})."


def _in_truth(row: dict[str, Any]) -> str:
    if row["p_holm"] >= LEVEL:
        return "cannot be told from A's in the truth"
    return f"is {'better' if row['change']['value'] > 0 else 'worse'} in the truth"


def _noise(figures: Figures) -> dict[str, Any] | None:
    side, found = known_noise(figures)
    if found is None:
        return None
    sigma, expected = found["sigma"], found["expected_share"]
    if sigma["value"] == 0.0 and found["samples"]:
        text = (
            f"No score of {side} differed among {found['samples']} repeats ({found['origin']}): scored again, it would "
        )
        return finding("note", f"{text}choose the same.", statement="Result 1")
    text = f"{side}'s noise is {sigma['value']:.3g} a score ({found['origin']}"
    text += f", {found['samples']} samples)" if found["samples"] else ")"
    text += f"; of {side} scored again we expect {percent(expected)} of the prompts without a best in common"
    if found["expected_share_at_most"] > expected["value"]:
        text += f", and up to {100 * found['expected_share_at_most']:.3g} % with as much noise as the samples allow"
    return finding("note", text + ".", statement="Result 1")


def _ties(figures: Figures) -> dict[str, Any]:
    row, moves = _test(figures, "is_tied"), figures["moves"]
    text = (
        f"The best is tied in {percent(row['a'])} of the prompts under A and {percent(row['b'])} under B "
        f"({by_chance(row['p_holm'])}): B breaks the tie of {percent(moves['tied_to_unique'], short=True)} of the "
        f"prompts and ties {percent(moves['unique_to_tied'], short=True)} that A decided."
    )
    worse = row["p_holm"] < LEVEL and row["change"]["value"] > 0
    return finding("warning" if worse else "note", text, statement="Prop 2.9")


def _regret(figures: Figures) -> dict[str, Any]:
    a, b = figures["regret"]["a"], figures["regret"]["b"]
    correlation = figures["pair"]["rank_correlation"]
    text = (
        f"Judged by A, B's choice gives up {percent(a['chosen_share'])} of the prompt's range (a random completion "
        f"{percent(a['random_share'], short=True)}); judged by B, A's choice gives up {percent(b['chosen_share'])} "
        f"({percent(b['random_share'], short=True)}). The rank correlation within prompts is {number(correlation)}."
    )
    return finding("note", text)


def _truth(figures: Figures) -> dict[str, Any] | None:
    row = _test(figures, "truth")
    if row is None:
        return None
    text = (
        f"In the truth B's choice has {number(row['b'])} and A's {number(row['a'])}, a difference of "
        f"{number(row['change'])} ({by_chance(row['p_holm'])})."
    )
    severity: Severity = "note"
    if row["p_holm"] < LEVEL:
        severity = "good" if row["change"]["value"] > 0 else "critical"
    return finding(severity, text, statement="Prop 3.1")


def _sources(figures: Figures) -> dict[str, Any] | None:
    found = figures["sources"]
    if found is None or not found["compete"]:
        return None
    moved = [row for row in found["rows"] if row["p_holm"] < LEVEL]
    if not moved:
        return finding("note", "No source wins more often under one reward than under the other beyond chance.")
    told = sorted(moved, key=lambda row: -abs(row["change"]["value"]))[:3]
    parts = [
        f"{row['source']} from {percent(row['wins_a'], short=True)} to {percent(row['wins_b'], short=True)}"
        for row in told
    ]
    return finding("note", f"Wins move between sources beyond chance ({len(moved)} of them): {'; '.join(parts)}.")


def _soft(figures: Figures) -> dict[str, Any]:
    bound = figures["pair"]["linear_bound"]["value"]
    text = (
        f"A policy with KL coefficient {figures['beta']:.3g} over these completions moves by a total variation of "
        f"{number(figures['sampled_total_variation'])}; the sharp bound is {number(figures['pair']['sharp_bound'])}, "
        f"the paper's {bound:.3g}{' (above 1 it says nothing)' if bound > 1 else ''}."
    )
    return finding("note", text, statement="Prop 4.7")


def _drivers(figures: Figures) -> dict[str, Any] | None:
    found = figures["drivers"]
    if not found["contributing"]:
        return None
    text = (
        f"{found['carry_half']} prompts carry half of all regret, of {found['contributing']} that have any; the "
        "greatest are listed."
    )
    return finding("note", text)


def _left_out(figures: Figures) -> dict[str, Any] | None:
    left_out = figures["prompts_left_out"]
    if not left_out:
        return None
    return finding(
        "note",
        f"{left_out} of {left_out + figures['prompts']} prompts are in no figure: fewer than two of their completions "
        "have both scores.",
    )


def _test(figures: Figures, name: str) -> Any:
    return next((row for row in figures["tests"] if row["name"] == name), None)


def _lowered(item: dict[str, Any], most: Severity) -> dict[str, Any]:
    """A finding no more severe than the answer itself, which comes first."""
    severity = _ORDER[max(_ORDER.index(item["severity"]), _ORDER.index(most))]
    return item | {"severity": severity}
