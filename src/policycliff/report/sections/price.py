"""Price of degeneracy (Prop 3.1, Result 6): what the ties cost in the truth."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.cells import mean_cell
from policycliff.report.elements import Html, join, paragraph, table
from policycliff.report.format import count, mean_text, number
from policycliff.report.plots.layout import Plot
from policycliff.report.plots.price import over_optimisation, strata_of, truth_levels
from policycliff.report.sections.section import Section, beside, plot_box
from policycliff.report.summary import Result
from policycliff.report.text import one_line

_HEAD = (
    "prompts",
    "sampling policy",
    "worst tied",
    "mean of tied",
    "best tied",
    "best sampled",
    "left to chance (best − worst)",
    "a tie-breaker gains (best − mean)",
    "out of its reach (best sampled − best tied)",
)
_KEYS = (
    "sampling_truth",
    "worst_truth",
    "mean_truth",
    "best_truth",
    "largest_truth",
    "exposure",
    "tie_breaker_gain",
    "unfixable",
)


def price_section(result: Result) -> Section | None:
    """Truth by stratum and the over-optimisation curve; None without a truth column."""
    truth = result["truth"]
    if truth is None:
        return None
    name = one_line(truth["column"])
    meaning = (
        f"All policies that pick a best behaviour are optimal for the reward, yet they differ in the truth, {name}: "
        "what lies between the best and the worst of them is left to chance, and only a tie-breaker decides it."
    )
    statement = "Prop 3.1, Prop 3.2, Result 6, Sec 5.4"
    heading = "Price of degeneracy"
    if not truth["prompts"]:
        return Section("price", heading, meaning, statement, paragraph(f"Not estimable: {truth['note']}."))
    plots = _plots(truth)
    body = join(
        beside(
            plot_box(
                "truth-levels",
                f"Truth ({name}) of policies that the reward ties",
                plots["truth-levels"],
                label=_levels(truth),
            ),
            plot_box(
                "best-of-k",
                f"Truth ({name}) when the reward picks the best of k",
                plots.get("best-of-k"),
                label=_curve(truth),
            ),
        ),
        table(
            _HEAD, [_row(stratum, label) for stratum, label in strata_of(truth)], label="Price of degeneracy by stratum"
        ),
        _on_the_curve(truth),
    )
    return Section("price", heading, meaning, statement, body, plots)


def _plots(truth: Mapping[str, Any]) -> dict[str, Plot]:
    plots = {"truth-levels": truth_levels(truth)}
    if len(truth["best_of_k"]["points"]) > 1:
        plots["best-of-k"] = over_optimisation(truth)
    return plots


def _row(stratum: Mapping[str, Any], label: str) -> list[str]:
    shown = f"{label} ({count(stratum['prompts'])})"
    return [shown, *(mean_cell(stratum[key], unknown="no truth known") for key in _KEYS)]


def _on_the_curve(truth: Mapping[str, Any]) -> Html:
    curve = truth["best_of_k"]
    return paragraph(
        "The curve counts all subsets of k completions exactly, over the "
        f"{count(curve['prompts'])} prompts with at least {count(curve['common_group_size'])} completions. A prompt "
        "whose completions all have the same reward gives no signal; it is a stratum of its own."
    )


def _levels(truth: Mapping[str, Any]) -> str:
    spread = truth["all"]
    return (
        f"Levels of {one_line(truth['column'])}: worst tied {mean_text(spread['worst_truth'])}, best tied "
        f"{mean_text(spread['best_truth'])}, best sampled {mean_text(spread['largest_truth'])}."
    )


def _curve(truth: Mapping[str, Any]) -> str:
    points = truth["best_of_k"]["points"]
    if not points:
        return ""
    first, last = points[0], points[-1]
    return (
        f"Curve of {one_line(truth['column'])} from {number(first['truth']['value'])} at k = {first['k']} to "
        f"{number(last['truth']['value'])} at k = {last['k']}."
    )
