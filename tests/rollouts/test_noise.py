"""Noise: where it may come from, and the simulated flip probability against quadrature."""

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from policycliff.rollouts.audit import audit


def _table(scores, *, texts=None, **columns):
    """One prompt a row of `scores`."""
    scores = np.asarray(scores, dtype=float)
    prompts, size = scores.shape
    texts = texts or [f"text {i}" for i in range(size)]
    return pl.DataFrame(
        {
            "prompt": np.repeat([f"p{i}" for i in range(prompts)], size),
            "completion": list(texts) * prompts,
            "r": scores.ravel(),
            **columns,
        }
    )


def _unique_best_loses(values, sigma):
    """1 - integral of phi(x) prod Phi((g_j + sigma x) / sigma) dx (a unique best loses)."""
    values = np.sort(values)[::-1]
    gaps = values[0] - values[1:]
    stays, _ = quad(lambda x: norm.pdf(x) * np.prod(norm.cdf(gaps / sigma + x)), -12, 12)
    return 1 - stays


def test_flip_probability_against_quadrature():
    values = [1.0, 0.8, 0.7, 0.1]
    figures = audit(_table([values] * 40), rewards=["r"], noise=0.2).to_dict()["rewards"]["effective"]
    expected = _unique_best_loses(np.array(values), 0.2)
    assert figures["flip_probability_mean"]["value"] == pytest.approx(expected, abs=0.01)
    assert figures["unique_loses_probability_mean"]["value"] == pytest.approx(expected, abs=0.01)


def test_a_tied_set_is_left_only_when_all_its_members_lose():
    """Two tied and one behind: P(the third beats both), by quadrature over the third's error."""
    sigma, gap = 0.3, 0.2
    figures = audit(_table([[1.0, 1.0, 0.8]] * 40), rewards=["r"], noise=sigma).to_dict()["rewards"]["effective"]
    expected, _ = quad(lambda x: norm.pdf(x) * norm.cdf(x - gap / sigma) ** 2, -12, 12)
    assert figures["flip_probability_mean"]["value"] == pytest.approx(expected, abs=0.01)
    assert figures["unique_loses_probability_mean"]["value"] is None


def test_repeats_shrink_the_noise_of_a_behaviour():
    """Four draws of each text: the error of the mean is half that of one score."""
    texts = ["a"] * 4 + ["b"] * 4
    rows = [[1.0] * 4 + [0.8] * 4] * 40
    figures = audit(_table(rows, texts=texts), rewards=["r"], noise=0.2).to_dict()["rewards"]["effective"]
    expected = norm.cdf(-0.2 / (0.1 * np.sqrt(2)))
    assert figures["flip_probability_mean"]["value"] == pytest.approx(expected, abs=0.01)


def test_a_fully_tied_prompt_cannot_be_left():
    figures = audit(_table([[1.0, 1.0]] * 5), rewards=["r"], noise=1.0).to_dict()["rewards"]["effective"]
    assert figures["flip_probability_mean"]["value"] == 0.0
    assert figures["flip_probability_mean"]["high"] > 0.0


def test_rare_flips_are_bounded_and_not_simulated():
    """A gap of seven standard errors: Phi(-7) = 1.3e-12, which no number of draws would show."""
    figures = audit(_table([[7.0 * np.sqrt(2), 0.0]] * 3), rewards=["r"], noise=1.0).to_dict()["rewards"]["r"]
    assert figures["flip_probability_mean"]["value"] == pytest.approx(norm.cdf(-7.0))


def test_noise_comes_from_byte_identical_completions_only():
    rng = np.random.default_rng(1)
    texts = ["same", "same", "other ", "other"]
    rows = np.concatenate([rng.normal(0.0, 0.1, size=(300, 2)), rng.normal(0.0, 5.0, size=(300, 2))], axis=1)
    table = _table(rows, texts=texts, answer=["x"] * 1200)
    noise = audit(table, rewards=["r"], behaviour="answer").to_dict()["rewards"]["r"]["noise"]
    assert noise["origin"] == "identical completions"
    assert noise["samples"] == 300
    assert noise["sigma"]["low"] < 0.1 < noise["sigma"]["high"]


def test_few_repeats_are_not_estimable():
    noise = audit(_table([[1.0, 0.5, 0.2]], texts=["a", "a", "b"]), rewards=["r"]).to_dict()["rewards"]["r"]["noise"]
    assert noise == {
        "sigma": None, "origin": "not estimable", "samples": 1, "left_out": [], "method": "Gaussian",
    }  # fmt: skip


def test_a_repeatable_scorer_has_no_noise_and_says_how_many_repeats_showed_it():
    rows = [[0.1 + 0.2, 0.1 + 0.2, 0.1 + 0.2, 0.7]] * 30
    noise = audit(_table(rows, texts=["a", "a", "a", "b"]), rewards=["r"]).to_dict()["rewards"]["r"]["noise"]
    assert noise["sigma"]["value"] == 0.0
    assert noise["samples"] == 60
    assert noise["sigma"]["high"] is None


@pytest.mark.parametrize("step", [None, 1.0])
def test_rerun_residuals_predict_the_observed_reruns(step):
    """Independent true scores, two noisy readings (continuous, or rounded to a coarse scale with ends)."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(4000, 3)) * 2

    def reading():
        noisy = truth + rng.normal(0, 0.6, truth.shape)
        return noisy if step is None else np.clip(np.round(noisy / step) * step, -3, 3)

    first, second = reading(), reading()
    result = audit(_table(first, again=second.ravel()), rewards=["r"], rerun={"r": "again"}).to_dict()["rewards"]["r"]
    assert result["noise"]["origin"] == "rerun again"
    assert result["noise"]["method"] == "resampled residuals"
    check = result["rerun"]
    assert check["prompts"] == 4000
    best_first = first == first.max(axis=1, keepdims=True)
    best_second = second == second.max(axis=1, keepdims=True)
    observed = np.mean(~(best_first & best_second).any(axis=1))
    assert check["observed_flip_share"]["value"] == pytest.approx(observed)
    assert check["predicted_flip_probability_mean"]["value"] == pytest.approx(observed, rel=0.1)


def test_the_second_score_may_be_audited_as_a_penalty_too():
    """The check orients the second score as the first, whatever weight the column has as a reward of its own."""
    rng = np.random.default_rng(4)
    first = rng.normal(size=(200, 3))
    table = _table(first, again=(first + rng.normal(0, 0.01, first.shape)).ravel())
    alone = audit(table, rewards=["r"], rerun={"r": "again"}).to_dict()["rewards"]["r"]["rerun"]
    both = audit(table, rewards={"again": -1.0, "r": 2.0}, rerun={"r": "again"}).to_dict()["rewards"]["r"]["rerun"]
    assert both["observed_flip_share"] == alone["observed_flip_share"]


def test_same_seed_same_result():
    table = _table(np.random.default_rng(3).normal(size=(30, 4)))
    assert audit(table, rewards=["r"], noise=0.5).to_dict() == audit(table, rewards=["r"], noise=0.5).to_dict()
    other = audit(table, rewards=["r"], noise=0.5, seed=1).to_dict()["rewards"]["r"]["flip_probability_mean"]
    assert other != audit(table, rewards=["r"], noise=0.5).to_dict()["rewards"]["r"]["flip_probability_mean"]
