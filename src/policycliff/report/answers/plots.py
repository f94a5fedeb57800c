"""The plot of an answer's table: one column against others, a line each."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.plots.layout import SERIES, Plot, Trace, axis, band, log_axis, plot, share_axis
from policycliff.report.text import plot_label


def lines_plot(table: Mapping[str, Any]) -> Plot:
    """The lines that the table's `plot` asks for; rows without a value are left out of their line."""
    wanted = table["plot"]
    columns = {item["key"]: item for item in table["columns"]}
    share = all(columns[key]["kind"] == "share" for key in wanted["y"])
    traces: list[Trace] = []
    for position, key in enumerate(wanted["y"]):
        points = [(row[wanted["x"]], _figure(row[key])) for row in table["rows"]]
        kept = [(x, figure) for x, figure in points if x is not None and figure["value"] is not None]
        xs, figures = [x for x, _ in kept], [figure for _, figure in kept]
        colour = SERIES[position % len(SERIES)]
        traces += band(xs, figures, colour=colour, name=plot_label(columns[key]["title"]), share=share)
    y_axis = share_axis(wanted["y_title"]) if share else axis(wanted["y_title"])
    xs = [x for trace in traces for x in trace["x"] if x > 0]
    logarithmic = wanted["log_x"] and xs
    x_axis = log_axis(wanted["x_title"], min(xs), max(xs)) if logarithmic else axis(wanted["x_title"])
    return plot(traces, height=360, xaxis=x_axis, yaxis=y_axis)


def _figure(value: Any) -> Mapping[str, Any]:
    """A value as a figure; without an interval, its band has no width."""
    if isinstance(value, Mapping):
        bounds = {key: value["value"] if value[key] is None else value[key] for key in ("low", "high")}
        return {"value": value["value"], **bounds}
    return {"value": value, "low": value, "high": value}
