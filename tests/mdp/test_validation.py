import numpy as np
import pytest
import scipy.sparse as sp

from policycliff import MDP
from policycliff.errors import InvalidInputError, PolicyCliffError

KERNEL = np.full((2, 2, 2), 0.5)
REWARDS = np.zeros((2, 2))
NAMES = {"state_names": ["left", "right"], "action_names": ["stay", "go"]}


def changed(array, index, value):
    copy = array.copy()
    copy[index] = value
    return copy


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (changed(KERNEL, (1, 0, 0), 0.4), r"sum to 0\.9 at state 1 \('right'\), action 0 \('stay'\)"),
        (changed(KERNEL, (1, 0, 0), 0.5 + 1e-8), "sum to 1.00000001"),
        (changed(KERNEL, (0, 1), [-0.5, 1.5]), r"negative probability -0\.5 at state 0 \('left'\), action 1 \('go'\)"),
        (changed(KERNEL, (0, 1, 0), np.nan), r"NaN or infinite at state 0 \('left'\), action 1"),
        (changed(KERNEL, (1, 1, 0), np.inf), r"NaN or infinite at state 1 \('right'\), action 1"),
        (changed(KERNEL, (1, 1), 0.0), "available"),
        (np.ones((2, 2)), r"shape \(2, 2\)"),
        (np.ones((2, 2, 3)), "moveaxis"),
        (np.ones((0, 2, 0)), "without states"),
        ([sp.eye_array(2), sp.eye_array(3)], "for action 1"),
        (sp.csr_array(np.ones((3, 2))), "multiple"),
        ("kernel", "does not convert"),
    ],
)
def test_bad_transitions_are_named(kernel, message):
    with pytest.raises(InvalidInputError, match=message):
        MDP.from_arrays(kernel, REWARDS, 0.9, **NAMES)


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        (changed(REWARDS, (1, 1), np.nan), r"reward nan at state 1 \('right'\), action 1 \('go'\)"),
        (changed(REWARDS, (0, 1), -np.inf), r"reward -inf at state 0"),
        (np.zeros((2, 3)), r"shape \(2, 3\)"),
        (np.zeros((2, 2, 3)), r"shape \(2, 2, 3\)"),
        ([[1.0, "x"], [0.0, 0.0]], "does not convert"),
    ],
)
def test_bad_rewards_are_named(rewards, message):
    with pytest.raises(InvalidInputError, match=message):
        MDP.from_arrays(KERNEL, rewards, 0.9, **NAMES)


@pytest.mark.parametrize("gamma", [-0.1, 1.1, np.nan, np.inf])
def test_gamma_must_be_a_discount(gamma):
    with pytest.raises(InvalidInputError, match="gamma"):
        MDP.from_arrays(KERNEL, REWARDS, gamma)


def test_gamma_one_needs_an_acyclic_mdp():
    with pytest.raises(InvalidInputError, match=r"cycle through state \d"):
        MDP.from_arrays(KERNEL, REWARDS, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"available": np.array([[True, True], [False, False]])}, "no available action at state 1"),
        ({"available": np.ones((2, 3), dtype=bool)}, r"`available` of shape \(2, 3\)"),
        ({"available": np.ones((2, 2))}, "boolean mask"),
        ({"terminal": [0]}, "boolean mask"),
        ({"terminal": np.array([True])}, "`terminal` of shape"),
        ({"terminal": np.array([False, True])}, "leads elsewhere"),
        ({"initial": [0.5, 0.6]}, "sum"),
        ({"initial": [-0.5, 1.5]}, r"minimum -0\.5"),
        ({"initial": [1.0]}, "`initial` of shape"),
        ({"initial": [np.nan, 1.0]}, "finite"),
        ({"state_names": ["a"]}, "1 entries in `state_names`"),
        ({"state_names": ["a", "a"]}, "the name 'a' twice"),
        ({"action_names": ["a"]}, "1 entries in `action_names`"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InvalidInputError, match=message):
        MDP.from_arrays(KERNEL, REWARDS, 0.9, **options)


def test_terminal_states_pay_nothing():
    kernel = KERNEL.copy()
    kernel[1] = [0.0, 1.0]
    with pytest.raises(InvalidInputError, match=r"reward 5\.0 at terminal state 1"):
        MDP.from_arrays(kernel, changed(REWARDS, (1, 0), 5.0), 0.9, terminal=np.array([False, True]))


@pytest.mark.parametrize(
    ("states", "options", "message"),
    [
        ([1, 0], {}, "ascending order"),
        ([0, 2], {}, "state 2 at pair 1"),
        ([0, -1], {}, "state -1 at pair 1"),
        ([0.5, 1.0], {}, "integers"),
        ([0], {}, "`states` of shape"),
        ([0, 0], {}, "no pair for state 1"),
        ([0, 0], {"actions": [1, 1], "terminal": np.array([False, True])}, "action 1 twice at state 0"),
        ([0, 1], {"actions": [0, -1]}, "action -1 at pair 1"),
        ([0, 1], {"actions": [0, 3], "action_names": ["a"]}, "action index 3"),
        ([0, 1], {"terminal": np.array([False, True])}, "leads elsewhere"),
    ],
)
def test_bad_pairs_are_named(states, options, message):
    with pytest.raises(InvalidInputError, match=message):
        MDP.from_pairs(states, np.full((2, 2), 0.5), [0.0, 0.0], 0.9, **options)


@pytest.mark.parametrize(
    ("kernel", "rewards", "message"),
    [(np.ones(2), [0.0, 0.0], "`transitions` of shape"), (np.full((2, 2), 0.5), [0.0], "`rewards` of shape")],
)
def test_bad_shapes_of_pairs_are_named(kernel, rewards, message):
    with pytest.raises(InvalidInputError, match=message):
        MDP.from_pairs([0, 1], kernel, rewards, 0.9)


def test_a_corrupt_sparse_matrix_is_refused():
    matrix = sp.csr_array(np.full((4, 2), 0.5))
    matrix.indices[3] = 7
    with pytest.raises(InvalidInputError, match="out of range"):
        MDP.from_arrays(matrix, REWARDS, 0.9)


def test_errors_are_value_errors_of_one_family():
    assert issubclass(InvalidInputError, ValueError)
    assert issubclass(InvalidInputError, PolicyCliffError)
