"""What must not change anything: renaming states, shifting and scaling rewards, shaping by a potential."""

import numpy as np
import pytest
from core_oracles import random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, Entropy, optimal_actions, solve, stability_radius

SEEDS = st.integers(0, 10**6)


def permuted(mdp, order):
    """The same MDP with its states listed in another order."""
    place = np.argsort(order)
    blocks = np.split(np.arange(mdp.n_pairs), mdp.offsets[1:-1])
    pairs = np.concatenate([blocks[state] for state in order])
    other = MDP.from_pairs(
        place[mdp.pair_states[pairs]],
        mdp.transitions.toarray()[np.ix_(pairs, order)],
        mdp.rewards[pairs],
        mdp.gamma,
        actions=mdp.actions[pairs],
        terminal=mdp.terminal[order],
    )
    return other, pairs


@given(recipes(gammas=(0.5, 0.9)), SEEDS)
@settings(max_examples=50, deadline=None)
def test_names_of_states_do_not_matter(recipe, seed):
    mdp = random_mdp(**{**recipe, "integer": False})
    other, pairs = permuted(mdp, np.random.default_rng(seed).permutation(mdp.n_states))
    np.testing.assert_allclose(solve(other).q_values, solve(mdp).q_values[pairs], atol=1e-9)
    assert stability_radius(other).radius == pytest.approx(stability_radius(mdp).radius, rel=1e-7)


@given(recipes(gammas=(0.5, 0.9)), st.sampled_from([1e-6, 3.0, 1e6]))
@settings(max_examples=50, deadline=None)
def test_everything_scales_with_the_reward(recipe, scale):
    mdp = random_mdp(**{**recipe, "integer": False})
    other = mdp.with_rewards(scale * mdp.rewards)
    np.testing.assert_allclose(solve(other).q_values, scale * solve(mdp).q_values, atol=1e-9 * (1 + scale))
    assert stability_radius(other).radius == pytest.approx(scale * stability_radius(mdp).radius, rel=1e-6)


@given(recipes(gammas=(0.5, 0.9)), SEEDS)
@settings(max_examples=50, deadline=None)
def test_a_potential_moves_values_but_no_advantage(recipe, seed):
    mdp = random_mdp(**{**recipe, "integer": False})
    potential = np.random.default_rng(seed).normal(size=mdp.n_states) * ~mdp.terminal
    shaped = mdp.with_rewards(mdp.rewards + mdp.gamma * (mdp.transitions @ potential) - potential[mdp.pair_states])
    moved = solve(shaped).q_values + potential[mdp.pair_states]
    np.testing.assert_allclose(moved, solve(mdp).q_values, atol=1e-8)
    np.testing.assert_array_equal(optimal_actions(solve(shaped)).members, optimal_actions(solve(mdp)).members)
    assert stability_radius(shaped).radius == pytest.approx(stability_radius(mdp).radius, rel=1e-6)
    soft = [solve(world, regularizer=Entropy(0.5)).policy for world in (mdp, shaped)]
    np.testing.assert_allclose(*soft, atol=1e-8)


@given(recipes(gammas=(0.5, 0.9)))
@settings(max_examples=50, deadline=None)
def test_removing_a_suboptimal_action_changes_nothing_else(recipe):
    mdp = random_mdp(**{**recipe, "integer": False})
    solution = solve(mdp)
    keep = optimal_actions(solution).members
    best = MDP.from_pairs(
        mdp.pair_states[keep],
        mdp.transitions.toarray()[keep],
        mdp.rewards[keep],
        mdp.gamma,
        terminal=mdp.terminal,
    )
    np.testing.assert_allclose(solve(best).values, solution.values, atol=1e-9)
