"""Cells of the weights against enumeration of all policies in fractions, walks along lines, and independent solves."""

import json
import math
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from core_oracles import random_mdp
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[2] / "mdp")]
from phases_oracle import best_vectors, grid, make_instance, value_tables, vectors_from_start
from test_momdp import SIZES, load

from policycliff import MDP, effective_reward, mixture_phases, perturbation_path, solve, stability_radius, token_tree
from policycliff.errors import InvalidInputError

BANDIT = MDP.from_arrays(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.0, initial=[1.0])
SPREAD = [[[3.0, 2.0, 0.0]], [[0.0, 2.0, 3.0]]]


def as_floats(vectors):
    return {tuple(float(entry) for entry in vector) for vector in vectors}


@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans(), st.sampled_from([0.0, 0.5]), st.integers(0, 1))
@settings(max_examples=12, deadline=None)
def test_cells_from_the_start_are_the_upper_envelope(seed, components, integer, gamma, terminals):
    mdp, rewards = make_instance(seed, components=components, integer=integer, gamma=gamma, terminals=terminals)
    tables = value_tables(mdp, rewards)
    vectors = vectors_from_start(mdp, tables)
    phases = mixture_phases(mdp, rewards, exact=True)
    assert (phases.status, phases.error_bound) == ("exact", 0.0)
    assert math.isclose(sum(cell.share for cell in phases.cells), 1.0)
    for weights in grid(components, {1: 1, 2: 24, 3: 9, 4: 5}[components]):
        top, best = best_vectors(vectors, weights)
        offered = [sum(w * v for w, v in zip(weights, plane, strict=True)) for plane in phases.planes]
        assert max(offered) == top
        if len(best) == 1:
            assert [plane for plane, value in zip(phases.planes, offered, strict=True) if value == top] == [*best]
    for cell, plane in zip(phases.cells, phases.planes, strict=True):
        choice = tuple(np.flatnonzero(cell.policy).tolist())
        assert vectors[choice] == plane
        sharing = sum(vector == plane for vector in vectors.values())
        assert 1 <= round(math.exp(cell.log_policies)) <= sharing
        # Every vertex is where so many cells and borders meet.
        for point in cell.fractions:
            top, _ = best_vectors(vectors, point)
            assert sum(w * v for w, v in zip(point, plane, strict=True)) == top


@given(st.integers(0, 10**6), st.integers(2, 3), st.booleans(), st.sampled_from([0.0, 0.5]))
@settings(max_examples=12, deadline=None)
def test_cells_everywhere_are_where_one_table_of_values_is_optimal(seed, components, integer, gamma):
    mdp, rewards = make_instance(seed, components=components, integer=integer, gamma=gamma)
    tables = value_tables(mdp, rewards)
    phases = mixture_phases(mdp, rewards, scope="everywhere", exact=True)

    def mixed(choice, weights):
        return [
            sum(w * v for w, v in zip(weights, column, strict=True)) for column in zip(*tables[choice], strict=True)
        ]

    def optimal(weights):
        at = {choice: mixed(choice, weights) for choice in tables}
        best = [max(column) for column in zip(*at.values(), strict=True)]
        return {choice for choice, values in at.items() if values == best}

    for weights in grid(components, {2: 16, 3: 7}[components]):
        chosen = optimal(weights)
        holders = phases.cells_at([float(w) for w in weights]) if 16 in {w.denominator for w in weights} else ()
        for cell in holders:
            assert tuple(np.flatnonzero(phases.cells[cell].policy).tolist()) in chosen
    for cell in phases.cells:
        middle = [sum(column) / len(cell.fractions) for column in zip(*cell.fractions, strict=True)]
        inside = optimal(middle)
        assert len(inside) == round(math.exp(cell.log_policies))
        assert len({tables[choice] for choice in inside}) == 1
        union = {pair for choice in inside for pair in choice}
        assert union == set(np.flatnonzero(cell.members).tolist())
    for wall in phases.walls:
        exact = set(phases.cells[wall.cells[0]].fractions) & set(phases.cells[wall.cells[1]].fractions)
        here = optimal([sum(column) / len(exact) for column in zip(*exact, strict=True)])
        both = [
            optimal([sum(c) / len(s.fractions) for c in zip(*s.fractions, strict=True)])
            for s in (phases.cells[cell] for cell in wall.cells)
        ]
        assert len(here) == round(math.exp(wall.log_policies))
        only = here - both[0] - both[1]
        assert wall.only_here is bool(only)
        assert (0 if wall.log_only_here is None else round(math.exp(wall.log_only_here))) == len(only)


