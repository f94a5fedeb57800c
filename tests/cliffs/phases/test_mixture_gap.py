"""The gap of Remark 4.1 against enumeration in fractions, random stochastic policies, and known worlds."""

import json
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from core_oracles import dense, random_mdp
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent))
from phases_oracle import value_tables

from policycliff import MDP, effective_reward, mixture_gap, solve
from policycliff.cliffs.phases.mixture_gap import enumeration
from policycliff.errors import InvalidInputError


def make_classes(seed, *, gamma=0.5, shared=False, actions=2):
    mdp = random_mdp(seed, states=3, actions=actions, gamma=gamma, branching=2)
    rng = np.random.default_rng([seed, 9])
    rewards = rng.integers(-8, 9, (2, mdp.n_pairs)) / 4.0
    # Short fractions: sums and products of these are not rounded.
    starts = rng.multinomial(64, np.ones(3) / 3.0, 2) / 64.0
    starts = starts[[0, 0]] if shared else starts
    return mdp, rewards, starts, np.array([0.25, 0.75])


def mixture_value(mdp, policy, rewards, starts, shares):
    """The objective of any policy, by dense linear algebra."""
    spread = np.zeros((mdp.n_states, mdp.n_pairs))
    spread[mdp.pair_states, np.arange(mdp.n_pairs)] = policy
    inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * spread @ dense(mdp))
    return sum(p * s @ inverse @ spread @ r for p, s, r in zip(shares, starts, rewards, strict=True))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]), st.booleans())
@settings(max_examples=8, deadline=None)
def test_exactly_the_best_of_all_policies(seed, gamma, shared):
    mdp, rewards, starts, shares = make_classes(seed, gamma=gamma, shared=shared)
    found = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    tables = value_tables(mdp, rewards)
    mass = [[Fraction(p * s) for s in row] for p, row in zip(shares.tolist(), starts.tolist(), strict=True)]
    worth = {
        choice: sum(m * v for row, column in zip(mass, table, strict=True) for m, v in zip(row, column, strict=True))
        for choice, table in tables.items()
    }
    assert found.status == "exact"
    assert found.policies == len(tables)
    assert found.stationary_return == float(max(worth.values()))
    effective = tuple(np.flatnonzero(found.effective_policy).tolist())
    assert found.effective_return == float(worth[effective])
    assert found.gap == float(max(worth.values()) - worth[effective])
    best = tuple(np.flatnonzero(found.stationary_policy).tolist())
    assert worth[best] == max(worth.values())
    # The effective policy is optimal for the effective reward.
    solution = solve(mdp.with_rewards(effective_reward(rewards, shares)), tolerance=1e-12)
    assert np.isclose(solution.q_values[list(effective)], solution.values, atol=1e-9).all()
    if shared:
        assert found.gap <= 1e-12
        assert found.remembered_return == pytest.approx(found.stationary_return, abs=1e-9)
    slack = found.error_bound + 1e-12
    assert found.effective_return <= found.stationary_return + slack
    assert found.stationary_return <= found.remembered_return + slack
    assert found.remembered_return <= found.class_seen_return + slack


@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.95]))
@settings(max_examples=15, deadline=None)
def test_no_stochastic_policy_of_the_state_is_better(seed, gamma):
    mdp, rewards, starts, shares = make_classes(seed, gamma=gamma, actions=3)
    found = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    rng = np.random.default_rng(seed)
    for concentration in (0.2, 1.0):
        for _ in range(25):
            raw = rng.gamma(concentration, size=mdp.n_pairs) + 1e-12
            policy = raw / np.add.reduceat(raw, mdp.offsets[:-1])[mdp.pair_states]
            assert mixture_value(mdp, policy, rewards, starts, shares) <= found.stationary_return + 1e-9
    # And from the best one no direction leads up (the vertex of every state's simplex).
    for pair in range(mdp.n_pairs):
        state = mdp.pair_states[pair]
        shift = np.where(mdp.pair_states == state, -found.stationary_policy, 0.0)
        shift[pair] += 1.0
        assert mixture_value(mdp, found.stationary_policy + 0.3 * shift, rewards, starts, shares) <= (
            found.stationary_return + 1e-9
        )


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_remembering_the_start_is_an_mdp_with_the_start_in_the_state(seed):
    mdp, rewards, starts, shares = make_classes(seed)
    found = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    kernel, total = dense(mdp), 0.0
    for origin in range(3):
        weight = shares * starts[:, origin]
        world = mdp.with_rewards(weight @ rewards)
        total += max(
            np.linalg.solve(np.eye(3) - mdp.gamma * kernel[list(choice)], world.rewards[list(choice)])[origin]
            for choice in product(*(range(a, b) for a, b in zip(mdp.offsets, mdp.offsets[1:], strict=False)))
        )
    assert found.remembered_return == pytest.approx(total, abs=1e-9)


