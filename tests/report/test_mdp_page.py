"""The page of an MDP: whole, safe, and a pure function of the JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from page_reader import Page

from policycliff import MDP, analyze_mdp, read_source
from policycliff.mdp.sources.source import GridLayout, MDPSource
from policycliff.report.mdp.page import render_mdp

HOSTILE = "</script><img src=x onerror=alert(1)>"
TABLES = Path(__file__).parents[1] / "data" / "momdp_transitions.parquet"


@pytest.fixture(scope="module")
def result():
    source = read_source(f"{TABLES}:deep_sea_treasure_convex", gamma=0.9)
    cells = np.array([json.loads(name) for name in source.mdp.state_names])
    layout = GridLayout(cells, np.zeros(len(cells), np.int64), ("",))
    drawn = MDPSource(
        source.name, source.mdp, source.rewards, source.reward_names, source.weights, ("A note.",), layout
    )
    return analyze_mdp(drawn).to_dict()


def test_the_page_is_the_same_from_saved_figures(result):
    assert render_mdp(json.loads(json.dumps(result))) == render_mdp(result)


def test_sections_and_plots_are_there(result):
    page = Page(render_mdp(result))
    assert (page.open, page.misnested) == ([], [])
    places = {attributes.get("id") for _, attributes in page.elements}
    assert {"verdict", "map", "gaps", "rewards", "states", "methods"} <= places
    assert {f"plot-{name}" for name in page.plots} <= places
    assert {"map-value-0", "map-gap-0", "gaps-visits"} <= set(page.plots)
    for finding in result["verdict"]:
        assert finding["title"] in page.text
    assert "A note." in page.text
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name) is None or attributes[name].startswith("#")


def test_names_cannot_become_markup():
    names = {"state_names": [HOSTILE], "action_names": [HOSTILE, "b"]}
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0, initial=[1.0], **names)
    markup = render_mdp(analyze_mdp(mdp).to_dict())
    assert HOSTILE not in markup
    assert "img" not in Page(markup).names()


def test_a_page_without_grid_start_or_choice():
    mdp = MDP.from_arrays(np.ones((1, 1, 1)), [[1.0]], 0.5)
    assert "plot-gaps" not in render_mdp(analyze_mdp(mdp).to_dict())


@pytest.mark.parametrize("cell", [[10**12, 0], [0, 10**6], [-1, 0]])
def test_a_grid_that_no_world_has_is_refused(result, cell):
    """Edited by hand, it would fill the memory."""
    edited = json.loads(json.dumps(result))
    edited["grid"]["cells"][0] = cell
    with pytest.raises(ValueError, match="do not make a grid"):
        render_mdp(edited)