@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([0.0, 0.5, 0.9]))
@settings(max_examples=12, deadline=None)
def test_two_rewards_are_a_line_of_rewards(seed, integer, gamma):
    mdp, rewards = make_instance(seed, components=2, integer=integer, gamma=gamma)
    path = perturbation_path(mdp.with_rewards(rewards[0]), rewards[1] - rewards[0], 0.0, 1.0, exact=True)
    phases = mixture_phases(mdp, rewards, scope="everywhere", exact=True)
    inner = [point.fraction for point in path.breakpoints if 0 < point.fraction < 1]
    ends = sorted({point[1] for cell in phases.cells for point in cell.fractions})
    assert ends[1:-1] == inner
    order = sorted(range(len(phases.cells)), key=lambda cell: phases.cells[cell].vertices[:, 1].min())
    for cell, interval in zip(order, path.intervals, strict=True):
        assert phases.cells[cell].members.tolist() == interval.members.tolist()
        assert phases.cells[cell].log_policies == pytest.approx(interval.log_optimal_policies)
    switched = [set(point.switched.tolist()) for point in path.breakpoints if 0 < point.fraction < 1]
    place = {frozenset(pair): index for index, pair in enumerate(pairwise(order))}
    for wall in phases.walls:
        assert set(wall.states.tolist()) == switched[place[frozenset(wall.cells)]]


@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from([0.0, 0.9]), st.sampled_from(["inf", "1", "2"]))
@settings(max_examples=12, deadline=None)
def test_nearest_wall_is_the_radius_of_the_weights(seed, components, gamma, norm):
    mdp = random_mdp(seed, states=3, actions=3, gamma=gamma)
    rng = np.random.default_rng([seed, 5])
    rewards = rng.normal(size=(components, mdp.n_pairs))
    weights = rng.dirichlet(np.ones(components))
    phases = mixture_phases(mdp, rewards, weights=weights, scope="everywhere", norm=norm, exact=True)
    radius = stability_radius(mdp, rewards=rewards, weights=weights, moving="weights", norm=norm)
    near = phases.nearest
    assert near.distance == pytest.approx(radius.radius, rel=1e-6, abs=1e-9)
    assert near.bracket[0] <= near.distance <= near.bracket[1]
    if near.neighbour < 0:
        assert len(phases.cells) == 1
        assert near.distance == np.inf
        return
    order = {"inf": np.inf, "1": 1, "2": 2}[norm]
    assert np.linalg.norm(near.direction, ord=order) == pytest.approx(near.distance, rel=1e-9)
    np.testing.assert_allclose(near.arrival, weights + near.direction, atol=1e-12)
    assert near.arrival.min() >= -1e-12
    # Both cells attain the optimum there, and the other policy does so beyond.
    levels = [float(sum(Fraction(w) * v for w, v in zip(near.arrival, plane, strict=True))) for plane in phases.planes]
    assert max(levels) - min(levels[near.cell], levels[near.neighbour]) <= 1e-9 * (1.0 + abs(max(levels)))
    assert phases.cells_at(weights) == (near.cell,)
    assert near.states.size >= 1


def test_the_two_scopes_differ_where_a_policy_does_not_go():
    # From state 0 action 0 ends, paid (1, 1); action 1 leads to state 1, where the actions pay (0.5, 0) and (0, 0.5).
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 2] = kernel[0, 1, 1] = 1.0
    kernel[1, :, 2] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((3, 2)), 1.0, terminal=np.arange(3) == 2, initial=[1.0, 0.0, 0.0])
    rewards = np.array([[[1.0, 0.0], [0.5, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.5], [0.0, 0.0]]])
    start = mixture_phases(mdp, rewards)
    everywhere = mixture_phases(mdp, rewards, scope="everywhere")
    assert (len(start.cells), len(everywhere.cells)) == (1, 2)
    assert everywhere.walls[0].states.tolist() == [1]
    assert [cell.values.tolist() for cell in everywhere.cells] == [[1.0, 1.0], [1.0, 1.0]]
    # Two policies share the vector: what happens off the path does not matter.
    assert math.exp(start.cells[0].log_policies) == pytest.approx(2.0)
    assert "from the start" in repr(start)
    assert "everywhere" in repr(everywhere)


