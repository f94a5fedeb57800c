"""Proposition 3.1 against enumeration in fractions: the list holds all proofs and nothing else."""

import json
from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, exact_policy_values, garnet, optimal_sets, policies, tie_between_futures
from degenerate_mdps import build, degenerate, integer_rewards, returns_under, start_value
from hypothesis import given, settings

from policycliff import MDP, incomplete_reward_certificate, solve
from policycliff.errors import InvalidInputError


def advantage(mdp, choice, rewards, pair):
    """A^pi of one pair under these rewards, in fractions."""
    values = returns_under(mdp, choice, rewards)
    ahead = sum((Fraction(p) * v for p, v in zip(dense(mdp)[pair], values, strict=True)), Fraction(0))
    return Fraction(rewards[pair]) + Fraction(mdp.gamma) * ahead - values[mdp.pair_states[pair]]


def reached(mdp, choice):
    """States that a policy visits with positive discounted weight, by walking."""
    found = set(np.flatnonzero(mdp.initial).tolist())
    frontier = list(found) if mdp.gamma > 0 else []
    while frontier:
        state = frontier.pop()
        for target in [] if mdp.terminal[state] else np.flatnonzero(dense(mdp)[choice[state]]).tolist():
            if target not in found:
                found.add(target)
                frontier.append(target)
    return found


@given(degenerate())
@settings(max_examples=35, deadline=None)
def test_against_enumeration(recipe):
    mdp, rng = build(recipe)
    missing = integer_rewards(mdp, rng)
    for exact in (False, True):
        found = incomplete_reward_certificate(mdp, missing, exact=exact)
        choice = np.flatnonzero(found.policy).tolist()
        here = start_value(mdp, exact_policy_values(mdp, choice)) + start_value(
            mdp, returns_under(mdp, choice, missing)
        )
        proofs = {
            (state, int(mdp.actions[pair]))
            for state in reached(mdp, choice)
            for pair in optimal_sets(mdp)[state]
            if advantage(mdp, choice, missing, pair) > 0
        }
        assert set(zip(found.states.tolist(), found.actions.tolist(), strict=True)) == proofs
        assert found.status == ("proven" if proofs else "none")
        loss = best_of_both(mdp, missing) - here
        assert Fraction(found.loss_bracket[0]) <= loss <= Fraction(found.loss_bracket[1])
        assert (np.diff(found.weighted_gains) <= 1e-12).all()
        if proofs:
            switched = list(choice)
            switched[found.states[0]] = mdp.pair(int(found.states[0]), int(found.actions[0]))
            gain = start_value(mdp, exact_policy_values(mdp, switched)) - here
            gain += start_value(mdp, returns_under(mdp, switched, missing))
            assert Fraction(found.one_step_bracket[0]) <= gain <= Fraction(found.one_step_bracket[1])
            assert 0 < gain <= loss


def best_of_both(mdp, missing):
    """Largest return under R_train + R_missing, in fractions, by enumeration (the sum is not rounded)."""
    return max(
        start_value(mdp, exact_policy_values(mdp, c)) + start_value(mdp, returns_under(mdp, c, missing))
        for c in policies(mdp)
    )


