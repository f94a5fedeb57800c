"""The exponential function of arrays against ball arithmetic."""

import numpy as np
from flint import arb, ctx

from policycliff.values.exponential_kernels import exponentials


def worst_error(x: np.ndarray, *, divisor: float = 1.0) -> float:
    """Largest error in units in the last place (of subnormal numbers: in the least of them)."""
    found = x.copy()
    exponentials(found, found.size, divisor)
    ctx.prec = 200
    errors = []
    for value, got in zip(x / divisor, found, strict=True):
        exact = arb(float(value)).exp()
        errors.append(float(abs(exact - arb(float(got)))) / float(np.spacing(max(float(got), 5e-324))))
    return max(errors)


def test_entries_are_within_two_units_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    moderate = -40.0 * rng.random(4000)
    steps = -np.arange(0.0, 1077.0) * np.log(2.0)
    around = np.concatenate([np.nextafter(steps, 0.0), np.nextafter(steps, -np.inf), steps * 0.5])
    tiny = -np.geomspace(1e-320, 1.0, 500)
    assert worst_error(np.concatenate([moderate, steps, around, tiny])) < 2.0


def test_subnormal_results_and_zero() -> None:
    assert worst_error(-np.linspace(700.0, 760.0, 2000)) < 2.0
    x = np.array([-745.0, -746.0, -1e308, -np.inf])
    exponentials(x, 4, 1.0)
    assert x.tolist() == [5e-324, 0.0, 0.0, 0.0]


def test_zero_gives_one_and_what_is_above_counts_as_zero() -> None:
    x = np.array([0.0, -0.0, 3.0, 1e308, np.inf, -1.0])
    exponentials(x, 5, 2.0)
    assert x.tolist() == [1.0] * 5 + [-1.0]


def test_nan_stays_nan() -> None:
    x = np.array([np.nan])
    exponentials(x, 1, 1.0)
    assert np.isnan(x[0])


def test_the_divisor() -> None:
    assert worst_error(-np.random.default_rng(1).random(1000), divisor=0.01) < 2.0