def test_policies_that_are_optimal_on_a_wall_only_are_counted():
    # Two states from which each earns (1, 0) or (0, 1): at equal weights all four policies are optimal, two only there.
    mdp = MDP.from_arrays(np.eye(2)[:, None, :].repeat(2, axis=1), np.zeros((2, 2)), 0.5, initial=[0.5, 0.5])
    rewards = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
    for scope in ("start", "everywhere"):
        phases = mixture_phases(mdp, rewards, scope=scope, weights=[0.5, 0.5])
        assert len(phases.cells) == 2
        (wall,) = phases.walls
        assert math.exp(wall.log_policies) == pytest.approx(4.0)
        assert wall.states.tolist() == [0, 1]
        assert (phases.nearest.distance, phases.nearest.status) == (0.0, "tied")
        assert len(phases.cells_at([0.5, 0.5])) == 2
    assert wall.only_here is True
    assert math.exp(wall.log_only_here) == pytest.approx(2.0)


def test_identical_rewards_have_one_cell_with_all_ties():
    phases = mixture_phases(BANDIT, np.ones((3, 1, 3)), weights=[0.2, 0.3, 0.5])
    (cell,) = phases.cells
    assert (cell.share, math.exp(cell.log_policies)) == (1.0, pytest.approx(3.0))
    assert (phases.nearest.distance, phases.nearest.neighbour) == (np.inf, -1)
    assert phases.to_dict()["nearest"]["distance"] is None


def test_fixed_weights_are_a_slice():
    rewards = np.array([[[3.0, 2.0, 0.0]], [[0.0, 2.0, 3.0]], [[0.0, 1.0, 0.0]]])
    part = mixture_phases(BANDIT, rewards, fixed={2: 0.25}, weights=[0.5, 0.25, 0.25])
    whole = mixture_phases(BANDIT, rewards)
    for share in np.linspace(0.0, 1.0, 17):
        weights = part.weights([share, 1.0 - share])
        assert weights.tolist() == [0.75 * share, 0.75 * (1.0 - share), 0.25]
        best = {tuple(whole.cells[cell].policy.tolist()) for cell in whole.cells_at(weights)}
        assert {tuple(part.cells[cell].policy.tolist()) for cell in part.cells_at(weights)} == best
    # Arms earn 3 w0, 2 w0 + 2 w1 + w2 and 3 w1: the first wall is w0 = 7/12 + ..., at 3 w0 = 1.75.
    assert part.nearest.arrival[0] == pytest.approx(1.75 / 3.0)
    assert part.nearest.direction[2] == 0.0
    assert part.nearest.distance == pytest.approx(2.0 * (1.75 / 3.0 - 0.5))


def test_weights_of_the_state_are_a_line_between_two_functions():
    mdp = random_mdp(3, states=4, actions=2, gamma=0.9)
    rewards = np.random.default_rng(1).normal(size=(2, mdp.n_pairs))
    first, second = np.random.default_rng(2).dirichlet(np.ones(2), size=(2, 4)).transpose(0, 2, 1)
    phases = mixture_phases(mdp, rewards, corners=[first, second], weights=[0.5, 0.5], scope="everywhere")
    ends = [effective_reward(rewards, weight, mdp=mdp) for weight in (first, second)]
    path = perturbation_path(mdp.with_rewards(ends[0]), ends[1] - ends[0], 0.0, 1.0)
    inner = sorted({round(float(point[1]), 12) for cell in phases.cells for point in cell.vertices})[1:-1]
    assert inner == pytest.approx([point.t for point in path.breakpoints], abs=1e-9)
    assert phases.weights([0.25, 0.75]).shape == (2, 4)
    gaps = [abs(t - 0.5) for t in inner]
    assert phases.nearest.distance == pytest.approx(2.0 * min(gaps), rel=1e-6)


