"""Propositions 2.9 and 2.10: at a tie every selection jumps; the construction is the inverse Bellman map.

Q_e = Q* + e * phi with phi = 1 on the action that is to win, and R_e = Q_e - gamma P max Q_e.
"""

import numpy as np
import pytest

from policycliff import (
    MDP,
    bump,
    cliff_perturbation,
    greedy_policy,
    inverse_bellman,
    optimal_actions,
    solve,
    total_variation,
    uniform_policy,
)


def tied_world(count, gamma=0.5):
    """Three states; in state 0 `count` of four actions are tied, with dyadic numbers throughout."""
    kernel = np.full((3, 4, 3), [0.5, 0.25, 0.25])
    rewards = np.zeros((3, 4))
    rewards[0, :count] = 1.0
    rewards[1, 3], rewards[2, 0] = 2.0, -1.0
    return MDP.from_arrays(kernel, rewards, gamma)


@pytest.mark.parametrize("size", [1e-1, 1e-4, 1e-8])
@pytest.mark.parametrize("winner", [0, 1, 2])
def test_any_tied_action_wins_under_an_arbitrarily_small_change(size, winner):
    mdp = tied_world(3)
    phi = bump(mdp, 0, winner, width=1.0)
    moved = mdp.with_rewards(inverse_bellman(mdp, solve(mdp).q_values + size * phi))
    assert np.abs(moved.rewards - mdp.rewards).max() <= size + 1e-9
    assert optimal_actions(solve(moved)).pairs(0).tolist() == [winner]


@pytest.mark.parametrize("size", [1e-1, 1e-4, 1e-8])
def test_the_construction_from_gaps_is_the_one_from_q_values(size):
    mdp = tied_world(3)
    phi = bump(mdp, 0, 2, width=1.0)
    expected = inverse_bellman(mdp, solve(mdp).q_values + size / (1 + mdp.gamma) * phi)
    np.testing.assert_allclose(cliff_perturbation(mdp, 0, 2, size).rewards, expected, atol=1e-9)


def test_the_first_maximiser_is_one_of_the_selections_that_jump():
    mdp = tied_world(2)
    before = greedy_policy(solve(mdp))
    after = greedy_policy(solve(mdp.with_rewards(cliff_perturbation(mdp, 0, 1, 1e-8).rewards)))
    assert total_variation(before, after, mdp=mdp) == 1.0


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_uniform_selection_jumps_by_one_minus_one_over_m(count):
    mdp = tied_world(count)
    actions = optimal_actions(solve(mdp))
    assert actions.counts[0] == count
    moved = mdp.with_rewards(cliff_perturbation(mdp, 0, 0, 1e-8).rewards)
    before, after = uniform_policy(actions)[:4], uniform_policy(optimal_actions(solve(moved)))[:4]
    assert total_variation(before, after) == pytest.approx((count - 1) / count)


def test_without_a_tie_it_stays():
    mdp = tied_world(1)
    before = uniform_policy(optimal_actions(solve(mdp)))
    after = uniform_policy(optimal_actions(solve(mdp.with_rewards(mdp.rewards + 1e-8 * (np.arange(12) == 0)))))
    assert total_variation(before, after, mdp=mdp) == 0.0
