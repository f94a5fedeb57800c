"""Sliders of the weights, whose best completions the page recomputes for the sample."""

from policycliff.report.elements import Html, join, tag
from policycliff.report.format import Number, number
from policycliff.report.sliders.block import which_sample
from policycliff.report.sliders.controls import button, live_box, live_tile, live_tiles, slider
from policycliff.report.summary import Result
from policycliff.report.text import one_line

SCRIPTS = ("sample", "decimals", "best_sets", "weights")


def weight_sliders(result: Result) -> Html:
    """A slider a reward, figures of the sample, and the prompts whose best completions change."""
    truth = result["settings"]["columns"]["truth"]["column"]
    weights = result["settings"]["rewards"]
    return live_box(
        "weight-sliders",
        tag("h3", "Move the weights"),
        tag("p", which_sample(result), class_="caption"),
        [_slider(place, name, weight) for place, (name, weight) in enumerate(weights.items())],
        button("weights-reset", "Weights in use"),
        live_tiles(
            live_tile("weights-changed", "best completions change", "weights-changed-count", "weights-whole"),
            live_tile("weights-tied", "tied at these weights"),
            live_tile("weights-truth", f"{one_line(truth)} of the best", "weights-truth-range") if truth else None,
        ),
        _table(),
    )


def _slider(place: int, name: str, weight: Number) -> Html:
    """A factor on a weight in use; for a reward that is not trained on, the weight itself."""
    name_ = tag("code", one_line(name))
    if weight == 0:
        label = join("weight of ", name_, " (not in use)")
        return slider(f"weight-{place}", label, low=-1, high=1, step=0.025, value=0, data_column=place)
    label = join("factor on ", name_, f" (weight {number(weight)})")
    return slider(f"weight-{place}", label, low=-1, high=3, step=0.025, value=1, data_column=place)


def _table() -> Html:
    head = [tag("th", name, scope="col") for name in ("prompt", "best with the weights in use", "best now")]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", id="weights-list"), aria_label="Changed prompts")
    return join(
        tag(
            "div",
            table,
            id="weights-table",
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="Changed prompts",
            hidden=True,
        ),
        tag("p", id="weights-more", class_="caption"),
    )
