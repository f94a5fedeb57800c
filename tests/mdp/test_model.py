import numpy as np
import pytest
import scipy.sparse as sp
from core_oracles import garnet, random_mdp

from policycliff import MDP, solve
from policycliff.errors import InvalidInputError


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(4), size=(4, 3)), rng.normal(size=(4, 3))


def test_all_forms_of_transitions_give_the_same_mdp(world):
    kernel, rewards = world
    matrices = [sp.csc_matrix(kernel[:, a]) for a in range(3)]
    stacked = sp.coo_array(kernel.reshape(12, 4))
    forms = [MDP.from_arrays(given, rewards, 0.9) for given in (kernel, matrices, stacked)]
    forms.append(MDP.from_pairs(np.repeat(np.arange(4), 3), stacked, rewards.ravel(), 0.9))
    for mdp in forms:
        np.testing.assert_allclose(mdp.transitions.toarray(), kernel.reshape(12, 4), rtol=1e-15)
        np.testing.assert_array_equal(mdp.rewards, rewards.ravel())
        np.testing.assert_array_equal(mdp.actions, np.tile(np.arange(3), 4))


def test_rewards_of_transitions_are_averaged(world):
    kernel, _ = world
    rewards = np.random.default_rng(1).normal(size=(4, 3, 4))
    mdp = MDP.from_arrays(kernel, rewards, 0.9)
    np.testing.assert_allclose(mdp.rewards, (kernel * rewards).sum(axis=2).ravel(), rtol=1e-13)


def test_rewards_of_impossible_transitions_are_not_looked_at():
    kernel = np.eye(2)[:, None, :]
    rewards = np.full((2, 1, 2), np.nan)
    rewards[0, 0, 0], rewards[1, 0, 1] = 1.0, 2.0
    np.testing.assert_array_equal(MDP.from_arrays(kernel, rewards, 0.5).rewards, [1.0, 2.0])


def test_rewards_of_states_hold_for_all_actions(world):
    kernel, _ = world
    mdp = MDP.from_arrays(kernel, [1.0, 2.0, 3.0, 4.0], 0.9)
    np.testing.assert_array_equal(mdp.rewards, np.repeat([1.0, 2.0, 3.0, 4.0], 3))


def test_missing_actions_are_left_out_and_not_looked_at(world):
    kernel, rewards = world
    available = np.ones((4, 3), dtype=bool)
    available[1, 2] = False
    kernel, rewards = kernel.copy(), rewards.copy()
    kernel[1, 2], rewards[1, 2] = np.nan, -np.inf
    mdp = MDP.from_arrays(kernel, rewards, 0.9, available=available)
    assert mdp.n_pairs == 11
    np.testing.assert_array_equal(np.diff(mdp.offsets), [3, 2, 3, 3])
    assert np.isnan(mdp.table(mdp.rewards)[1, 2])


@pytest.mark.parametrize("stays", [True, False])
def test_terminal_states_own_one_empty_pair(world, stays):
    kernel, rewards = (array.copy() for array in world)
    kernel[3] = np.eye(4)[3] if stays else 0.0
    rewards[3] = 0.0
    mdp = MDP.from_arrays(kernel, rewards, 0.9, terminal=np.arange(4) == 3)
    assert mdp.n_pairs == 10
    assert mdp.transitions[[9]].nnz == 0
    assert solve(mdp).values[3] == 0.0


def test_from_pairs_inserts_pairs_of_terminal_states_in_place():
    kernel = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    mdp = MDP.from_pairs([0, 0, 2], kernel, [1.0, 2.0, 3.0], 0.5, terminal=np.array([False, True, False]))
    np.testing.assert_array_equal(mdp.offsets, [0, 2, 3, 4])
    np.testing.assert_array_equal(mdp.rewards, [1.0, 2.0, 0.0, 3.0])
    np.testing.assert_array_equal(mdp.pair_states, [0, 0, 1, 2])


def test_the_callers_arrays_are_copied(world):
    kernel, rewards = (array.copy() for array in world)
    initial, terminal = np.full(4, 0.25), np.zeros(4, dtype=bool)
    stacked = sp.csr_array(kernel.reshape(12, 4))
    mdp = MDP.from_arrays(stacked, rewards, 0.9, initial=initial, terminal=terminal)
    before = solve(mdp).values
    stacked.data[:], rewards[:], initial[:], terminal[:] = 7.0, 7.0, 7.0, True
    np.testing.assert_array_equal(solve(mdp).values, before)
    assert not mdp.terminal.any()
    assert mdp.initial.sum() == 1.0


