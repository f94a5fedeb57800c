"""The error bounds of EPIC, DARD and STARC against fractions, on rewards that lose many digits to cancellation."""

from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, solve_fractions
from distance_oracles import dard_by_loops, epic_by_loops, full_mdp, kernel_of, shape_pairs, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import reward_distance
from policycliff.errors import InvalidInputError
from policycliff.rewards.distances.canonical import epic_canonical
from policycliff.rewards.distances.forms import given_reward

getcontext().prec = 60

CASES = {
    "seed": st.integers(0, 10**6),
    "gamma": st.sampled_from([0.0, 0.5, 0.99]),
    "branching": st.sampled_from([None, 1, 2]),
    "terminals": st.integers(0, 1),
    "offset": st.sampled_from([0.0, 1e3, 1e7]),
    "apart": st.sampled_from([1.0, 1e-6]),
}


def decimal(fraction):
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)


def from_products(a_a, a_b, b_b):
    """||a / ||a|| - b / ||b||||, by the product of one part in each to keep the digits of near ones."""
    norms = (decimal(a_a) * decimal(b_b)).sqrt()
    return (2 * max(Decimal(0), 1 - decimal(a_b) / norms)).sqrt()


def near_rewards(mdp, seed, *, offset, apart):
    """Two rewards `apart` from each other modulo a large shaping, which the canonical forms have to take off."""
    rng = np.random.default_rng(seed)
    first = np.where(mdp.terminal[mdp.pair_states], 0.0, rng.normal(size=mdp.n_pairs))
    second = np.where(mdp.terminal[mdp.pair_states], 0.0, first + apart * rng.normal(size=mdp.n_pairs))
    return first, shape_pairs(mdp, second, offset * rng.normal(size=mdp.n_states))


def check(found, exact):
    if found.status == "unresolved":
        assert found.bracket[0] <= float(exact) <= found.bracket[1]
        return
    assert abs(Decimal(found.value) - exact) <= Decimal(found.error_bound) + Decimal(10) ** -28


@given(**CASES)
@settings(max_examples=40, deadline=None)
def test_epic_and_dard(seed, gamma, branching, terminals, offset, apart):
    mdp = full_mdp(seed, states=3, actions=2, gamma=gamma, branching=branching, terminals=terminals)
    rewards = near_rewards(mdp, seed, offset=offset, apart=apart)
    tables = [np.vectorize(Fraction, otypes=[object])(table_of(mdp, r, 2)) for r in rewards]
    kernel = np.vectorize(Fraction, otypes=[object])(kernel_of(mdp, 2))
    kernel /= kernel.sum(axis=2, keepdims=True)
    half, third = [Fraction(1, 2)] * 2, [Fraction(1, 3)] * 3
    discount = Fraction(gamma)
    alive = np.flatnonzero(~mdp.terminal)
    for kind in ("epic", "dard"):
        if kind == "epic":
            forms = [epic_by_loops(t, discount, half, third)[alive].ravel() for t in tables]
            weights = np.full(forms[0].size, Fraction(1, forms[0].size))
        else:
            forms = [dard_by_loops(t, kernel, discount, half)[alive].ravel() for t in tables]
            weights = kernel[alive].ravel() / (2 * alive.size)
        a, b = (form - (weights * form).sum() for form in forms)
        products = [(weights * x * y).sum() for x, y in ((a, a), (a, b), (b, b))]
        if products[0] and products[2]:
            check(reward_distance(mdp, *rewards, kind=kind), from_products(*products) / 2)


@given(form=st.sampled_from(["value", "minimal"]), **CASES)
@settings(max_examples=40, deadline=None)
def test_starc(seed, gamma, branching, terminals, offset, apart, form):
    mdp = full_mdp(seed, states=3, actions=2, gamma=gamma, branching=branching, terminals=terminals)
    rewards = near_rewards(mdp, seed, offset=offset, apart=apart)
    rows = [[Fraction(p) for p in row] for row in dense(mdp)]
    alive = [pair for pair in range(mdp.n_pairs) if not mdp.terminal[mdp.pair_states[pair]]]
    free = np.flatnonzero(~mdp.terminal).tolist()
    shaping = [[Fraction(gamma) * rows[p][s] - int(mdp.pair_states[p] == s) for s in free] for p in alive]
    if form == "value":
        # Solved by the uniform policy: half of both rows of a state.
        weights = [Fraction(1)] * len(alive)
        left = [[Fraction(int(mdp.pair_states[p] == s), 2) for p in alive] for s in free]
    else:
        weights = [1 / sum(q * q for q in rows[p]) for p in alive]
        left = [[w * row[i] for w, row in zip(weights, shaping, strict=True)] for i in range(len(free))]
    system = [[dot(line, [row[j] for row in shaping]) for j in range(len(free))] for line in left]
    forms = []
    for reward in rewards:
        given_means = [Fraction(float(reward[p])) for p in alive]
        potential = solve_fractions(system, [-dot(line, given_means) for line in left])
        forms.append([r + dot(row, potential) for r, row in zip(given_means, shaping, strict=True)])
    products = [dot([w * x for w, x in zip(weights, a, strict=True)], b) for a, b in pairs_of(forms)]
    if products[0] and products[2]:
        check(reward_distance(mdp, *rewards, kind="starc", canonical=form), from_products(*products))


