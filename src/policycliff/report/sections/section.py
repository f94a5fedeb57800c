"""A section of the page: what it says, what it means, the statement behind it, and its plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policycliff.report.elements import Child, Html, join, tag
from policycliff.report.plots.layout import Plot
from policycliff.report.statements import STATEMENTS, anchor, explanation, pieces

_GLYPHS = {
    "square": "■",
    "area": "■",
    "circle": "●",
    "diamond": "◆",
    "diamond-open": "◇",
    "star": "★",
    "triangle-left": "◀",
    "triangle-right": "▶",
}
_BORDERS = {"dash": "dashed", "longdash": "dashed", "dot": "dotted", "dashdot": "dashed", "longdashdot": "dashed"}


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        key: Its anchor, also the beginning of the names of its plots.
        title: Its heading.
        meaning: One plain sentence on what it shows.
        statement: Names of the statements behind it, like "Prop 2.9, Prop 2.10"; empty for none.
        body: Its markup.
        plots: Its plots by name; the markup refers to them through `plot_box`.
        data: Its other JSON blocks by name, for its scripts.
        scripts: Names of the scripts that it needs, in their order.
        named: Statements that its body names.
    """

    key: str
    title: str
    meaning: str
    statement: str
    body: Html
    plots: Mapping[str, Plot] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def render(self) -> Html:
        """The section as markup."""
        heading = tag("h2", tag("a", self.title, href=f"#{self.key}"))
        lead = tag("p", self.meaning, " " if self.statement else None, statement_mark(self.statement), class_="lead")
        return tag("section", heading, lead, self.body, id=self.key)


def statement_mark(statement: str) -> Html | None:
    """The names of statements, each a link to its words, which hovering shows as well."""
    if not statement:
        return None
    return tag("span", [_linked(piece) for piece in pieces(statement)], class_="statement")


def _linked(piece: str) -> str:
    if piece not in STATEMENTS:
        return piece
    return tag("a", piece, href=f"#{anchor(piece)}", title=explanation(piece))


def plot_box(name: str, caption: str, plot: Plot | None, *, label: str) -> Html | None:
    """Where a plot goes, its caption above; `label` is for those who cannot see it. Nothing for no plot."""
    if plot is None:
        return None
    box = tag("div", id=f"plot-{name}", class_="plot", role="img", aria_label=label)
    return tag("figure", tag("figcaption", caption), _legend(plot["legend"]), box)


def _legend(entries: Sequence[Mapping[str, str]]) -> Html | None:
    """Names of the traces with their signs, which a script colours: the page's policy allows no style attribute."""
    if not entries:
        return None
    return tag("ul", [tag("li", _swatch(entry), entry["name"]) for entry in entries], class_="legend")


def _swatch(entry: Mapping[str, str]) -> Html:
    colour, sign = entry["colour"], entry["sign"]
    if sign in _GLYPHS:
        return tag("span", _GLYPHS[sign], data_colour=colour, class_="glyph", aria_hidden="true")
    return tag("span", class_=f"line {_BORDERS.get(sign, 'solid')}", data_colour=colour, aria_hidden="true")


def beside(*children: Child, columns: int = 2) -> Html:
    """Boxes beside each other where there is room."""
    return tag("div", *children, class_=f"beside of-{columns}")


def tile(label: str, value: str, sure: str | None = None, note: str | None = None) -> Html:
    """A figure to read at a glance: its value, its interval, what it is."""
    return tag(
        "div",
        tag("div", value, class_="value"),
        None if sure is None else tag("div", sure, class_="sure"),
        tag("div", label, class_="label"),
        None if note is None else tag("div", note, class_="sure"),
        class_="tile",
    )


def tiles(*children: Html | None) -> Html:
    """A row of tiles."""
    return tag("div", join(*children), class_="tiles")
