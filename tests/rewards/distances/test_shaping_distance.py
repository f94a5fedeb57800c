"""The sup norm and the sup norm modulo shaping: against the dual program, closed forms, and the stability radius."""

import json

import numpy as np
import pytest
from core_oracles import garnet, random_mdp, recipes
from distance_oracles import full_mdp, shape_pairs, shaping_by_dual
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, RewardDistance, optimal_actions, reward_distance, solve, stability_radius, token_tree
from policycliff.errors import InvalidInputError
from policycliff.rewards.distances import shaping


def other_reward(mdp, seed=0):
    return np.where(mdp.terminal[mdp.pair_states], 0.0, np.random.default_rng(seed).normal(size=mdp.n_pairs))


@given(recipe=recipes(max_states=5))
@settings(max_examples=40, deadline=None)
def test_against_the_dual_program(recipe):
    mdp = random_mdp(**recipe)
    other = other_reward(mdp)
    found = reward_distance(mdp, mdp.rewards, other, kind="shaping")
    assert found.status == "certified"
    assert found.value == pytest.approx(shaping_by_dual(mdp, mdp.rewards - other), abs=1e-6)
    assert found.error_bound < 1e-7
    # The potential attains the value.
    rest = mdp.rewards - other - shape_pairs(mdp, np.zeros(mdp.n_pairs), found.potential)
    assert np.abs(rest).max() == pytest.approx(found.value, abs=1e-12)
    assert (found.potential[mdp.terminal] == 0.0).all()


@given(recipe=recipes(max_states=4), seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_bracket_holds_for_any_potential_and_any_measure(recipe, seed):
    """Weak duality by sampling: no potential is better than the lower end, no measure than the upper end."""
    mdp = random_mdp(**recipe)
    difference = mdp.rewards - other_reward(mdp)
    low, high = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").bracket
    rng = np.random.default_rng(seed)
    best = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").potential
    for size in (0.0, 1e-9, 1e-3, 1.0):
        potential = best + size * rng.normal(size=mdp.n_states)
        rest = difference - shape_pairs(mdp, np.zeros(mdp.n_pairs), potential)
        assert np.abs(rest).max() >= low - 1e-12
    assert high <= np.abs(difference).max() + 1e-12


def test_one_state_is_half_the_span():
    mdp = MDP.from_arrays(np.ones((1, 4, 1)), np.zeros((1, 4)), 0.9)
    found = reward_distance(mdp, [3.0, 1.0, 0.0, 2.0], np.zeros(4), kind="shaping")
    assert found.value == pytest.approx(1.5, abs=1e-9)
    assert reward_distance(mdp, [3.0, 1.0, 0.0, 2.0], np.zeros(4), kind="sup").value == 3.0
    # At gamma = 0 a potential is a constant for each state.
    bandit = full_mdp(0, states=2, actions=2, gamma=0.0)
    assert reward_distance(bandit, [1.0, 0.0, 0.0, 4.0], np.zeros(4), kind="shaping").value == pytest.approx(2.0)


def test_a_deterministic_path_by_hand():
    # Two ways through a tree at gamma = 1: only the difference of their sums is seen, spread over all their steps.
    tree = token_tree(["abc", "x"], [3.0, 1.0])
    alive = np.flatnonzero(~tree.terminal[tree.pair_states])
    found = reward_distance(tree, tree.rewards, np.zeros(tree.n_pairs), kind="shaping")
    assert found.value == pytest.approx(2.0 / alive.size, abs=1e-9)
    # Where there is no choice every reward is shaping.
    chain = token_tree(["abc"], [5.0])
    assert reward_distance(chain, chain.rewards, np.zeros(chain.n_pairs), kind="shaping").value <= 1e-9


@given(recipe=recipes(max_states=4), seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_blind_to_shaping_and_a_pseudometric(recipe, seed):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(seed)
    a, b, c = mdp.rewards, other_reward(mdp, 1), other_reward(mdp, 2)
    shaped = shape_pairs(mdp, b, rng.normal(size=mdp.n_states))

    def distance(first, second):
        return reward_distance(mdp, first, second, kind="shaping").value

    assert distance(b, shaped) <= 1e-12
    assert distance(a, shaped) == pytest.approx(distance(a, b), abs=1e-6)
    assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-7)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-6
    assert distance(a, a) == 0.0
    assert distance(2.0 * a, 2.0 * b) == pytest.approx(2.0 * distance(a, b), abs=1e-6)
    assert distance(a, b) <= reward_distance(mdp, a, b, kind="sup").value + 1e-12


@given(seed=st.integers(0, 10**6), factor=st.sampled_from([0.5, 0.99, 1.5]), terminals=st.integers(0, 1))
@settings(max_examples=25, deadline=None)
def test_below_the_radius_nothing_flips(seed, factor, terminals):
    mdp = random_mdp(seed, states=4, gamma=0.8, terminals=terminals)
    rng, radius = np.random.default_rng(seed), stability_radius(mdp)
    if not 0.0 < radius.radius < np.inf:
        return
    signs = np.sign(radius.witness) if factor > 1.0 else rng.choice([-1.0, 1.0], mdp.n_pairs)
    moved = np.where(mdp.terminal[mdp.pair_states], 0.0, mdp.rewards + factor * radius.radius * signs)
    moved = shape_pairs(mdp, moved, rng.normal(size=mdp.n_states))
    found = reward_distance(mdp, mdp.rewards, moved, kind="shaping")
    flipped = (optimal_actions(solve(mdp)).members != optimal_actions(solve(mdp.with_rewards(moved))).members).any()
    assert found.value <= factor * radius.radius + 1e-7
    if factor > 1.0:
        assert flipped
        assert found.bracket[1] >= radius.bracket[0]
    else:
        assert not flipped


def test_the_radius_is_the_least_shaping_distance_to_a_flip():
    """The witness is not shorter modulo shaping: no shaping brings the boundary nearer than the radius."""
    for seed in range(10):
        mdp = random_mdp(seed, states=4)
        radius = stability_radius(mdp)
        found = reward_distance(mdp, mdp.rewards, mdp.rewards + radius.witness, kind="shaping")
        assert found.bracket[0] <= radius.radius <= found.bracket[1] * (1.0 + 1e-9)


def test_sup_and_its_error():
    mdp = random_mdp(0, states=3)
    found = reward_distance(mdp, np.zeros(mdp.n_pairs), np.full(mdp.n_pairs, 0.25), kind="sup")
    assert (found.value, found.error_bound, found.bracket) == (0.25, 0.0, (0.25, 0.25))
    rounded = reward_distance(mdp, np.full(mdp.n_pairs, 1e16), np.full(mdp.n_pairs, 0.3), kind="sup")
    assert 0.0 < rounded.error_bound <= 2.0
    low, high = rounded.bracket
    assert low < 1e16 < high


def test_rewards_over_transitions_count_by_their_mean():
    mdp = full_mdp(0, terminals=1, branching=2)
    table = np.random.default_rng(0).normal(size=(4, 3, 4))
    rows = mdp.transitions.toarray()
    mean = (rows * table[mdp.pair_states, mdp.actions]).sum(axis=1)
    for kind in ("sup", "shaping", "starc"):
        a, b = (reward_distance(mdp, r, mdp.rewards, kind=kind) for r in (table, mean))
        assert a.value == pytest.approx(b.value, abs=1e-9)
    assert reward_distance(mdp, table, mean, kind="sup").value <= 1e-15


def test_a_solver_that_gives_up_is_unresolved(monkeypatch):
    monkeypatch.setattr(shaping, "_solve", lambda *_: (None, None))
    mdp = random_mdp(0)
    found = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping")
    assert found.status == "unresolved"
    assert found.value == reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="sup").value
    assert found.bracket[0] == 0.0


