"""The phase diagram as a Plotly figure: a bar of cells (two corners), a ternary map (three), volumes and values (more).

Pure functions of the JSON form of a `MixturePhases`. Cells are numbered as in the result.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from policycliff.mdp.messages import check_names, fail
from policycliff.report.format import number
from policycliff.report.plots.layout import GREY, RED, SERIES, Plot, Trace, axis, faint, plot, rows_height
from policycliff.report.text import plot_label

if TYPE_CHECKING:
    from policycliff.cliffs.phases.phases import MixturePhases

Result = Mapping[str, Any]

LABELLED = 0.01
# Beyond this many cells a table of volumes is cut off.
SHOWN = 40


def phases_figure(phases: "Result | MixturePhases", *, names: Sequence[str] | None = None) -> Plot:
    """The figure of a phase diagram: `data` and `layout` for Plotly, as plain JSON types.

    Args:
        phases: a `MixturePhases`, or its `to_dict()`, also read back from JSON.
        names: names of the corners of the slice (of the rewards, where all weights are free).

    Returns:
        A dict with "data" and "layout"; `plotly.graph_objects.Figure(figure["data"], figure["layout"])` shows it.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, mixture_phases, phases_figure
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0, initial=[1.0])
        >>> figure = phases_figure(mixture_phases(bandit, [[1.0, 0.0], [0.0, 1.0]]), names=["helpful", "harmless"])
        >>> [trace["x"] for trace in figure["data"]]
        [[0.5], [0.5]]
    """
    result = phases if isinstance(phases, Mapping) else getattr(phases, "to_dict", dict)()
    if not {"corners", "cells"} <= set(result):
        raise fail(
            got=f"`phases` of type {type(phases).__name__}",
            expected="a MixturePhases, or its to_dict()",
            remedy="Make one with mixture_phases.",
        )
    corners = len(result["corners"])
    called = check_names("names", names, corners)
    labels = [f"corner {j}" for j in range(corners)] if called is None else [plot_label(name) for name in called]
    if corners == 2:
        return bar_of_cells(result, labels)
    if corners == 3:
        return ternary_map(result, labels)
    return shares_of_cells(result, labels)


def bar_of_cells(result: Result, labels: Sequence[str]) -> Plot:
    """Cells as one bar, from all weight on the first corner (left) to all on the second."""
    order = sorted(range(len(result["cells"])), key=lambda cell: _ends(result["cells"][cell])[0])
    traces = [_segment(result["cells"][cell], cell, labels) for cell in order]
    marks = [] if result["in_use"] is None else [_upright(result["in_use"][1])]
    return plot(
        traces,
        height=170,
        barmode="overlay",
        xaxis=axis(f"share of {labels[1]} (the rest: {labels[0]})", range=[0, 1]),
        yaxis={"visible": False, "fixedrange": True},
        shapes=marks,
    )


def ternary_map(result: Result, labels: Sequence[str]) -> Plot:
    """Cells as polygons of the triangle; a cross at the weights in use, a line to the nearest wall."""
    traces: list[Trace] = [_polygon(cell, index, labels) for index, cell in enumerate(result["cells"])]
    traces += _position(result)
    corner_axes = {
        name: {"title": {"text": label}, "min": 0, "ticks": "", "showticklabels": False}
        for name, label in zip(("aaxis", "baxis", "caxis"), labels, strict=True)
    }
    ternary = {"sum": 1, "bgcolor": "rgba(0,0,0,0)", **corner_axes}
    return plot(traces, height=460, ternary=ternary, margin={"l": 50, "r": 50, "t": 40, "b": 40})


def shares_of_cells(result: Result, labels: Sequence[str]) -> Plot:
    """Volumes of the cells, largest first; the values of each on hovering."""
    order = sorted(range(len(result["cells"])), key=lambda cell: -result["cells"][cell]["share"])[:SHOWN]
    cells = [result["cells"][index] for index in order]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [cell["share"] for cell in cells],
        "y": list(range(len(cells))),
        "marker": {"color": [_colour(index) for index in order]},
        "text": [_hover(cell, index, labels) for cell, index in zip(cells, order, strict=True)],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    ticks = {
        "tickvals": list(range(len(cells))),
        "ticktext": [f"cell {index}" for index in order],
        "range": [len(cells) - 0.5, -0.5],
        "automargin": True,
        "fixedrange": True,
        "showgrid": False,
    }
    shares = axis("part of all mixtures", tickformat=".0%", rangemode="tozero")
    return plot([trace], height=rows_height(len(cells)), xaxis=shares, yaxis=ticks)


def _segment(cell: Mapping[str, Any], index: int, labels: Sequence[str]) -> Trace:
    low, high = _ends(cell)
    return {
        "type": "bar",
        "orientation": "h",
        "x": [high - low],
        "base": [low],
        "y": [0],
        "name": f"cell {index}",
        "marker": {"color": _colour(index)},
        "text": [str(index) if high - low > LABELLED else ""],
        "textposition": "inside",
        "hovertext": [f"{_hover(cell, index, labels)}<br>{number(low)} to {number(high)}"],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _polygon(cell: Mapping[str, Any], index: int, labels: Sequence[str]) -> Trace:
    ring = [*cell["vertices"], cell["vertices"][0]]
    return {
        "type": "scatterternary",
        "mode": "lines",
        "a": [point[0] for point in ring],
        "b": [point[1] for point in ring],
        "c": [point[2] for point in ring],
        "fill": "toself",
        "fillcolor": faint(_colour(index)),
        "line": {"color": _colour(index), "width": 1.2},
        "name": f"cell {index}",
        "text": _hover(cell, index, labels),
        "hoveron": "fills",
        "hoverinfo": "text",
        "showlegend": False,
    }


def _position(result: Result) -> list[Trace]:
    """The weights in use, and the way to the nearest wall."""
    if result["in_use"] is None:
        return []
    here, near = result["in_use"], result["nearest"]
    ends = [here]
    if near is not None and near["neighbour"] >= 0:
        step = near["direction"]
        if result["free"]:
            mass = sum(result["corners"][0][k] for k in result["free"])
            step = [step[k] / mass for k in result["free"]]
        ends.append([share + change for share, change in zip(here, step, strict=True)])
    return [
        {
            "type": "scatterternary",
            "mode": "lines+markers",
            "a": [point[0] for point in ends],
            "b": [point[1] for point in ends],
            "c": [point[2] for point in ends],
            "name": "weights in use, and the nearest wall",
            "line": {"color": RED, "width": 2},
            "marker": {"color": RED, "size": [10, 5][: len(ends)], "symbol": "x"},
            "hoverinfo": "skip",
        }
    ]


def _hover(cell: Mapping[str, Any], index: int, labels: Sequence[str]) -> str:
    returns = "".join(f"<br>{label}: {number(value)}" for label, value in zip(labels, cell["values"], strict=True))
    return f"cell {index}, {100.0 * cell['share']:.3g} % of the mixtures; its policy returns{returns}"


def _ends(cell: Mapping[str, Any]) -> tuple[float, float]:
    """Where a cell begins and ends, as the share of the second corner."""
    shares = [point[1] for point in cell["vertices"]]
    return min(shares), max(shares)


def _upright(place: float) -> dict[str, Any]:
    style = {"color": RED, "width": 2, "dash": "dash"}
    return {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "yref": "paper", "line": style}


def _colour(index: int) -> str:
    colours = [colour for colour in SERIES if colour not in {GREY, RED}]
    return colours[index % len(colours)]
