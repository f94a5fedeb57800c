"""Which temperature makes the soft policy stable enough, and what that costs (design: Result 5).

The question: rewards may be off by epsilon; by at most tau should the policy move, in total variation in every state.

    universal    epsilon / (2 (1 - gamma) artanh tau): sufficient in every MDP, and necessary in the worst one;
    horizon      the same with the horizon of this world in place of 1 / (1 - gamma): finite at gamma = 1 too;
    mixing       from the span of the change of Q in this world, whatever its reward;
    certified    from the bound that is proven for this reward: the least temperature found at which it holds.

All four are theorems. `local` (epsilon times the derivative) and `measured` (the worst case that a search found) say
from where on those numbers stay below tau: heuristics, no guarantee. Stability need not be monotone in the temperature:
a cold policy with a clear optimum hardly moves. So the last three are searched downwards from `mixing`, on a grid with
ratio 2^(1/2) that is refined where the first temperature fails; what is claimed about `certified` is claimed at it.

Cost: one evaluation of the bounds for each temperature that is tried, up to some tens of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from policycliff.cliffs.soft.bounds import bounds_of, check_seed, check_starts, default_states
from policycliff.cliffs.soft.frontier import FrontierPoint, frontier_point, make_price
from policycliff.cliffs.soft.problem import SoftProblem, check_epsilon, make_problem
from policycliff.cliffs.soft.result import SoftPolicyBounds
from policycliff.mdp.messages import as_float_vector, as_number, fail
from policycliff.mdp.model import MDP, check_mdp

RATIO = 2.0**-0.5
STEPS_DOWN = 20
REFINEMENTS = 7
FRONTIER_POINTS = 9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TemperatureCalibration:
    """Temperatures that keep the soft policy within `total_variation` for rewards within `epsilon`.

    Attributes:
        epsilon: how far rewards may be off.
        total_variation: how far the policy may move in any state.
        kind: "entropy" or "kl".
        universal: theorem: sufficient in every MDP with this discount; inf at gamma = 1.
        horizon: theorem: sufficient for every reward on this world.
        mixing: theorem: the same from the smaller span form.
        certified: theorem: sufficient for this reward.
        local: heuristic: from here up to `mixing` the first-order shift stays below `total_variation`.
        measured: heuristic: from here up to `mixing` the search found no larger shift.
        searched_down_to: where the searches of the last three stop; a value equal to it may be lower still.
        price: the frontier's point at `certified`.
        frontier: points at rising temperatures: shift against return and regret.
    """

    epsilon: float
    total_variation: float
    kind: str
    universal: float
    horizon: float
    mixing: float
    certified: float
    local: float
    measured: float
    searched_down_to: float
    price: FrontierPoint | None
    frontier: tuple[FrontierPoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (an infinite number is None)."""
        names = ("epsilon", "total_variation", "universal", "horizon", "mixing", "certified", "local", "measured")
        numbers = {name: getattr(self, name) for name in (*names, "searched_down_to")}
        return {
            **{name: value if np.isfinite(value) else None for name, value in numbers.items()},
            "kind": self.kind,
            "price": None if self.price is None else self.price.to_dict(),
            "frontier": [point.to_dict() for point in self.frontier],
        }

    def __repr__(self) -> str:
        cost = "free" if self.price is None else f"regret {self.price.regret:.4g} (bound {self.price.regret_bound:.4g})"
        return (
            f"TemperatureCalibration({self.kind}: TV <= {self.total_variation:g} for rewards within {self.epsilon:g}; "
            f"proven at temperature {self.certified:.4g} for this reward, {self.mixing:.4g} on this world, "
            f"{self.universal:.4g} anywhere; {cost}; "
            f"heuristic: {self.local:.4g} to first order, {self.measured:.4g} by search)"
        )


