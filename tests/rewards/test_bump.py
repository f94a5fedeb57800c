"""The bump of Lemma C.1 against its four properties, on all pairs of pairs."""

import numpy as np
import pytest
from core_oracles import random_mdp
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, MetricGrid, bump
from policycliff.errors import InvalidInputError


def product_distances(mdp, states, actions):
    """(pairs, pairs) max product metric, from whole tables."""
    owners, labels = mdp.pair_states, mdp.actions
    return np.maximum(states.matrix()[np.ix_(owners, owners)], actions.matrix()[np.ix_(labels, labels)])


@given(st.integers(0, 10**5), st.floats(0.01, 20.0), st.booleans())
@settings(max_examples=60)
def test_the_four_properties(seed, width, plane):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(seed, states=4, actions=4, terminals=1)
    states = MetricGrid.from_points(rng.normal(size=(4, 2))) if plane else MetricGrid.discrete(4)
    actions = MetricGrid.from_points(rng.permutation(40)[:5] / 4.0)
    centre = int(rng.integers(mdp.n_pairs))
    phi = bump(
        mdp,
        int(mdp.pair_states[centre]),
        int(mdp.actions[centre]),
        width=width,
        state_metric=states,
        action_metric=actions,
    )
    distances = product_distances(mdp, states, actions)
    assert phi[centre] == 1.0
    assert ((phi >= 0.0) & (phi <= 1.0)).all()
    assert (phi[np.arange(mdp.n_pairs) != centre] < 1.0).all()
    assert (phi[distances[centre] >= width] == 0.0).all()
    assert (phi[distances[centre] < width * (1 - 1e-12)] > 0.0).all()
    assert (np.abs(phi[:, None] - phi[None, :]) <= distances / width + 1e-12).all()


@pytest.mark.parametrize("width", [0.3, 1.0])
def test_the_discrete_metrics_give_the_indicator(width):
    mdp = random_mdp(0, states=3, actions=3)
    phi = bump(mdp, 1, int(mdp.actions[mdp.offsets[1]]), width=width)
    assert phi.tolist() == (np.arange(mdp.n_pairs) == mdp.offsets[1]).astype(float).tolist()


def test_the_narrowest_width_there_is():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    assert bump(mdp, 0, 1, width=5e-324).tolist() == [0.0, 1.0]


def test_a_wide_discrete_bump_is_flat_elsewhere():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.0)
    assert bump(mdp, 0, 0, width=4.0).tolist() == [1.0, 0.75, 0.75]


def test_bad_input_is_refused():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.0)
    for width in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match="positive finite distance"):
            bump(mdp, 0, 0, width=width)
    with pytest.raises(InvalidInputError, match="available actions"):
        bump(mdp, 0, 3, width=1.0)
    with pytest.raises(InvalidInputError, match="state 1"):
        bump(mdp, 1, 0, width=1.0)
    with pytest.raises(InvalidInputError, match="one a state"):
        bump(mdp, 0, 0, width=1.0, state_metric=MetricGrid.discrete(2))
    with pytest.raises(InvalidInputError, match="one an action index"):
        bump(mdp, 0, 0, width=1.0, action_metric=MetricGrid.discrete(2))
