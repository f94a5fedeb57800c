"""Everything on a page is reached and worked with keys alone, and links lead to what they name."""

import pytest
from report_pages import page_markup

from policycliff.report.statements import STATEMENTS, anchor

# What has the focus: its place among all that can have it, whether the outline shows, and whether nothing covers it.
FOCUSED = """() => {
  const item = document.activeElement, style = getComputedStyle(item), box = item.getClientRects()[0];
  if (item === document.body || !box) return null;
  const [x, y] = [box.left + Math.min(box.width, innerWidth) / 2, box.top + Math.min(box.height, 40) / 2];
  const top = document.elementFromPoint(x, y);
  return {place: window.stops.indexOf(item), name: item.outerHTML.slice(0, 120),
          outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
          seen: top !== null && (item.contains(top) || top.contains(item))}; }"""
STOPS = """window.stops = [...document.querySelectorAll(
  "a[href], summary, button, input, select, textarea, [tabindex='0']")].filter(item => item.checkVisibility());
  window.stops.length"""
TARGET = "() => document.querySelector(':target')?.id"
IN_VIEW = """id => { const target = document.getElementById(id);
  const box = (target.querySelector("h2") ?? target).getBoundingClientRect();
  const bar = document.querySelector("nav").getBoundingClientRect().bottom;
  return box.top >= bar - 1 && box.top < innerHeight; }"""


@pytest.mark.parametrize("name", ["audit", "mdp"])
def test_tab_goes_through_everything_in_order_with_an_outline(visit, name):
    page = visit(page_markup(name)).page
    stops = page.evaluate(STOPS)
    found = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        found.append(page.evaluate(FOCUSED))
    assert [item["place"] for item in found] == list(range(stops))
    assert [item["name"] for item in found if not item["outline"]] == []
    assert [item["name"] for item in found if not item["seen"]] == []


def test_going_back_nothing_is_covered_by_the_navigation(visit):
    page = visit(page_markup("answer")).page
    stops = page.evaluate(STOPS)
    page.evaluate("window.stops.at(-1).focus()")
    for place in range(stops - 2, -1, -1):
        page.keyboard.press("Shift+Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["place"] == place
        assert focused["seen"], focused["name"]


def test_enter_unfolds_what_is_folded(visit):
    page = visit(page_markup("audit")).page
    page.locator("#methods summary").first.focus()
    assert not page.locator("#methods details table").first.is_visible()
    page.keyboard.press("Enter")
    assert page.locator("#methods details table").first.is_visible()


@pytest.mark.parametrize(("name", "width"), [("audit", 1200), ("audit", 750), ("answer", 360), ("mdp", 360)])
def test_each_card_leads_to_its_evidence(visit, name, width):
    page = visit(page_markup(name), width=width).page
    cards = page.locator(".card:has(.evidence)")
    assert cards.count() > 1
    for place in range(cards.count()):
        link = cards.nth(place).locator(".evidence a")
        section = link.get_attribute("href").removeprefix("#")
        link.press("Enter")
        assert page.evaluate(TARGET) == section
        assert page.evaluate(IN_VIEW, section)
        assert page.locator(f"#{section} h2").inner_text() == link.inner_text()


@pytest.mark.parametrize("name", ["audit", "answer", "mdp", "theorems"])
def test_each_statement_leads_to_its_words(visit, name):
    page = visit(page_markup(name), width=360).page
    links = {link.inner_text(): link for link in page.locator(".statement a").all()}
    assert links
    for statement, link in links.items():
        link.press("Enter")
        assert page.evaluate(TARGET) == anchor(statement)
        assert page.evaluate(IN_VIEW, anchor(statement))
        words = page.locator(f"#{anchor(statement)} + dd")
        assert words.is_visible()
        assert words.inner_text() == STATEMENTS[statement]


def test_every_link_leads_somewhere_on_the_page(visit):
    page = visit(page_markup("audit")).page
    lost = "links => links.filter(link => !document.getElementById(link.hash.slice(1))).map(link => link.href)"
    assert page.eval_on_selector_all("a", lost) == []
