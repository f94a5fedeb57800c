"""No text of the data becomes an element, a handler, a script or a request, however hard it tries."""

import base64
import hashlib
import json
import re

import pytest
from hostile import COLUMNS, TEXTS, hostile_table
from page_reader import Page

from policycliff.report.elements import tag
from policycliff.report.html import render_html
from policycliff.report.page import embedded_json
from policycliff.report.text import plot_label, visible
from policycliff.rollouts.audit import audit

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "noscript", "script",
    "h1", "h2", "h3", "p", "a", "article", "code", "dd", "del", "details", "div", "dl", "dt", "em", "figcaption",
    "figure", "ins", "li", "mark", "pre", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr",
    "ul", "wbr", "button", "input", "label", "option", "output", "select",
}  # fmt: skip


@pytest.fixture(scope="module")
def markup() -> str:
    options = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": COLUMNS["source"]}
    rewards = {COLUMNS["first"]: 1.0, COLUMNS["second"]: 0.0}
    return render_html(audit(hostile_table(), rewards=rewards, truth=COLUMNS["truth"], **options).to_dict())


@pytest.fixture(scope="module")
def page(markup) -> Page:
    return Page(markup)


def test_only_elements_of_our_own(page):
    assert page.names() <= ELEMENTS
    assert len(page.scripts) == 2
    assert [name for name, _ in page.elements].count("script") == len(page.scripts) + len(page.blocks)
    assert page.comments == []


def test_every_element_is_closed_where_it_was_opened(page):
    assert page.open == []
    assert page.misnested == []


def test_no_handler_and_no_reference_to_elsewhere(page):
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert attributes.get(name) is None or attributes[name].startswith("#")


def test_no_element_has_a_style_attribute_and_colours_are_ours(page):
    assert [name for name, attributes in page.elements if "style" in attributes] == []
    colours = {attributes["data-colour"] for _, attributes in page.elements if "data-colour" in attributes}
    assert colours
    assert all(re.fullmatch(r"#[0-9a-f]{6}|rgba\([\d., ]+\)", colour) for colour in colours)


def test_the_texts_are_there_to_read(page):
    for text in TEXTS:
        wanted = visible(text).split("\n")[0]
        assert wanted in page.text


def test_the_policy_allows_these_two_scripts_this_style_sheet_and_no_network(page, markup):
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    sheet = re.search("<style>(.*?)</style>", markup, flags=re.DOTALL).group(1)
    for script in (*page.scripts, sheet):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_plots_hold_no_markup_of_the_data(page):
    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for item in value.values():
                yield from texts(item)
        elif isinstance(value, list):
            for item in value:
                yield from texts(item)

    allowed = {"<br>", "<extra>", "</extra>"}
    assert {found for text in texts(page.plots) for found in re.findall("<[^>]*>?", text)} <= allowed


def test_templates_of_plots_hold_no_name_of_the_data(page):
    templates = [t[key] for p in page.plots.values() for t in p["data"] for key in t if key.endswith("template")]
    assert not [template for template in templates if "alert" in template or "evil" in template or "style" in template]


def test_the_page_is_utf_8_and_has_no_control_characters(markup):
    encoded = markup.encode("utf-8")
    assert encoded.decode("utf-8") == markup
    ours = re.sub(r"<script>.*?</script>", "", markup, flags=re.DOTALL)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", ours)


def test_surrogates_and_nul_become_replacement_characters():
    assert tag("p", "a\ud800\x00b") == "<p>a\ufffd\ufffdb</p>"


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "\u2028", "&lt;", "\ud800", "\x7f\x00", "\u202e"])
def test_embedded_json_cannot_be_left(text):
    written = embedded_json({"key": text})
    assert not re.search("[<>&\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", written)
    assert written.encode("utf-8")
    assert json.loads(written) == {"key": text}


def test_attributes_cannot_be_left():
    assert tag("div", title="\"' onclick=x <b>") == '<div title="&quot;&#x27; onclick=x &lt;b&gt;"></div>'


def test_labels_of_plots_are_escaped_after_they_are_cut():
    assert plot_label("<" * 40, 10) == "&lt;" * 4 + "…" + "&lt;" * 5
