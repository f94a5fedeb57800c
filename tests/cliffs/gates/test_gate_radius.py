"""The radius through a gate: nothing inside the proven end flips, the witness at the measured end does."""

import json
import math

import numpy as np
import pytest
from core_oracles import advantage_gap, random_mdp
from gate_oracles import build, cases, make_gate
from hypothesis import given, settings

from policycliff import MDP, gate_radius, reward_gate, softmax_gate, solve, stability_radius, token_tree
from policycliff.cliffs.gates.radius import weight_radius
from policycliff.cliffs.gates.radius_search import Walk, floors_of
from policycliff.cliffs.radius.allowed_changes import AllowedChanges
from policycliff.cliffs.radius.gaps import make_gaps
from policycliff.cliffs.radius.search import make_search
from policycliff.errors import InvalidInputError
from policycliff.mdp.compilation import frozen
from policycliff.rewards.gates.gated import gated_reward, with_move
from policycliff.rewards.gates.growth import pull_back


def bandit(actions=2):
    return MDP.from_arrays(np.ones((1, actions, 1)), np.zeros((1, actions)), 0.0)


@given(cases(max_components=3))
@settings(max_examples=8)
def test_nothing_inside_flips_and_the_witness_does(case):
    mdp, rewards, options = case = build(case)
    gate = make_gate(mdp, len(rewards), options)
    found, mixed = gate_radius(mdp, rewards, gate), gated_reward(mdp, rewards, gate)
    low, high = found.bracket
    assert found.growth_bound <= low
    best = np.flatnonzero(solve(mixed.mdp).policy)
    if np.isinf(high):
        assert found.state == -1 or not np.isfinite(low)
        return
    rng, free = np.random.default_rng(options["seed"]), ~mdp.terminal[mdp.pair_states]
    for trial in range(12):
        push = rng.choice([-1.0, 1.0], rewards.shape) * free
        if trial % 2:
            # The direction that matters most to first order for some rival.
            push = np.sign(pull_back(mixed, rng.normal(size=mdp.n_pairs)).rewards)
        assert advantage_gap(with_move(mixed, rewards=0.999 * low * push).mdp, best) > 0.0
    assert np.abs(found.witness).max() == pytest.approx(high, rel=1e-9)
    beyond = with_move(mixed, rewards=found.witness * (1.0 + 1e-6))
    assert advantage_gap(beyond.mdp, best) < 0.0
    if gate.gain.ndim == 0 and options["statistic"] != "max":
        assert high <= found.fixed_weights * (1 + 1e-9)


@given(cases(reading=False, max_components=3))
@settings(max_examples=6)
def test_a_gate_that_reads_nothing_has_the_radius_of_its_weights(case):
    mdp, rewards, options = build(case)
    gate = make_gate(mdp, len(rewards), options)
    found, mixed = gate_radius(mdp, rewards, gate), gated_reward(mdp, rewards, gate)
    plain = stability_radius(mdp, rewards=rewards, weights=mixed.weights, moving="components")
    assert found.radius == pytest.approx(plain.radius, rel=1e-9)
    assert found.status == "exact"
    assert found.bracket[1] == pytest.approx(plain.radius, rel=1e-9)
    assert found.weight_radius == np.inf


def test_in_closed_form_for_a_bandit():
    # The gate reads a third action that is far below: it can turn freely, and both ends are the same number.
    gate = reward_gate(1.0, statistic=[0.0, 0.0, 1.0], temperature=0.5)
    found = gate_radius(bandit(3), [[1.0, 0.0, -9.0], [0.0, 0.5, -9.0]], gate)
    # Lead 1/4 at equal weights; the lead is 1.5 w - 0.5, less 2 e; w = 1 / (1 + exp(2 e / T)).
    low, high = 0.0, 0.5
    for _ in range(100):
        middle = 0.5 * (low + high)
        lead = 1.5 / (1.0 + math.exp(2.0 * middle / 0.5)) - 0.5 - 2.0 * middle
        low, high = (middle, high) if lead > 0.0 else (low, middle)
    assert found.bracket[0] == pytest.approx(low, rel=1e-9)
    assert found.bracket[1] == pytest.approx(low, rel=1e-6)
    assert found.fixed_weights == pytest.approx(0.125)
    assert found.status == "bracket"


def test_components_that_disagree_alike_on_both_actions_cost_nothing():
    # The gate moves both actions by the same amount, so its constant is large and the radius is that of fixed weights.
    rewards = [[5.0, 4.0], [-5.0, -6.0]]
    found = gate_radius(bandit(), rewards, reward_gate(1.0, temperature=0.01))
    assert found.growth_bound < 0.01
    assert found.bracket[0] == pytest.approx(0.5, rel=1e-9)
    assert found.bracket[1] == pytest.approx(0.5, rel=1e-9)


def test_a_hard_gate_turns_before_the_reward_flips():
    found = gate_radius(bandit(), [[1.0, 0.0], [0.2, 0.6]], reward_gate(1.0, statistic="max", temperature=0.0))
    assert found.weight_radius == pytest.approx(0.2)
    assert found.bracket[0] == pytest.approx(0.2)
    assert found.bracket[1] == pytest.approx(0.2, rel=1e-6)
    assert found.fixed_weights == 0.5
    assert found.growth_bound == 0.0


