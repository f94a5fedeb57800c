"""The figure of the soft policy against quadrature by SciPy, and its bounds over temperatures and tilts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from policycliff import soft_policy_figure
from policycliff.errors import InvalidInputError
from policycliff.policies.continuous import gibbs_density, three_peaks, trapezoid_weights


def peaks(a, width=1.0):
    product = 1.0
    for centre in (-5.0, 0.0, 5.0):
        product *= 1.0 - np.exp(-((a - centre) ** 2) / (2 * width**2))
    return 1.0 - product


def integral(function):
    return quad(function, -10.0, 10.0, points=[-5.0, 0.0, 5.0], limit=500, epsabs=1e-13, epsrel=1e-13)[0]


def true_shift(temperature, tilt):
    """Total variation of the two densities on the interval, by adaptive quadrature around their one crossing."""

    def first(a):
        return np.exp((peaks(a) - 1.0) / temperature)

    def second(a):
        return first(a) * np.exp(tilt * a / temperature)

    norms = integral(first), integral(second)
    crossing = temperature * np.log(norms[1] / norms[0]) / tilt
    above = quad(
        lambda a: second(a) / norms[1] - first(a) / norms[0], crossing, 10.0, points=[5.0], limit=500, epsabs=1e-14
    )
    return above[0]


def test_three_equal_optima_and_nothing_above_them():
    a = np.linspace(-10.0, 10.0, 20_001)
    for width in (0.5, 1.0, 2.0):
        q = three_peaks(a, width=width)
        assert a[q == 1.0] == pytest.approx([-5.0, 0.0, 5.0], abs=1e-6)
        np.testing.assert_allclose(q, peaks(a, width), atol=1e-14)
    # A plain sum of bell curves would not do: its middle is higher.
    plain = sum(np.exp(-((np.array([0.0, 5.0]) - c) ** 2) / 2) for c in (-5.0, 0.0, 5.0))
    assert plain[0] > plain[1]


@pytest.mark.parametrize("tilt", [1e-2, 1e-6, 1e-12])
def test_the_hard_choice_jumps_where_the_soft_one_glides(tilt):
    figure = soft_policy_figure(tilt=tilt)
    assert figure.actions[figure.maximisers_before].tolist() == [-5.0, 0.0, 5.0]
    assert figure.actions[figure.maximisers_after].tolist() == [5.0]
    assert figure.hard_distance == 10.0
    assert figure.hard_jump == pytest.approx(2 / 3)
    assert figure.soft_shift <= figure.soft_bound + 1e-15 <= 10.001 * tilt
    left = soft_policy_figure(tilt=-tilt)
    assert left.actions[left.maximisers_after].tolist() == [-5.0]


@given(st.floats(0.05, 20.0), st.floats(-3.0, 3.0), st.sampled_from([5, 41, 401]), st.floats(0.3, 3.0))
@settings(max_examples=100)
def test_the_bound_holds_on_every_grid(temperature, tilt, count, width):
    figure = soft_policy_figure(count=count, temperature=temperature, tilt=tilt, width=width)
    assert figure.soft_shift <= figure.soft_bound + 1e-12
    for density in (figure.density_before, figure.density_after):
        assert (density >= 0.0).all()
        assert (figure.measure * density).sum() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("tilt", [0.01, 0.2])
def test_the_soft_shift_converges_to_that_of_the_interval(tilt):
    expected = true_shift(0.5, tilt)
    for count in (41, 81, 161, 401, 801, 1601):
        error = abs(soft_policy_figure(count=count, tilt=tilt).soft_shift - expected)
        assert error <= 4.0 * expected * (20.0 / (count - 1)) ** 2 / 100.0
        assert count < 401 or error <= 2e-6


def test_the_density_converges_with_the_square_of_the_spacing():
    """A density without the peaks' luck at the ends: exp(a) on [0, 1]; halving the spacing divides the error by 4."""
    errors = []
    for count in (11, 21, 41):
        points = np.linspace(0.0, 1.0, count)
        density = gibbs_density(points, trapezoid_weights(points), temperature=1.0)
        errors.append(abs(density[0] - 1.0 / (np.e - 1.0)))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.01)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.01)


def test_without_tilt_nothing_moves():
    figure = soft_policy_figure(tilt=0.0)
    assert (figure.hard_distance, figure.hard_jump, figure.soft_shift, figure.soft_bound) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "bad",
    [
        {"count": 4},
        {"count": 6},
        {"count": 1},
        {"temperature": 0.0},
        {"temperature": np.nan},
        {"tilt": np.inf},
        {"width": 0.0},
        {"width": np.nan},
    ],
)
def test_bad_input_is_refused(bad):
    with pytest.raises(InvalidInputError, match=f"{next(iter(bad))} = "):
        soft_policy_figure(**bad)


def test_results_print_and_convert():
    figure = soft_policy_figure(count=41)
    assert "become [5.0] (Hausdorff distance 10" in repr(figure)
    record = figure.to_dict()
    assert len(record["density_after"]) == 41
    assert record["temperature"] == 0.5
