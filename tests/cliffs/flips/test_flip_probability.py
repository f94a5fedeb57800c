"""Flip probabilities against full solves under sampled noise, closed forms, and the normal integral of a bandit."""

import numpy as np
import pytest
import scipy.sparse as sp
from core_oracles import dense, garnet, policies, random_mdp, recipes, tie_between_futures
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binomtest, norm

from policycliff import MDP, flip_probability, solve, token_tree
from policycliff.cliffs.flips import draws as flip_draws
from policycliff.errors import InvalidInputError
from policycliff.values import left_solve


def bandit(*rewards):
    return MDP.from_arrays(np.ones((1, len(rewards), 1)), [list(rewards)], 0.0)


def pair_probabilities(mdp, covariance):
    """Phi(-gap / sd) for all pairs with dense inverses."""
    best = np.flatnonzero(solve(mdp).policy)
    kernel, owners = dense(mdp), mdp.pair_states
    inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * kernel[best])
    free = np.diag((~mdp.terminal[owners]).astype(float))
    result = np.zeros(mdp.n_pairs)
    for pair in np.setdiff1d(np.arange(mdp.n_pairs), best):
        d = np.zeros(mdp.n_pairs)
        d[best] = (mdp.gamma * kernel[pair] - np.eye(mdp.n_states)[owners[pair]]) @ inverse
        d[pair] = 1.0
        result[pair] = norm.cdf((d @ mdp.rewards) / np.sqrt(d @ free @ covariance @ free @ d))
    return result


def share_by_enumeration(mdp, draws):
    """Share of the draws in which some other policy is better somewhere: all policies are evaluated."""
    kernel, best = dense(mdp), np.flatnonzero(solve(mdp).policy).tolist()
    draws = draws * ~mdp.terminal[mdp.pair_states]
    moved, lost = mdp.rewards + draws, np.zeros(len(draws), dtype=bool)
    values = {}
    for choice in policies(mdp):
        inverse = np.linalg.inv(np.eye(mdp.n_states) - mdp.gamma * kernel[choice])
        values[tuple(choice)] = moved[:, choice] @ inverse.T
    for other in values.values():
        lost |= (other > values[tuple(best)] + 1e-9).any(axis=1)
    return lost.mean()


@given(recipes(gammas=(0.0, 0.5, 0.9)), st.floats(0.01, 2.0), st.booleans())
@settings(max_examples=30)
def test_bounds_and_estimate(recipe, scale, correlated):
    mdp = random_mdp(**{**recipe, "integer": False})
    rng = np.random.default_rng(recipe["seed"])
    if correlated:
        root = scale * rng.normal(size=(mdp.n_pairs, 2))
        covariance, noise = root @ root.T, {"covariance": root @ root.T}
    else:
        deviations = scale * rng.random(mdp.n_pairs)
        covariance, noise = np.diag(deviations**2), {"standard_deviation": deviations}
    result = flip_probability(mdp, samples=400, seed=1, **noise)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(pair_probabilities(mdp, covariance))
    np.testing.assert_allclose(result.pair_probabilities, expected, rtol=1e-6, atol=1e-9)
    assert result.lower_bound == pytest.approx(expected.max(), rel=1e-6, abs=1e-9)
    assert result.union_bound == pytest.approx(min(expected.sum(), 1.0), rel=1e-6, abs=1e-9)
    truth = share_by_enumeration(mdp, rng.multivariate_normal(np.zeros(mdp.n_pairs), covariance, size=4000))
    test = binomtest(round(result.estimate * 400), 400, min(max(truth, 1e-3), 1 - 1e-3))
    assert test.pvalue > 1e-6
    assert result.lower_bound <= truth + 0.05
    assert truth <= result.union_bound + 0.05


def test_a_bandit_against_the_normal_integral():
    """A unique best with gaps g_j loses with probability 1 - int phi(x) prod Phi((g_j + s_0 x) / s_j) dx (design)."""
    rewards, deviations = np.array([1.0, 0.7, 0.2]), np.array([0.3, 0.2, 0.5])
    wins, _ = quad(
        lambda x: norm.pdf(x) * np.prod(norm.cdf((1.0 - rewards[1:] + deviations[0] * x) / deviations[1:])), -9, 9
    )
    result = flip_probability(bandit(*rewards), standard_deviation=deviations, samples=40_000, seed=3, confidence=0.999)
    assert result.interval[0] <= 1.0 - wins <= result.interval[1]
    assert result.lower_bound <= 1.0 - wins <= result.union_bound
    assert (result.state, result.action) == (0, 1)


