"""A self-contained page: no network, no outside file, the same frame for every report.

Plotly's script is inlined once; each plot is data in a JSON block, which no browser runs. A content security policy
allows exactly the page's two scripts, by their hashes, and no network, so that even markup that slipped through
could neither run nor call home.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from plotly.offline import get_plotlyjs

from policycliff.report.elements import Html, tag
from policycliff.report.plots.layout import Plot
from policycliff.report.sections.section import Section


def assemble_page(*, title: str, header: Html, sections: Sequence[Section]) -> str:
    """The whole page as text, to be written as UTF-8; `title` is plain text, for the browser's tab."""
    plots = {name: plot for section in sections for name, plot in section.plots.items()}
    body = tag(
        "body",
        header,
        _navigation(sections),
        tag("main", [section.render() for section in sections]),
        tag("noscript", tag("p", "The plots need JavaScript; the tables hold their figures.")),
        _data(plots),
        tag("script", _plotly()),
        tag("script", _starter()),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{_head(title)}{body}</html>\n'


def _head(title: str) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(_style())),
    )


def _navigation(sections: Sequence[Section]) -> Html:
    links = [tag("a", section.title, href=f"#{section.key}") for section in sections]
    return tag("nav", links, aria_label="Sections")


def _data(plots: dict[str, Plot]) -> Html:
    drawn = {name: {key: plot[key] for key in ("data", "layout")} for name, plot in plots.items()}
    return tag("script", Html(embedded_json(drawn)), type="application/json", id="plots")


def embedded_json(value: object) -> str:
    r"""JSON that no text in it can end or reopen: as ASCII, with `<`, `>` and `&` as escapes.

    >>> print(embedded_json("</script>"))
    "\u003c/script\u003e"
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _plotly() -> Html:
    return Html(get_plotlyjs().replace("\r\n", "\n"))


@cache
def _policy() -> str:
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in (_plotly(), _starter()))
    return f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _style() -> str:
    return files("policycliff.report").joinpath("style.css").read_text(encoding="utf-8")


@cache
def _starter() -> Html:
    return Html(files("policycliff.report").joinpath("page.js").read_text(encoding="utf-8"))
