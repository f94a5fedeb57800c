"""Plots of an MDP: gaps against visits, sorted gaps, and maps of values and gaps on grids."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.plots.layout import BLUE, GREEN, ORANGE, RED, Plot, axis, log_axis, name_axis, plot, rows_height
from policycliff.report.text import plot_label

_COLOURS = {"unique": BLUE, "tied": RED, "unresolved": ORANGE}
_SIGNS = {"unique": "circle", "tied": "diamond", "unresolved": "square"}
_ARROWS = {
    "up": "↑", "north": "↑", "down": "↓", "south": "↓", "left": "←", "west": "←", "right": "→", "east": "→",
    "pickup": "P", "pick up": "P", "drop off": "D",
}  # fmt: skip
# Light enough that dark arrows stand out on every cell.
_SCALE = [[0.0, "#f3ead2"], [0.5, "#a5cbe6"], [1.0, "#5a97cf"]]
_SHOWN = 5_000
State = Mapping[str, Any]


def gaps_plot(states: Sequence[State]) -> Plot | None:
    """Visits against gaps: on the left the states in which little decides, on top those that are often visited."""
    alive = [state for state in states if not state["terminal"] and state["gap"] is not None]
    if not alive:
        return None
    floor = min((s["gap"] for s in alive if s["gap"] > 0.0), default=1.0) / 4.0
    visited = any(state["visits"] for state in alive)
    traces = []
    for status, colour in _COLOURS.items():
        chosen = sorted((s for s in alive if s["status"] == status), key=lambda s: -(s["visits"] or 0.0))[:_SHOWN]
        if not chosen:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [max(state["gap"], floor) for state in chosen],
                "y": [(state["visits"] or 0.0) if visited else 0.0 for state in chosen],
                "name": status if status != "tied" else "tied (gap 0, drawn at the left)",
                "marker": {"color": colour, "size": 9, "symbol": _SIGNS[status], "opacity": 0.8},
                "cliponaxis": False,
                "text": [plot_label(f"{state['name']}: {', '.join(state['optimal_actions'])}", 60) for state in chosen],
                "hovertemplate": "%{text}<br>gap %{x:.3g}, visits %{y:.3g}<extra></extra>",
            }
        )
    return plot(
        traces,
        height=380,
        xaxis=log_axis("gap: best action minus the next", floor, max(*(state["gap"] for state in alive), 2.0 * floor)),
        yaxis=axis("discounted visits" if visited else "", rangemode="tozero", showticklabels=visited),
    )


def components_plot(radii: Sequence[Mapping[str, Any]]) -> Plot | None:
    """The radius of each reward component alone."""
    finite = [item for item in radii if item["radius"] is not None]
    if len(finite) < 2 or not any(item["radius"] for item in finite):
        return None
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [item["radius"] for item in finite],
        "y": list(range(len(finite))),
        "marker": {"color": BLUE},
        "hovertemplate": "%{x:.3g}<extra></extra>",
    }
    return plot(
        [trace],
        height=rows_height(len(finite)),
        xaxis=axis("error of this reward alone that changes the policy", rangemode="tozero"),
        yaxis=name_axis([item["name"] for item in finite]),
    )


def prices_plot(prices: Sequence[Mapping[str, Any]]) -> Plot | None:
    """For each component the range of returns among tied optima."""
    wide = [price for price in prices if price["decided"] > 1e-9]
    if not wide:
        return None
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": [price["worst"], price["best"]],
            "y": [position, position],
            "line": {"color": RED, "width": 4},
            "marker": {"size": 11, "color": RED},
            "showlegend": False,
            "hovertemplate": "%{x:.4g}<extra></extra>",
        }
        for position, price in enumerate(wide)
    ]
    return plot(
        traces,
        height=rows_height(len(wide)),
        xaxis=axis("return of the component, worst to best among optimal policies"),
        yaxis=name_axis([price["name"] for price in wide]),
    )


def _size(cells: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Rows and columns of a grid; refused where it could not be one of so many states."""
    rows, columns = (1 + max(cell[axis] for cell in cells) for axis in (0, 1))
    if min(min(cell) for cell in cells) < 0 or rows * columns > 10_000 + 100 * len(cells):
        raise ValueError(f"{len(cells)} states do not make a grid of {rows} x {columns} cells")
    return rows, columns