def test_two_arms_are_exact():
    result = flip_probability(bandit(1.0, 0.0), standard_deviation=0.5, samples=0)
    assert result.lower_bound == pytest.approx(norm.cdf(-1.0 / np.sqrt(0.5)))
    assert result.union_bound == pytest.approx(result.lower_bound)
    assert np.isnan(result.estimate)
    assert (result.interval, result.to_dict()["estimate"]) == ((0.0, 1.0), None)


# Ties ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-9, 1.0])
def test_a_tie_loses_whatever_the_size_of_the_noise(size):
    result = flip_probability(bandit(1.0, 1.0, 1.0, -9.0), standard_deviation=size, samples=20_000, confidence=0.999)
    np.testing.assert_allclose(result.pair_probabilities[:3], [0.0, 0.5, 0.5])
    assert result.lower_bound == 0.5
    assert result.union_bound == pytest.approx(1.0)
    assert result.interval[0] <= 2 / 3 <= result.interval[1]


def test_a_tie_that_the_noise_cannot_break():
    result = flip_probability(
        bandit(1.0, 1.0, 0.5), standard_deviation=[0.0, 0.0, 0.5], samples=20_000, confidence=0.999
    )
    np.testing.assert_allclose(result.pair_probabilities, [0.0, 0.0, norm.cdf(-1.0)])
    assert result.interval[0] <= norm.cdf(-1.0) <= result.interval[1]


def test_noise_that_arms_share_cancels():
    everything_together = np.ones((3, 3))
    result = flip_probability(bandit(1.0, 1.0, 0.5), covariance=everything_together, samples=500)
    assert (result.estimate, result.union_bound, result.state) == (0.0, 0.0, -1)


def test_unresolved_gaps():
    mdp = MDP.from_arrays(*tie_between_futures())
    result = flip_probability(mdp, standard_deviation=1e-6, samples=0)
    assert (result.status, result.union_bound) == ("unresolved", 1.0)
    sharp = flip_probability(mdp, standard_deviation=1e-6, samples=200, exact=True)
    assert (sharp.status, sharp.lower_bound) == ("resolved", pytest.approx(0.5))
    assert 0.3 < sharp.estimate < 0.7


# No noise, terminal states, gamma = 1, one action ----------------------------------------------------------------


def test_without_noise_nothing_flips():
    result = flip_probability(bandit(1.0, 1.0, 0.5), standard_deviation=0.0, samples=50)
    assert (result.estimate, result.lower_bound, result.union_bound, result.rows_solved) == (0.0, 0.0, 0.0, 0)
    alone = flip_probability(random_mdp(0, actions=1), standard_deviation=1.0, samples=50)
    assert (alone.estimate, alone.union_bound, alone.state) == (0.0, 0.0, -1)


def test_terminal_rewards_do_not_move():
    kernel = np.zeros((2, 2, 2))
    kernel[0, 0, 1] = kernel[0, 1, 0] = 1.0
    mdp = MDP.from_arrays(kernel, [[1.0, 0.0], [0.0, 0.0]], 0.5, terminal=np.array([False, True]))
    # d is 1 on staying and gamma - 1 on stopping; the gap is 1/2
    expected = norm.cdf(-0.5 / (0.3 * np.sqrt(1.25)))
    result = flip_probability(mdp, standard_deviation=0.3, samples=20_000, confidence=0.999)
    assert result.lower_bound == pytest.approx(expected)
    assert result.interval[0] <= expected <= result.interval[1]


