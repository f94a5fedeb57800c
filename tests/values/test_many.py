"""Many rewards at once: each is within its own bound of the exact optimum, and as `solve` says."""

from dataclasses import replace

import numpy as np
import pytest
from core_oracles import brute_force, exact_error, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import KL, MDP, Entropy, optimal_actions, solve, solve_many
from policycliff.errors import InvalidInputError
from policycliff.mdp.compilation import frozen


def drawn(mdp, count, seed, *, integer=False):
    rng = np.random.default_rng(seed)
    rewards = (
        rng.integers(-2, 3, (count, mdp.n_pairs)).astype(float) if integer else rng.normal(size=(count, mdp.n_pairs))
    )
    return rewards * ~mdp.terminal[mdp.pair_states]


@given(
    recipes(gammas=(0.0, 0.5, 0.9, 0.99)),
    st.sampled_from([1, 7, 8, 9, 17]),
    st.sampled_from([1e-3, 1e-10, 0.0]),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_each_is_within_its_bound(recipe, count, tolerance, threads):
    mdp = random_mdp(**recipe)
    rewards = drawn(mdp, count, recipe["seed"], integer=True)
    found = solve_many(mdp, rewards, tolerance=tolerance, threads=threads)
    assert len(found) == count
    for i in range(0, count, 3):
        values, q = brute_force(mdp.with_rewards(rewards[i]))
        assert exact_error(found.q_values[i], q) <= found.error_bounds[i]
        assert exact_error(found.values[i], values) <= found.error_bounds[i]
        assert found.statuses[i] == "rounding_floor" or found.error_bounds[i] <= tolerance


@pytest.mark.parametrize("terminals", [0, 2])
@pytest.mark.parametrize("kind", ["entropy", "kl", "kl with zeros"])
def test_soft_policies_are_those_of_solve(kind, terminals):
    mdp = random_mdp(seed=3, states=12, actions=4, gamma=0.95, terminals=terminals)
    reference = np.full(mdp.n_pairs, 1.0)
    if kind == "kl with zeros":
        reference[np.setdiff1d(np.arange(0, mdp.n_pairs, 3), mdp.offsets[:-1])] = 0.0
    reference /= np.add.reduceat(reference, mdp.offsets[:-1])[mdp.pair_states]
    regularizer = Entropy(0.3) if kind == "entropy" else KL(0.3, reference)
    rewards = drawn(mdp, 11, 0)
    found = solve_many(mdp, rewards, regularizer=regularizer)
    for i, solution in enumerate(found):
        alone = solve(mdp.with_rewards(rewards[i]), regularizer=regularizer)
        both = alone.error_bound + solution.error_bound
        assert max(alone.error_bound, solution.error_bound) <= 1e-10
        np.testing.assert_allclose(solution.q_values, alone.q_values, rtol=0.0, atol=both)
        np.testing.assert_allclose(solution.values, alone.values, rtol=0.0, atol=both)
        np.testing.assert_allclose(solution.policy, alone.policy, rtol=0.0, atol=both)


@pytest.mark.parametrize("terminals", [0, 1])
def test_near_a_solved_reward_less_work_is_left(terminals):
    mdp = random_mdp(seed=5, states=60, actions=4, gamma=0.97, terminals=terminals, branching=3)
    rewards = mdp.rewards + 1e-4 * drawn(mdp, 16, 1)
    base = solve(mdp)
    cold, warm = solve_many(mdp, rewards), solve_many(mdp, rewards, start=base)
    assert (warm.error_bounds <= 1e-10).all()
    assert warm.iterations.sum() < cold.iterations.sum()
    np.testing.assert_allclose(warm.q_values, cold.q_values, rtol=0.0, atol=2e-10)


@pytest.mark.parametrize("regularizer", [None, Entropy(0.2)])
def test_a_start_is_believed_in_nothing(regularizer):
    # Q-values of the start stand for a first backup; what they say must not reach a certificate.
    mdp = random_mdp(seed=6, states=30, actions=3, gamma=0.95)
    right = solve(mdp, regularizer=regularizer)
    wrong = replace(right, values=frozen(right.values - 7.0), q_values=frozen(right.q_values - 7.0))
    rewards = np.vstack([mdp.rewards, drawn(mdp, 3, 0)])
    for start in (right, wrong):
        found = solve_many(mdp, rewards, start=start, regularizer=regularizer)
        assert (found.iterations >= 1).all()
        for i, solution in enumerate(found):
            alone = solve(mdp.with_rewards(rewards[i]), regularizer=regularizer)
            both = alone.error_bound + solution.error_bound
            assert solution.error_bound <= 1e-10
            assert np.abs(solution.q_values - alone.q_values).max() <= both


@pytest.mark.parametrize("size", [1e-200, 1e-6, 1.0, 1e12, 1e200])
def test_rewards_of_any_size(size):
    # Newton's steps run in single precision, on scaled residuals.
    mdp = random_mdp(seed=8, states=20, actions=3, gamma=0.9)
    rewards = drawn(mdp, 8, 0)
    one = solve_many(mdp, rewards, regularizer=Entropy(0.1), tolerance=1e-9)
    scaled = solve_many(mdp, size * rewards, regularizer=Entropy(0.1 * size), tolerance=1e-9 * size)
    assert set(scaled.statuses) == {"converged"}
    assert (scaled.iterations <= one.iterations.max() + 2).all()
    assert np.abs(scaled.q_values / size - one.q_values).max() <= 2e-9
    near = mdp.rewards + 1e-3 * rewards
    hard = solve_many(mdp, size * near, tolerance=1e-9 * size)
    assert set(hard.statuses) == {"converged"}
    assert np.abs(hard.q_values / size - solve_many(mdp, near, tolerance=1e-9).q_values).max() <= 2e-9


def test_soft_policies_in_a_slow_world():
    # States 0 to 19 form a ring that is left once in a thousand steps; 20 holds whoever is there.
    states = np.arange(21)
    kernel = np.zeros((21, 2, 21))
    kernel[states[:20], 0, (states[:20] + 1) % 20] = 1.0
    kernel[states[:20], 1] = 0.999 * kernel[states[:20], 0]
    kernel[states[:20], 1, 20] = 0.001
    kernel[20, :, 20] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((21, 2)), 0.9999)
    rewards = np.random.default_rng(0).random((8, mdp.n_pairs))
    found = solve_many(mdp, rewards, regularizer=Entropy(0.05), tolerance=1e-6)
    assert set(found.statuses) == {"converged"}
    alone = solve(mdp.with_rewards(rewards[2]), regularizer=Entropy(0.05), tolerance=1e-6)
    assert found.iterations[2] <= 2 * alone.iterations
    assert np.abs(found.q_values[2] - alone.q_values).max() <= 2e-6


