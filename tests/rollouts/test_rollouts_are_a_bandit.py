"""A prompt is a state and its behaviours are actions: the audit and the exact core must say the same of them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policycliff
from policycliff.rollouts.analyses.pairs import tilted_weights
from policycliff.rollouts.analyses.radius import radii
from policycliff.rollouts.audit import settings_from_options
from policycliff.rollouts.reading.load import load_rollouts
from policycliff.rollouts.scores import column_reward, scorer_of


@st.composite
def prompts(draw):
    groups = draw(st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=5), min_size=1, max_size=4))
    return [[value / 4 for value in group] for group in groups]


def scored(groups):
    rows = [(f"p{i}", f"text {j}", value) for i, group in enumerate(groups) for j, value in enumerate(group)]
    frame = pl.DataFrame(rows, schema=["prompt", "completion", "r"], orient="row")
    table = load_rollouts(frame, settings_from_options({"rewards": ["r"]})).table
    return scorer_of(table)(column_reward("r", table.rewards[0].scores))


def bandit(group):
    """One state whose actions end the episode."""
    actions = len(group)
    transitions = np.zeros((2, actions, 2))
    transitions[:, :, 1] = 1.0
    rewards = np.zeros((2, actions))
    rewards[0] = group
    return policycliff.MDP.from_arrays(transitions, rewards, 0.0, terminal=[False, True])


@settings(deadline=None, max_examples=40)
@given(prompts())
def test_radius_and_tied_sets(groups):
    result = scored(groups)
    radius = radii(result)
    for position, group in enumerate(groups):
        mdp = bandit(group)
        assert radius[position] == pytest.approx(policycliff.stability_radius(mdp).radius)
        optimal = policycliff.optimal_actions(policycliff.solve(mdp))
        assert optimal.counts[0] == result.tied_size[position]


@settings(deadline=None, max_examples=40)
@given(prompts(), st.floats(0.05, 5.0))
def test_reweighted_samples_are_the_kl_optimal_policy(groups, beta):
    """With one sample a behaviour the sampling policy is uniform over the sample."""
    result = scored(groups)
    weights = tilted_weights(result.layout, result.scores, beta=beta)
    offsets = result.layout.row_offsets
    for position, group in enumerate(groups):
        mdp = bandit(group)
        uniform = policycliff.KL(beta, policycliff.uniform_policy(mdp))
        policy = policycliff.solve(mdp, regularizer=uniform).policy[: len(group)]
        assert weights[offsets[position] : offsets[position + 1]] == pytest.approx(policy)
