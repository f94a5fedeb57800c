"""The figure of the soft policy: actions on [-10, 10] with three equal optima at -5, 0 and 5, alpha = 0.5.

Under a tilt t a of the Q-function the hard choice jumps to one end of the optima; the soft density moves by at most
tanh(span / (4 alpha)). Measured by the peaks written anew, the soft shift also on a finer grid with Simpson's rule; the
instance only seeds the tilt.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from policycliff.policies.continuous import SoftPolicyFigure, soft_policy_figure
from policycliff.statements.instances import Instance
from policycliff.statements.statement import Claim, Outcome, Statement

ALPHA, LOW, HIGH = 0.5, -10.0, 10.0
FINE = 8001
PLACES = (-5.0, -2.5, 0.0, 2.5, 5.0)


def check(instance: Instance) -> Outcome:
    """One random small tilt to the right."""
    from scipy.integrate import simpson, trapezoid  # noqa: PLC0415 - takes longer to import than to run

    tilt = float(10.0 ** instance.generator("Fig. soft policy").uniform(-6.0, -2.0))
    figure = soft_policy_figure(temperature=ALPHA, tilt=tilt)
    actions = np.linspace(LOW, HIGH, FINE)
    grid = np.linspace(LOW, HIGH, figure.actions.size)
    hard = _peaks(grid)
    before, after = grid[hard > 1.0 - 1e-12], grid[_near_best(hard + tilt * grid)]
    shift = _shift(actions, tilt, simpson)
    coarse = _shift(grid, tilt, trapezoid)
    return Outcome(
        claims=(
            Claim("total variation of the soft policy", figure.soft_bound, shift, "<=", 1e-7),
            Claim("the same, on the grid of the figure", figure.soft_shift, coarse, "=", 1e-12),
            Claim("Hausdorff distance of the hard optima", figure.hard_distance, _hausdorff(before, after), "=", 1e-12),
            Claim("jump of the uniform choice among three", figure.hard_jump, 1.0 - 1.0 / before.size, "=", 1e-12),
            Claim("number of hard optima before", 3.0, float(figure.maximisers_before.sum()), "="),
            Claim(
                "the bound, attained by two ends", figure.soft_bound, _two_ends(tilt), "=", 1e-10 * figure.soft_bound
            ),
            Claim("density between optima over that at them", 1.0, _dip(figure), "<="),
        )
    )


def _peaks(actions: np.ndarray) -> np.ndarray:
    """Three equal peaks of height 1, by inclusion and exclusion of three bell curves."""
    a, b, c = (np.exp(-0.5 * (actions - centre) ** 2) for centre in (-5.0, 0.0, 5.0))
    return np.asarray(a + b + c - a * b - b * c - a * c + a * b * c)


def _near_best(q: np.ndarray) -> np.ndarray:
    return np.flatnonzero(q == q.max())


def _shift(actions: np.ndarray, tilt: float, rule: Callable[..., Any]) -> float:
    q = _peaks(actions)
    weights = [np.exp(values / ALPHA) for values in (q, q + tilt * actions)]
    densities = [weight / rule(weight, x=actions) for weight in weights]
    return 0.5 * float(rule(np.abs(densities[0] - densities[1]), x=actions))


def _two_ends(tilt: float) -> float:
    """The shift of a soft choice between the two ends of the interval whose odds the tilt turns around."""
    q = np.array([0.25, -0.25]) * tilt * (HIGH - LOW)
    odds = np.exp(q / ALPHA)
    before, after = odds / odds.sum(), odds[::-1] / odds.sum()
    return 0.5 * float(np.abs(before - after).sum())


def _dip(figure: SoftPolicyFigure) -> float:
    """Density half-way between optima over the least at an optimum: the soft policy keeps all three peaks."""
    at = {place: float(figure.density_before[np.argmin(np.abs(figure.actions - place))]) for place in PLACES}
    return max(at[-2.5], at[2.5]) / min(at[-5.0], at[0.0], at[5.0])


def _hausdorff(first: np.ndarray, second: np.ndarray) -> float:
    there = max(min(abs(a - b) for b in second.tolist()) for a in first.tolist())
    back = max(min(abs(a - b) for b in first.tolist()) for a in second.tolist())
    return max(there, back)


STATEMENT = Statement(
    number="Fig. soft policy",
    title="The soft policy over a continuum of actions",
    says="A tilt t a makes the hard choice of equal optima jump; the soft one moves by at most tanh(5 t / alpha).",
    example="tied bandit",
    check=check,
)
