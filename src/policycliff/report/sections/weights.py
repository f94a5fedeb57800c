"""The map under other weights (Lemma 4.2, Prop 4.6): walls of each weight."""

from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.cells import name_cell, share_cell
from policycliff.report.elements import Html, join, table
from policycliff.report.format import Number, number
from policycliff.report.plots.weights import wall_curves
from policycliff.report.sections.section import Section, plot_box
from policycliff.report.sliders.weights import SCRIPTS, weight_sliders
from policycliff.report.summary import Result
from policycliff.report.text import one_line

_SEVERAL = (
    "Each weight is multiplied by a factor while the others stay; 1 is the weight in use, 0 drops the reward. "
    "Walls are exact: between two of them the best behaviours do not change."
)
_ALONE = (
    "One reward alone is trained on, so its weight changes nothing; what would change is seen when another reward is "
    "given a weight beside it."
)


def weights_section(result: Result) -> Section | None:
    """Curves and walls of the weights, and sliders; None where there is nothing to choose.

    The sliders read the sample that the section on temperature brings.
    """
    walls = _walls(result["weights"]) if len(result["weights"]) > 1 else None
    movable = len(result["settings"]["rewards"]) > 1 and result.get("sample")
    if walls is None and not movable:
        return None
    return Section(
        "weights",
        "The map under other weights",
        _ALONE if walls is None else _SEVERAL,
        "Lemma 4.2, Prop 4.6",
        join(walls, weight_sliders(result) if movable else None),
        {} if walls is None else {"walls": wall_curves(result["weights"])},
        scripts=SCRIPTS if movable else (),
    )


def _walls(weights: Sequence[Mapping[str, Any]]) -> Html:
    reaches = [f"within {100 * item['factor']:g} %" for item in weights[0]["within"]]
    head = ["weight", "now", "on a wall now", *reaches, "never crosses", "median wall below", "median wall above"]
    names = ", ".join(one_line(weight["name"]) for weight in weights)
    return join(
        plot_box(
            "walls",
            "Prompts whose best behaviours change when one weight is multiplied",
            wall_curves(weights),
            label=f"Curves of the share of prompts whose best set changes, against the factor on {names}",
        ),
        table(
            head,
            [_row(weight) for weight in weights],
            label="Walls by weight",
            caption="A wall is a factor at which the best set of a prompt changes; medians over the prompts that have "
            "one on that side. On a wall: tied behaviours that the least change of this weight parts.",
        ),
    )


def _row(weight: Mapping[str, Any]) -> list[str]:
    return [
        name_cell(weight["name"]),
        number(weight["weight"]),
        share_cell(weight["on_wall_share"]),
        *(share_cell(item["share"]) for item in weight["within"]),
        share_cell(weight["never_crosses_share"]),
        _median(weight["wall_below_quantiles"]),
        _median(weight["wall_above_quantiles"]),
    ]


def _median(quantiles: Mapping[str, Number] | None) -> str:
    return "none" if quantiles is None else f"× {number(quantiles['p50'])}"
