"""Controls that the page's scripts read and write; hidden until a script shows them."""

from collections.abc import Sequence

from policycliff.report.elements import Child, Html, tag
from policycliff.report.format import Number


def slider(
    name: str, label: Child, *, low: Number, high: Number, step: Number, value: Number, **data: str | int
) -> Html:
    """A slider with its label and the place of its value."""
    number = {"min": f"{low:g}", "max": f"{high:g}", "step": f"{step:g}", "value": f"{value:g}"}
    return tag(
        "div",
        tag("label", label, for_=name),
        tag("input", type="range", id=name, **number, **data),
        tag("output", for_=name, id=f"{name}-value"),
        class_="slider",
    )


def choice(name: str, label: str, options: Sequence[str]) -> Html:
    """A list to choose from; the values are the options' places."""
    items = [tag("option", option, value=place) for place, option in enumerate(options)]
    return tag("div", tag("label", label, for_=name), tag("select", items, id=name), class_="choice")


def switch(name: str, label: str) -> Html:
    """A box to tick."""
    return tag("div", tag("input", type="checkbox", id=name), tag("label", label, for_=name), class_="switch")


def button(name: str, label: str) -> Html:
    """A button that a script listens to."""
    return tag("button", label, type="button", id=name)


def live_tile(name: str, label: str, *notes: str) -> Html:
    """A figure that a script writes, with places for its notes."""
    return tag(
        "div",
        tag("div", class_="value", id=name),
        tag("div", label, class_="label"),
        [tag("div", class_="sure", id=note) for note in notes],
        class_="tile",
    )


def live_tiles(*children: Child) -> Html:
    """Tiles whose changes screen readers say when the reader pauses."""
    return tag("div", *children, class_="tiles", aria_live="polite")


def live_box(name: str, *children: Child) -> Html:
    """A box that a script shows once its figures are there."""
    return tag("div", *children, id=name, class_="live", hidden=True)
