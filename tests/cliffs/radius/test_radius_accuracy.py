"""Gaps near the solver's error, tiny rewards, gamma = 0: the radius against all policies, in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from core_oracles import dense, policies, random_mdp, solve_fractions

from policycliff import MDP, flip_probability, stability_radius
from policycliff.cliffs.radius.gaps import make_gaps


def occupancies(mdp, choice):
    """Discounted visits of pairs under a policy, from each state, in fractions; none of terminal pairs."""
    n, gamma, kernel = mdp.n_states, Fraction(mdp.gamma), dense(mdp)
    columns = []
    for start in range(n):
        system = [[Fraction(int(i == j)) - gamma * Fraction(kernel[choice[j], i]) for j in range(n)] for i in range(n)]
        visits = solve_fractions(system, [Fraction(int(i == start)) for i in range(n)])
        row = [Fraction(0)] * mdp.n_pairs
        for state, pair in enumerate(choice):
            row[pair] = Fraction(0) if mdp.terminal[state] else visits[state]
        columns.append(row)
    return columns


def least_ratio(mdp, starts):
    """The least (return gap) / (1-norm of the change of visits) over policies and start distributions."""
    rewards = [Fraction(reward) for reward in mdp.rewards]
    found = [occupancies(mdp, choice) for choice in policies(mdp)]

    def gain(visits):
        return sum(x * r for x, r in zip(visits, rewards, strict=True))

    best = max(found, key=lambda visits: [gain(row) for row in visits])
    assert all(gain(a) >= gain(b) for other in found for a, b in zip(best, other, strict=True))
    ratios = []
    for other in found:
        for start in starts:
            change = [
                sum(p * (a[pair] - b[pair]) for p, a, b in zip(start, best, other, strict=True))
                for pair in range(mdp.n_pairs)
            ]
            if any(change):
                ratios.append(sum(d * r for d, r in zip(change, rewards, strict=True)) / sum(map(abs, change)))
    return min(ratios)


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-100, 1e12])
@pytest.mark.parametrize("gamma", [0.0, 0.9, 0.99])
def test_the_scale_of_the_rewards_does_not_matter(scale, gamma):
    plain = random_mdp(5, states=3, actions=2, gamma=gamma)
    mdp = plain.with_rewards(scale * plain.rewards)
    single = [[Fraction(int(i == j)) for j in range(3)] for i in range(3)]
    exact = least_ratio(mdp, single)
    result = stability_radius(mdp)
    assert result.status == "exact"
    assert Fraction(result.bracket[0]) <= exact <= Fraction(result.bracket[1])
    assert result.radius == pytest.approx(float(exact), rel=1e-9)
    assert flip_probability(mdp, standard_deviation=0.1 * scale, samples=0).lower_bound == pytest.approx(
        flip_probability(plain, standard_deviation=0.1, samples=0).lower_bound, rel=1e-6
    )


def near_tie(states):
    """A gap of one rounding between two futures that are worth about 1 / 0.3; state 0 has the choice."""
    kernel = np.zeros((states, 2, states))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    kernel[1:, :, 1:] = np.eye(states - 1)[:, None, :]
    rewards = np.zeros((states, 2))
    rewards[1], rewards[2] = 0.3, np.nextafter(0.3, 1.0)
    available = np.ones((states, 2), dtype=bool)
    available[1:, 1] = False
    return MDP.from_arrays(kernel, rewards, 0.7, available=available)


def test_a_gap_below_the_error_is_not_called_exact_with_a_radius_of_zero():
    small = stability_radius(near_tie(3))
    assert small.status == "exact"
    assert 0.0 < small.bracket[0] <= small.radius <= small.bracket[1] < 1e-15
    assert small.bracket[1] - small.bracket[0] < 1e-9 * small.radius
    large = stability_radius(near_tie(45))  # too large to be decided in fractions without being asked
    assert (large.status, large.radius, large.bracket[0]) == ("unresolved", 0.0, 0.0)
    exact = stability_radius(near_tie(45), exact=True)
    assert large.bracket[1] >= exact.radius == pytest.approx(small.radius, rel=1e-9)


def test_actions_with_the_same_future_have_the_difference_of_their_rewards_as_gap():
    rng = np.random.default_rng(0)
    kernel = np.repeat(rng.dirichlet(np.ones(60), 60)[:, None, :], 2, axis=1)
    rewards = np.column_stack([np.full(60, 0.3), np.full(60, np.nextafter(0.3, 1.0))])
    gaps = make_gaps(MDP.from_arrays(kernel, rewards, 0.99))
    assert (gaps.gaps[gaps.rivals] == np.spacing(0.3)).all()
    assert (gaps.low[gaps.rivals] > 0.9 * np.spacing(0.3)).all()


def test_without_discounted_future_only_the_start_counts():
    """gamma = 0: what comes after the first step has no weight, on trees and elsewhere."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, :, 1] = kernel[1, :, 2] = 1.0
    terminal = np.array([False, False, True])
    tree = MDP.from_arrays(
        kernel, [[4.0, 0.0], [1.0, 0.0], [0.0, 0.0]], 0.0, terminal=terminal, initial=[1.0, 0.0, 0.0]
    )
    loop = kernel.copy()
    loop[1, :, 2], loop[1, :, 0] = 0.0, 1.0
    cyclic = MDP.from_arrays(loop[:2, :, :2], [[4.0, 0.0], [1.0, 0.0]], 0.0, initial=[1.0, 0.0])
    for mdp in (tree, cyclic):
        result = stability_radius(mdp, reachable_only=True)
        assert (result.status, result.state) == ("exact", 0)
        assert result.radius == pytest.approx(2.0)
        assert stability_radius(mdp).radius == pytest.approx(0.5)
        weights = stability_radius(
            mdp, rewards=[mdp.rewards, -mdp.rewards], weights=[0.75, 0.25], moving="weights", reachable_only=True
        )
        assert weights.state == 0


def test_the_policy_takes_the_first_of_tied_actions_also_in_fractions():
    """0.1 + 0.2 over two steps against 0.3...: tied as fractions, of which floats prefer a later one."""
    for seed in range(40):
        mdp = random_mdp(seed, states=3, actions=3, gamma=0.9, integer=True, branching=1)
        gaps = make_gaps(mdp, exact=True)
        first = [
            min(p for p in range(a, b) if gaps.fractions[p] == 0)
            for a, b in zip(mdp.offsets, mdp.offsets[1:], strict=False)
        ]
        assert gaps.best.tolist() == first
