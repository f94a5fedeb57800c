"""Fields of forms that send a plain query, each with its label."""

from collections.abc import Mapping

from policycliff.report.elements import Attribute, Html, tag


def choice(name: str, label: str, options: Mapping[str, str], chosen: str) -> Html:
    """A list to choose from: values to words."""
    listed = [tag("option", words, value=value, selected=value == chosen) for value, words in options.items()]
    return tag("label", f"{label} ", tag("select", listed, name_=name))


def search_input(name: str, label: str, value: str) -> Html:
    """A line to search for."""
    return tag("label", f"{label} ", tag("input", type="search", name_=name, value=value, maxlength=1000))


def number_input(name: str, label: str, value: str, **more: Attribute) -> Html:
    """A number; `more` may say `min`, `max` and `step`."""
    return tag("label", f"{label} ", tag("input", type="number", name_=name, value=value, **more))


def hidden(values: Mapping[str, str]) -> list[Html]:
    """What a form sends along."""
    return [tag("input", type="hidden", name_=name, value=value) for name, value in values.items()]


def submit(words: str) -> Html:
    """The button."""
    return tag("button", words)