def test_a_gap_that_is_known_and_one_that_memory_alone_closes():
    # Both classes reach state 2, from starts 0 and 1; there each is paid for its own action only.
    kernel = np.zeros((4, 2, 4))
    kernel[:2, :, 2] = 1.0
    kernel[2, :, 3] = 1.0
    mdp = MDP.from_arrays(kernel, np.zeros((4, 2)), 1.0, terminal=np.arange(4) == 3)
    rewards = np.zeros((2, 4, 2))
    rewards[0, 2], rewards[1, 2] = [1.0, 0.0], [0.0, 3.0]
    found = mixture_gap(mdp, rewards, starts=np.eye(4)[:2], proportions=[0.5, 0.5])
    assert (found.effective_return, found.stationary_return) == (1.5, 1.5)
    assert found.remembered_return == found.class_seen_return == pytest.approx(2.0)
    assert found.gap == 0.0
    shared = mixture_gap(mdp, rewards, starts=np.eye(4)[[0, 0]], proportions=[0.5, 0.5])
    assert shared.remembered_return == pytest.approx(1.5)
    assert shared.class_seen_return == pytest.approx(2.0)


def test_ties_of_the_effective_reward_have_a_range():
    mdp = MDP.from_arrays(np.eye(2)[:, None, :].repeat(2, axis=1), np.zeros((2, 2)), 0.0)
    rewards = np.zeros((2, 2, 2))
    rewards[0, 0], rewards[1, 0] = [1.0, 0.0], [0.0, 1.0]
    found = mixture_gap(mdp, rewards, starts=np.eye(2), proportions=[0.5, 0.5])
    assert found.effective_range == (0.0, 0.5)
    assert found.effective_return == 0.5


def test_too_many_policies_are_bracketed():
    mdp, rewards, starts, shares = make_classes(5, gamma=0.9, actions=3)
    full = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    part = mixture_gap(mdp, rewards, starts=starts, proportions=shares, max_policies=1)
    assert (part.status, part.policies, part.effective_range) == ("bracket", 0, None)
    assert part.bracket[0] <= full.gap <= part.bracket[1]
    assert part.stationary_return <= full.stationary_return + part.error_bound
    large = random_mdp(2, states=60, actions=3)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, large.n_pairs))
    wide = mixture_gap(large, rows, starts=rng.dirichlet(np.ones(60), 3), proportions=[0.2, 0.3, 0.5])
    assert wide.status == "bracket"
    assert 0.0 <= wide.bracket[0] <= wide.bracket[1]
    assert wide.stationary_return <= wide.remembered_return <= wide.class_seen_return


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9]))
@settings(max_examples=10, deadline=None)
def test_one_policy_after_another_finds_the_same(seed, gamma):
    mdp, rewards, starts, shares = make_classes(seed, gamma=gamma)
    dense_found = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "DENSE_LIMIT", 0)
        found = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    assert found.to_dict() == dense_found.to_dict()


def test_few_policies_of_a_long_chain():
    """Three states of 15,000 may skip the next one: eight policies, no dense matrix (which would hold 1.8 GB)."""
    n, may_skip = 15_000, (0, 5, 9)
    states = np.sort(np.r_[np.arange(n - 1), may_skip])
    after = states + 1 + np.r_[False, states[1:] == states[:-1]]
    kernel = sp.csr_array((np.ones(states.size), (np.arange(states.size), after)), shape=(states.size, n))
    mdp = MDP.from_pairs(states, kernel, np.zeros(states.size), 1.0, terminal=np.arange(n) == n - 1)
    rewards = np.random.default_rng(0).integers(-3, 4, (2, mdp.n_pairs)).astype(float)
    rewards[:, -1] = 0.0
    starts = np.zeros((2, n))
    starts[0, 0] = starts[1, 5] = 1.0
    found = mixture_gap(mdp, rewards, starts=starts, proportions=[0.5, 0.5])

    def walk(start, skips, paid):
        state, total = start, 0.0
        while state < n - 1:
            pair = int(mdp.offsets[state]) + (state in skips)
            state, total = state + 1 + (state in skips), total + paid[pair]
        return total

    subsets = [{s for s, taken in zip(may_skip, bits, strict=True) if taken} for bits in product([0, 1], repeat=3)]
    worth = [0.5 * walk(0, skips, rewards[0]) + 0.5 * walk(5, skips, rewards[1]) for skips in subsets]
    assert (found.status, found.policies) == ("exact", 8)
    assert found.stationary_return == max(worth)
    assert found.effective_return in worth


def test_json_and_repr():
    mdp, rewards, starts, shares = make_classes(1)
    found = mixture_gap(mdp, rewards, starts=starts, proportions=shares)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["gap"] == found.gap
    assert len(repr(found)) < 300
    assert not found.effective_policy.flags.writeable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"proportions": [0.5, 0.6]}, "sum 1.1"),
        ({"proportions": [1.0]}, "shape"),
        ({"starts": np.eye(3)}, "one initial distribution a class"),
        ({"starts": np.full((2, 3), 0.5)}, r"starts\[0\]"),
        ({"rewards": 1.0}, "not a list of components"),
        ({"max_policies": -1}, "max_policies = -1"),
    ],
)
def test_bad_arguments(arguments, message):
    mdp, rewards, starts, shares = make_classes(0)
    given_arguments = {"rewards": rewards, "starts": starts, "proportions": shares} | arguments
    with pytest.raises(InvalidInputError, match=message):
        mixture_gap(mdp, given_arguments.pop("rewards"), **given_arguments)
