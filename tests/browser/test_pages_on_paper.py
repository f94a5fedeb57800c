"""Pages printed, and pages without JavaScript: all texts, nothing cut."""

import pytest
from report_pages import PAGES, page_markup

PAPER = 718  # pixels between the margins of A4
FOLDED = """() => [...document.querySelectorAll("main *, header *")].filter(item =>
  item.firstChild?.nodeType === 3 && item.firstChild.data.trim() && !item.closest("noscript, script, svg, [hidden]") &&
  !item.closest(".slider, .choice, .switch, button") &&
  !item.checkVisibility()).map(item => item.outerHTML.slice(0, 160))"""
CUT = """() => [...document.querySelectorAll("main *, header *")].filter(item =>
  item.checkVisibility() && !item.closest("svg") && getComputedStyle(item).overflow !== "visible" &&
  (item.scrollWidth > item.clientWidth + 1 || item.scrollHeight > item.clientHeight + 1)
).map(item => `${item.tagName}.${item.className}: ${item.textContent.slice(0, 60)}`)"""


@pytest.mark.parametrize("name", PAGES)
def test_paper_holds_every_text_and_cuts_nothing(open_page, name):
    page = open_page(page_markup(name), width=PAPER)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.evaluate(FOLDED) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PAPER


def test_dark_pages_are_printed_on_white(open_page):
    page = open_page(page_markup("answer"), width=PAPER, scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_a_page_prints(open_page):
    assert open_page(page_markup("mdp")).pdf().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["audit", "answer", "mdp", "theorems"])
def test_without_javascript_verdict_and_tables_are_there_and_no_empty_box(open_page, name):
    page = open_page(page_markup(name), java_script_enabled=False)
    assert page.locator("noscript").is_visible()
    assert page.locator("main > section").first.is_visible()
    for table in page.locator("main > section > .scroll table").all():
        assert table.is_visible()
        assert table.locator("tbody tr").count()
    assert page.locator("main > section > .scroll table").count()
    assert not any(figure.is_visible() for figure in page.locator("figure").all())
