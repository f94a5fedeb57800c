"""The discount decides between lengths: the claimed radius against the solver's on token trees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import optimal_actions, solve, stability_radius, token_tree
from policycliff.cliffs.lines.discount import length_radius, preferred_length
from policycliff.errors import InvalidInputError

GAMMAS = [0.1, 0.5, 0.9, 0.99, 0.9999]


def lengths_tree(short, long, reward, gamma, *, shared=0):
    """Two traces of these numbers of tokens, equally rewarded, alike in their first `shared` tokens."""
    prefix = "p" * shared
    return token_tree([prefix + "a" * (short - shared), prefix + "b" * (long - shared)], [reward, reward], gamma=gamma)


def last_steps(mdp):
    """The pairs that end a sequence: the rewards of last steps."""
    return np.array([mdp.action_names[action] == "<end>" for action in mdp.actions])


@given(
    st.integers(1, 6),
    st.integers(0, 12),
    st.sampled_from(GAMMAS),
    st.sampled_from([1.0, -1.0, 0.3, -5.0]),
    st.integers(0, 6),
)
@settings(max_examples=80)
def test_the_radius_is_the_exact_one(short, extra, gamma, reward, shared):
    mdp = lengths_tree(short, short + extra, reward, gamma, shared=min(shared, short - 1))
    result = stability_radius(mdp, mask=last_steps(mdp))
    expected = length_radius(reward, extra_steps=extra, gamma=gamma)
    assert result.radius == pytest.approx(expected, rel=1e-6)
    sets = optimal_actions(solve(mdp), exact=True)
    state = int(np.argmax(np.diff(mdp.offsets) > 1))
    chosen = [mdp.action_names[mdp.actions[pair]] for pair in sets.pairs(state)]
    winner = {"shorter": ["a"], "longer": ["b"], "tied": ["a", "b"]}
    assert chosen == winner[preferred_length(reward, gamma=gamma) if extra else "tied"]


@pytest.mark.parametrize("gamma", GAMMAS)
def test_stopping_against_going_on(gamma):
    """The shorter trace may be the beginning of the longer one: the choice is between the end and another token."""
    mdp = token_tree(["ab", "abcde"], [1.0, 1.0], gamma=gamma)
    assert stability_radius(mdp, mask=last_steps(mdp)).radius == pytest.approx(
        length_radius(1.0, extra_steps=3, gamma=gamma), rel=1e-9
    )


def test_the_radius_by_moving_the_rewards():
    gamma, extra = 0.9, 4
    radius = length_radius(1.0, extra_steps=extra, gamma=gamma)
    for share, better in ((0.999, "a"), (1.001, "b")):
        moved = [1.0 - share * radius, 1.0 + share * radius]
        mdp = token_tree(["aa", "bb" + "b" * extra], moved, gamma=gamma)
        root = int(np.argmax(mdp.initial))
        (pair,) = optimal_actions(solve(mdp)).pairs(root)
        assert mdp.action_names[mdp.actions[pair]] == better


def test_the_nearest_length_decides_among_many():
    mdp = token_tree(["a", "bb", "cccc"], [1.0] * 3, gamma=0.95)
    radius = stability_radius(mdp, mask=last_steps(mdp)).radius
    assert radius == pytest.approx(length_radius(1.0, extra_steps=1, gamma=0.95))


def test_equal_lengths_tie_and_no_discount_ties_all():
    assert stability_radius(lengths_tree(3, 3, 1.0, 0.9)).status == "tied"
    assert stability_radius(lengths_tree(2, 5, 1.0, 1.0)).status == "tied"
    assert length_radius(1.0, extra_steps=3, gamma=1.0) == 0.0
    assert length_radius(1.0, extra_steps=0, gamma=0.5) == 0.0
    assert length_radius(0.0, extra_steps=3, gamma=0.5) == 0.0


def test_without_a_future():
    # Two or more steps each: all is tied, and no change of the last rewards is felt at the root.
    mdp = lengths_tree(1, 4, 1.0, 0.0)
    assert optimal_actions(solve(mdp)).counts.max() == 2
    assert stability_radius(mdp, mask=last_steps(mdp)).radius == np.inf
    assert preferred_length(1.0, gamma=0.0) == "tied"
    # One step (an empty completion, which ends at once) against more: the whole reward is at stake.
    single = token_tree(["", "aaa"], [2.0, 2.0], gamma=0.0)
    assert stability_radius(single, mask=last_steps(single)).radius == 2.0
    assert length_radius(2.0, extra_steps=3, gamma=0.0) == 2.0


def test_it_is_the_closed_form_in_extreme_cases():
    gamma = 1.0 - 1e-12
    assert length_radius(1.0, extra_steps=1, gamma=gamma) == pytest.approx((1 - gamma) / (1 + gamma), rel=1e-12)
    assert length_radius(1.0, extra_steps=10**6, gamma=0.9) == 1.0


@pytest.mark.parametrize(
    ("reward", "extra", "gamma", "message"),
    [(np.nan, 1, 0.9, "reward = nan"), (1.0, -1, 0.9, "extra_steps = -1"), (1.0, 1, 1.5, "gamma = 1.5")],
)
def test_bad_arguments_are_refused(reward, extra, gamma, message):
    with pytest.raises(InvalidInputError, match=message):
        length_radius(reward, extra_steps=extra, gamma=gamma)
