"""The statements as one self-contained page, a pure function of the JSON result."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.elements import Html, details, join, paragraph, table, tag
from policycliff.report.format import count, number
from policycliff.report.page import assemble_page
from policycliff.report.sections.section import Section, plot_box
from policycliff.report.statements import PAPER
from policycliff.report.text import one_line
from policycliff.report.theorems.plots import bounds_plot, cliff_plot, set_plot, smoothing_plot, tightness_plot
from policycliff.report.theorems.terminal import comparison, summary, tally

Result = Mapping[str, Any]


def render_theorems(result: Result) -> str:
    """The page.

    Args:
        result: what `TheoremReport.to_dict` gives, or the same read back from JSON.
    """
    header = tag(
        "header",
        tag("p", "Theorems, run", class_="overline"),
        tag("h1", "The Policy Cliff, statement by statement"),
        tag("p", summary(result), class_="counts"),
    )
    makers = (_failures, _cliff, _smoothing, _bounds, _tightness, _statements, _methods)
    sections = [section for make in makers if (section := make(result)) is not None]
    return assemble_page(title="The statements of The Policy Cliff, run", header=header, sections=sections)


def _statements(result: Result) -> Section:
    head = ["statement", "says", "verdict", "measured, claimed", "on", "over all instances"]
    rows = [_row(row) for row in result["statements"]]
    body = table(head, rows, label="Statements with claimed and measured quantities")
    meaning = (
        "Claimed comes from the statement, measured from other code. A statement whose hypothesis an instance does not "
        "meet says nothing about it."
    )
    return Section("statements", "Statements", meaning, "", body)


def _row(row: Mapping[str, Any]) -> list[str]:
    example = row["example"] or {"verdict": row["verdict"], "claims": [], "why": "", "instance": ""}
    shown = comparison(example["claims"][0]) if example["claims"] else one_line(example["why"] or "")
    verdict = tag("span", example["verdict"], class_=f"chip {_chip(example['verdict'])}")
    title = join(row["title"], tag("div", row["says"], class_="caption"), _row_details(row))
    return [row["number"], title, verdict, shown, one_line(example["instance"]), tally(row["counts"])]


def _chip(verdict: str) -> str:
    return {"holds": "good", "fails": "critical", "unresolved": "warning"}.get(verdict, "note")


def _row_details(row: Mapping[str, Any]) -> Html | None:
    """Hypotheses and claims of the example, to unfold."""
    if row["example"] is None:
        return None
    words = {True: "met", False: "not met", None: "cannot be decided"}
    example = row["example"]
    hypotheses = [tag("li", f"Hypothesis {words[item['holds']]}: {item['text']}") for item in example["hypotheses"]]
    claims = [tag("li", f"{claim['text']}: {comparison(claim)}, {claim['verdict']}.") for claim in example["claims"]]
    reasons = [tag("li", f"Not met on {count(n)}: {text}") for text, n in row["hypotheses_not_met"].items()]
    return details("Hypotheses and claims", tag("ul", *hypotheses, *claims, *reasons))


def _failures(result: Result) -> Section | None:
    found = [(row, failure) for row in result["statements"] for failure in row["failures"]]
    if not found:
        return None
    items = [
        tag("li", f"{row['number']} on {one_line(failure['instance'])}: ", _failed_claims(failure))
        for row, failure in found
    ]
    return Section("failures", "What failed", "Outcomes that contradict a statement.", "", tag("ul", items))


def _failed_claims(failure: Mapping[str, Any]) -> str:
    failed = [claim for claim in failure["claims"] if claim["verdict"] == "fails"]
    return "; ".join(f"{claim['text']}: {comparison(claim)}" for claim in failed)


def _cliff(result: Result) -> Section | None:
    figure = result["figures"].get("cliff")
    if figure is None:
        return None
    plots = {"cliff-policy": cliff_plot(figure), "cliff-set": set_plot(figure)}
    raised = one_line(figure["actions"][figure["raised"]])
    body = join(
        plot_box(
            "cliff-policy",
            f"Probability of {raised} in {one_line(figure['state'])}",
            plots["cliff-policy"],
            label="Probability of the raised action against t: a step for hard choices, smooth curves for soft ones",
        ),
        plot_box(
            "cliff-set",
            "The optimal actions",
            plots["cliff-set"],
            label="For each action the part of the line on which it is optimal; at the tie several are",
        ),
        paragraph(
            "At the tie the set is largest; beside it, however near, it shrinks. It never grows: actions that are "
            "optimal at rewards that come nearer and nearer are optimal in the limit, too."
        ),
    )
    meaning = (
        f"On {one_line(figure['instance'])}: the reward moves on a straight line, the policy does not move at all, "
        "and then at once. Soft policies turn the step into a slope whose width is the temperature."
    )
    statement = "Lemma 2.5, Prop 2.9, Prop 2.10, Prop 4.7"
    return Section("cliff", "The cliff", meaning, statement, body, plots)


def _smoothing(result: Result) -> Section | None:
    figure = result["figures"].get("continuous")
    if figure is None:
        return None
    plots = {"smoothing-density": smoothing_plot(figure)}
    body = plot_box(
        "smoothing-density",
        f"Actions from -10 to 10, temperature {number(figure['temperature'])}, tilt {number(figure['tilt'])}",
        plots["smoothing-density"],
        label="Density of the soft policy before and after a small tilt, and the best actions before and after",
    )
    meaning = (
        f"Three actions are equally good. A tilt of {number(figure['tilt'])} moves the set of best actions by "
        f"{number(figure['hard_distance'])} and a deterministic choice altogether; the soft policy moves by "
        f"{number(figure['total_variation'])} in total variation, at most {number(figure['bound'])}."
    )
    return Section("smoothing", "A continuum of actions", meaning, "Prop 4.7", join(body), plots)


def _bounds(result: Result) -> Section | None:
    figure = result["figures"].get("bounds")
    if figure is None:
        return None
    plots = {"bounds-curves": bounds_plot(figure)}
    body = plot_box(
        "bounds-curves",
        f"Temperature {number(figure['temperature'])}, on {one_line(figure['instance'])}",
        plots["bounds-curves"],
        label="Bounds on the total variation and the measured worst case, against the reward error",
    )
    meaning = "How far a reward error can move the soft policy: what is proven, and the worst that a search found."
    return Section("bounds", "Bounds and measurements", meaning, "Prop 4.7, Result 4", join(body), plots)


def _tightness(result: Result) -> Section | None:
    drawn = tightness_plot(result["statements"])
    if drawn is None:
        return None
    body = plot_box(
        "tightness-shares",
        "Measured over claimed, over all instances",
        drawn,
        label="Box plots of measured over claimed, a row for each statement that is a bound",
    )
    meaning = "1 is a bound that was attained; far below 1 it is loose on these instances."
    return Section("tightness", "How tight the bounds are", meaning, "", join(body), {"tightness-shares": drawn})


def _methods(result: Result) -> Section:
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    settings = result["settings"]
    body = join(
        paragraph(
            f"Seed {settings['seed']}, {count(settings['instances'])} random instances of eight kinds. Measured by "
            "dense linear algebra, enumeration of policies and sampling, apart from the solvers that claim."
        ),
        paragraph(f"Numbers are those of {PAPER}; a Result goes beyond it."),
        paragraph(versions),
    )
    return Section("methods", "Methods", "How this page was made.", "", body)
