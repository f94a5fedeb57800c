"""Ties that no mixture breaks, against exact component values under the optimal policies."""

import numpy as np
from degenerate_mdps import build, degenerate
from hypothesis import given, settings
from hypothesis import strategies as st
from test_lumping import grid

from policycliff import MDP, optimal_actions, solve, stability_radius
from policycliff.actions.neutral import neutral_states
from policycliff.values.exact import make_exact, rationals


def component_values(mdp, choice, components):
    return make_exact(mdp).values(choice.tolist(), [rationals(component) for component in components])


@given(
    degenerate(["symmetric states", "grids", "deterministic, 0 or 1", "trees", "acyclic"]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["scaled", "by action", "at random"]),
)
@settings(max_examples=60, deadline=None)
def test_neutral_states_have_one_value_a_component(recipe, seed, kind):
    mdp, _ = build(recipe, max_policies=10**4)
    if mdp.terminal.all():
        return
    rng = np.random.default_rng(seed)
    other = {
        "scaled": 2.0 * mdp.rewards,
        "by action": mdp.actions.astype(np.float64),
        "at random": rng.integers(0, 2, mdp.n_pairs).astype(np.float64),
    }[kind]
    other = np.where(mdp.terminal[mdp.pair_states], 0.0, other)
    components = np.stack([mdp.rewards, other])
    members = optimal_actions(solve(mdp)).members
    neutral = neutral_states(solve(mdp), components, np.array(members))
    first, last = mdp.offsets[:-1], mdp.offsets[1:]
    values = None
    for _ in range(6):
        choice = np.array([rng.choice(np.arange(a, b)[members[a:b]]) for a, b in zip(first, last, strict=True)])
        found = component_values(mdp, choice, components)
        values = values or found
        for before, after in zip(values, found, strict=True):
            assert all(before[s] == after[s] for s in np.flatnonzero(neutral).tolist())


def paid_grid(size=9):
    """Treasure at the goal, a cost a step: all shortest ways pay the same in both."""
    mdp, _ = grid(size)
    steps = np.where(mdp.terminal[mdp.pair_states], 0.0, -1.0)
    return mdp, np.stack([20.0 * mdp.rewards, steps])


def test_equally_long_ways_of_a_grid_are_neutral():
    mdp, components = paid_grid()
    solution = solve(mdp.with_rewards(components.sum(axis=0)))
    actions = optimal_actions(solution)
    assert (np.add.reduceat(actions.members.astype(int), mdp.offsets[:-1]) > 1).any()
    assert neutral_states(solution, components, np.array(actions.members)).all()
    result = stability_radius(mdp, moving="weights", rewards=components, weights=[0.5, 0.5])
    assert result.status == "exact"
    assert result.radius > 0.1


def test_a_component_that_prefers_one_way_is_noticed_upstream_too():
    mdp, components = paid_grid()
    # A penalty and a bonus that cancel in the mixture at one tied pair of one state far from the goal.
    state = 0
    pair = int(np.flatnonzero(optimal_actions(solve(mdp)).members & (mdp.pair_states == state))[0])
    bonus = (np.arange(mdp.n_pairs) == pair).astype(np.float64)
    components = np.vstack([components, bonus, -bonus])
    solution = solve(mdp.with_rewards(components.sum(axis=0)))
    actions = optimal_actions(solution)
    neutral = neutral_states(solution, components, np.array(actions.members))
    assert not neutral[state]
    result = stability_radius(mdp, moving="weights", rewards=components, weights=[0.25] * 4)
    assert (result.radius, result.bracket[0]) == (0.0, 0.0)


def test_a_fork_spoils_what_leads_to_it():
    # 0 -> 1 or 2, alike but for where they fork; 1 and 2 are tied between (1, 0) and (0, 1); 3 is terminal.
    kernel = np.zeros((4, 2, 4))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    kernel[1:3, :, 3] = 1.0
    terminal = np.arange(4) == 3
    components = np.array([[0, 0, 1, 0, 1, 0, 0], [0, 0, 0, 1, 0, 1, 0]], dtype=np.float64)
    mdp = MDP.from_arrays(kernel, np.zeros((4, 2)), 0.5, terminal=terminal).with_rewards(components.mean(axis=0))
    neutral = neutral_states(solve(mdp), components, np.ones(mdp.n_pairs, dtype=bool))
    assert neutral.tolist() == [False, False, False, True]
