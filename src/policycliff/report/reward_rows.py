"""The rows of the table of figures by reward, for the terminal and for Markdown."""

from collections.abc import Callable, Mapping
from typing import Any

from policycliff.report.format import interval, number, percent, percent_interval

Figures = Mapping[str, Any]
Parts = tuple[str, str]
"""What a cell says and, in brackets, how sure it is."""


def share_parts(key: str) -> Callable[[Figures], Parts | None]:
    """A cell that shows the share of this name."""

    def cell(figures: Figures) -> Parts | None:
        figure = figures.get(key)
        if figure is None or figure["value"] is None:
            return None
        return percent(figure["value"]), percent_interval(figure)

    return cell


def mean_parts(figure: Figures | None) -> Parts | None:
    """A mean and its interval."""
    if figure is None or figure["value"] is None:
        return None
    return number(figure["value"]), interval(figure)


def _tied_size(figures: Figures) -> Parts | None:
    figure = figures.get("tied_size_mean")
    if figure is None:
        return None
    return ("no ties", "") if figure["value"] is None else mean_parts(figure)


def _solved(figures: Figures) -> Parts | None:
    if "zero_spread_solved_share" not in figures:
        return None
    solved, unsolved = (figures[f"zero_spread_{kind}_share"]["value"] for kind in ("solved", "unsolved"))
    return f"{percent(solved)} / {percent(unsolved)}", ""


def _radius(figures: Figures) -> Parts | None:
    quantiles = figures.get("radius", {}).get("quantiles")
    return None if quantiles is None else (number(quantiles["p50"]), "")


def _gain(figures: Figures) -> Parts | None:
    if "gain" not in figures:
        return None
    return ("no spread", "") if figures["gain"] is None else (number(figures["gain"]["p50"]), "")


def _flips(figures: Figures) -> Parts | None:
    if "flip_shares" not in figures:
        return None
    if figures["scale"]["origin"] == "constant":
        return "constant", ""
    figure = figures["flip_shares"][-1]["untied_share"]
    return percent(figure["value"]), percent_interval(figure)


def _noise(figures: Figures) -> Parts | None:
    noise = figures["noise"]
    if noise["sigma"] is None:
        return noise["origin"], ""
    sigma = noise["sigma"]
    if not noise["samples"] or sigma["high"] is None:
        return number(sigma["value"]), ""
    return number(sigma["value"]), interval(sigma)


REWARD_ROWS: tuple[tuple[str, Callable[[Figures], Parts | None]], ...] = (
    ("tied at the top", share_parts("tied_share")),
    ("  consequentially", share_parts("consequential_share")),
    ("  those with spread", share_parts("consequential_with_spread_share")),
    ("  behaviours in a tie", _tied_size),
    ("zero spread", share_parts("zero_spread_share")),
    ("  solved / not", _solved),
    ("radius, median", _radius),
    ("others flip at 0.1 scale", _flips),
    ("noise of one score", _noise),
    ("flip when scored again", share_parts("flip_probability_mean")),
    ("gain 1/(std+eps), med.", _gain),
)
"""A row's label, and its cell of the figures of a reward; None where there is nothing to show."""
