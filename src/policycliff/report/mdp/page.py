"""The analysis of an MDP as one self-contained page, a pure function of the JSON result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.elements import Html, join, paragraph, table, tag
from policycliff.report.format import count, number, percent, quantity
from policycliff.report.mdp.plots import components_plot, gaps_plot, map_plot, prices_plot
from policycliff.report.mdp.terminal import summary
from policycliff.report.mdp.verdict import verdict_section
from policycliff.report.page import assemble_page
from policycliff.report.phases.plots import phases_figure
from policycliff.report.plots.layout import Plot
from policycliff.report.sections.section import Section, beside, plot_box
from policycliff.report.text import one_line

Result = Mapping[str, Any]
_LAYERS, _ROWS = 3, 30


def render_mdp(result: Result) -> str:
    """The page.

    Args:
        result: what `MDPAnalysis.to_dict` gives, or the same read back from JSON.
    """
    name = one_line(result["source"]["name"])
    header = tag(
        "header",
        tag("p", "MDP analysis", class_="overline"),
        tag("h1", name),
        tag("p", summary(result), class_="counts"),
    )
    makers = (_map, _gaps, _several, _phases, _states, _methods)
    evidence = [section for make in makers if (section := make(result)) is not None]
    sections = [verdict_section(result, {section.key: section.title for section in evidence}), *evidence]
    return assemble_page(title=f"MDP analysis of {name}", header=header, sections=sections)


def _map(result: Result) -> Section | None:
    grid, states = result["grid"], result["states"]
    if grid is None or states is None:
        return None
    plots: dict[str, Plot] = {}
    boxes = []
    for position, layer in enumerate(_chosen_layers(grid, states)):
        members = [state for state, own in enumerate(grid["layers"]) if own == layer]
        name = one_line(grid["layer_names"][layer])
        suffix = f", {name}" if name else ""
        pair = []
        for what, title in (("value", "Values"), ("gap", "Gaps (logarithmic)")):
            key = f"map-{what}-{position}"
            plots[key] = map_plot(states, grid["cells"], members, what=what)
            pair.append(plot_box(key, title + suffix, plots[key], label=f"Map of {what}s{suffix} with optimal actions"))
        boxes.append(beside(*pair))
    more = len(grid["layer_names"]) - _LAYERS
    rest = paragraph(f"{quantity('layer', more)} more in the JSON.") if more > 0 else None
    meaning = (
        "Arrows are the optimal actions, red frames tied states, dots ends of the episode. A pale gap means "
        "that a small "
        "error of the reward decides."
    )
    return Section("map", "Map", meaning, "", join(boxes, rest), plots)


def _chosen_layers(grid: Mapping[str, Any], states: Sequence[Mapping[str, Any]]) -> list[int]:
    """The layers that optimal play visits most; without visits the first ones."""
    weight = [0.0] * len(grid["layer_names"])
    for state, layer in zip(states, grid["layers"], strict=True):
        weight[layer] += (state["visits"] or 0.0) if not state["terminal"] else 0.0
    return sorted(range(len(weight)), key=lambda layer: (-weight[layer], layer))[:_LAYERS]


def _gaps(result: Result) -> Section | None:
    states = result["states"]
    drawn = None if states is None else gaps_plot(states)
    if drawn is None:
        return None
    body = join(
        plot_box("gaps-visits", "Gap and visits of each state", drawn, label="Visits against action gap, a dot a state")
    )
    meaning = (
        "A state on the left decides on little, a state on top is met often: measure rewards best in the upper left."
    )
    return Section("gaps", "Where little decides", meaning, "", body, {"gaps-visits": drawn})


def _several(result: Result) -> Section | None:
    radii = components_plot(result["component_radii"])
    prices = prices_plot(result["tie_prices"])
    found = result["weight_radius"]
    if len(result["source"]["reward_names"]) == 1:
        return None
    plots = {name: drawn for name, drawn in (("rewards-radii", radii), ("rewards-prices", prices)) if drawn is not None}
    names = result["source"]["reward_names"]
    rows = [
        [
            one_line(name),
            number(result["source"]["weights"][k]),
            "" if found is None else number(result["source"]["weights"][k] + found["witness"][k]),
            _radius(result["component_radii"][k]["radius"]),
        ]
        for k, name in enumerate(names)
    ]
    body = join(
        beside(
            plot_box("rewards-radii", "Radius of each reward alone", radii, label="A bar a reward"),
            plot_box("rewards-prices", "What ties decide", prices, label="Worst to best return of each component"),
        ),
        table(
            ["reward", "weight", "weight at the nearest change", "radius of this reward alone"],
            rows,
            label="Rewards, weights and radii",
        ),
    )
    meaning = "How far each reward, and the weights, are from a change of the optimal policy."
    return Section("rewards", "Several rewards", meaning, "Result 1, Result 6", body, plots)


def _phases(result: Result) -> Section | None:
    phases = result["phases"]
    if phases is None:
        return None
    names = result["source"]["reward_names"]
    drawn = phases_figure(phases, names=names)
    head = ["cell", "share of the weights", "policies (log10)", *(f"return: {one_line(name)}" for name in names)]
    rows = [
        [
            str(k),
            percent(cell["share"]),
            number(cell["log_policies"] / math.log(10)),
            *(number(v) for v in cell["values"]),
        ]
        for k, cell in enumerate(phases["cells"])
    ]
    body = join(
        plot_box("weights-cells", "Cells of the weights", drawn, label="The weights, divided by what is best"),
        table(head, rows, label="Cells of the weights and the returns of their policies"),
    )
    meaning = "Within a cell the best return from the start does not change hands. The cross marks the weights in use."
    return Section("phases", "Which weights give which policy", meaning, "Result 3", body, {"weights-cells": drawn})


def _states(result: Result) -> Section | None:
    states = result["states"]
    if states is None:
        return None
    alive = [state for state in states if not state["terminal"] and state["gap"] is not None]
    chosen = sorted(alive, key=lambda s: (s["gap"], -(s["visits"] or 0.0)))
    tied = [state for state in chosen if state["gap"] == 0.0][:_ROWS]
    near = [state for state in chosen if state["gap"] > 0.0][:_ROWS]
    head = ["state", "optimal actions", "status", "gap", "radius", "value", "visits", "reached by an optimal policy"]
    rows = [_row(state) for state in [*tied, *near]]
    if not rows:
        return None
    meaning = f"Up to {_ROWS} tied states and {_ROWS} with the smallest gaps, of {count(len(alive))} with a choice."
    return Section("states", "States", meaning, "", table(head, rows, label="States with small gaps"))


def _row(state: Mapping[str, Any]) -> list[str]:
    chip = {"unique": "good", "tied": "critical"}.get(state["status"], "warning")
    reached = "" if state["reached"] is None else "yes" if state["reached"] else "no"
    return [
        one_line(state["name"]),
        ", ".join(one_line(name) for name in state["optimal_actions"]),
        tag("span", state["status"], class_=f"chip {chip}"),
        number(state["gap"]),
        _radius(state["radius"]),
        number(state["value"]),
        "" if state["visits"] is None else number(state["visits"]),
        reached,
    ]


def _radius(value: float | None) -> str:
    return "none" if value is None else number(value)


def _methods(result: Result) -> Section:
    notes = tag("ul", [tag("li", one_line(note)) for note in result["source"]["notes"]])
    body: Html = join(
        notes,
        paragraph(
            "Ties are proven, radii certified; what is not decided says so. An episode that ends leads to an "
            "absorbing state "
            "with reward 0; the reward stays on the action that ends it."
        ),
        paragraph(f"policycliff {result['policycliff']}"),
    )
    return Section("methods", "The model, and methods", "What the analysis is about.", "", body)