def test_a_wrong_answer_of_the_solver_only_widens_the_bracket(monkeypatch):
    mdp = random_mdp(0)
    true = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").value
    solved = shaping._solve
    noise = np.random.default_rng(0)

    def disturbed(matrix, d):
        free, measure = solved(matrix, d)
        return free + 0.01 * noise.normal(size=free.size), measure + 0.01 * noise.normal(size=measure.size)

    monkeypatch.setattr(shaping, "_solve", disturbed)
    low, high = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").bracket
    assert low < true < high
    assert high - low < 0.5


def test_a_repair_that_misses_only_lowers_the_bound():
    """The lower end stands whatever flow is added: what is then missing is measured again and paid for."""

    class Sloppy:
        amplification = 5.0

        def __init__(self, solver, rng):
            self.solver, self.rng = solver, rng

        def solve(self, row):
            flow, left = self.solver.solve(row)
            return flow + 1e-3 * self.rng.normal(size=flow.size), left

    made = shaping.make_left_solver
    wrong = 0
    for seed in range(20):
        mdp = random_mdp(seed, states=4, gamma=0.8)
        true = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").bracket
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                shaping, "make_left_solver", lambda *a, seed=seed: Sloppy(made(*a), np.random.default_rng(seed))
            )
            low, _ = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").bracket
        assert low <= true[1]
        wrong += low < true[0] - 1e-6
    assert wrong > 15


def test_a_larger_mdp():
    kernel, rewards = garnet(0, states=1000, actions=3, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.95)
    moved = mdp.rewards + 0.01 * np.random.default_rng(0).random(mdp.n_pairs)
    moved = moved + 0.95 * mdp.transitions @ np.arange(1000.0) - np.arange(1000.0)[mdp.pair_states]
    found = reward_distance(mdp, mdp.rewards, moved, kind="shaping")
    assert 0.0039 < found.bracket[0] <= found.bracket[1] < 0.0051
    assert found.error_bound < 1e-8


def test_the_result_is_read_only_json_and_short():
    mdp = random_mdp(0)
    for kind in ("sup", "shaping", "epic", "starc"):
        found = reward_distance(mdp, mdp.rewards, other_reward(mdp), kind=kind)
        assert isinstance(found, RewardDistance)
        assert json.loads(json.dumps(found.to_dict()))["value"] == found.value
        assert kind in repr(found)
        assert len(repr(found)) < 200
        with pytest.raises(AttributeError):
            found.value = 0.0
        with pytest.raises(TypeError):
            found.settings["x"] = "y"
    with pytest.raises(ValueError, match="read-only"):
        reward_distance(mdp, mdp.rewards, other_reward(mdp), kind="shaping").potential[0] = 1.0


def test_a_reward_at_a_terminal_state():
    mdp = full_mdp(0, terminals=1)
    with pytest.raises(InvalidInputError, match="terminal state 3"):
        reward_distance(mdp, mdp.rewards, np.ones(mdp.n_pairs), kind="sup")
