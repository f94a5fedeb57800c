import numpy as np
import pytest
from core_oracles import optimal_sets, random_mdp, recipes, trees
from hypothesis import given, settings

from policycliff import MDP, Entropy, optimal_actions, solve, token_tree
from policycliff.errors import InvalidInputError


def one_state(rewards, gamma=0.9):
    return MDP.from_arrays(np.ones((1, len(rewards), 1)), [rewards], gamma)


@given(recipes(gammas=(0.0, 0.5, 0.9)))
@settings(max_examples=150, deadline=None)
def test_sets_and_claims_against_enumeration(recipe):
    mdp = random_mdp(**recipe)
    actions = optimal_actions(solve(mdp))
    for state, truth in enumerate(optimal_sets(mdp)):
        found = set(actions.pairs(state).tolist())
        assert truth <= found
        if actions.status[state] != "unresolved":
            assert truth == found
            assert (actions.status[state] == "tied") == (len(truth) > 1)
        assert (actions.gaps[state] == np.inf) == (np.diff(mdp.offsets)[state] == 1)


@given(recipes(gammas=(0.0, 0.5, 0.9)))
@settings(max_examples=60, deadline=None)
def test_rational_arithmetic_leaves_nothing_unresolved(recipe):
    mdp = random_mdp(**recipe)
    actions = optimal_actions(solve(mdp), exact=True)
    assert actions.is_resolved
    assert actions.error_bound == 0.0
    assert [set(actions.pairs(state).tolist()) for state in range(mdp.n_states)] == optimal_sets(mdp)


@given(trees())
@settings(max_examples=60, deadline=None)
def test_ties_of_trees_are_decided_without_a_tolerance(tree):
    actions = optimal_actions(solve(token_tree(*tree)))
    assert actions.is_resolved
    best = max(tree[1])
    ways = sum(reward == best for reward in tree[1])
    assert actions.log_optimal_policies >= np.log(ways) - 1e-12


def test_identical_rows_prove_a_tie_at_any_discount():
    actions = optimal_actions(solve(one_state([0.1, 0.3, 0.3])))
    assert actions.status.tolist() == ["tied"]
    assert actions.counts.tolist() == [2]
    assert actions.gaps.tolist() == [0.0]


def test_equality_is_about_the_given_numbers():
    actions = optimal_actions(solve(one_state([0.1 + 0.2, 0.3])))
    assert actions.status.tolist() == ["unique"]
    assert actions.pairs(0).tolist() == [0]
    assert optimal_actions(solve(one_state([0.1 + 0.2, 0.3], gamma=0.0))).counts.tolist() == [1]


def test_rewards_decide_between_actions_that_end():
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    terminal = np.array([False, True, True])
    tied = MDP.from_arrays(kernel, [[0.7, 0.7], [0, 0], [0, 0]], 0.9, terminal=terminal)
    assert optimal_actions(solve(tied, method="value_iteration")).status.tolist() == ["tied", "unique", "unique"]


def test_a_tie_by_coincidence_needs_rational_arithmetic():
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    kernel[1, :, 1] = kernel[2, :, 2] = 1.0
    rewards = np.array([[0.0, 3.0], [3.0, 1.0], [0.0, -1.0]])  # 3/2 + 3/4 + ... is 3.
    solution = solve(MDP.from_arrays(kernel, rewards, 0.5))
    assert optimal_actions(solution).status.tolist() == ["unresolved", "unique", "unique"]
    assert optimal_actions(solution, exact=True).status.tolist() == ["tied", "unique", "unique"]


def test_a_loose_solution_is_unresolved_not_unique():
    mdp = random_mdp(3, states=6)
    loose, sharp = solve(mdp, method="value_iteration", tolerance=10.0), solve(mdp)
    assert (optimal_actions(loose).status == "unresolved").any()
    assert (optimal_actions(loose).counts >= optimal_actions(sharp).counts).all()


def test_counts_multiply_over_states():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 1.0]], 0.0)
    assert optimal_actions(solve(mdp)).log_optimal_policies == pytest.approx(np.log(3.0))


def test_soft_solutions_have_no_sets():
    with pytest.raises(InvalidInputError, match="regularizer"):
        optimal_actions(solve(random_mdp(0), regularizer=Entropy(1.0)))


def test_summaries():
    actions = optimal_actions(solve(random_mdp(0, actions=1)))
    assert repr(actions).startswith("OptimalActions(4 unique, 0 tied, 0 unresolved of 4 states")
    assert actions.to_dict()["gaps"] == [None] * 4
