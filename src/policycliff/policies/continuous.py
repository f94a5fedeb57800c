"""The paper's figure of the soft policy: hard and soft choice over a continuous set of actions with three equal optima.

Q(a) = 1 - prod_c (1 - exp(-(a - c)^2 / (2 width^2))) over the centres c = -5, 0, 5: smooth, at most 1, and exactly 1 at
the three centres and nowhere else (a plain sum of three bell curves has a higher middle: it collects both tails).
A tilt t adds t a to it: for t > 0 the hard choice is the right peak alone, so its set of maximisers jumps by 10 in
Hausdorff distance and the uniform selection over it by 2/3 in total variation, however small t is.

The soft policy has the density exp(Q(a) / alpha) / Z with respect to length on [-10, 10]: Prop 4.7 and Lemma C.2 need
finitely many actions or such a reference measure. Under the tilt it moves by at most tanh(span(t a) / (4 alpha)) =
tanh(5 t / alpha) in total variation: a factor exp(t a / alpha) changes the odds of any set of actions by at most
exp(span / alpha) (Result 4). The bound holds on the grid as it is: the weights of the grid are a reference measure too.

The grid: equally spaced points with trapezoid weights, whose error falls with the square of the spacing.
Cost: O(points).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.mdp.compilation import frozen
from policycliff.mdp.messages import fail
from policycliff.mdp.metric import MetricGrid
from policycliff.policies.distances import hausdorff_distance
from policycliff.shapes import Bool, Float64

CENTRES = (-5.0, 0.0, 5.0)
LOW, HIGH = -10.0, 10.0

Line = Float64[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SoftPolicyFigure:
    """Hard and soft choice on a grid of actions before and after a tilt, as plain arrays to plot.

    Attributes:
        actions: (n,) the grid on [-10, 10].
        measure: (n,) length that each point stands for (trapezoid weights; they sum to 20).
        q_before, q_after: (n,) Q-values without and with the tilt.
        maximisers_before, maximisers_after: (n,) which points are hard maximisers of these numbers.
        density_before, density_after: (n,) soft densities with respect to length.
        temperature: alpha.
        tilt: t.
        hard_distance: Hausdorff distance of the two sets of maximisers.
        hard_jump: total variation of uniform selection over them.
        soft_shift: total variation of the soft policies.
        soft_bound: tanh(span(t a) / (4 alpha)), which `soft_shift` cannot exceed (up to rounding).
    """

    actions: Line
    measure: Line
    q_before: Line
    q_after: Line
    maximisers_before: Bool[np.ndarray, " n"]
    maximisers_after: Bool[np.ndarray, " n"]
    density_before: Line
    density_after: Line
    temperature: float
    tilt: float
    hard_distance: float
    hard_jump: float
    soft_shift: float
    soft_bound: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}

    def __repr__(self) -> str:
        before, after = self.actions[self.maximisers_before], self.actions[self.maximisers_after]
        return (
            f"SoftPolicyFigure({self.actions.size} actions, temperature {self.temperature:g}, tilt {self.tilt:g}: "
            f"maximisers {before.tolist()} become {after.tolist()} (Hausdorff distance {self.hard_distance:g}, "
            f"total variation {self.hard_jump:.4g}); the soft policy moves by {self.soft_shift:.4g} "
            f"<= {self.soft_bound:.4g})"
        )


def soft_policy_figure(
    *, count: int = 401, temperature: float = 0.5, tilt: float = 0.01, width: float = 1.0
) -> SoftPolicyFigure:
    """The figure of the soft policy: three equal optima at -5, 0 and 5 of [-10, 10], tilted a little.

    Args:
        count: number of grid points, 5, 9, 13, ...: then the three optima are grid points.
        temperature: alpha > 0, in units of Q (the paper's figure: 0.5).
        tilt: t, what is added to Q for one unit of action; finite.
        width: width of the three peaks, above 0.

    Returns:
        A `SoftPolicyFigure`. Maximisers are those of the given numbers, exactly. Soft quantities are those of the grid,
        and approach those of the interval with the square of the spacing (401 points: within 2e-6 at temperature 0.5,
        width 1 and tilts up to 0.2, measured against adaptive quadrature).

    Raises:
        InvalidInputError: an argument is out of range.

    Example:
        >>> figure = soft_policy_figure(tilt=0.001)
        >>> figure.hard_distance, round(figure.hard_jump, 4), figure.soft_shift < figure.soft_bound < 0.01 + 1e-9
        (10.0, 0.6667, True)
    """
    _check(count, temperature, tilt, width)
    grid = MetricGrid.line(LOW, HIGH, count)
    actions = np.linspace(LOW, HIGH, count)
    measure = trapezoid_weights(actions)
    q_before = three_peaks(actions, width=width)
    q_after = q_before + tilt * actions
    best = [q == q.max() for q in (q_before, q_after)]
    soft = [gibbs_density(q, measure, temperature=temperature) for q in (q_before, q_after)]
    uniform = [members / members.sum() for members in best]
    span = float(abs(tilt) * (HIGH - LOW))
    return SoftPolicyFigure(
        actions=frozen(actions),
        measure=frozen(measure),
        q_before=frozen(q_before),
        q_after=frozen(q_after),
        maximisers_before=frozen(best[0]),
        maximisers_after=frozen(best[1]),
        density_before=frozen(soft[0]),
        density_after=frozen(soft[1]),
        temperature=float(temperature),
        tilt=float(tilt),
        hard_distance=hausdorff_distance(*(np.flatnonzero(members) for members in best), metric=grid),
        hard_jump=float(0.5 * np.abs(uniform[0] - uniform[1]).sum()),
        soft_shift=float(0.5 * (measure * np.abs(soft[0] - soft[1])).sum()),
        soft_bound=float(np.tanh(span / (4.0 * temperature))),
    )


def three_peaks(actions: Line, *, width: float = 1.0, centres: Sequence[float] = CENTRES) -> Line:
    """1 - prod_c (1 - exp(-(a - c)^2 / (2 width^2))): smooth, exactly 1 at the centres and below 1 elsewhere.

    >>> three_peaks(np.array([-5.0, 0.0, 5.0]))
    array([1., 1., 1.])
    """
    distances = np.asarray(actions)[:, None] - np.asarray(centres, dtype=np.float64)
    return np.asarray(1.0 - np.prod(-np.expm1(-0.5 * (distances / width) ** 2), axis=1))


def trapezoid_weights(points: Line) -> Line:
    """(n,) the length that each of n ascending points stands for: half the distance between its neighbours.

    >>> trapezoid_weights(np.array([0.0, 1.0, 3.0]))
    array([0.5, 1.5, 1. ])
    """
    steps = np.diff(points) / 2.0
    return np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps])


def gibbs_density(q_values: Line, measure: Line, *, temperature: float) -> Line:
    """(n,) exp(Q / temperature) / Z with respect to a reference measure: sum of measure * density is 1.

    >>> gibbs_density(np.zeros(2), np.array([1.0, 3.0]), temperature=0.5)
    array([0.25, 0.25])
    """
    weights = np.exp((q_values - q_values.max()) / temperature)
    return np.asarray(weights / (measure * weights).sum())


def _check(count: int, temperature: float, tilt: float, width: float) -> None:
    checks = (
        (count >= 5 and count % 4 == 1, f"count = {count!r}", "5, 9, 13, ...", "Then -5, 0 and 5 are grid points."),
        (0.0 < temperature < np.inf, f"temperature = {temperature!r}", "a positive finite number", "Try 0.5."),
        (np.isfinite(tilt), f"tilt = {tilt!r}", "a finite number", "Try 0.01."),
        (0.0 < width < np.inf, f"width = {width!r}", "a positive finite number", "Try 1.0."),
    )
    for fine, got, expected, remedy in checks:
        if not fine:
            raise fail(got=got, expected=expected, remedy=remedy)
