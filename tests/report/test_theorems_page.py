"""The page of the statements: whole, safe, and a pure function of the JSON."""

import json
from io import StringIO

import pytest
from page_reader import Page
from rich.console import Console

from policycliff import MDP, theorems
from policycliff.report.theorems.page import render_theorems
from policycliff.report.theorems.terminal import print_theorems

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def result():
    return theorems(only=["2.4", "2.7", "4.7", "Result 8"], instances=8, with_figures=True).to_dict()


@pytest.fixture(scope="module")
def page(result):
    return Page(render_theorems(result))


def printed(result, **options):
    output = StringIO()
    print_theorems(result, Console(file=output, width=120, color_system=None), **options)
    return output.getvalue()


def test_the_page_is_the_same_from_saved_figures(result):
    assert render_theorems(json.loads(json.dumps(result))) == render_theorems(result)


def test_elements_are_closed_and_refer_to_nothing_outside(page):
    assert page.open == []
    assert page.misnested == []
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name) is None or attributes[name].startswith("#")


def test_every_plot_has_its_place(page):
    places = {attributes.get("id") for _, attributes in page.elements}
    assert page.plots
    assert {f"plot-{name}" for name in page.plots} <= places


def test_every_statement_is_there_with_its_claims(page, result):
    for row in result["statements"]:
        assert row["number"] in page.text
        assert row["says"] in page.text
        for claim in row["example"]["claims"]:
            assert claim["text"] in page.text


def test_names_of_the_user_s_mdp_cannot_become_markup():
    mdp = MDP.from_arrays([[[1.0], [1.0]]], [[1.0, 1.0]], 0.0, state_names=[HOSTILE], action_names=[HOSTILE, "b"])
    markup = render_theorems(theorems(mdp, only=["2.4"], with_figures=True).to_dict())
    assert HOSTILE not in markup
    assert "img" not in Page(markup).names()


def test_the_terminal_names_every_statement_and_its_verdict(result):
    text = printed(result)
    assert "Prop 2.4" in text
    assert "holds" in text
    assert "none is contradicted" in text


def test_details_list_hypotheses_and_claims(result):
    text = printed(result, details=True)
    assert "hypothesis met: gamma < 1" in text
    assert "attained between the reward 0 and a constant one" in text


def test_what_fails_is_printed_and_shown(result):
    broken = json.loads(json.dumps(result))
    row = broken["statements"][0]
    claim = {"text": "a claim", "relation": "<=", "verdict": "fails", "claimed": 1.0, "measured": 2.0, "slack": -1.0}
    row["failures"] = [{"instance": "somewhere", "verdict": "fails", "why": None, "hypotheses": [], "claims": [claim]}]
    broken["n_failed"] = 1
    assert "Prop 2.4 fails on somewhere" in printed(broken)
    assert "1 outcomes contradict them" in printed(broken)
    assert "a claim: 2 ≤ 1" in Page(render_theorems(broken)).text