def map_plot(states: Sequence[State], cells: Sequence[Sequence[int]], members: Sequence[int], *, what: str) -> Plot:
    """A map of one layer: `what` is "value" or "gap"; arrows are the optimal actions, red frames are ties."""
    rows, columns = _size(cells)
    grid: list[list[float | None]] = [[None] * columns for _ in range(rows)]
    hover = [[""] * columns for _ in range(rows)]
    signs: list[tuple[int, int, str]] = []
    shapes = []
    floor = min((math.log10(states[s]["gap"]) for s in members if states[s]["gap"]), default=0.0) - 0.2
    # A final state may share its cell with one that goes on: that one is shown.
    for state in sorted(members, key=lambda member: not states[member]["terminal"]):
        row, column = cells[state]
        item = states[state]
        grid[row][column] = _shade(item, what, floor)
        arrows = "".join(_ARROWS.get(name, name[:1]) for name in item["optimal_actions"])
        sign = "•" if item["terminal"] else arrows
        if item["status"] == "tied":
            shapes.append(_frame(row, column))
        signs = [*(kept for kept in signs if kept[:2] != (row, column)), (row, column, sign)]
        gap = (
            "tied" if item["status"] == "tied" else f"gap {item['gap']:.3g}" if item["gap"] is not None else "no choice"
        )
        hover[row][column] = plot_label(f"{item['name']}: value {item['value']:.4g}, {gap}", 90)
    trace = {
        "type": "heatmap",
        "z": grid,
        "text": hover,
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
        "colorscale": _SCALE,
        "xgap": 2,
        "ygap": 2,
        "colorbar": {"thickness": 12, "len": 0.9, "outlinewidth": 0},
        "showlegend": False,
    }
    if what == "gap":
        shades = [shade for line in grid for shade in line if shade is not None]
        trace["colorbar"] = {**trace["colorbar"], **_gap_ticks(shades)}  # type: ignore[dict-item]
    side = max(18, min(64, 560 // columns))
    quiet = {"showgrid": False, "zeroline": False, "showticklabels": False, "fixedrange": True, "ticks": ""}
    return plot(
        [trace, *([_signs(signs)] if rows * columns <= 400 else [])],
        height=max(150, rows * side + 30),
        xaxis=quiet | {"range": [-0.5, columns - 0.5]},
        yaxis=quiet | {"range": [rows - 0.5, -0.5]},
        shapes=shapes,
    )


def _gap_ticks(shades: Sequence[float]) -> dict[str, Any]:
    """Four ticks of the colours of gaps, which are logarithms."""
    if not shades:
        return {}
    low, high = min(shades), max(shades)
    places = [low + step * (high - low) / 3 for step in range(4)]
    return {"tickvals": places, "ticktext": [f"{10.0**place:.1g}" for place in places]}


def _shade(item: State, what: str, floor: float) -> float | None:
    """The number behind a cell's colour; gaps as powers of ten, ties below all of them."""
    if item["terminal"]:
        return None
    if what == "value":
        return float(item["value"])
    if item["status"] == "tied":
        return floor
    return None if not item["gap"] else math.log10(item["gap"])


def _frame(row: int, column: int) -> dict[str, Any]:
    box = {"x0": column - 0.44, "x1": column + 0.44, "y0": row - 0.44, "y1": row + 0.44}
    return {"type": "rect", **box, "line": {"color": RED, "width": 3}}


def _signs(signs: Sequence[tuple[int, int, str]]) -> dict[str, Any]:
    """Arrows as text: dark, for the cells are light in either scheme; dots of final states in green."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": [column for _, column, _ in signs],
        "y": [row for row, _, _ in signs],
        "text": [plot_label(sign) for _, _, sign in signs],
        "textfont": {
            "color": [GREEN if sign == "•" else "#1d2733" for _, _, sign in signs],
            "size": [15 if len(sign) < 3 else 11 for _, _, sign in signs],
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }
