from dataclasses import replace

import numpy as np
import pytest
from core_oracles import garnet, linear_program, random_mdp, two_halves

from policycliff import MDP, Entropy, solve, solve_many, stability_radius, token_tree
from policycliff.errors import InvalidInputError
from policycliff.mdp.compilation import frozen

ITERATIVE = ["value_iteration", "policy_iteration", "modified_policy_iteration", "gauss_seidel"]


def chain_to_goal(length, gamma):
    """Walk right for -1 a step; the last state is terminal."""
    kernel = np.zeros((length + 1, 1, length + 1))
    kernel[np.arange(length), 0, np.arange(1, length + 1)] = 1.0
    terminal = np.arange(length + 1) == length
    return MDP.from_arrays(kernel, -1.0 * ~terminal, gamma, terminal=terminal)


@pytest.mark.parametrize("method", [*ITERATIVE, "backward", "auto"])
@pytest.mark.parametrize("gamma", [0.5, 0.9, 1.0])
def test_a_walk_to_the_goal_costs_a_geometric_sum(method, gamma):
    solution = solve(chain_to_goal(6, gamma), method=method)
    steps = 6 - np.arange(7)
    expected = -steps if gamma == 1.0 else -(1 - gamma**steps) / (1 - gamma)
    np.testing.assert_allclose(solution.values, expected, atol=solution.error_bound + 1e-15)
    assert solution.status == "converged"


@pytest.mark.parametrize("method", ITERATIVE)
def test_two_states_against_pencil_and_paper(method):
    stay, swap = np.eye(2), np.eye(2)[::-1]
    mdp = MDP.from_arrays(np.stack([stay, swap], axis=1), [[0.0, -1.0], [1.0, 0.0]], 0.5)
    solution = solve(mdp, method=method)
    # State 1 stays for 1 / (1 - 0.5) = 2; state 0 pays 1 to swap: -1 + 0.5 * 2 = 0 = staying forever.
    np.testing.assert_allclose(solution.q_values, [0.0, 0.0, 2.0, 0.0], atol=1e-10)


@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.parametrize("gamma", [0.3, 0.9, 0.98])
@pytest.mark.parametrize("terminals", [0, 3])
def test_methods_agree_with_the_linear_program(method, gamma, terminals):
    mdp = random_mdp(5, states=12, actions=4, gamma=gamma, terminals=terminals, branching=3)
    solution = solve(mdp, method=method)
    assert solution.status in {"converged", "rounding_floor"}
    np.testing.assert_allclose(solution.values, linear_program(mdp), rtol=1e-8, atol=1e-7)


def test_methods_agree_on_a_larger_mdp():
    kernel, rewards = garnet(0, states=4000, actions=3, branching=4)
    mdp = MDP.from_arrays(kernel, rewards, 0.95)
    solutions = [solve(mdp, method=method) for method in ITERATIVE]
    for solution in solutions:
        assert solution.error_bound <= 1e-10
        np.testing.assert_allclose(solution.q_values, solutions[0].q_values, rtol=0, atol=2e-10)


@pytest.mark.parametrize("method", ITERATIVE)
def test_periodic_chains_converge(method):
    size = 6
    kernel = np.roll(np.eye(size), 1, axis=1)[:, None, :]
    mdp = MDP.from_arrays(kernel, np.arange(size) == 0, 0.99)
    expected = 0.99 ** ((-np.arange(size)) % size) / (1 - 0.99**size)
    np.testing.assert_allclose(solve(mdp, method=method).values, expected, atol=1e-10)


@pytest.mark.parametrize("method", ITERATIVE)
def test_two_chains_that_never_meet_converge(method):
    mdp = MDP.from_arrays(np.eye(2)[:, None, :], [1.0, -3.0], 0.9)
    np.testing.assert_allclose(solve(mdp, method=method).values, [10.0, -30.0], atol=1e-10)


def test_q_values_policy_and_values_belong_together():
    solution = solve(random_mdp(7))
    mdp = solution.mdp
    chosen = np.flatnonzero(solution.policy)
    assert chosen.size == mdp.n_states
    np.testing.assert_array_equal(solution.values, solution.q_values[chosen])
    np.testing.assert_array_equal(solution.values, np.maximum.reduceat(solution.q_values, mdp.offsets[:-1]))
    for array in (solution.values, solution.q_values, solution.policy):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_gamma_zero_is_exact_also_with_cycles():
    mdp = random_mdp(8, gamma=0.0)
    solution = solve(mdp)
    assert (solution.method, solution.error_bound) == ("backward", 0.0)
    np.testing.assert_array_equal(solution.q_values, mdp.rewards)


def test_auto_takes_one_pass_where_it_can():
    assert solve(token_tree(["ab"], [1.0])).method == "backward"
    assert solve(random_mdp(9)).method == "modified_policy_iteration"


@pytest.mark.parametrize("method", ITERATIVE)
def test_a_tolerance_below_the_floor_ends_and_says_so(method):
    solution = solve(random_mdp(10, gamma=0.999), method=method, tolerance=0.0)
    assert solution.status == "rounding_floor"
    assert 0.0 < solution.error_bound < 1e-8


@pytest.mark.parametrize("method", ITERATIVE)
def test_the_iteration_limit_ends_and_says_so(method):
    solution = solve(random_mdp(10, gamma=0.999, states=12, branching=2), method=method, max_iterations=1)
    assert solution.status == "iteration_limit"
    exact = solve(solution.mdp)
    assert np.abs(solution.q_values - exact.q_values).max() <= solution.error_bound


def test_a_discount_one_ulp_below_one_gives_an_honest_bound():
    solution = solve(MDP.from_arrays(np.ones((1, 1, 1)), [1.0], np.nextafter(1.0, 0.0)), max_iterations=50)
    assert solution.status == "rounding_floor"
    assert solution.error_bound > 1.0


@pytest.mark.parametrize("method", ITERATIVE)
def test_values_beyond_double_precision_end_with_an_infinite_bound(method):
    mdp = random_mdp(10, gamma=0.999).with_rewards([1e308, -1e308, 1e308, 1e307])
    solution = solve(mdp, method=method)
    assert solution.status == "rounding_floor"
    assert solution.error_bound == np.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [({"method": "magic"}, "magic"), ({"tolerance": -1.0}, "tolerance"), ({"tolerance": np.nan}, "tolerance")],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        solve(random_mdp(0), **options)


def test_backward_refuses_a_cycle():
    with pytest.raises(InvalidInputError, match="cycle"):
        solve(random_mdp(0), method="backward")


def test_summaries():
    solution = solve(random_mdp(0))
    assert repr(solution).startswith("Solution(converged by modified_policy_iteration")
    assert solution.to_dict()["values"] == solution.values.tolist()
    assert solution.policy_error_bound == 1.0


def test_where_values_mix_for_long_before_they_end_a_constant_is_found_at_once():
    # One absorbing state among a thousand; sweeps alone need some five thousand improvements.
    kernel, rewards = garnet(0, states=1000, actions=4, branching=3)
    kernel = kernel.tolil()
    kernel[:4] = 0.0
    kernel[:4, 0] = 1.0
    solution = solve(MDP.from_arrays(kernel.tocsr(), rewards, 0.9999), tolerance=1e-6)
    assert (solution.method, solution.status) == ("gauss_seidel", "converged")
    assert solution.iterations < 100
    assert np.abs(solution.values - solve(solution.mdp, method="policy_iteration").values).max() < 2e-6


@pytest.mark.parametrize("regularizer", [None, Entropy(0.1)])
def test_values_that_spread_slowly_are_extrapolated(regularizer):
    # Without it 20 to 60 backups with a thousand sweeps each.
    for gamma in (0.99, 0.999, 0.9999):
        mdp = two_halves(3, states=60, gamma=gamma)
        tolerance = 1e-9 / (1.0 - gamma)
        solution = solve(mdp, tolerance=tolerance, regularizer=regularizer)
        assert solution.status == "converged"
        assert solution.iterations <= 10
        exact = solve(mdp, method="policy_iteration", tolerance=tolerance, regularizer=regularizer)
        assert np.abs(solution.q_values - exact.q_values).max() <= solution.error_bound + exact.error_bound
        many = solve_many(mdp, np.tile(mdp.rewards, (9, 1)), tolerance=tolerance, regularizer=regularizer)
        assert many.iterations.max() <= 10
        assert np.abs(many.q_values - exact.q_values).max() <= many.error_bounds.max() + exact.error_bound


def test_terminal_states_stay_at_zero_where_values_spread_slowly():
    mdp = two_halves(5, states=40, gamma=0.9999)
    ends = np.arange(mdp.n_states) == 0
    rewards = np.where(ends[mdp.pair_states], 0.0, mdp.rewards).reshape(-1, 3)
    kernel = mdp.transitions.tolil()
    kernel[:3] = 0.0
    world = MDP.from_arrays(kernel.tocsr(), rewards, 0.9999, terminal=ends)
    for regularizer in (None, Entropy(0.1)):
        solution = solve(world, method="modified_policy_iteration", tolerance=1e-4, regularizer=regularizer)
        exact = solve(world, method="policy_iteration", tolerance=1e-5, regularizer=regularizer)
        assert solution.values[0] == 0.0
        assert np.abs(solution.q_values - exact.q_values).max() <= solution.error_bound + exact.error_bound


def slippery_grid(size, labels):
    """A reward of -1 a step, slips to the sides, one absorbing goal in a corner; labels[i] is the number of cell i."""
    states = size * size
    row, column = np.divmod(np.arange(states), size)
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    ends = [np.clip(row + a, 0, size - 1) * size + np.clip(column + b, 0, size - 1) for a, b in moves]
    kernel = np.zeros((states, 4, states))
    for action in range(4):
        for turn, mass in ((0, 0.8), (1, 0.1), (-1, 0.1)):
            np.add.at(kernel, (labels, action, labels[ends[(action + turn) % 4]]), mass)
    goal = labels[-1]
    kernel[goal] = np.arange(states) == goal
    return MDP.from_arrays(kernel, np.where(np.arange(states) == goal, 0.0, -1.0), 0.99)


def test_how_states_are_numbered_plays_no_part():
    size = 18
    cells = np.arange(size * size)
    shuffled = np.random.default_rng(0).permutation(cells)
    plain, backwards, mixed = (
        solve(slippery_grid(size, labels), tolerance=1e-9) for labels in (cells, cells[::-1].copy(), shuffled)
    )
    both = plain.error_bound + max(backwards.error_bound, mixed.error_bound)
    assert np.abs(backwards.values[::-1] - plain.values).max() <= both
    assert np.abs(mixed.values[shuffled] - plain.values).max() <= both
    other = solve(plain.mdp, tolerance=1e-9, method="modified_policy_iteration")
    assert np.abs(plain.q_values - other.q_values).max() <= plain.error_bound + other.error_bound
    for solution in (plain, backwards, mixed):
        assert (solution.method, solution.status) == ("gauss_seidel", "converged")
        assert solution.iterations <= 40


@pytest.mark.parametrize("terminals", [0, 2])
def test_kernels_with_more_probabilities_than_32_bits_count(terminals):
    mdp = random_mdp(3, states=40, actions=3, gamma=0.95, terminals=terminals)
    assert mdp.indptr.dtype == np.int32
    # So they are stored from 2^31 probabilities on.
    wide = replace(mdp, indptr=frozen(mdp.indptr.astype(np.int64)))
    for method in (*ITERATIVE, "auto"):
        one, other = solve(mdp, method=method), solve(wide, method=method)
        assert (one.q_values == other.q_values).all()
        assert one.error_bound == other.error_bound
    assert stability_radius(mdp).radius == stability_radius(wide).radius
    rewards = np.tile(mdp.rewards, (9, 1))
    for regularizer in (None, Entropy(0.1)):
        one, other = (solve_many(world, rewards, regularizer=regularizer) for world in (mdp, wide))
        assert (one.q_values == other.q_values).all()
