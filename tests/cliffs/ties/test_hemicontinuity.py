"""Lemma 2.5: excesses of argmax sets along a line, against enumeration in fractions."""

import numpy as np
import pytest
from core_oracles import optimal_sets, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, MetricGrid, argmax_drift, token_tree
from policycliff.errors import InvalidInputError
from policycliff.policies.continuous import three_peaks


def enumerated_excess(mdp, first, second, places):
    """max over first of min over second of |place - place|, state by state."""
    result = []
    for here, there in zip(first, second, strict=True):
        away = [min(abs(places[mdp.actions[a]] - places[mdp.actions[b]]) for b in there) for a in here]
        result.append(max(away))
    return result


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=3), st.sampled_from([1e-1, -1e-3, 1e-9]))
@settings(max_examples=60, deadline=None)
def test_excesses_are_those_of_the_enumerated_sets(recipe, step):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    places = rng.permutation(9)[:3] / 2.0
    push = rng.integers(-2, 3, mdp.n_pairs) * ~mdp.terminal[mdp.pair_states] / 1.0
    drift = argmax_drift(mdp, push, [step], action_metric=MetricGrid.from_points(places), exact=True)
    before, after = optimal_sets(mdp), optimal_sets(mdp.with_rewards(mdp.rewards + step * push))
    assert drift.resolved.all()
    assert drift.outward[0].tolist() == enumerated_excess(mdp, after, before, places)
    assert drift.inward[0].tolist() == enumerated_excess(mdp, before, after, places)
    if abs(step) < drift.containment_step:
        assert drift.outward.max() == 0.0


@given(recipes(gammas=(0.0, 0.5, 0.9), max_states=3))
@settings(max_examples=60, deadline=None)
def test_sets_stay_contained_below_the_proven_step(recipe):
    mdp = random_mdp(**recipe)
    push = np.random.default_rng(recipe["seed"]).choice([-1.0, 1.0], mdp.n_pairs) * ~mdp.terminal[mdp.pair_states]
    limit = argmax_drift(mdp, push, [1.0]).containment_step
    step = min(limit, 1e3) * 0.999
    sets, after = optimal_sets(mdp), optimal_sets(mdp.with_rewards(mdp.rewards + step * push))
    assert all(new <= old for new, old in zip(after, sets, strict=True))


def test_the_proven_step_is_attained_in_a_bandit():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.5]], 0.0)
    drift = argmax_drift(bandit, [-1.0, 1.0], [0.2, 0.25, 0.3])
    assert drift.containment_step == pytest.approx(0.25, rel=1e-9)
    assert drift.outward.ravel().tolist() == [0.0, 1.0, 1.0]
    assert drift.inward.ravel().tolist() == [0.0, 0.0, 1.0]


def test_upper_not_lower_on_a_grid_of_actions():
    """Three equal peaks: under a vanishing tilt the set's excess goes to 0, and what it loses stays 10."""
    grid = MetricGrid.line(-10.0, 10.0, 401)
    places = grid.points.ravel()
    q = three_peaks(places)
    assert np.flatnonzero(q == 1.0).tolist() == [100, 200, 300]
    bandit = MDP.from_arrays(np.ones((1, 401, 1)), q[None, :], 0.0)
    drift = argmax_drift(bandit, places, [0.15, 0.1, 0.03, 0.003, 1e-9], action_metric=grid)
    outward = drift.outward.ravel()
    assert (np.diff(outward) <= 0.0).all()
    assert outward[0] > 0.1
    assert outward[-1] == 0.0
    # The maximum of exp(-x^2 / 2) + t x lies near x = t; the grid rounds to 0.05.
    assert outward == pytest.approx([0.15, 0.1, 0.03, 0.0, 0.0], abs=0.051)
    assert (drift.inward.ravel() >= 10.0).all()


def test_trees_at_gamma_one_and_no_rivals():
    tree = token_tree(["ab", "ac"], [1.0, 1.0])
    push = np.zeros(tree.n_pairs)
    push[np.flatnonzero(np.diff(tree.offsets) > 1)[0]] = 0.0
    drift = argmax_drift(tree, push, [1.0])
    assert drift.containment_step == np.inf
    assert drift.to_dict()["containment_step"] is None
    single = MDP.from_arrays(np.ones((1, 1, 1)), [[1.0]], 0.5)
    assert argmax_drift(single, [1.0], [5.0]).containment_step == np.inf


def test_bad_input_is_refused():
    mdp = MDP.from_arrays(np.full((2, 1, 2), [0.0, 1.0]), np.zeros((2, 1)), 0.5, terminal=np.array([False, True]))
    for direction, steps, match in [
        ([1.0], [1.0], "one entry a pair"),
        ([np.nan, 0.0], [1.0], "finite"),
        ([0.0, 1.0], [1.0], "terminal state 1"),
        ([1.0, 0.0], [], "not empty"),
        ([1.0, 0.0], [np.inf], "finite"),
        ([1.0, 0.0], 1.0, "not empty"),
    ]:
        with pytest.raises(InvalidInputError, match=match):
            argmax_drift(mdp, direction, steps)
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.5]], 0.0)
    with pytest.raises(InvalidInputError, match="one an action index"):
        argmax_drift(bandit, [1.0, 0.0], [1.0], action_metric=MetricGrid.discrete(1))


def test_results_print():
    bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 0.5]], 0.0)
    drift = argmax_drift(bandit, [-1.0, 1.0], [0.2, 0.3])
    assert "2 steps of 1 states: sets grow by up to 1 and lose up to 1" in repr(drift)
    with pytest.raises(ValueError, match="read-only"):
        drift.outward[0, 0] = 1.0
