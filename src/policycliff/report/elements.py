"""HTML that is escaped unless it says otherwise: a small builder of elements.

`tag` escapes every plain string, in content and in attributes; only `Html`, which `tag` itself makes, passes as it is.
So text from the data cannot become markup by being forgotten.
"""

import html
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from policycliff.report.text import visible


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = str | Iterable[str | None] | None
"""What an element can hold: text, markup, nothing, or several of them."""

Attribute: TypeAlias = str | int | bool | None

_VOID = {"br", "hr", "meta", "img", "input"}


def tag(name: str, *children: Child, **attributes: Attribute) -> Html:
    """An element.

    A trailing underscore of an attribute's name falls away and others become hyphens; None and False leave it out.

    >>> tag("p", "a < b", class_="note", aria_label='"x"')
    '<p class="note" aria-label="&quot;x&quot;">a &lt; b</p>'
    """
    opening = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Html(opening if name in _VOID else f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Several pieces, one after another, text escaped.

    >>> join("<", [tag("b", "bold"), None])
    '&lt;<b>bold</b>'
    """
    return Html("".join(_rendered(child) for child in children))


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    *,
    caption: str | None = None,
    label: str,
) -> Html:
    """A table whose first column names the rows, in a box that scrolls sideways where it is too wide.

    Args:
        head: Headings; the first one is of the row names.
        rows: Cells, the row's name first.
        caption: A sentence under the table.
        label: What the table is, for screen readers.
    """
    heading = tag("tr", [tag("th", name, scope="col") for name in head])
    body = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]]) for row in rows]
    inner = tag("table", tag("thead", heading), tag("tbody", body), aria_label=label)
    below = None if caption is None else tag("p", caption, class_="caption")
    box = tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=label)
    return join(box, below)


def details(summary: str, *children: Child) -> Html:
    """Something to unfold."""
    return tag("details", tag("summary", summary), *children)


def escape(text: str) -> Html:
    """Text as markup.

    >>> escape("a < b")
    'a &lt; b'
    """
    return Html(html.escape(visible(text), quote=False))


def paragraph(*children: Child) -> Html:
    """A paragraph."""
    return tag("p", *children)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(visible(str(value)))}"'


def _rendered(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(child)
    return "".join(_rendered(item) for item in child)