@pytest.mark.parametrize("exact", [False, True])
def test_that_another_optimal_policy_reaches_the_state_is_not_enough(exact):
    """A root tied between "a", worth 5 under the missing reward, and "b", which leads to a state with a proof."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 2] = kernel[0, 1, 1] = 1.0
    kernel[1, :, 2] = 1.0
    mdp = MDP.from_arrays(
        kernel, np.zeros((3, 2)), 1.0, terminal=np.arange(3) == 2, initial=[1.0, 0.0, 0.0], action_names=["a", "b"]
    )
    missing = [[5.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    found = incomplete_reward_certificate(mdp, missing, exact=exact)
    assert (found.status, found.loss, found.one_step_gain) == ("none", 0.0, 0.0)
    # Under the policy that takes "b" the same pair is a proof.
    other = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    found = incomplete_reward_certificate(mdp, missing, policy=other, exact=exact)
    assert found.status == "proven"
    assert found.states.tolist() == [0, 1]
    assert found.advantages.tolist() == [5.0, 1.0]
    assert (found.one_step_gain, found.loss) == (5.0, 5.0)


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_at_gamma_0_a_state_that_is_reached_later_proves_nothing(gamma):
    kernel = np.zeros((3, 2, 3))
    kernel[0, :, 1] = kernel[1, :, 2] = 1.0
    terminal = np.arange(3) == 2
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), gamma, terminal=terminal, initial=[1.0, 0.0, 0.0])
    found = incomplete_reward_certificate(mdp, [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert found.status == ("none" if gamma == 0.0 else "proven")
    assert found.loss == gamma


def test_a_loss_without_a_certificate():
    """The better action is not optimal for the training reward: no tie, no certificate, but a loss."""
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.5]], 0.5, initial=[1.0])
    found = incomplete_reward_certificate(mdp, [[0.0, 1.0]])
    assert found.status == "none"
    assert found.loss == pytest.approx(1.0)


def test_the_gain_is_not_visits_times_advantage_but_the_switch():
    """Switching to the action that stays raises the visits of the state; the weighted figure only ranks."""
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 1] = kernel[0, 1, 0] = kernel[1, :, 1] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((2, 2)), 0.5, initial=[1.0, 0.0])
    found = incomplete_reward_certificate(mdp, [[0.0, 1.0], [0.0, 0.0]])
    assert found.weighted_gains.tolist() == [1.0]
    assert found.one_step_gain == pytest.approx(2.0)


def test_stochastic_policies():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.5, initial=[1.0])
    half = np.array([0.5, 0.5, 0.0])
    found = incomplete_reward_certificate(mdp, [[0.0, 1.0, 0.0]], policy=half)
    assert found.status == "proven"
    assert found.advantages == pytest.approx([0.5])
    assert found.one_step_gain == pytest.approx(1.0)
    assert found.loss_bracket[0] <= 1.0 <= found.loss_bracket[1]


def test_large_mdps_with_open_ties_prove_what_is_beyond_the_error_only():
    """The branches' values are equal up to rounding, so A* stays open; the sum of both rewards decides."""
    mdp = MDP.from_arrays(*tie_between_futures(64), initial=np.arange(64) == 0)
    missing = np.zeros((64, 2))
    missing[2, 0] = 15 / 64
    found = incomplete_reward_certificate(mdp, missing)
    assert found.status == "proven"
    assert (found.states.tolist(), found.actions.tolist()) == ([0], [1])
    assert found.one_step_gain == pytest.approx(0.875)
    tiny = incomplete_reward_certificate(mdp, 1e-16 * missing)
    assert (tiny.status, tiny.unresolved) == ("unresolved", 1)
    assert incomplete_reward_certificate(mdp, 1e-16 * missing, exact=True).status == "proven"


def test_a_larger_mdp_is_consistent():
    kernel, rewards = garnet(5, states=2000, actions=4, branching=3)
    mdp = MDP.from_arrays(kernel, np.zeros_like(rewards), 0.9, initial=np.full(2000, 1 / 2000))
    found = incomplete_reward_certificate(mdp, rewards)
    assert found.status == "proven"
    assert 0.0 < found.one_step_bracket[0] <= found.one_step_gain <= found.loss
    top = solve(mdp.with_rewards(rewards), tolerance=1e-12)
    first = solve(MDP.from_arrays(kernel[::4], rewards[:, :1], 0.9), tolerance=1e-12)
    assert found.loss == pytest.approx(float(np.mean(top.values - first.values)), abs=1e-9)


def bandit():
    return MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.5, initial=[1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": [0.0, 0.0, 1.0]}, "optimal for the training reward: there action 0, action 1"),
        ({"policy": [0.5, 0.2, 0.0]}, "sum to 1"),
        ({"policy": [1.0, 0.0]}, "shape"),
        ({"policy": [0.5, 0.5, 0.0], "exact": True}, "deterministic"),
    ],
)
def test_bad_policies(options, message):
    with pytest.raises(InvalidInputError, match=message):
        incomplete_reward_certificate(bandit(), [[0.0, 1.0, 0.0]], **options)


def test_bad_rewards_and_no_initial_distribution():
    with pytest.raises(InvalidInputError, match="finite"):
        incomplete_reward_certificate(bandit(), [[0.0, np.inf, 0.0]])
    with pytest.raises(InvalidInputError, match="initial"):
        incomplete_reward_certificate(MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.5), [[0.0, 1.0]])


def test_what_it_prints_and_its_dictionary():
    found = incomplete_reward_certificate(bandit(), [[0.0, 1.0, 0.0]])
    assert "strongest: state 0, action 1" in repr(found)
    assert json.loads(json.dumps(found.to_dict()))["actions"] == [1]
