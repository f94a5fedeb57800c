from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from degenerate_mdps import build, degenerate, exactness
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, optimal_actions, solve
from policycliff.actions import lumping, partition
from policycliff.actions.lumping_kernels import PRIME, mass_keys, residues, same_masses
from policycliff.actions.partition import prove, states_reaching, worthless_states
from policycliff.mdp.compilation import frozen
from policycliff.values.exact import make_exact, rationals

KINDS = [
    "symmetric states",
    "nearly symmetric",
    "grids",
    "rows in eighths",
    "deterministic, 0 or 1",
    "acyclic",
    "trees",
]


def grid(size, *, gamma=0.99, slip=0.0, reward=1.0):
    """A square grid with the goal in the middle: all shortest ways are tied."""
    cells, goal = np.array(list(np.ndindex(size, size))), (size * size) // 2
    moves = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
    ends = np.clip(cells[:, None, :] + moves, 0, size - 1) @ [size, 1]
    kernel = np.zeros((size * size, 4, size * size))
    for action in range(4):
        for turn, mass in ((-1, slip), (0, 1 - 2 * slip), (1, slip)):
            np.add.at(kernel, (np.arange(size * size), action, ends[:, (action + turn) % 4]), mass)
    terminal = np.arange(size * size) == goal
    kernel[terminal] = 0.0
    return MDP.from_arrays(kernel, kernel[:, :, goal] * reward, gamma, terminal=terminal), cells


def two_ways(first, second, *, gamma=0.9, rewards=(0.0, 0.0)):
    """State 0 mixes over states 1 and 2, which are alike, and 3, which pays less."""
    kernel = np.zeros((4, 2, 4))
    kernel[0, 0, 1:], kernel[0, 1, 1:] = first, second
    kernel[[1, 2, 3], :, [1, 2, 3]] = 1.0
    paid = np.array([rewards, (0.7, 0.0), (0.7, 0.0), (0.2, 0.0)])
    return optimal_actions(solve(MDP.from_arrays(kernel, paid, gamma)))


def exact_optimum(mdp):
    return make_exact(mdp).optimise(rationals(mdp.rewards), mdp.offsets[:-1].tolist())


def wrong_certificates(mdp):
    tally = exactness.Tally()
    exactness.check_instance(mdp, "auto", tally, "here")
    return tally.wrong


def nudged(mdp, rng):
    """The MDP with a probability or a reward of a state that is not terminal moved by one unit in the last place."""
    if rng.random() < 0.5:
        changed = mdp.probabilities.copy()
        at = int(rng.integers(changed.size))
        changed[at] = np.nextafter(changed[at], rng.choice([0.0, 2.0]))
        return replace(mdp, probabilities=frozen(changed), row_sum_error=mdp.row_sum_error + 2.0**-50)
    changed = mdp.rewards.copy()
    at = int(rng.choice(np.flatnonzero(~mdp.terminal[mdp.pair_states])))
    changed[at] = np.nextafter(changed[at], rng.choice([-9.0, 9.0]))
    return mdp.with_rewards(changed)