@pytest.mark.parametrize("name", [name for name in SIZES if name != "fruit_tree_6"])
@pytest.mark.parametrize("scope", ["start", "everywhere"])
def test_published_problems_against_independent_solves(name, scope):
    mdp, rewards = load(name, 0.95)
    rewards = rewards[: 4 if scope == "start" else 2]
    phases = mixture_phases(mdp, rewards, scope=scope, exact=False)
    assert phases.status in {"certified", "unresolved"}
    assert phases.error_bound < 1e-7
    assert sum(cell.share for cell in phases.cells) == pytest.approx(1.0, abs=1e-9)
    rng = np.random.default_rng(4)
    mixtures = np.vstack([rng.dirichlet(np.ones(len(rewards)), 25), np.eye(len(rewards))])
    for weights in mixtures:
        world = mdp.with_rewards(effective_reward(rewards, weights))
        solution = solve(world, method="auto" if world.is_acyclic else "policy_iteration", tolerance=1e-11)
        for index in phases.cells_at(weights):
            cell = phases.cells[index]
            chain = np.flatnonzero(cell.policy)
            kernel = mdp.transitions.toarray()[chain]
            values = np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * kernel, world.rewards[chain])
            slack = cell.error_bound + 1e-9
            if scope == "everywhere":
                assert (solution.values - values).max() <= slack
            assert mdp.initial @ solution.values - weights @ cell.values <= slack
            assert mdp.initial @ values == pytest.approx(weights @ cell.values, abs=1e-9)


@pytest.mark.parametrize("name", ["deep_sea_treasure_convex", "resource_gathering"])
def test_floats_find_the_exact_cells(name):
    mdp, rewards = load(name, 0.95)
    exact, rough = (mixture_phases(mdp, rewards, exact=choice) for choice in (True, False))
    assert (exact.status, exact.arithmetic, rough.arithmetic) == ("exact", "exact", "float")
    shares = [sorted(cell.share for cell in phases.cells) for phases in (exact, rough)]
    assert shares[1] == pytest.approx(shares[0], abs=1e-9)
    assert len(exact.walls) == len(rough.walls)


def test_four_rewards_of_a_tree_without_discount():
    mdp, rewards = load("fruit_tree_5", 1.0)
    phases = mixture_phases(mdp, rewards[:4], weights=[0.1, 0.2, 0.3, 0.4])
    leaves = {tuple(np.round(cell.values, 6)) for cell in phases.cells}
    assert len(leaves) == len(phases.cells) > 10
    # The envelope of all leaves, by brute force: a return is what the last step pays.
    ends = np.flatnonzero(mdp.terminal[mdp.transitions.toarray().argmax(axis=1)] & ~mdp.terminal[mdp.pair_states])
    paid = rewards[:4, ends].T
    mixtures = np.random.default_rng(0).dirichlet(np.ones(4), 500)
    values = np.array([cell.values for cell in phases.cells])
    np.testing.assert_allclose((mixtures @ values.T).max(axis=1), (mixtures @ paid.T).max(axis=1), atol=1e-9)


def test_token_trees_and_gamma_one():
    tree = token_tree([["a", "b"], ["c"], ["d", "e", "f"]], [0.0, 0.0, 0.0])
    first = np.flatnonzero(tree.pair_states == int(np.argmax(tree.initial)))
    rewards = np.zeros((3, tree.n_pairs))
    rewards[np.arange(3), first] = [1.0, 2.0, 4.0]
    phases = mixture_phases(tree, rewards, weights=[0.5, 0.25, 0.25])
    # Answer k wins where w_k times its pay is largest: each corner has its cell, and they meet at (4, 2, 1)/7.
    assert phases.status == "exact"
    assert len(phases.cells) == len(phases.walls) == 3
    assert sum(cell.share for cell in phases.cells) == pytest.approx(1.0)
    common = set.intersection(*(set(cell.fractions) for cell in phases.cells))
    assert common == {(Fraction(4, 7), Fraction(2, 7), Fraction(1, 7))}
    assert phases.cells_at([0.5, 0.25, 0.25]) == (int(np.argmax([plane[2] for plane in phases.planes])),)


@pytest.mark.parametrize("exact", [True, False])
def test_caps_are_reported_and_the_bound_holds(exact):
    mdp = random_mdp(11, states=5, actions=4, gamma=0.9)
    rewards = np.random.default_rng(0).normal(size=(4, mdp.n_pairs))
    full = mixture_phases(mdp, rewards, exact=exact)
    part = mixture_phases(mdp, rewards, exact=exact, max_cells=3)
    few = mixture_phases(mdp, rewards, exact=exact, max_rounds=6)
    assert len(full.cells) > 5
    assert full.status == ("exact" if exact else "certified")
    for capped in (part, few):
        assert capped.status == "truncated"
        mixtures = np.random.default_rng(1).dirichlet(np.ones(4), 200)
        truth = (mixtures @ np.array([cell.values for cell in full.cells]).T).max(axis=1)
        found = (mixtures @ np.array([cell.values for cell in capped.cells]).T).max(axis=1)
        loss = (truth - found).max()
        assert 0.01 < loss <= capped.error_bound
    coarse = mixture_phases(mdp, rewards, exact=exact, tolerance=0.5)
    assert len(coarse.cells) < len(full.cells)
    assert 0.0 < coarse.error_bound <= 0.5 + 1e-9


