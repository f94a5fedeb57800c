"""`solve_many` on a PyTorch device (here the processor): within its bounds of the exact optimum and of `solve_many`."""

import sys

import numpy as np
import pytest
from core_oracles import brute_force, exact_error, random_mdp, recipes
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import KL, MDP, Entropy, solve, solve_many, token_tree
from policycliff.errors import InvalidInputError, MissingExtraError
from policycliff.values import many_torch, many_torch_layout
from policycliff.values.many_torch import choose_device

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads that wait for each other are slow beside other tests."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def drawn(mdp, count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, mdp.n_pairs)) * ~mdp.terminal[mdp.pair_states]


def ragged(seed, *, states=30, gamma=0.9, terminals=0, widest=6, most=5):
    """States with 1 to `widest` actions and rows of 1 to `most` successors, one state with no way out."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(states), rng.integers(1, widest + 1, states))
    kernel = np.zeros((owners.size, states))
    for row in kernel:
        ahead = rng.choice(states, size=rng.integers(1, most + 1), replace=False)
        row[ahead] = rng.dirichlet(np.ones(ahead.size))
    if terminals == 0:
        kernel[owners == 0] = np.eye(states)[0]
    terminal = np.arange(states) >= states - terminals
    kernel[terminal[owners]] = 0.0
    return MDP.from_pairs(owners, kernel, np.zeros(owners.size), gamma, terminal=terminal)


def check_against_processor(mdp, rewards, **options):
    """The same answers as without a device, to the sum of the bounds."""
    found = solve_many(mdp, rewards, device="cpu", **options)
    alone = solve_many(mdp, rewards, **options)
    assert found.method == "modified_policy_iteration"
    both = found.error_bounds + alone.error_bounds
    assert (np.abs(found.q_values - alone.q_values).max(axis=1) <= both).all()
    assert (np.abs(found.values - alone.values).max(axis=1) <= both).all()
    return found


@given(recipes(gammas=(0.0, 0.5, 0.9, 0.99)), st.sampled_from([1, 2, 5]), st.sampled_from([1e-3, 1e-10, 0.0]))
@settings(max_examples=60, deadline=None)
def test_each_is_within_its_bound(recipe, count, tolerance):
    mdp = random_mdp(**recipe)
    rewards = np.rint(drawn(mdp, count, recipe["seed"]))
    found = solve_many(mdp, rewards, tolerance=tolerance, device="cpu")
    for i in range(0, count, 2):
        values, q = brute_force(mdp.with_rewards(rewards[i]))
        assert exact_error(found.q_values[i], q) <= found.error_bounds[i]
        assert exact_error(found.values[i], values) <= found.error_bounds[i]
        assert found.statuses[i] == "rounding_floor" or found.error_bounds[i] <= tolerance
        assert found.error_bounds[i] <= max(tolerance, 1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("terminals", [0, 3])
@pytest.mark.parametrize("seed", range(3))
def test_states_with_different_numbers_of_actions(seed, terminals, gamma):
    mdp = ragged(seed, terminals=terminals, gamma=gamma)
    found = check_against_processor(mdp, drawn(mdp, 7, seed), tolerance=1e-8)
    assert set(found.statuses) == {"converged"}
    assert (found.iterations < 60).all()


@pytest.mark.parametrize("world", ["no absorbing state", "terminal states", "ragged"])
@pytest.mark.parametrize("kind", ["entropy", "cold entropy", "kl", "kl with zeros"])
def test_soft_policies(kind, world):
    if world == "ragged":
        mdp = ragged(3, terminals=2)
    else:
        mdp = random_mdp(3, states=12, actions=4, gamma=0.95, terminals=2 * (world == "terminal states"))
    reference = np.random.default_rng(0).random(mdp.n_pairs) + 0.1
    if kind == "kl with zeros":
        reference[np.setdiff1d(np.arange(0, mdp.n_pairs, 3), mdp.offsets[:-1])] = 0.0
    reference /= np.add.reduceat(reference, mdp.offsets[:-1])[mdp.pair_states]
    regularizer = KL(0.3, reference) if kind.startswith("kl") else Entropy(1e-3 if kind == "cold entropy" else 0.3)
    found = check_against_processor(mdp, 100.0 * drawn(mdp, 6), regularizer=regularizer, tolerance=1e-8)
    assert set(found.statuses) == {"converged"}
    assert (found.values[:, mdp.terminal] == 0.0).all()
    assert (found.iterations < 40).all()


@pytest.mark.parametrize("regularizer", [None, Entropy(0.5)])
@pytest.mark.parametrize("longest", [2, 3, 64])
def test_long_rows_are_cut(longest, regularizer, monkeypatch):
    monkeypatch.setattr(many_torch_layout, "LONGEST", longest)
    mdp = ragged(1, states=50, most=40, terminals=1)
    assert np.diff(mdp.indptr).max() > 32
    check_against_processor(mdp, drawn(mdp, 4), regularizer=regularizer)


def test_trees_without_discount():
    tree = token_tree(["aab", "aac", "ab", "b", "cca"], [1.0, 2.0, -1.0, 0.5, 2.0], gamma=1.0)
    found = check_against_processor(tree, drawn(tree, 5))
    assert set(found.statuses) == {"converged"}
    np.testing.assert_allclose(found[0].values, solve(found[0].mdp).values, atol=1e-12)


@pytest.mark.parametrize("actions", [1, 2])
def test_values_that_travel_far_are_not_taken_for_rounding(actions):
    """What is paid at the end of a corridor changes one residual a sweep from there on, always by the same amount."""
    length = 4_000 if actions == 1 else 150
    kernel = np.zeros((length, actions, length))
    kernel[np.arange(length - 1), 0, np.arange(1, length)] = 1.0
    kernel[:-1, 1:, -1] = 1.0
    terminal = np.arange(length) == length - 1
    corridor = MDP.from_arrays(kernel, np.zeros((length, actions)), 1.0, terminal=terminal)
    reward = np.zeros(corridor.n_pairs)
    reward[corridor.pair(length - 2, 0)] = 1.0
    found = solve_many(corridor, reward[None], device="cpu")
    assert found.statuses == ("converged",)
    assert found.values[0, :-1] == pytest.approx(1.0, abs=1e-10)


def test_long_mixing_before_the_end():
    """Episodes of 100,000 steps: sweeps alone would need as many."""
    mdp = random_mdp(0, states=40, actions=3, gamma=1.0 - 1e-6, branching=4)
    kernel = mdp.transitions.toarray() * (1.0 - 1e-5)
    kernel = np.hstack([kernel, np.full((mdp.n_pairs, 1), 1e-5)])
    ends = MDP.from_pairs(
        mdp.pair_states, kernel, mdp.rewards, mdp.gamma, terminal=np.arange(41) == 40, actions=mdp.actions
    )
    found = check_against_processor(ends, drawn(ends, 3), tolerance=1e-2)
    assert set(found.statuses) == {"converged"}
    assert (found.iterations < 60).all()


@pytest.mark.parametrize("terminals", [0, 1])
def test_near_a_solved_reward_less_work_is_left(terminals):
    mdp = random_mdp(5, states=60, actions=4, gamma=0.97, terminals=terminals, branching=3)
    rewards = mdp.rewards + 1e-4 * drawn(mdp, 8, 1)
    cold = solve_many(mdp, rewards, device="cpu")
    warm = check_against_processor(mdp, rewards, start=solve(mdp))
    assert (warm.error_bounds <= 1e-10).all()
    assert warm.iterations.sum() < cold.iterations.sum()


def test_a_start_with_other_values_at_absorbing_states():
    mdp = ragged(0, gamma=0.9999)
    start = solve(mdp.with_rewards(drawn(mdp, 1, 1)[0]), tolerance=1e-6)
    found = check_against_processor(mdp, drawn(mdp, 3), start=start, tolerance=1e-6)
    assert set(found.statuses) == {"converged"}
    assert (found.iterations < 60).all()


def test_blocks_change_nothing_beyond_the_bounds(monkeypatch):
    mdp = random_mdp(2, states=50, actions=4, branching=3, terminals=1)
    rewards = drawn(mdp, 10)
    whole = solve_many(mdp, rewards, device="cpu")
    again = solve_many(mdp, rewards, device="cpu")
    assert (whole.q_values == again.q_values).all()
    monkeypatch.setattr(many_torch, "MOST_COLUMNS", 3)
    assert check_against_processor(mdp, rewards).statuses == whole.statuses
    monkeypatch.setattr(many_torch, "DEFAULT_BYTES", 0)
    blocks = list(solve_many(mdp, iter([rewards[:4], rewards[4:]]), device="cpu"))
    assert [len(block) for block in blocks] == [4, 6]
    both = whole.error_bounds + np.concatenate([block.error_bounds for block in blocks])
    q = np.concatenate([block.q_values for block in blocks])
    assert (np.abs(whole.q_values - q).max(axis=1) <= both).all()


def test_no_reward():
    mdp = random_mdp(4)
    assert len(solve_many(mdp, np.empty((0, mdp.n_pairs)), device="cpu")) == 0


def test_a_world_that_has_ended():
    ended = MDP.from_arrays(np.zeros((2, 1, 2)), np.zeros((2, 1)), 1.0, terminal=[True, True])
    assert solve_many(ended, np.zeros((1, 2)), device="cpu").q_values.tolist() == [[0.0, 0.0]]


def test_a_limit_of_sweeps_is_reported():
    mdp = random_mdp(4, states=30, gamma=0.99)
    found = check_against_processor(mdp, drawn(mdp, 3), max_iterations=2)
    assert set(found.statuses) == {"iteration_limit"}
    assert (found.iterations == 2).all()


def test_rounding_and_overflow_are_reported():
    mdp = random_mdp(4, states=30, gamma=0.99)
    assert set(check_against_processor(mdp, drawn(mdp, 3), tolerance=0.0).statuses) == {"rounding_floor"}
    found = solve_many(mdp, np.full((1, mdp.n_pairs), 1e307), device="cpu")
    assert found.statuses == ("rounding_floor",)
    assert found.error_bounds.tolist() == [np.inf]


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:99", "fpga", 3.5, None])
def test_devices_that_are_not_there(name):
    with pytest.raises(
        InvalidInputError, match=r"Got device = .* expected a device with float64 .* Leave `device` out"
    ):
        choose_device(name)


def test_devices_without_float64(monkeypatch):
    def refuse(*_, **__):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype.\nUse float32 instead.")

    monkeypatch.setattr(torch, "ones", refuse)
    with pytest.raises(
        InvalidInputError, match=r"'cpu', of which .*: Cannot convert a MPS Tensor to float64 dtype; exp"
    ):
        solve_many(random_mdp(0), np.zeros((1, 12)), device="cpu")


def test_a_device_and_an_executor():
    with pytest.raises(InvalidInputError, match="not both"):
        solve_many(random_mdp(0), np.zeros((1, 12)), device="cpu", executor="ray")


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'policycliff\[torch\]'"):
        solve_many(random_mdp(0), np.zeros((1, 12)), device="cuda")