@given(degenerate(KINDS), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_no_wrong_certificate_near_a_symmetry(recipe, nudges):
    mdp, rng = build(recipe, max_policies=10**4)
    if mdp.terminal.all():
        return
    for _ in range(nudges if mdp.probabilities.size else 0):
        mdp = nudged(mdp, rng)
    assert wrong_certificates(mdp) == []


@given(degenerate(KINDS), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_what_is_proven_holds_for_any_guess(recipe, n_blocks):
    mdp, rng = build(recipe, max_policies=10**4)
    _, values, q = exact_optimum(mdp)
    solution = solve(mdp)
    worthless = worthless_states(mdp, solution.values, solution.error_bound)
    assert all(values[state] == 0 for state in np.flatnonzero(worthless))
    blocks = rng.integers(1, n_blocks + 1, mdp.n_states) * ~worthless
    classes = prove(mdp, blocks)
    for state in np.flatnonzero(classes.proven):
        alike = np.flatnonzero(classes.proven & (blocks == blocks[state]))
        assert {values[other] for other in alike} == {values[state]}
        for pair in range(mdp.offsets[state], mdp.offsets[state + 1]):
            here = np.arange(mdp.offsets[state], mdp.offsets[state + 1])
            same = here[(classes.masses[here] == classes.masses[pair]) & (mdp.rewards[here] == mdp.rewards[pair])]
            assert {q[other] for other in same} == {q[pair]}
            assert classes.best[pair] or q[pair] < values[state]


@given(degenerate(KINDS))
@settings(max_examples=100, deadline=None)
def test_colliding_keys_and_rounds_cut_short_cost_only_proofs(recipe):
    mdp, _ = build(recipe, max_policies=10**4)
    keys, rounds = partition.mass_keys, partition.ROUNDS
    try:
        partition.mass_keys = lambda *arrays: keys(*arrays) % 2
        assert wrong_certificates(mdp) == []
        partition.mass_keys, partition.ROUNDS = keys, 1
        assert wrong_certificates(mdp) == []
    finally:
        partition.mass_keys, partition.ROUNDS = keys, rounds


PROBABILITIES = st.one_of(
    st.floats(2.0**-60, 1.0), st.sampled_from([0.1, 0.2, 0.1 + 0.2, 0.3, 1 / 3, 0.5, 2.0**-125, 2.0**-71, 5e-324])
)


@given(st.lists(st.tuples(PROBABILITIES, st.integers(0, 3)), max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_masses_are_compared_as_real_numbers(row, random):
    other = [(p / 2, block) for p, block in row for _ in range(2)] if random.random() < 0.3 else list(row)
    random.shuffle(other)
    if other and random.random() < 0.5:
        p, block = other.pop()
        other.append((float(np.nextafter(p, 2.0)), block) if random.random() < 0.5 else (p, (block + 1) % 4))
    entries = row + other
    indptr = np.array([0, len(row), len(entries)])
    successors = np.array([block for _, block in entries], dtype=np.int32)
    probabilities = np.array([p for p, _ in entries])
    sums = [[sum(Fraction(p) for p, b in part if b == block) for block in (1, 2, 3)] for part in (row, other)]
    found = same_masses(indptr, successors, probabilities, np.arange(4), 4, np.array([0, 0]))
    assert found[0]
    tiny = any(Fraction(p) * 2**124 % 1 for p, block in entries if block)
    assert found[1] == (sums[0] == sums[1] and not tiny)
    # Keys: residues of fractions, computed here with inverses modulo the prime.
    weights = np.array([0, 12345678901234567, PRIME - 2, 987654321987654321])
    keys = mass_keys(indptr, successors, residues(probabilities), weights)
    for key, part in zip(keys.tolist(), (row, other), strict=True):
        terms = [int(weights[b]) * Fraction(p).numerator * pow(Fraction(p).denominator, -1, PRIME) for p, b in part]
        assert key == sum(terms) % PRIME


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99])
def test_equal_sums_are_a_tie_and_rounded_sums_are_not(gamma):
    assert two_ways([0.5, 0.25, 0.25], [0.0, 0.75, 0.25], gamma=gamma).status[0] == "tied"
    assert two_ways([1 / 3, 1 / 3, 1 / 3], [0.0, 2 / 3, 1 / 3], gamma=gamma).status[0] == "tied"
    assert 0.1 + 0.2 != 0.3
    rounded = two_ways([0.1, 0.2, 0.7], [0.0, 0.1 + 0.2, 0.7], gamma=gamma)  # Equal in floats, not as real numbers.
    assert rounded.status[0] == "unresolved"
    assert rounded.counts[0] == 2


def test_equal_masses_leave_it_to_the_rewards():
    ulp = np.nextafter(0.3, 1.0)
    better = two_ways([0.5, 0.25, 0.25], [0.0, 0.75, 0.25], rewards=(0.3, ulp))
    assert better.status[0] == "unique"
    assert better.pairs(0).tolist() == [1]
    assert 0.0 <= better.gaps[0] < 1e-12


def test_shortest_ways_on_a_grid_are_tied():
    mdp, cells = grid(31)
    actions = optimal_actions(solve(mdp))
    assert actions.is_resolved
    away = np.abs(cells - 15)
    expected = np.maximum((away > 0).sum(axis=1), 1)
    assert actions.counts.tolist() == expected.tolist()
    assert (actions.gaps[expected == 2] == 0.0).all()


def test_a_slippery_grid_and_its_mirror_image():
    mdp, cells = grid(21, slip=1 / 3)
    actions = optimal_actions(solve(mdp, tolerance=1e-13))
    diagonal = np.abs(cells[:, 0] - cells[:, 1]) == 0
    assert (actions.status[diagonal & ~mdp.terminal] == "tied").all()
    assert actions.is_resolved


def test_far_from_the_goal_values_drown_in_the_error_and_near_ties_are_still_proven():
    mdp, cells = grid(41, gamma=0.5)
    actions = optimal_actions(solve(mdp, method="modified_policy_iteration", tolerance=1e-6))
    away = np.abs(cells - 20)
    near = away.sum(axis=1) < 15
    assert (actions.counts[near] == np.maximum((away > 0).sum(axis=1), 1)[near]).all()
    assert not (actions.codes[near] == 2).any()
    assert (actions.codes[away.sum(axis=1) > 30] == 2).any()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("reward", [0.0, -0.0])
def test_without_rewards_everything_is_tied(gamma, reward):
    rng = np.random.default_rng(0)
    mdp = MDP.from_arrays(rng.dirichlet(np.ones(50), (50, 3)), np.full((50, 3), reward), gamma)
    for method in ("value_iteration", "auto"):
        assert (optimal_actions(solve(mdp, method=method)).status == "tied").all()


def test_a_constant_reward_ties_where_row_sums_are_equal():
    rng = np.random.default_rng(0)
    rows = rng.multinomial(3, np.full(40, 1 / 40), (40, 3)) / 3.0
    assert (optimal_actions(solve(MDP.from_arrays(rows, np.full((40, 3), 0.1), 0.99))).status == "tied").all()
    # These rows sum to 1 up to rounding only, so values differ by as much, and nothing is tied.
    drawn = MDP.from_arrays(rng.dirichlet(np.ones(8), (8, 2)), np.full((8, 2), 0.1), 0.9)
    assert not (optimal_actions(solve(drawn)).status == "tied").any()
    assert (optimal_actions(solve(drawn), exact=True).status == "unique").any()


def test_worse_actions_do_not_hide_a_tie():
    # States 1 and 2 are equally good; only one of them has a bad action beside, with a different future.
    kernel = np.zeros((4, 2, 4))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    kernel[1, 0, 1] = kernel[1, 1, 3] = kernel[2, :, 2] = kernel[3, :, 3] = 1.0
    rewards = [[0.0, 0.0], [0.1, -1.0], [0.1, 0.1], [0.0, 0.0]]
    actions = optimal_actions(solve(MDP.from_arrays(kernel, rewards, 0.9)))
    assert actions.status.tolist() == ["tied", "unique", "tied", "tied"]


def test_many_actions_and_many_successors():
    rows = np.full((300, 300), 2.0**-8)
    rows[:, 256:] = 0.0
    rows[1::2] = np.eye(300)[1::2]
    kernel = np.stack([rows] + [np.roll(np.eye(300), shift, axis=1) for shift in range(40)], axis=1)
    actions = optimal_actions(solve(MDP.from_arrays(kernel, np.full((300, 41), 0.7), 0.9)))
    assert (actions.counts == 41).all()
    assert actions.is_resolved


def test_nothing_is_read_off_an_unknown_error():
    mdp, _ = grid(5)
    unknown = replace(solve(mdp), error_bound=np.inf)
    assert (optimal_actions(unknown).status[~mdp.terminal] == "unresolved").all()


def test_no_work_where_nothing_is_open(monkeypatch):
    monkeypatch.setattr(lumping, "restrict", None)
    rng = np.random.default_rng(1)
    mdp = MDP.from_arrays(rng.dirichlet(np.ones(20), (20, 3)), rng.normal(size=(20, 3)), 0.9)
    assert optimal_actions(solve(mdp)).is_resolved


def test_states_that_reach_others():
    kernel = np.eye(4)[[1, 2, 2, 3]][:, None, :]
    mdp = MDP.from_arrays(kernel, np.zeros((4, 1)), 0.9)
    assert states_reaching(mdp, np.array([False, False, True, False])).tolist() == [True, True, True, False]
