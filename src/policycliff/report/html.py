"""The audit as one self-contained page: no network, no outside file, a pure function of the JSON result.

Plotly's script is inlined once; each plot is data in a JSON block, which no browser runs. A content security policy
allows exactly the page's two scripts, by their hashes, and no network, so that even markup that slipped through
could neither run nor call home. Cost: linear in what is shown, which does not grow with the number of prompts.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from plotly.offline import get_plotlyjs

from policycliff.report.cells import name_cell
from policycliff.report.elements import Html, join, tag
from policycliff.report.plots.layout import Plot
from policycliff.report.sections.advice import advice_section
from policycliff.report.sections.cliff import cliff_section
from policycliff.report.sections.limits import limits_section
from policycliff.report.sections.normalisation import normalisation_section
from policycliff.report.sections.pairs import pairs_section
from policycliff.report.sections.price import price_section
from policycliff.report.sections.prompts import prompts_section
from policycliff.report.sections.section import Section
from policycliff.report.sections.ties import ties_section
from policycliff.report.sections.verdict import verdict_section
from policycliff.report.sections.weights import weights_section
from policycliff.report.summary import Result, counts_line, left_out, recognised_columns, reward_formula, title, watched
from policycliff.report.text import one_line

_SECTIONS: tuple[Callable[[Result], Section | None], ...] = (
    verdict_section,
    ties_section,
    cliff_section,
    pairs_section,
    weights_section,
    price_section,
    normalisation_section,
    advice_section,
    prompts_section,
)


def render_html(result: Result) -> str:
    """The page of an audit.

    Args:
        result: What `Audit.to_dict` gives, or the same read back from JSON.

    Returns:
        The whole page as text, to be written as UTF-8. The same result gives the same text.
    """
    sections = _sections(result)
    plots = {name: plot for section in sections for name, plot in section.plots.items()}
    body = tag(
        "body",
        _header(result),
        _navigation(sections),
        tag("main", [section.render() for section in sections]),
        tag("noscript", tag("p", "The plots need JavaScript; the tables hold their figures.")),
        _data(plots),
        tag("script", _plotly()),
        tag("script", _starter()),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{_head(result)}{body}</html>\n'


def _sections(result: Result) -> list[Section]:
    sections = [section for make in _SECTIONS if (section := make(result)) is not None]
    named = [*(section.statement for section in sections), *(item["statement"] for item in result["verdict"])]
    return [*sections, limits_section(result, named)]


def _head(result: Result) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", f"Reward audit of {one_line(title(result))}"),
        tag("style", Html(_style())),
    )


def _header(result: Result) -> Html:
    columns = [
        tag("li", f"{role}: ", tag("code", one_line(column)), " (guessed)" if origin == "guessed" else None)
        for role, column, origin in recognised_columns(result)
    ]
    odd = [tag("li", one_line(line)) for line in left_out(result)]
    return tag(
        "header",
        tag("p", "Reward audit", class_="overline"),
        tag("h1", name_cell(title(result))),
        tag("p", counts_line(result), class_="counts"),
        tag("p", "Trained on ", tag("code", one_line(reward_formula(result))), _beside(result), class_="counts"),
        tag("details", tag("summary", "Columns, and what was left out"), tag("ul", columns), tag("ul", odd)),
    )


def _beside(result: Result) -> Html | None:
    """What the trained-on reward is held against."""
    truth = result["settings"]["columns"]["truth"]["column"]
    names = [*watched(result), *([] if truth is None else [truth])]
    if not names:
        return None
    return join(
        ", held against ",
        [join(", " if position else "", tag("code", one_line(name))) for position, name in enumerate(names)],
    )


def _navigation(sections: list[Section]) -> Html:
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
