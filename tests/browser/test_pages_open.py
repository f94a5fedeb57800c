"""Every page, wide and as on a phone: opened from a file it draws its plots, calls for nothing and fits the window."""

from itertools import pairwise

import pytest
from headless import visited
from hostile import TEXTS
from report_pages import LONG_WORD, MORE_TEXTS, PAGES, page_markup

from policycliff.report.text import visible

WIDTHS = {"wide": 1200, "phone": 360}
VISITS = [(name, width) for name in PAGES for width in WIDTHS if (name, width) != ("audit by steps", "phone")]
MARKS = """boxes => boxes.map(box => [box.id, [...box.querySelectorAll(
  ".cartesianlayer .mlayer :is(path, rect, image, text)")
].filter(mark => { const size = mark.getBoundingClientRect(); return size.width + size.height > 0; }).length])"""
OUTSIDE = """boxes => boxes.flatMap(box => { const outer = box.getBoundingClientRect();
  return [...box.querySelectorAll(".main-svg, .main-svg text")].filter(item => {
    const inner = item.getBoundingClientRect();
    return inner.width && (inner.left < outer.left - 2 || inner.right > outer.right + 2 ||
                           inner.top < outer.top - 2 || inner.bottom > outer.bottom + 2);
  }).map(item => `${box.id}: ${item.textContent.slice(0, 60)}`); })"""
CUT = """() => [...document.querySelectorAll("main *, header *")].filter(item =>
  item.checkVisibility() && !item.closest(".scroll, pre, .plot, svg") &&
  item.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map(item => `${item.tagName} ${item.className}: ${item.textContent.slice(0, 60)}`)"""
HEADINGS = "found => found.map(item => Number(item.tagName[1]))"
NAMELESS = """items => items.filter(item => !(item.ariaLabel || item.textContent.trim() ||
  [...(item.labels ?? [])].some(label => label.textContent.trim()))).map(item => item.outerHTML.slice(0, 200))"""
INTERACTIVE = "a, button, input, select, textarea, summary, [tabindex], [role=button]"


@pytest.fixture(scope="module", params=VISITS, ids="-".join)
def opened(request, browser, tmp_path_factory):
    """A visit that the tests of one page and one width share; they change nothing, or in no test's way."""
    name, width = request.param
    folder = tmp_path_factory.mktemp("page")
    with visited(browser, page_markup(name), folder, width=WIDTHS[width]) as visit:
        yield visit


def test_nothing_is_said_in_the_console_and_nothing_breaks_the_policy(opened):
    assert opened.messages == []
    assert opened.violations() == []


def test_nothing_but_the_file_is_asked_for_and_nothing_is_asked(opened):
    assert opened.requests == [opened.address]
    assert opened.dialogs == []


def test_no_script_of_the_data_has_run(opened):
    assert opened.page.evaluate("window.hostile") is None
    assert opened.page.evaluate("document.querySelectorAll('img, svg[onload], style:not(head style)').length") == 0


def test_every_plot_is_drawn(opened):
    marks = dict(opened.page.eval_on_selector_all("div.plot", MARKS))
    assert marks
    assert [name for name, count in marks.items() if not count] == []


def test_plots_fit_their_boxes(opened):
    assert opened.page.eval_on_selector_all("div.plot", OUTSIDE) == []


def test_the_page_does_not_scroll_sideways(opened):
    opened.page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    wide, window = opened.page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert opened.page.evaluate(CUT) == []
    assert wide <= window


def test_headings_stand_in_order_and_landmarks_are_there_once(opened):
    levels = opened.page.eval_on_selector_all("h1, h2, h3, h4, h5, h6", HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("body > header", "body > nav[aria-label]", "body > main"):
        assert opened.page.locator(landmark).count() == 1


def test_all_that_can_be_worked_has_a_name(opened):
    assert opened.page.eval_on_selector_all(INTERACTIVE, NAMELESS) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_texts_are_there_to_read(visit, width):
    page = visit(page_markup("hostile audit"), width=WIDTHS[width]).page
    text = page.evaluate("document.querySelector('main').textContent")
    for hostile in (*TEXTS, *MORE_TEXTS):
        assert visible(hostile).split("\n")[0].rstrip()[:1000] in text
    assert LONG_WORD[:1000] in text


def test_plots_answer_the_mouse_without_breaking_the_policy(visit):
    opened = visit(page_markup("audit"))
    bar = opened.page.locator("#plot-ties .bars path").first
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    opened.page.wait_for_selector("#plot-ties .hoverlayer .hovertext")
    assert opened.violations() == []


def test_what_the_policy_forbids_is_noted(visit):
    """The tests above could see it: markup that slipped through neither runs nor changes how the page looks."""
    slipped = "<main><p id='slipped' style='color: red'>x</p><script>hostile = 1</script>"
    opened = visit(page_markup("answer").replace("<main>", slipped))
    assert len(opened.violations()) == 2
    assert len(opened.messages) == 2
    assert opened.page.evaluate("window.hostile") is None
    assert opened.page.evaluate("getComputedStyle(document.getElementById('slipped')).color") != "rgb(255, 0, 0)"
