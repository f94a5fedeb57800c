"""Prop 4.6: a tie of the effective reward is decided by all components, or by one, against enumeration in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import optimal_sets
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policycliff import MDP, component_perturbation, effective_reward
from policycliff.errors import InvalidInputError


def tied_tuple(seed, *, count=3, zero_at=None):
    """A dyadic MDP, components and state weights whose mixture ties two actions in state 0."""
    rng = np.random.default_rng(seed)
    kernel = rng.multinomial(8, rng.dirichlet(np.ones(3)), size=(3, 3)) / 8.0
    kernel[0, 1] = kernel[0, 0]
    weights = np.array([rng.permutation([0.5, 0.25, 0.25])[:count] for _ in range(3)]).T
    if zero_at is not None:
        weights[:, zero_at] = [0.0, 0.5, 0.5]
    parts = rng.integers(-4, 5, (count, 9)) / 4.0
    parts[:, 2] = -8.0
    share = weights[:, 0]
    parts[2, 1] = parts[2, 0] + (share[:2] * (parts[:2, 0] - parts[:2, 1])).sum() / share[2]
    mdp = MDP.from_arrays(kernel, np.zeros((3, 3)), float(rng.choice([0.0, 0.5])), initial=[1.0, 0.0, 0.0])
    return mdp, parts, weights


@given(st.integers(0, 10**5), st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, "paper", "sharp", "pair"]))
@settings(max_examples=40, deadline=None)
def test_all_components_or_one_decide_the_tie(seed, component, construction):
    mdp, parts, weights = tied_tuple(seed)
    before = mdp.with_rewards(effective_reward(parts, weights, mdp=mdp))
    assert optimal_sets(before)[0] == {0, 1}
    epsilon = 2.0**-12
    moved = component_perturbation(
        mdp, parts, weights, state=0, action=1, epsilon=epsilon, component=component, construction=construction
    )
    assert optimal_sets(mdp.with_rewards(effective_reward(moved.rewards, weights, mdp=mdp)))[0] == {1}
    assert moved.effective.status == "certified"
    steps = [Fraction(a) - Fraction(b) for a, b in zip(moved.rewards.ravel(), parts.ravel(), strict=True)]
    assert max(abs(x) for x in steps) <= Fraction(epsilon)
    still = [k for k in range(3) if component not in {None, k}]
    assert (moved.change[still] == 0.0).all()
    if component is None:
        assert np.abs(moved.change - moved.change[0]).max() <= 1e-15
        np.testing.assert_allclose(moved.change[0], moved.effective.change, atol=1e-15)


@given(st.integers(0, 10**5))
@settings(max_examples=20, deadline=None)
def test_one_component_needs_its_weight_at_the_tied_state_only(seed):
    """State 1 leads to the tie without weight on the component: the bump cannot be paid back there, 'pair' need not."""
    mdp, parts, weights = tied_tuple(seed, zero_at=1)
    assume(mdp.gamma > 0.0)
    assume(mdp.transitions.toarray()[3:6, 0].max() > 0.0)
    arguments = {"state": 0, "action": 0, "epsilon": 2.0**-8, "component": 0}
    moved = component_perturbation(mdp, parts, weights, **arguments)
    assert optimal_sets(mdp.with_rewards(moved.effective.rewards))[0] == {0}
    assert moved.effective.construction == "pair"
    with pytest.raises(InvalidInputError, match=r"weight 0 at state 1.*construction='pair'"):
        component_perturbation(mdp, parts, weights, **arguments, construction="sharp")


def test_without_weight_at_the_tied_state_the_tie_can_be_out_of_reach():
    """gamma = 0 and w_0(s0) = 0: no reward of component 0 changes anything."""
    mdp, parts, weights = tied_tuple(2, zero_at=0)
    mdp = MDP.from_arrays(mdp.transitions.toarray().reshape(3, 3, 3), np.zeros((3, 3)), 0.0)
    with pytest.raises(InvalidInputError, match="weight 0 at state 0"):
        component_perturbation(mdp, parts, weights, state=0, action=0, epsilon=0.5, component=0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = parts.copy()
        other[0] += rng.normal(size=9) * 100.0
        assert optimal_sets(mdp.with_rewards(effective_reward(other, weights, mdp=mdp)))[0] == {0, 1}


def test_raw_weights_of_any_sign():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    parts = [[1.0, 1.0], [0.5, 0.5]]
    moved = component_perturbation(bandit, parts, [2.0, -4.0], state=0, action=1, epsilon=0.25, component=1)
    assert moved.change.tolist() == [[0.0, 0.0], [0.0, -0.25]]
    assert moved.effective.change.tolist() == [0.0, 1.0]
    assert moved.effective.actions_after.tolist() == [1]
    both = component_perturbation(bandit, parts, [2.0, -4.0], state=0, action=1, epsilon=0.25)
    assert both.change.tolist() == [[0.0, -0.25], [0.0, -0.25]]
    assert both.effective.change.tolist() == [0.0, 0.5]
    small = component_perturbation(bandit, parts, [0.5, 0.25], state=0, action=1, epsilon=0.25)
    assert small.norm == 0.25


def test_bad_input_is_refused():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    fine = {"state": 0, "action": 1, "epsilon": 0.25}
    for rewards, weights, match in [
        ([[1.0, 1.0]], [1.0, 1.0], r"\(K,\) or \(K, S\)"),
        ([[1.0]], [1.0], r"\(K, pairs\)"),
        ([1.0, 1.0], [1.0], r"\(K, pairs\)"),
        ([[np.nan, 1.0]], [1.0], "finite"),
        ([[1.0, 1.0]], [np.inf], "finite"),
        ([[1.0, 1.0], [0.0, 0.0]], [1.0, -1.0], "weight 0 at state 0"),
    ]:
        with pytest.raises(InvalidInputError, match=match):
            component_perturbation(bandit, rewards, weights, **fine)
    for component in (-1, 1):
        with pytest.raises(InvalidInputError, match="0 to 0"):
            component_perturbation(bandit, [[1.0, 1.0]], [1.0], **fine, component=component)
    with pytest.raises(InvalidInputError, match="positive finite size"):
        component_perturbation(bandit, [[1.0, 1.0]], [1.0], state=0, action=1, epsilon=0.0)
    ended = MDP.from_arrays(np.ones((1, 1, 1)), [[0.0]], 0.5, terminal=np.array([True]))
    with pytest.raises(InvalidInputError, match="terminal state 0"):
        component_perturbation(ended, [[1.0]], [1.0], state=0, action=0, epsilon=0.1)


def test_results_print_and_convert():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), np.zeros((1, 2)), 0.0)
    moved = component_perturbation(bandit, [[1.0, 1.0], [0.0, 0.0]], [0.5, 0.5], state=0, action=1, epsilon=0.25)
    assert "all components moved by at most 0.25" in repr(moved)
    assert moved.to_dict()["effective"]["status"] == "certified"
    assert moved.to_dict()["norm"] == 0.25
