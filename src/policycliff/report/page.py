"""A self-contained page: no network, no outside file, the same frame for every report.

Plotly's script is inlined once, where there is a plot; plots and other data are JSON blocks, which no browser runs. A
content security policy allows exactly the page's own scripts and style sheet, by their hashes, and no network, so that
even markup that slipped through could neither run nor call home nor cover the page. No element has a style attribute:
scripts set what depends on data through the object model, which the policy allows. Plotly needs an empty style sheet,
which it fills rule by rule, and empties style attributes: hence the hash of nothing, and `unsafe-hashes`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.report.assets import digest, plotly, scripts, style
from policycliff.report.elements import Html, tag
from policycliff.report.sections.in_words import in_words_section
from policycliff.report.sections.section import Section

_UNSAFE = re.compile("[<>&\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def assemble_page(
    *, title: str, header: Html, sections: Sequence[Section], links: Mapping[str, str] | None = None
) -> str:
    """The whole page as text, to be written as UTF-8; `title` is plain text, for the browser's tab.

    A last section says in words what the statements say that the others name. `links` are more entries of the
    navigation: texts, and where they lead.
    """
    run = _scripts(sections)
    in_words = in_words_section(sections)
    shown = [*sections, in_words] if in_words else sections
    without = tag("noscript", tag("p", "The plots need JavaScript; the tables hold their figures.")) if run else None
    body = tag(
        "body",
        header,
        _navigation(shown, links or {}),
        tag("main", without, [section.render() for section in shown]),
        [_block(name, value) for name, value in _blocks(sections).items()],
        [tag("script", script) for script in run],
    )
    return f'<!DOCTYPE html>\n<html lang="en">{_head(title, run)}{body}</html>\n'


def _scripts(sections: Sequence[Section]) -> list[Html]:
    """Plotly and our own script, where the sections have something for them to do."""
    names = [name for section in sections for name in section.scripts]
    if any(section.plots for section in sections):
        names = ["plots", *names]
    return [plotly(), scripts(list(dict.fromkeys(names)))] if names else []


def _blocks(sections: Sequence[Section]) -> dict[str, Any]:
    plots = {name: plot for section in sections for name, plot in section.plots.items()}
    drawn = {name: {key: plot[key] for key in ("data", "layout")} for name, plot in plots.items()}
    own: dict[str, Any] = {"plots": drawn} if drawn else {}
    return own | {name: value for section in sections for name, value in section.data.items()}


def _block(name: str, value: Any) -> Html:
    return tag("script", Html(embedded_json(value)), type="application/json", id=name)


def _head(title: str, run: Sequence[str]) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_policy(run)}">'),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style()),
    )


def _navigation(sections: Sequence[Section], links: Mapping[str, str]) -> Html:
    entries = {f"#{section.key}": section.title for section in sections} | {to: text for text, to in links.items()}
    return tag("nav", [tag("a", text, href=to) for to, text in entries.items()], aria_label="Sections")


def embedded_json(value: Mapping[str, Any] | Sequence[Any] | str) -> str:
    r"""JSON that no text in it can end or reopen: `<`, `>`, `&` and what is no plain text in UTF-8 become escapes.

    >>> print(embedded_json("</script>"))
    "\u003c/script\u003e"
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _policy(run: Sequence[str]) -> str:
    allowed = " ".join(digest(script) for script in run) or "'none'"
    styles = f"'unsafe-hashes' {digest(style())} {digest('')}"
    return (
        f"default-src 'none'; script-src {allowed}; style-src {styles}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
