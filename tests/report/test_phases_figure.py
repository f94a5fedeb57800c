"""The figure of a phase diagram: valid Plotly, the same from the result and from its JSON, and no markup from names."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from policycliff import MDP, mixture_phases, phases_figure

ARMS = MDP.from_arrays(np.ones((1, 5, 1)), np.zeros((1, 5)), 0.0, initial=[1.0])


def make(components, **options):
    rewards = np.vstack([4.0 * np.eye(5)[:components], np.zeros((0, 5))])
    rewards[:, 4] = 1.5
    return mixture_phases(ARMS, rewards, **options)


@pytest.mark.parametrize("components", [1, 2, 3, 4])
def test_figures_are_plotly_and_come_from_json_alone(components):
    phases = make(components, weights=np.eye(components)[0])
    figure = phases_figure(phases)
    assert figure == phases_figure(json.loads(json.dumps(phases.to_dict())))
    go.Figure(figure["data"], figure["layout"])


def test_the_bar_covers_all_mixtures_once():
    figure = phases_figure(make(2, weights=[0.25, 0.75]), names=["helpful", "<b>safe</b>"])
    ends = sorted((trace["base"][0], trace["base"][0] + trace["x"][0]) for trace in figure["data"])
    assert ends[0][0] == 0.0
    assert ends[-1][1] == 1.0
    assert [end for _, end in ends[:-1]] == pytest.approx([start for start, _ in ends[1:]])
    assert figure["layout"]["shapes"][0]["x0"] == 0.75
    assert "<b>" not in json.dumps(figure)


def test_the_map_has_a_polygon_a_cell_and_leads_to_the_wall():
    phases = make(3, weights=[0.5, 0.3, 0.2])
    figure = phases_figure(phases)
    polygons, (way,) = figure["data"][:-1], figure["data"][-1:]
    assert len(polygons) == len(phases.cells)
    for trace in polygons:
        assert np.allclose(np.add(trace["a"], np.add(trace["b"], trace["c"])), 1.0)
        assert trace["a"][0] == trace["a"][-1]
    assert [way["a"][1], way["b"][1], way["c"][1]] == pytest.approx(phases.nearest.arrival.tolist())


def test_a_slice_of_the_triangle_keeps_its_own_scale():
    rewards = np.vstack([4.0 * np.eye(5)[:4]])
    rewards[:, 4] = 1.5
    phases = mixture_phases(ARMS, rewards, fixed={3: 0.2}, weights=[0.4, 0.3, 0.1, 0.2])
    way = phases_figure(phases)["data"][-1]
    assert sum((way["a"][1], way["b"][1], way["c"][1])) == pytest.approx(1.0)
    there = phases.weights([way["a"][1], way["b"][1], way["c"][1]])
    np.testing.assert_allclose(there, phases.nearest.arrival, atol=1e-12)