def test_without_a_copy_arrays_are_shared_where_they_can_be():
    kernel = sp.csr_array(np.full((6, 3), 0.25) + 0.25 * np.tile(np.eye(3), (2, 1)))
    kernel.indices, kernel.indptr = kernel.indices.astype(np.int32), kernel.indptr.astype(np.int32)
    rewards = np.arange(6.0).reshape(3, 2)
    copied, shared = (MDP.from_arrays(kernel, rewards, 0.5, copy=copy) for copy in (True, False))
    assert np.shares_memory(shared.probabilities, kernel.data)
    assert np.shares_memory(shared.successors, kernel.indices)
    assert np.shares_memory(shared.indptr, kernel.indptr)
    assert np.shares_memory(shared.rewards, rewards)
    assert not any(
        np.shares_memory(ours, theirs)
        for ours, theirs in (
            (copied.probabilities, kernel.data),
            (copied.indptr, kernel.indptr),
            (copied.rewards, rewards),
        )
    )
    assert not shared.probabilities.flags.writeable
    assert kernel.data.flags.writeable
    assert (shared.probabilities == copied.probabilities).all()
    # A stored zero cannot be shared.
    with_zero = sp.csr_array(
        (np.append(kernel.data, 0.0), np.append(kernel.indices, 0), np.append(kernel.indptr[:-1], 19))
    )
    assert not np.shares_memory(MDP.from_arrays(with_zero, rewards, 0.5, copy=False).probabilities, with_zero.data)


@pytest.mark.parametrize(
    "name", ["offsets", "actions", "probabilities", "successors", "rewards", "terminal", "initial"]
)
def test_arrays_are_read_only(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(random_mdp(0), name)[0] = 0


def test_fields_cannot_be_set():
    with pytest.raises(AttributeError):
        random_mdp(0).gamma = 0.5


def test_with_rewards_shares_the_kernel():
    mdp = random_mdp(3)
    other = mdp.with_rewards(np.arange(mdp.n_pairs, dtype=float))
    assert other.probabilities is mdp.probabilities
    assert other.order is mdp.order
    np.testing.assert_array_equal(other.rewards, np.arange(mdp.n_pairs))
    np.testing.assert_array_equal(mdp.with_rewards(np.arange(4.0)).rewards, mdp.pair_states)
    np.testing.assert_array_equal(mdp.with_rewards(mdp.table(mdp.rewards)).rewards, mdp.rewards)


@pytest.mark.parametrize(
    ("rewards", "message"),
    [([1.0], "shape"), ([np.nan] * 4, "finite"), ([[1.0]] * 4, "shape"), ("word", "numbers")],
)
def test_with_rewards_checks(rewards, message):
    with pytest.raises(InvalidInputError, match=message):
        random_mdp(3).with_rewards(rewards)


def test_with_rewards_keeps_terminal_states_at_zero():
    mdp = random_mdp(3, terminals=1)
    with pytest.raises(InvalidInputError, match="terminal state 3"):
        mdp.with_rewards(np.ones(mdp.n_pairs))


def test_rows_within_the_tolerance_are_renormalised():
    kernel = np.array([[[0.5, 0.5 + 4e-10]], [[0.25, 0.75]]])
    mdp = MDP.from_arrays(kernel, [[1.0], [0.0]], 0.9)
    assert mdp.probabilities[:2].sum() == pytest.approx(1.0, abs=4e-16)
    assert 0.0 < mdp.row_sum_error < 1e-15
    np.testing.assert_array_equal(mdp.probabilities[2:], [0.25, 0.75])


def test_rows_that_sum_to_one_up_to_rounding_are_kept_as_given():
    kernel = np.full((10, 1, 10), 0.1)
    np.testing.assert_array_equal(MDP.from_arrays(kernel, np.zeros(10), 0.9).probabilities, np.full(100, 0.1))


def test_stored_zeros_are_dropped():
    kernel = sp.csr_array((np.array([0.0, 1.0, 1.0]), np.array([0, 1, 1]), np.array([0, 2, 3])), shape=(2, 2))
    assert MDP.from_arrays(kernel, np.zeros(2), 0.5).successors.size == 2


def test_pairs_are_found_by_state_and_action(world):
    kernel, rewards = world
    available = np.ones((4, 3), dtype=bool)
    available[0, 0] = False
    mdp = MDP.from_arrays(kernel, rewards, 0.9, available=available, action_names=["up", "stay", "down"])
    assert mdp.pair(0, 1) == 0
    assert mdp.pair(1, 0) == 2
    assert mdp.action_name(0) == "action 1 ('stay')"
    for state, action in ((0, 0), (0, 3), (4, 0), (-1, 0)):
        with pytest.raises(InvalidInputError, match="state"):
            mdp.pair(state, action)


def test_order_puts_successors_first():
    kernel = np.zeros((4, 1, 4))
    for state, child in ((0, 2), (2, 1), (1, 3)):
        kernel[state, 0, child] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros(4), 1.0, terminal=np.arange(4) == 3)
    assert mdp.is_acyclic
    np.testing.assert_array_equal(mdp.order, [3, 1, 2, 0])


def test_a_long_chain_needs_no_recursion():
    size = 200_000
    kernel = sp.csr_array(
        (np.ones(size - 1), np.arange(1, size), np.minimum(np.arange(size + 1), size - 1)), shape=(size, size)
    )
    mdp = MDP.from_arrays(kernel, np.arange(size) < size - 1, 1.0, terminal=np.arange(size) == size - 1)
    assert solve(mdp).values[0] == size - 1


def test_summaries():
    kernel, rewards = garnet(0, states=20, actions=2, branching=3)
    mdp = MDP.from_arrays(kernel, rewards, 0.9)
    assert repr(mdp).startswith("MDP(20 states, 40 pairs, ")
    assert mdp.to_dict()["n_pairs"] == 40
    assert mdp.state_name(3) == "state 3"
