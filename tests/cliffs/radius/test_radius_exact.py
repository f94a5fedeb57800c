"""The radius in rational arithmetic against fractions by another elimination, and beside the floating-point one."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import brute_force, dense, random_mdp, recipes, solve_fractions, tie_between_futures, trees
from hypothesis import given, settings
from hypothesis import strategies as st

from policycliff import MDP, solve, stability_radius, token_tree
from policycliff.cliffs.radius.exact_rows import enclose
from policycliff.errors import InvalidInputError


def fractions_of_rho(mdp, widths, norm):
    """min rho (or its square for the 2-norm) in fractions, by enumeration and Gauss-Jordan; inf is None."""
    values, q = brute_force(mdp)
    owners = mdp.pair_states.tolist()
    spans = zip(mdp.offsets[:-1].tolist(), mdp.offsets[1:].tolist(), strict=True)
    best = [next(pair for pair in range(a, b) if q[pair] == max(q[a:b])) for a, b in spans]
    kernel, gamma, n = dense(mdp), Fraction(mdp.gamma), mdp.n_states
    system = [[Fraction(int(i == j)) - gamma * Fraction(kernel[best[j], i]) for j in range(n)] for i in range(n)]
    u = [Fraction(0) if mdp.terminal[owners[pair]] else Fraction(float(widths[pair])) for pair in range(mdp.n_pairs)]
    least = None
    for pair in sorted(set(range(mdp.n_pairs)) - set(best)):
        right = [gamma * Fraction(kernel[pair, j]) - (1 if j == owners[pair] else 0) for j in range(n)]
        row = solve_fractions(system, right)
        terms = [u[pair], *(u[taken] * entry for taken, entry in zip(best, row, strict=True))]
        size = sum(abs(term) for term in terms) if norm == "inf" else sum(term**2 for term in terms)
        if size == 0:
            continue
        gap = values[owners[pair]] - q[pair]
        rho = gap / size if norm == "inf" else gap**2 / size
        least = rho if least is None else min(least, rho)
    return least


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.sampled_from(["inf", "2"]), st.booleans())
@settings(max_examples=80)
def test_the_bracket_is_two_neighbours_around_the_fraction(recipe, norm, masked):
    mdp = random_mdp(**recipe)
    rng = np.random.default_rng(recipe["seed"])
    widths = rng.integers(0, 3, mdp.n_pairs) / 1.0 if masked else np.ones(mdp.n_pairs)
    truth = fractions_of_rho(mdp, widths, norm)
    result = stability_radius(mdp, half_widths=widths, norm=norm, exact=True)
    if truth is None:
        assert result.radius == np.inf
        return
    power = 1 if norm == "inf" else 2
    low, high = result.bracket
    assert Fraction(low) ** power <= truth <= Fraction(high) ** power
    assert high <= np.nextafter(low, np.inf)
    assert low <= result.radius <= high
    assert (result.status == "tied") == (truth == 0)
    plain = stability_radius(mdp, half_widths=widths, norm=norm)
    assert plain.bracket[0] <= high
    assert low <= plain.bracket[1]


def test_what_floating_point_leaves_open():
    kernel, rewards, gamma = tie_between_futures()
    mdp = MDP.from_arrays(kernel, rewards, gamma)
    plain, sharp = (stability_radius(mdp, exact=exact) for exact in (False, True))
    assert (plain.radius, plain.status) == (0.0, "unresolved")
    assert 0.0 < plain.bracket[1] < 1e-9
    assert (sharp.radius, sharp.bracket, sharp.status) == (0.0, (0.0, 0.0), "tied")
    rewards[1, 0] += 2.0**-53
    near = stability_radius(MDP.from_arrays(kernel, rewards, gamma), exact=True)
    assert near.status == "exact"
    assert 0.0 < near.bracket[0] <= near.bracket[1] < 1e-15


def test_an_unresolved_bracket_contains_the_radius_for_either_choice():
    """The upper end does not rest on which of the two actions was taken to be optimal."""
    for lift in (0.0, 2.0**-53, 2.0**-51):
        kernel, rewards, gamma = tie_between_futures()
        rewards[1, 0] += lift
        mdp = MDP.from_arrays(kernel, rewards, gamma)
        plain, sharp = stability_radius(mdp), stability_radius(mdp, exact=True)
        assert plain.status == "unresolved"
        assert plain.bracket[0] <= sharp.bracket[0]
        assert sharp.bracket[1] <= plain.bracket[1]


def test_a_pair_with_a_tiny_half_width_can_still_break_a_tie():
    mdp = MDP.from_arrays(np.ones((1, 3, 1)), [[1.0, 1.0, 0.0]], 0.0)
    for exact in (False, True):
        result = stability_radius(mdp, half_widths=[0.0, 1e-20, 1.0], exact=exact)
        assert (result.radius, result.status) == (0.0, "tied")
        assert stability_radius(mdp, half_widths=[0.0, 0.0, 1.0], exact=exact).radius == 1.0


@given(trees(), st.sampled_from([1.0, 0.5]), st.booleans())
@settings(max_examples=40)
def test_trees(tree, gamma, reachable_only):
    mdp = token_tree(*tree, gamma=gamma)
    plain = stability_radius(mdp, reachable_only=reachable_only)
    sharp = stability_radius(mdp, reachable_only=reachable_only, exact=True)
    assert sharp.status in {"exact", "tied"}
    assert sharp.radius == pytest.approx(plain.radius, abs=1e-12)
    if not reachable_only:
        truth = fractions_of_rho(mdp, np.ones(mdp.n_pairs), "inf") if mdp.n_states <= 12 else None
        assert truth is None or Fraction(sharp.bracket[0]) <= truth <= Fraction(sharp.bracket[1])


def test_state_by_state():
    mdp = random_mdp(3, integer=True)
    sharp, plain = (stability_radius(mdp, per_state=True, exact=exact) for exact in (True, False))
    np.testing.assert_allclose(sharp.state_radii, plain.state_radii, rtol=1e-9, atol=1e-12)


def test_tuples():
    mdp = MDP.from_arrays(np.ones((1, 2, 1)), [[0.0, 0.0]], 0.0)
    result = stability_radius(
        mdp, rewards=[[1.0, 0.0], [0.0, 1.0]], weights=[0.75, 0.25], moving="component", component=1, exact=True
    )
    assert result.bracket == (1.0, 1.0)


@given(st.fractions(min_value=0, max_value=10**6), st.booleans())
def test_enclosures(fraction, root):
    from flint import fmpq

    low, high = enclose(fmpq(fraction.numerator, fraction.denominator), root=root)
    power = 2 if root else 1
    assert Fraction(low) ** power <= fraction <= Fraction(high) ** power
    assert high <= np.nextafter(low, np.inf)


def test_large_mdps_are_refused():
    with pytest.raises(InvalidInputError, match="exact arithmetic for 201 states"):
        stability_radius(MDP.from_arrays(np.full((201, 1, 201), 1 / 201), np.zeros((201, 1)), 0.5), exact=True)


def test_a_hundred_states():
    mdp = random_mdp(9, states=100, actions=2, gamma=0.9, branching=2)
    plain, sharp = stability_radius(mdp), stability_radius(mdp, exact=True)
    assert sharp.bracket[1] <= np.nextafter(sharp.bracket[0], np.inf)
    assert plain.bracket[0] <= sharp.radius <= plain.bracket[1]
    assert solve(mdp).error_bound > 0.0