def test_a_larger_instance_in_floats():
    rng = np.random.default_rng(8)
    states, actions = 80, 3
    kernel = np.zeros((states, actions, states))
    rows = np.arange(states)[:, None, None]
    np.add.at(kernel, (rows, np.arange(actions)[None, :, None], rng.integers(states, size=(states, actions, 3))), 1 / 3)
    mdp = MDP.from_arrays(kernel, np.zeros((states, actions)), 0.8, initial=np.eye(states)[0])
    rewards = rng.normal(size=(2, mdp.n_pairs))
    phases = mixture_phases(mdp, rewards, weights=[0.5, 0.5])
    assert (phases.arithmetic, phases.status) == ("float", "certified")
    assert len(phases.cells) > 10
    assert phases.error_bound < 1e-9
    near = phases.nearest
    assert 0.0 < near.bracket[0] <= near.distance <= near.bracket[1] < 0.5


def test_json_has_everything_and_the_repr_fits_a_screen():
    phases = mixture_phases(BANDIT, SPREAD, weights=[0.75, 0.25])
    data = json.loads(json.dumps(phases.to_dict()))
    assert data["cells"][0]["fractions"]
    assert data["nearest"]["direction"] == pytest.approx([-1 / 12, 1 / 12])
    assert {len(cell["vertices"]) for cell in data["cells"]} == {2}
    for item in (phases, phases.cells[0], phases.walls[0], phases.nearest):
        assert len(repr(item)) < 600
    for item in (phases.cells[0].vertices, phases.cells[0].values, phases.walls[0].normal):
        assert not item.flags.writeable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": [0.5, 0.6]}, "sum 1.1"),
        ({"weights": [1.5, -0.5]}, r"-0.5 in `weights` at index \(1,\)"),
        ({"weights": [0.5, np.nan]}, "nan in `weights`"),
        ({"weights": [1.0]}, r"`weights` of shape \(1,\)"),
        ({"scope": "there"}, "scope = 'there'"),
        ({"norm": "3"}, "norm = '3'"),
        ({"exact": "maybe"}, "exact = 'maybe'"),
        ({"tolerance": -1.0}, "tolerance = -1.0"),
        ({"max_cells": 0}, "max_cells = 0"),
        ({"max_rounds": -1}, "max_rounds = -1"),
        ({"fixed": {2: 0.5}}, "components 0 to 1"),
        ({"fixed": {0: 1.0}}, r"weights in \[0, 1\)"),
        ({"fixed": [0.5]}, "`fixed` of type list"),
        ({"fixed": {0: 0.5, 1: 0.25}}, "at least one free component"),
        ({"fixed": {0: 0.5}, "weights": [0.25, 0.75]}, "weight 0.25 of component 0"),
        ({"fixed": {0: 0.5}, "corners": [[1.0, 0.0]]}, "one of them"),
        ({"corners": [[1.0, 0.0, 0.0]]}, "`corners` of shape"),
        ({"corners": [[0.5, 0.4], [0.0, 1.0]]}, "sum 0.9"),
        ({"corners": np.full((2, 2, 2), 0.5)}, "a weight for each state"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        mixture_phases(BANDIT, SPREAD, **arguments)


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([[[1.0, 0.0, 0.0]], [[1.0, 0.0]]], "shape"),
        (3.0, "not a list of components"),
        ([1.0, 2.0], "not a list of components"),
        ([], "not a list of components"),
        ([[[1.0, np.inf, 0.0]]], r"inf in `rewards\[0\]`"),
    ],
)
def test_bad_rewards(rewards, message):
    with pytest.raises(InvalidInputError, match=message):
        mixture_phases(BANDIT, rewards)


def test_no_start_and_too_large_are_refused():
    lost = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.5)
    with pytest.raises(InvalidInputError, match="without initial distribution"):
        mixture_phases(lost, [[1.0, 0.0], [0.0, 1.0]])
    assert len(mixture_phases(lost, [[1.0, 0.0], [0.0, 1.0]], scope="everywhere").cells) == 2
    large = random_mdp(0, states=201, actions=2, branching=1)
    with pytest.raises(InvalidInputError, match="201 states"):
        mixture_phases(large, np.zeros((2, large.n_pairs)), exact=True)
