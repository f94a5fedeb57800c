"""Permutation tests beside enumerations in plain Python."""

from fractions import Fraction
from itertools import combinations, product
from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from policycliff.rollouts.questions.compare.permutation import difference, holm, label_tests, sign_flip_test


def enumerated_sign_flips(differences: list[int]) -> Fraction:
    observed = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product([1, -1], repeat=len(differences))
    ]
    return Fraction(sum(value >= observed for value in sums), len(sums))


@pytest.mark.parametrize("seed", range(20))
def test_few_prompts_are_enumerated(seed):
    rng = np.random.default_rng(seed)
    whole = rng.integers(-3, 4, size=rng.integers(1, 10)).tolist()
    tested = sign_flip_test(np.array(whole) / 10.0, permutations=99, seed=0)
    assert tested.method == "exact"
    assert tested.p == tested.low == tested.high
    assert tested.p == pytest.approx(float(enumerated_sign_flips(whole)), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_equal_sizes_are_a_binomial(seed):
    rng = np.random.default_rng(seed)
    whole = rng.choice([-1, 0, 0, 1, 1], size=17).tolist()
    tested = sign_flip_test(np.array(whole, dtype=float), permutations=99, seed=0)
    assert tested.p == pytest.approx(float(enumerated_sign_flips([d for d in whole if d])), rel=1e-12)


def test_drawn_signs_agree_with_all_signs():
    rng = np.random.default_rng(3)
    differences = rng.normal(0.4, 1.0, size=18)
    signs = np.array(list(product([1.0, -1.0], repeat=18)))
    exact = float((np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean())
    tested = sign_flip_test(differences, permutations=20_000, seed=1)
    assert tested.method == "sampled"
    assert tested.p == pytest.approx(exact, abs=5 * sqrt(exact / 20_000))
    again = sign_flip_test(differences, permutations=20_000, seed=1)
    assert tested == again
    assert sign_flip_test(10.0 + differences, permutations=99, seed=1).p == pytest.approx(1 / 100)


def test_many_prompts_in_blocks_agree_with_the_normal_limit():
    rng = np.random.default_rng(5)
    differences = rng.normal(0.02, 1.0, size=10_000)
    z = abs(differences.sum()) / np.sqrt((differences**2).sum())
    tested = sign_flip_test(differences, permutations=20_000, seed=1)
    assert tested.p == pytest.approx(2 * norm.sf(z), abs=0.02)


def test_the_level_holds_without_an_effect():
    rng = np.random.default_rng(8)
    p_values = [sign_flip_test(rng.normal(size=30), permutations=199, seed=i).p for i in range(400)]
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p_values) <= level) <= level + 4 * sqrt(level * (1 - level) / 400)
    assert np.mean(np.array(p_values) <= 0.5) > 0.4


def test_nothing_moved_is_no_evidence():
    assert sign_flip_test(np.zeros(5), permutations=9, seed=0).p == 1.0


def enumerated_labels(values: list[float], first: list[bool]) -> float:
    """Difference of means of the known values, over all choices of as many prompts."""

    def statistic(chosen: set[int]) -> float:
        inside = [v for i, v in enumerate(values) if i in chosen and v == v]
        outside = [v for i, v in enumerate(values) if i not in chosen and v == v]
        if not inside or not outside:
            return float("inf")
        return abs(sum(inside) / len(inside) - sum(outside) / len(outside))

    size, observed = sum(first), statistic({i for i, flag in enumerate(first) if flag})
    every = [statistic(set(chosen)) for chosen in combinations(range(len(values)), size)]
    return sum(value >= observed - 1e-12 for value in every) / len(every)


@pytest.mark.parametrize("seed", range(6))
def test_relabelling_agrees_with_all_labels(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, size=(9, 2)).astype(float)
    values[rng.integers(0, 9), 0] = np.nan
    first = np.arange(9) < 4
    tests = label_tests(values, first, permutations=4000, seed=1)
    for tested, column in zip(tests, values.T, strict=True):
        exact = enumerated_labels(column.tolist(), first.tolist())
        assert tested.p == pytest.approx(exact, abs=5 * sqrt(exact * (1 - exact) / 4000) + 1e-3)


def test_many_prompts_are_relabelled_in_the_limit():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3000, 1))
    first = np.arange(3000) < 700
    values[first] += 0.08
    drawn = np.array(
        [np.mean(v[:700]) - np.mean(v[700:]) for v in (rng.permutation(values[:, 0]) for _ in range(2000))]
    )
    observed = values[first].mean() - values[~first].mean()
    simulated = float((np.abs(drawn) >= abs(observed)).mean())
    assert label_tests(values, first, permutations=9, seed=0)[0].p == pytest.approx(simulated, abs=0.04)


def test_a_figure_of_one_side_only_is_not_tested():
    values = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 1.0]])
    tests = label_tests(values, np.array([True, True, False]), permutations=99, seed=0)
    assert tests[1] is None
    assert tests[0] is not None


def test_holm_beside_its_definition():
    p_values = [0.04, 0.001, 0.3, 0.02]
    by_hand = [0.08, 0.004, 0.3, 0.06]
    assert holm(p_values) == pytest.approx(by_hand)
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_rounding_is_no_difference():
    assert difference(np.array([0.3]), np.array([0.1 + 0.2])).tolist() == [0.0]
    assert difference(np.array([0.0]), np.array([1e-20])).tolist() == [1e-20]