def test_ties_give_zero():
    found = gate_radius(bandit(), [[1.0, 0.0], [0.0, 1.0]], reward_gate(1.0))
    assert (found.radius, found.status, found.bracket[0]) == (0.0, "tied", 0.0)
    assert found.bracket[1] < 1e-12
    other = gate_radius(bandit(), [[1.0, 0.0], [0.0, 1.0]], reward_gate([[1.0, 0.5], [0.0, 1.5]]))
    assert other.radius == 0.0


def test_no_rival_no_radius():
    found = gate_radius(random_mdp(0, actions=1), np.ones((2, 4)), reward_gate(1.0))
    assert (found.radius, found.state, found.action) == (np.inf, -1, -1)
    assert found.to_dict()["radius"] is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_witness_itself_flips_and_the_simplest_bound_is_below_the_proven_end():
    for seed in range(40):
        rng, world = np.random.default_rng(seed), bandit(3)
        rewards, gate = rng.normal(size=(2, 3)), softmax_gate([[1.0]], rng.normal(size=(1, 2)))
        found = gate_radius(world, rewards, gate)
        assert found.growth_bound <= found.bracket[0] <= found.radius <= found.bracket[1]
        assert np.abs(found.witness).max() == found.bracket[1]
        before, after = (gated_reward(world, tuple_, gate).rewards for tuple_ in (rewards, rewards + found.witness))
        assert after[found.action] > after[int(np.argmax(before))]


@pytest.mark.parametrize("statistic", [[0.0, 0.0, 0.0], "mean", "max"])
def test_components_of_one_rule_stay_tied_under_a_hard_gate(statistic):
    # Two components are tied whatever the rewards are, and share the weight: only the third could change it.
    gain = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    gate = reward_gate(gain, statistic=statistic, bias=[9.0, 9.0, -9.0], temperature=0.0)
    found = gate_radius(bandit(3), [[3.0, 0.0, -4.0], [0.0, 1.0, -4.0], [0.0, 0.0, 0.0]], gate)
    assert found.fixed_weights == pytest.approx(0.5)
    assert found.bracket[1] == pytest.approx(0.5, rel=1e-9)
    assert found.state == 0


def test_floors_are_below_the_proven_ends_also_where_rounding_matters():
    # A gate as cold as its logits are rounded, and leads of the same order.
    for seed in range(30):
        rng, world = np.random.default_rng(seed), bandit(3)
        rewards = rng.normal(size=(2, 1)) + 10.0 ** -rng.integers(3, 14) * rng.normal(size=(2, 3))
        mixed = gated_reward(world, rewards, reward_gate(1.0, temperature=10.0 ** -rng.integers(9, 13)))
        fixed = make_search(make_gaps(mixed.mdp), AllowedChanges(frozen(np.ones(3)), "inf", None))
        walk = Walk(mixed, fixed, floors_of(mixed, fixed, weight_radius(mixed)))
        for pair in np.flatnonzero(fixed.gaps.rivals).tolist():
            assert walk.floors[pair] <= walk._lower_end(pair, *walk._coefficients(pair))


def test_trees_at_gamma_1():
    tree = token_tree([["a", "b"], ["a", "c"], ["d"]], [1.0, 0.0, 0.5])
    rewards = np.array([tree.rewards, 0.25 * tree.rewards])
    found = gate_radius(tree, rewards, reward_gate(1.0, statistic="max"))
    assert 0.0 < found.bracket[0] <= found.bracket[1] < np.inf


def test_a_larger_instance_needs_few_rows():
    mdp, rng = random_mdp(1, states=40, actions=3), np.random.default_rng(1)
    gate = softmax_gate(rng.normal(size=(40, 3)), rng.normal(size=(3, 2)))
    rewards = rng.normal(size=(2, mdp.n_pairs))
    assert gate_radius(mdp, rewards, gate).rows_solved < mdp.n_pairs / 2
    found = gate_radius(mdp, rewards, reward_gate(0.5))
    assert 0.0 < found.bracket[0] <= found.bracket[1] <= found.fixed_weights * (1 + 1e-9)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInputError, match="shape"):
        gate_radius(bandit(), [[1.0, 0.0, 2.0]], reward_gate(1.0))


def test_a_gate_can_make_the_optimum_more_stable():
    # The first logit falls as the best action's first reward rises: what costs the lead turns the gate in its favour.
    gain = 4.0 / 3.0
    gate = reward_gate([[-gain, 0.0], [0.0, 0.0]], statistic=[1.0, 0.0], bias=[gain, 0.0])
    found = gate_radius(bandit(), [[1.0, 0.0], [0.0, 0.5]], gate)
    assert found.fixed_weights == pytest.approx(0.125)

    def worst_lead(size):
        # All other rewards are best at their corners; the one that the gate reads is scanned.
        read = np.linspace(-size, size, 2001)
        weight = 1.0 / (1.0 + np.exp(gain * read))
        return (weight * (1.0 + read - size) - (1.0 - weight) * (0.5 + 2.0 * size)).min()

    assert worst_lead(0.999 * found.bracket[1]) > 0.0
    assert worst_lead(1.001 * found.bracket[1]) < 0.0
    assert found.bracket[0] < found.fixed_weights < found.bracket[1]