def test_a_tree_at_gamma_one():
    tree = token_tree(["ab", "ac", "d"], [1.0, 0.75, 0.25])
    deviations = 0.2 * np.ones(tree.n_pairs)
    # The two best share their first step and differ in two, the last letter and the end.
    result = flip_probability(tree, standard_deviation=0.2, samples=20_000, seed=5, confidence=0.999)
    rng = np.random.default_rng(8)
    truth = share_by_enumeration(tree, deviations * rng.standard_normal((20_000, tree.n_pairs)))
    assert result.interval[0] - 0.01 <= truth <= result.interval[1] + 0.01
    assert result.lower_bound == pytest.approx(norm.cdf(-0.25 / (0.2 * np.sqrt(4.0))))


# Large MDPs, seeds, blocks ---------------------------------------------------------------------------------------


def test_the_three_ways_to_evaluate_agree(monkeypatch):
    mdp = MDP.from_arrays(*garnet(3, states=60, actions=3, branching=3), 0.95)
    options = {"standard_deviation": 5e-3, "samples": 300, "seed": 2}
    direct = flip_probability(mdp, **options)
    monkeypatch.setattr(flip_draws, "BLOCK_VALUES", 7 * mdp.n_pairs)
    assert flip_probability(mdp, **options).estimate == direct.estimate
    monkeypatch.setattr(flip_draws, "DIRECT_LIMIT", 0)
    monkeypatch.setattr(left_solve, "DIRECT_LIMIT", 0)
    swept = flip_probability(mdp, **options)
    assert swept.estimate == direct.estimate
    np.testing.assert_allclose(swept.pair_probabilities, direct.pair_probabilities, atol=1e-9)
    assert 0.0 < direct.estimate < 1.0


def test_pairs_that_cannot_matter_are_bounded(monkeypatch):
    mdp = MDP.from_arrays(*garnet(3, states=60, actions=3, branching=3), 0.5)
    whole = flip_probability(mdp, standard_deviation=1e-3, samples=0)
    assert whole.rows_solved < mdp.n_pairs - mdp.n_states
    assert whole.bounded.any()
    assert whole.bounded_total <= 1e-12
    monkeypatch.setattr("policycliff.cliffs.flips.flip_probability.ROW_LIMIT", 3)
    short = flip_probability(mdp, standard_deviation=1e-3, samples=0)
    assert short.rows_solved == 3
    assert short.bounded_total > 0.0
    assert short.union_bound >= whole.union_bound
    assert (short.pair_probabilities >= whole.pair_probabilities - 1e-12).all()


def test_seeds():
    mdp = bandit(1.0, 0.9)
    runs = [flip_probability(mdp, standard_deviation=0.2, samples=500, seed=seed).estimate for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_sparse_covariances_and_scalars():
    mdp = random_mdp(4)
    scalar = flip_probability(mdp, standard_deviation=0.3, samples=0)
    matrix = flip_probability(mdp, covariance=sp.eye_array(mdp.n_pairs) * 0.09, samples=0)
    np.testing.assert_allclose(matrix.pair_probabilities, scalar.pair_probabilities, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no noise"),
        ({"standard_deviation": 1.0, "covariance": np.eye(2)}, "both"),
        ({"standard_deviation": -1.0}, "-1.0 at pair 0"),
        ({"standard_deviation": [1.0]}, "`standard_deviation` of shape"),
        ({"standard_deviation": np.inf}, "inf in `standard_deviation`"),
        ({"covariance": np.eye(3)}, "`covariance` of shape"),
        ({"covariance": [[1.0, 0.5], [0.0, 1.0]]}, r"differs from its transpose at \(0, 1\)"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "eigenvalue -1"),
        ({"covariance": -np.eye(2)}, "eigenvalue"),
        ({"standard_deviation": 1.0, "samples": -1}, "samples = -1"),
        ({"standard_deviation": 1.0, "seed": -5}, "seed = -5"),
        ({"standard_deviation": 1.0, "confidence": 1.0}, "confidence = 1.0"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        flip_probability(bandit(1.0, 0.0), **options)


def test_large_covariances_are_refused():
    with pytest.raises(InvalidInputError, match="at most 3000"):
        flip_probability(bandit(*np.zeros(3001)), covariance=sp.eye_array(3001))


def test_summaries():
    result = flip_probability(bandit(1.0, 0.9), standard_deviation=0.2, samples=500)
    assert repr(result).startswith("FlipProbability(0.")
    assert result.to_dict()["pair_probabilities"] == result.pair_probabilities.tolist()
