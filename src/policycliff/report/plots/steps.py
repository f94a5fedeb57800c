"""Plots of the figures over training steps: one line a figure, with its 95 % band."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.plots.layout import SERIES, Plot, axis, band, plot, share_axis, share_limit

Row = Mapping[str, Any]


def step_lines(rows: Sequence[Row], names: Mapping[str, str], title: str, *, share: bool = False) -> Plot | None:
    """The figures under these keys against the step; None where no row has one of them."""
    positions = _positions(rows)
    traces = []
    for number, (key, name) in enumerate(names.items()):
        known = zip(positions, (row.get(key) for row in rows), strict=True)
        points = [(x, figure) for x, figure in known if figure and figure["value"] is not None]
        if points:
            xs, figures = [x for x, _ in points], [figure for _, figure in points]
            traces += band(xs, figures, colour=SERIES[number % len(SERIES)], name=name, share=share)
    if not traces:
        return None
    limit = share_limit(row[key] for row in rows for key in names if row.get(key)) if share else None
    y_axis = share_axis(title, range=[-0.02, limit]) if share else axis(title)
    return plot(traces, height=320, xaxis=_step_axis(rows), yaxis=y_axis)


def _positions(rows: Sequence[Row]) -> list[float]:
    """The middle of each run of steps; the rows' numbers where steps are not all numbers."""
    if _numeric(rows):
        return [(row["first"] + row["last"]) / 2 for row in rows]
    return [float(position) for position in range(len(rows))]


def _step_axis(rows: Sequence[Row]) -> dict[str, Any]:
    return axis("training step" if _numeric(rows) else "training step, in order")


def _numeric(rows: Sequence[Row]) -> bool:
    return all(isinstance(row[end], int | float) for row in rows for end in ("first", "last"))