def calibrate_temperature(
    mdp: MDP,
    epsilon: float,
    total_variation: float,
    *,
    reference_policy: Any = None,
    mask: Any = None,
    half_widths: Any = None,
    temperatures: Any = None,
    starts: int = 4,
    seed: int = 0,
) -> TemperatureCalibration:
    """The least temperature that keeps the soft policy stable, its price, and the stability-return frontier.

    Args:
        mdp: the MDP.
        epsilon: how far rewards may be off, at least 0, in units of reward.
        total_variation: how far the policy may move in any state, in (0, 1).
        reference_policy: (pairs,) for KL; None for entropy.
        mask: (pairs,) boolean: the pairs whose reward may change.
        half_widths: (pairs,) |D| <= epsilon * half_widths. Give this or `mask`.
        temperatures: temperatures of the frontier, positive; by default nine around the calibrated ones.
        starts: climbs of the search at each temperature, at least 1.
        seed: of the search.

    Returns:
        A `TemperatureCalibration`. All temperatures are 0 where no allowed change of reward moves the policy.

    Raises:
        InvalidInputError: an argument is out of range or of the wrong length.

    Example:
        >>> import numpy as np
        >>> from policycliff import MDP, calibrate_temperature
        >>> bandit = MDP.from_arrays(np.ones((1, 2, 1)), [[1.0, 1.0]], 0.0)
        >>> result = calibrate_temperature(bandit, 0.1, 0.05)
        >>> round(result.universal, 4), round(result.certified, 4)
        (0.9992, 0.9992)
    """
    check_mdp(mdp)
    radius, goal, climbs = check_epsilon(epsilon), _check_shift(total_variation), check_starts(starts, least=1)
    check_seed(seed)
    grid = None if temperatures is None else _check_temperatures(temperatures)
    problem = make_problem(mdp, reference_policy=reference_policy, mask=mask, half_widths=half_widths)
    universal, horizon, mixing = proven_temperatures(problem, radius, goal)
    bounds = _bounds_at(problem, radius, seed=seed)
    found = _descend(bounds, goal, mixing, starts=climbs)
    price = make_price(mdp, problem)
    return TemperatureCalibration(
        epsilon=radius,
        total_variation=goal,
        kind="kl" if problem.reference else "entropy",
        universal=universal,
        horizon=horizon,
        mixing=mixing,
        certified=found["certified"],
        local=found["local"],
        measured=found["measured"],
        searched_down_to=mixing * RATIO**STEPS_DOWN,
        price=None if found["certified"] == 0.0 else frontier_point(price, bounds(found["certified"], climbs)),
        frontier=tuple(frontier_point(price, bounds(at, climbs)) for at in _grid(grid, found["certified"])),
    )


Bounds = Callable[[float, int], SoftPolicyBounds]
"""The bounds as a function of the temperature and of how many climbs the search may take."""


def _bounds_at(problem: SoftProblem, epsilon: float, *, seed: int) -> Bounds:
    """The bounds of a problem for this reward error."""

    def bounds(temperature: float, starts: int) -> SoftPolicyBounds:
        solution = problem.solve(temperature)
        states = default_states(problem, solution)
        return bounds_of(problem, solution, epsilon=epsilon, states=states, starts=starts, seed=seed)

    return bounds


def _shift(found: SoftPolicyBounds, column: str) -> float:
    """The largest shift that a column speaks of."""
    return found.epsilon * found.worst("local") if column == "local" else found.worst(column)


def proven_temperatures(problem: SoftProblem, epsilon: float, goal: float) -> tuple[float, float, float]:
    """Sufficient temperatures: in every MDP with this discount, on this world, and from its mixing (rounded up)."""
    sure = epsilon / float(np.arctanh(goal)) * (1.0 + 1e-12)
    widest, slack = float(problem.half_widths.max(initial=0.0)), 1.0 - problem.mdp.gamma
    horizon = sure * float(problem.widest_q.max()) / 2.0
    mixing = min(horizon, sure * float(problem.mixing_span.max()) / 4.0)
    if epsilon * widest == 0.0:
        return 0.0, horizon, mixing
    return sure * widest / (2.0 * slack) if slack > 0.0 else np.inf, horizon, mixing


def _descend(bounds: Bounds, goal: float, top: float, *, starts: int) -> dict[str, float]:
    """From `top` downwards, the last temperature at which each column is still at most `goal`."""
    climbs = {"certified": 0, "local": 0, "measured": starts}
    good, bad = dict.fromkeys(climbs, top), dict.fromkeys(climbs, 0.0)
    for step in range(1, STEPS_DOWN + 1 if top > 0.0 else 0):
        searching = [name for name in climbs if bad[name] == 0.0]
        if not searching:
            break
        lower = top * RATIO**step
        here = bounds(lower, max(climbs[name] for name in searching))
        for name in searching:
            (good if _shift(here, name) <= goal else bad)[name] = lower
    for name, allowed in climbs.items():
        for _ in range(REFINEMENTS if bad[name] > 0.0 else 0):
            middle = float(np.sqrt(good[name] * bad[name]))
            (good if _shift(bounds(middle, allowed), name) <= goal else bad)[name] = middle
    return good


def _grid(given: list[float] | None, centre: float) -> list[float]:
    """The given temperatures, by default from 1/16 to 16 times the calibrated one."""
    if given is not None:
        return given
    return [] if centre == 0.0 else np.geomspace(centre / 16.0, centre * 16.0, FRONTIER_POINTS).tolist()


def _check_shift(total_variation: float) -> float:
    """A total variation strictly between 0 and 1."""
    value = as_number("total_variation", total_variation)
    if not 0.0 < value < 1.0:
        raise fail(
            got=f"total_variation = {total_variation!r}",
            expected="a number strictly between 0 and 1",
            remedy="Pass how far the policy may move, such as 0.1.",
        )
    return value


def _check_temperatures(temperatures: Any) -> list[float]:
    """Positive finite temperatures in ascending order."""
    vector = as_float_vector("temperatures", temperatures)
    if vector.ndim != 1 or vector.size == 0 or not ((vector > 0.0) & (vector < np.inf)).all():
        raise fail(
            got=f"`temperatures` {vector.tolist()}",
            expected="a list of positive finite numbers",
            remedy="Try numpy.geomspace(0.01, 10, 7).",
        )
    return sorted(vector.tolist())