def test_trees_are_solved_backwards():
    tree = MDP.from_arrays(
        np.eye(4)[[[1, 2], [3, 3], [3, 3], [3, 3]]] * (np.arange(4) < 3)[:, None, None],
        np.zeros((4, 2)),
        1.0,
        terminal=np.arange(4) == 3,
    )
    found = solve_many(tree, np.array([[0, 0, 1, 0, 0, 2, 0], [1, 0, 0, 0, 0, 0, 0]], dtype=float))
    assert found.method == "backward"
    assert found.values[:, 0].tolist() == [2.0, 1.0]
    assert found.error_bounds.tolist() == [0.0, 0.0]


def test_threads_and_blocks_do_not_change_a_bit():
    mdp = random_mdp(seed=2, states=300, actions=4, branching=3)
    rewards = drawn(mdp, 40, 2)
    whole = solve_many(mdp, rewards, threads=1)
    spread = solve_many(mdp, rewards, threads=3)
    assert (whole.q_values == spread.q_values).all()
    assert (whole.error_bounds == spread.error_bounds).all()
    blocks = list(solve_many(mdp, iter([rewards[:16], rewards[16:]])))
    assert (np.concatenate([block.q_values for block in blocks]) == whole.q_values).all()


def test_blocks_are_solved_when_they_are_asked_for():
    mdp = random_mdp(seed=1)

    def blocks():
        yield drawn(mdp, 2, 0)
        raise RuntimeError("too early")

    found = solve_many(mdp, blocks())
    assert len(next(found)) == 2
    with pytest.raises(RuntimeError, match="too early"):
        next(found)


def test_items_are_solutions():
    mdp = random_mdp(seed=4)
    found = solve_many(mdp, drawn(mdp, 5, 0))
    assert [solution.status for solution in found] == ["converged"] * 5
    assert found[-1].policy.sum() == mdp.n_states
    assert len(found[1:3]) == 2
    assert optimal_actions(found[0]).members.any()
    with pytest.raises(IndexError):
        found[5]
    assert "5 rewards, 5 converged" in repr(found)
    assert found.to_dict()["statuses"] == ["converged"] * 5
    assert len(solve_many(mdp, np.empty((0, mdp.n_pairs)))) == 0


def test_a_limit_of_sweeps_is_reported():
    mdp = random_mdp(seed=4, states=30, gamma=0.99)
    found = solve_many(mdp, drawn(mdp, 3, 0), max_iterations=2)
    assert set(found.statuses) == {"iteration_limit"}
    exact = solve_many(mdp, found.rewards)
    assert (np.abs(found.q_values - exact.q_values).max(axis=1) <= found.error_bounds + 1e-10).all()


@pytest.mark.parametrize(
    ("rewards", "options", "message"),
    [
        (lambda mdp: mdp.rewards, {}, "one row a reward"),
        (lambda mdp: np.zeros((2, 3)), {}, "one column a pair"),
        (lambda mdp: [["a"] * mdp.n_pairs], {}, "expected numbers of shape"),
        (lambda mdp: None, {}, "expected numbers of shape"),
        (lambda mdp: np.zeros((2, mdp.n_pairs)) * 1j, {}, "expected numbers of shape"),
        (
            lambda mdp: np.vstack([mdp.rewards, np.full(mdp.n_pairs, np.nan)]),
            {},
            "nan in row 1 of `rewards` at state 0",
        ),
        (lambda mdp: np.ones((1, mdp.n_pairs)), {}, "0 at terminal states"),
        (lambda mdp: mdp.rewards[None], {"tolerance": -1.0}, "tolerance"),
        (lambda mdp: mdp.rewards[None], {"threads": 0}, "threads"),
        (lambda mdp: mdp.rewards[None], {"max_iterations": 0}, "max_iterations"),
        (lambda mdp: mdp.rewards[None], {"start": solve(random_mdp(seed=0, states=2))}, "`start` with 2 states"),
    ],
)
def test_bad_arguments(rewards, options, message):
    mdp = random_mdp(seed=4, terminals=1)
    with pytest.raises(InvalidInputError, match=message):
        solve_many(mdp, rewards(mdp), **options)


def test_a_bad_block_is_named():
    mdp = random_mdp(seed=4)
    found = solve_many(mdp, iter([mdp.rewards[None], np.full((1, mdp.n_pairs), np.inf)]))
    next(found)
    with pytest.raises(InvalidInputError, match="inf in row 0 of `rewards of block 1`"):
        next(found)