def dot(first, second):
    return sum((x * y for x, y in zip(first, second, strict=True)), Fraction(0))


def pairs_of(forms):
    return (forms[0], forms[0]), (forms[0], forms[1]), (forms[1], forms[1])


def test_the_bounds_are_not_idle():
    """Near rewards behind a large shaping: the error is large enough to be seen, and so is the bound."""
    mdp = full_mdp(1, states=3, actions=2, gamma=0.99)
    first, second = near_rewards(mdp, 1, offset=1e7, apart=1e-6)
    found = reward_distance(mdp, first, second, kind="starc")
    assert 1e-12 < found.error_bound < 1e-2
    near = reward_distance(mdp, *near_rewards(mdp, 1, offset=0.0, apart=1e-6), kind="starc")
    assert near.error_bound < 1e-10
    assert near.value == pytest.approx(1e-6, rel=10.0)


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("over_transitions", [False, True])
@pytest.mark.parametrize(
    "options", [{"kind": "epic"}, {"kind": "dard"}, {"kind": "starc"}, {"kind": "starc", "canonical": "minimal"}]
)
def test_squares_of_tiny_and_huge_rewards_do_not_lose_their_size(options, over_transitions, size):
    mdp = full_mdp(3, states=3, actions=2, terminals=1)
    pairs = [mdp.rewards, np.where(mdp.terminal[mdp.pair_states], 0.0, np.arange(mdp.n_pairs))]
    first, second = [table_of(mdp, r, 2) for r in pairs] if over_transitions else pairs
    expected = reward_distance(mdp, first, second, **options)
    found = reward_distance(mdp, size * first, 3.0 * second, **options)
    assert found.status == "certified"
    # Numbers of 1e-320 have three digits themselves.
    assert abs(found.value - expected.value) <= (0.01 if size < 1e-310 else found.error_bound + expected.error_bound)
    assert found.scales[0] == pytest.approx(size * expected.scales[0], rel=0.01)
    assert found.scales[1] == pytest.approx(3.0 * expected.scales[1])


def test_a_scale_beyond_the_largest_float_is_infinite():
    mdp = full_mdp(3, states=3, actions=2)
    largest = np.full(mdp.n_pairs, 1.5e308) * np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
    found = reward_distance(mdp, largest, mdp.rewards, kind="starc", norm="1")
    assert found.status == "certified"
    assert found.scales[0] == np.inf
    assert found.to_dict()["scales"] == [None, found.scales[1]]
    for kind in ("sup", "shaping"):
        with pytest.raises(InvalidInputError, match=r"`r1` and `r2` whose difference"):
            reward_distance(mdp, largest, -largest, kind=kind)


def test_the_error_of_canonical_entries():
    """Entry by entry, up to the constant gamma E R(S, A, S') that is not subtracted."""
    seen = 0.0
    for seed in range(20):
        mdp = full_mdp(seed, states=3, actions=2)
        rewards = mdp.rewards + 1e3
        table = np.vectorize(Fraction, otypes=[object])(table_of(mdp, rewards, 2))
        half, third = [Fraction(1, 2)] * 2, [Fraction(1, 3)] * 3
        exact = epic_by_loops(table, Fraction(mdp.gamma), half, third) + Fraction(mdp.gamma) * table.sum() / 18
        given_form = given_reward("r", mdp, rewards, in_units=False)
        found = epic_canonical(mdp, given_form, policy=np.full(6, 0.5), state_distribution=np.full(3, 1 / 3))
        entries = (found.pairs[:, None] + found.successors[None, :]).reshape(3, 2, 3)
        missed = max(abs(Fraction(float(a)) - b) for a, b in zip(entries.ravel(), exact.ravel(), strict=True))
        assert missed <= Fraction(found.error)
        assert np.abs(entries).max() <= found.size
        seen = max(seen, float(missed))
    assert seen > 0.0
