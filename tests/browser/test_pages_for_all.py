"""axe-core's rules for WCAG 2.2, levels A and AA, in both colour schemes."""

import pytest
from headless import give_up
from report_pages import page_markup

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def broken_rules():
    """A function that names the rules that a page breaks, and where."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        give_up("axe-playwright-python is not installed: pip install '.[browser]'")
    axe = Axe()

    def found(page, *, colours_alone=False):
        rules = ["color-contrast"] if colours_alone else LEVELS
        response = axe.run(page, options={"runOnly": rules, "resultTypes": ["violations"]}).response
        assert response["passes"]
        return [f"{rule['id']}: {node['html'][:200]}" for rule in response["violations"] for node in rule["nodes"]]

    return found


@pytest.fixture
def unfolded(open_page):
    """Opens a page with everything unfolded; without its policy, which would keep axe's script out as well."""

    def opened(markup, **options):
        page = open_page(markup, bypass_csp=True, **options)
        page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
        return page

    return opened


@pytest.mark.parametrize("name", ["audit by steps", "answer", "mdp", "theorems"])
def test_no_rule_is_broken(unfolded, broken_rules, name):
    assert broken_rules(unfolded(page_markup(name), width=700)) == []


@pytest.mark.parametrize("name", ["audit by steps", "mdp"])
def test_colours_are_readable_in_the_dark(unfolded, broken_rules, name):
    page = unfolded(page_markup(name), width=700, scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 29)"
    assert broken_rules(page, colours_alone=True) == []


def test_labels_of_plots_are_readable_in_both_schemes(open_page):
    """axe leaves plots alone, for they are images to it: their labels have the colour of the page's text."""
    for scheme in ("light", "dark"):
        page = open_page(page_markup("mdp"), scheme=scheme)
        labels = "labels => [...new Set(labels.map(label => getComputedStyle(label).fill))]"
        text = page.evaluate("getComputedStyle(document.body).color")
        drawn = page.eval_on_selector_all(".plot :is(.xtick, .ytick, .g-xtitle, .g-ytitle, .cbaxis) text", labels)
        assert drawn == [text]


def test_what_is_hard_to_read_or_has_no_name_is_found(unfolded, broken_rules):
    faults = "<main><p style='color: #aaa'>pale</p><button></button>"
    found = broken_rules(unfolded(page_markup("answer").replace("<main>", faults), width=700))
    assert {rule.split(":")[0] for rule in found} == {"color-contrast", "button-name"}
